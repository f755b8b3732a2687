//! Threads, chunks, memory and packing change nothing in what an audit finds.

use crate::corpus::{Corpus, cells, corpus, told};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use tokentrail::findings::{OccurrenceRow, RejectRow};
use tokentrail::generate::LogFormat;
use tokentrail::pipeline::{Options, Outcome, Sink, SinkError, list, run};
use tokentrail::record::FormatSet;

#[derive(Default, PartialEq)]
struct Kept {
    occurrences: Vec<OccurrenceRow>,
    rejects: Vec<RejectRow>,
}

impl Sink for Kept {
    fn occurrences(&mut self, rows: Vec<OccurrenceRow>) -> Result<(), SinkError> {
        self.occurrences.extend(rows);
        Ok(())
    }

    fn rejects(&mut self, rows: Vec<RejectRow>) -> Result<(), SinkError> {
        self.rejects.extend(rows);
        Ok(())
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lines(corpus: &Corpus) -> Vec<Vec<u8>> {
    let logs = corpus.logs();
    let lines = logs.iter().flat_map(|(_, bytes)| bytes.split_inclusive(|byte| *byte == b'\n'));
    lines.map(<[u8]>::to_vec).collect()
}

/// The corpus in three files, the earliest requests in the last one.
fn shuffled(corpus: &Corpus, folder: &Path, packed: bool) {
    let lines: Vec<_> = lines(corpus).into_iter().step_by(3).collect();
    for (at, part) in lines.chunks(lines.len().div_ceil(3)).enumerate() {
        let mut bytes = part.concat();
        if at == 1 {
            bytes.extend(b"no record at all\n");
        }
        let bytes = if packed { gzip(&bytes) } else { bytes };
        std::fs::write(folder.join(format!("{}.log", 9 - at)), bytes).unwrap();
    }
}

fn audit(corpus: &Corpus, folder: &Path, options: &Options) -> (Outcome, Kept) {
    let formats = FormatSet::load(corpus.formats().as_deref()).unwrap();
    let inputs = list(&[folder]).unwrap();
    let mut kept = Kept::default();
    let stop = AtomicBool::new(false);
    let outcome = run(&corpus.engine(&[]), &formats, &inputs, options, &stop, &(), &mut kept).unwrap();
    (outcome, kept)
}

#[test]
fn any_threads_and_any_chunks_find_the_same() {
    let corpus = corpus(LogFormat::EdgeJson);
    let folder = tempfile::tempdir().unwrap();
    shuffled(corpus, folder.path(), false);
    let (expected, rows) = audit(corpus, folder.path(), &Options::default());
    let least = |row: &OccurrenceRow| {
        let texts = row.texts();
        (texts.source.map(str::to_owned), row.line, row.offset, texts.rule.to_owned())
    };
    assert!(rows.occurrences.len() > 100, "{}", rows.occurrences.len());
    let unsorted = rows.occurrences.windows(2).find(|pair| least(&pair[0]) > least(&pair[1]));
    assert_eq!(unsorted, None);
    assert_eq!(rows.rejects.len(), 1);
    let first_in_the_last_file =
        |source: &Option<String>| source.as_ref().is_some_and(|source| source.ends_with("9.log"));
    assert!(expected.concluded.tables.findings.iter().any(|finding| first_in_the_last_file(&finding.source)));
    for packed in [false, true] {
        shuffled(corpus, folder.path(), packed);
        for (workers, chunk_bytes, held_rows_bytes) in [(1, 700, 0), (2, 5_000, 1 << 20), (5, 20_000, 10_000)]
        {
            let options = Options { workers, chunk_bytes, held_rows_bytes, ..Options::default() };
            let (outcome, kept) = audit(corpus, folder.path(), &options);
            assert!(kept == rows, "{options:?}");
            assert!(told(&outcome.concluded) == told(&expected.concluded), "{options:?}");
            let counts =
                |outcome: &Outcome| outcome.inputs.iter().map(|input| input.counts).collect::<Vec<_>>();
            assert_eq!(counts(&outcome), counts(&expected));
            assert_eq!(outcome.completeness(), expected.completeness());
        }
    }
}

#[test]
fn an_envelope_gives_what_its_lines_give() {
    let corpus = corpus(LogFormat::EdgeJson);
    let lines = lines(corpus);
    let flat = tempfile::tempdir().unwrap();
    std::fs::write(flat.path().join("a.log"), lines.concat()).unwrap();
    let wrapped = tempfile::tempdir().unwrap();
    let elements = lines.iter().map(|line| line.trim_ascii_end()).collect::<Vec<_>>().join(&b", "[..]);
    let envelope = [&b"{\"records\": ["[..], &elements, b"]}"].concat();
    std::fs::write(wrapped.path().join("a.log"), envelope).unwrap();
    let (expected, _) = audit(corpus, flat.path(), &Options::default());
    for chunk_bytes in [1_000, 1 << 20] {
        let options = Options { workers: 3, chunk_bytes, ..Options::default() };
        let (outcome, _) = audit(corpus, wrapped.path(), &options);
        assert_eq!(outcome.inputs[0].counts, expected.inputs[0].counts);
        assert_eq!(outcome.inputs[0].lines, 1);
        assert_eq!(outcome.concluded.totals.findings, expected.concluded.totals.findings);
        assert_eq!(cells(&*outcome.concluded.tables.activity), cells(&*expected.concluded.tables.activity));
    }
}
