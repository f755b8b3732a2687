use super::*;
use crate::engine::{Filters, InputCounts, Setup};
use crate::findings::{OccurrenceRow, RejectRow};
use crate::pipeline::inputs::list;
use crate::pipeline::look::survey;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering;
use tempfile::TempDir;

#[derive(Default)]
struct Kept {
    rejects: Vec<RejectRow>,
    /// Calls that succeed before one fails.
    fails_after: Option<usize>,
}

impl Sink for Kept {
    fn occurrences(&mut self, _: Vec<OccurrenceRow>) -> Result<(), SinkError> {
        Ok(())
    }

    fn rejects(&mut self, rows: Vec<RejectRow>) -> Result<(), SinkError> {
        match &mut self.fails_after {
            Some(0) => return Err(SinkError("disk full".into())),
            Some(left) => *left -= 1,
            None => {}
        }
        self.rejects.extend(rows);
        Ok(())
    }
}

fn engine() -> Engine {
    let filters = Filters::default();
    Engine::new(Setup {
        policy: None,
        keys: None,
        rules: Vec::new(),
        filters,
        occurrences: true,
        activity: true,
        portable: false,
    })
}

fn formats() -> FormatSet {
    FormatSet::load(None).unwrap()
}

fn options() -> Options {
    Options { format: Some("kong".to_owned()), ..Options::default() }
}

fn record(number: usize) -> String {
    format!("{{\"started_at\":{},\"request\":{{\"method\":\"GET\"}}}}\n", 1_795_343_667_118 + number)
}

/// Lines of which some are no records.
fn log(lines: usize, bad_every: usize) -> Vec<u8> {
    let line = |number: usize| {
        if number.is_multiple_of(bad_every) { format!("broken {number} {{\r\n") } else { record(number) }
    };
    (1..=lines).flat_map(|number| line(number).into_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write(directory: &TempDir, name: &str, bytes: &[u8]) {
    std::fs::write(directory.path().join(name), bytes).unwrap();
}

/// Every kind of input.
fn mixed() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a-large.log", &log(3000, 7));
    write(&directory, "b-clean.log", &log(50, 1000));
    write(&directory, "c-empty.log", b"");
    write(&directory, "d-packed.log", &gzip(&log(900, 11)));
    let packed = gzip(&log(3000, 13));
    write(&directory, "e-truncated.gz", &packed[..packed.len() / 2]);
    write(&directory, "f.parquet", b"PAR1....");
    let mut long = log(20, 5);
    long.extend([b'x'; 3000]);
    long.extend(b"\n{}\n");
    write(&directory, "g-long.log", &long);
    write(&directory, "h-last.log", b"\xef\xbb\xbf{\"started_at\":1}\r\nno newline");
    directory
}

fn audit(directory: &Path, options: &Options) -> (Outcome, Vec<RejectRow>) {
    let inputs = list(&[directory, Path::new("/nowhere/x.log")]).unwrap();
    let mut sink = Kept::default();
    let outcome =
        run(&engine(), &formats(), &inputs, options, &AtomicBool::new(false), &(), &mut sink).unwrap();
    (outcome, sink.rejects)
}

#[test]
fn every_input_is_accounted_for() {
    let directory = mixed();
    let (outcome, rejects) = audit(directory.path(), &Options { line_bytes_max: 1000, ..options() });
    let seen: Vec<_> = outcome
        .inputs
        .iter()
        .map(|input| {
            let name = input.source.rsplit('/').next().unwrap();
            (name, input.status, input.counts.records, input.counts.rejects.total(), input.counts.ignored)
        })
        .collect();
    let truncated = outcome.inputs[5].counts;
    assert!(truncated.records > 100 && truncated.rejects.truncated_input <= 1, "{truncated:?}");
    assert_eq!(
        seen,
        [
            ("x.log", Status::Missing, 0, 0, 0),
            ("a-large.log", Status::Complete, 2572, 428, 0),
            ("b-clean.log", Status::Complete, 50, 0, 0),
            ("c-empty.log", Status::Empty, 0, 0, 0),
            ("d-packed.log", Status::Complete, 819, 81, 0),
            ("e-truncated.gz", Status::Truncated, truncated.records, truncated.rejects.total(), 0),
            ("f.parquet", Status::Unsupported, 0, 0, 0),
            ("g-long.log", Status::Complete, 17, 5, 0),
            ("h-last.log", Status::Complete, 1, 1, 0),
        ]
    );
    assert_eq!(outcome.inputs[1].lines, 3000);
    assert_eq!(outcome.inputs[8].lines, 2);
    assert!(outcome.inputs.iter().all(|input| (input.status == Status::Missing) == input.sha256.is_none()));
    let long = rejects.iter().find(|row| row.reason == "too-long").unwrap();
    assert_eq!((long.line, long.length), (Some(21), Some(3000)));
    let last = rejects.last().unwrap();
    assert_eq!((last.line, last.offset, last.length), (Some(2), Some(21), Some(10)));
    let sum: u64 = outcome.inputs.iter().map(|input| input.counts.units).sum();
    assert_eq!(outcome.concluded.totals.counts.units, sum);
    assert!(!outcome.completeness().complete && !outcome.interrupted);
}

#[test]
fn threads_chunks_and_memory_change_nothing() {
    let directory = mixed();
    let expected = audit(directory.path(), &Options { line_bytes_max: 1000, ..options() });
    let places: Vec<_> = expected.1.iter().map(|row| (row.source.clone(), row.line, row.offset)).collect();
    assert!(places.is_sorted());
    for workers in [1, 2, 7] {
        for chunk_bytes in [1, 100, 4096] {
            for held_rows_bytes in [0, 10_000] {
                let options =
                    Options { workers, chunk_bytes, held_rows_bytes, line_bytes_max: 1000, ..options() };
                let (outcome, rejects) = audit(directory.path(), &options);
                assert_eq!(outcome.inputs, expected.0.inputs, "{options:?}");
                assert!(rejects == expected.1, "{options:?}");
            }
        }
    }
}

#[test]
fn many_rows_of_many_pieces_stay_in_order() {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "a.log", &log(1, 1000));
    // Blocks of rows are closed, and put by in a file, while the input is being read.
    write(&directory, "b.log", &log(12_000, 1));
    write(&directory, "c.log", &gzip(&log(2_000, 2)));
    for (workers, chunk_bytes, held_rows_bytes) in [(1, 1 << 20, 1 << 30), (3, 3_000, 0), (4, 700, 2 << 20)] {
        let options = Options { workers, chunk_bytes, held_rows_bytes, ..options() };
        let (_, rejects) = audit(directory.path(), &options);
        assert_eq!(rejects.len(), 13_000, "{options:?}");
        let places = rejects.iter().map(|row| (row.source.as_deref(), row.line));
        assert!(places.is_sorted(), "{options:?}");
    }
}

#[test]
fn a_sink_that_fails_stops_the_run() {
    let directory = mixed();
    let inputs = list(&[directory.path()]).unwrap();
    for fails_after in 0..4 {
        let mut sink = Kept { fails_after: Some(fails_after), ..Kept::default() };
        let options = Options { workers: 3, chunk_bytes: 64, ..options() };
        let stop = AtomicBool::new(false);
        let error = run(&engine(), &formats(), &inputs, &options, &stop, &(), &mut sink).unwrap_err();
        assert_eq!(error.to_string(), "disk full");
    }
}

/// Stops the run when reading of an input begins.
struct StopsAt<'s>(&'s AtomicBool, &'static str);

impl Progress for StopsAt<'_> {
    fn input(&self, source: &str) {
        if source.ends_with(self.1) {
            self.0.store(true, Ordering::Release);
        }
    }
}

#[test]
fn only_finished_inputs_are_in_an_interrupted_result() {
    let directory = mixed();
    let inputs = list(&[directory.path()]).unwrap();
    for workers in [1, 4] {
        let stop = AtomicBool::new(false);
        let progress = StopsAt(&stop, "d-packed.log");
        let mut sink = Kept::default();
        let options = Options { workers, chunk_bytes: 256, ..options() };
        let outcome = run(&engine(), &formats(), &inputs, &options, &stop, &progress, &mut sink).unwrap();
        assert!(outcome.interrupted && !outcome.completeness().complete);
        assert_eq!(outcome.inputs.len(), inputs.len());
        let mut units = 0;
        for input in &outcome.inputs {
            let interrupted = input.status == Status::Interrupted;
            let rows = sink.rejects.iter().filter(|row| row.source.as_deref() == Some(&input.source)).count();
            assert_eq!(u64::try_from(rows).unwrap(), input.counts.rejects.total(), "{}", input.source);
            assert!(!interrupted || input.counts == InputCounts::default());
            units += input.counts.units;
        }
        assert_eq!(outcome.concluded.totals.counts.units, units);
        assert_eq!(outcome.inputs[3].status, Status::Interrupted);
        if workers == 1 {
            assert_eq!(outcome.inputs[0].status, Status::Complete);
        }
    }
}

#[test]
fn nothing_to_read_is_no_error() {
    let mut sink = Kept::default();
    let stop = AtomicBool::new(false);
    let outcome = run(&engine(), &formats(), &[], &options(), &stop, &(), &mut sink).unwrap();
    assert!(outcome.inputs.is_empty() && !outcome.interrupted);
}

#[test]
fn a_file_that_is_gone_by_its_turn_is_named() {
    let directory = mixed();
    let inputs = list(&[directory.path()]).unwrap();
    std::fs::remove_file(directory.path().join("b-clean.log")).unwrap();
    let stop = AtomicBool::new(false);
    let outcome = run(&engine(), &formats(), &inputs, &options(), &stop, &(), &mut Kept::default()).unwrap();
    assert_eq!(outcome.inputs[1].status, Status::Missing);
    assert!(outcome.completeness().sentence.contains("b-clean.log"));
}

#[test]
fn a_survey_reads_heads_only() {
    let directory = mixed();
    let inputs = list(&[directory.path()]).unwrap();
    let reports = survey(&engine(), &formats(), &inputs, &options());
    assert_eq!(reports.len(), inputs.len());
    assert_eq!(reports[0].status, Status::Planned);
    assert_eq!(reports[2].status, Status::Empty);
    assert_eq!(reports[5].status, Status::Unsupported);
    assert!(reports[0].format.is_some() && reports[0].sha256.is_none());
}
