//! The sink of a run: takes rows as they come, and the concluded tables at the end.

use crate::findings::{LargeTable, OccurrenceRow, RejectRow, Row, Tables};
use crate::limits;
use crate::pipeline::{Sink, SinkError};
use crate::sink::manifest::Written;
use crate::sink::output::{OutputDir, OutputError};
use crate::sink::parquet::{TableFile, TableWriter, file_name};
use crate::sink::rows::RowWriter;
use parquet::errors::ParquetError;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Why a result cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The directory.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A table.
    #[error("cannot write {name}: {error}")]
    Table {
        /// Its file.
        name: String,
        /// What went wrong.
        error: ParquetError,
    },
    /// Threads that encode.
    #[error("threads could not be started: {0}; ask for fewer with -j")]
    Threads(#[from] ThreadPoolBuildError),
}

/// Which tables are written, and how much of them.
#[derive(Clone, Copy, Debug)]
pub struct Tabled {
    /// Whether `occurrences` is written.
    pub occurrences: bool,
    /// Occurrences that are written of one finding.
    pub occurrences_max: Option<u64>,
    /// Whether `activity` is written.
    pub activity: bool,
    /// Threads that encode, at least 1; files do not depend on it.
    pub threads: usize,
}

/// A result that is being written.
pub struct ResultWriter {
    output: OutputDir,
    tabled: Tabled,
    occurrences: Option<RowWriter<OccurrenceRow>>,
    rejects: RowWriter<RejectRow>,
    pool: Arc<ThreadPool>,
    /// Occurrences that were written, by finding; only where they are limited.
    written: HashMap<String, u64>,
    not_written: u64,
}

impl ResultWriter {
    /// Starts a result in the staging directory of `output`.
    pub fn new(output: OutputDir, tabled: Tabled) -> Result<Self, WriteError> {
        let pool = ThreadPoolBuilder::new().num_threads(tabled.threads.max(1));
        let pool = Arc::new(pool.thread_name(|at| format!("encoder {at}")).build()?);
        let occurrences = tabled.occurrences.then(|| start(&output, &pool)).transpose()?;
        let rejects = start(&output, &pool)?;
        Ok(Self { output, tabled, occurrences, rejects, pool, written: HashMap::new(), not_written: 0 })
    }

    /// Where files of the run that are not part of the result may lie until it ends.
    pub fn scratch_directory(&self) -> &Path {
        self.output.path()
    }

    /// Writes the concluded tables; the directory is then complete but for the manifest.
    pub fn finish(self, tables: &Tables) -> Result<(OutputDir, Written), WriteError> {
        let Self { output, tabled, occurrences, rejects, pool, .. } = self;
        let occurrences =
            occurrences.map(|rows| rows.finish().map_err(failed::<OccurrenceRow>)).transpose()?;
        let rejects = rejects.finish().map_err(failed::<RejectRow>)?;
        let (activity, (tokens, others)) = pool.install(|| {
            rayon::join(
                || tabled.activity.then(|| large(&output, &*tables.activity)).transpose(),
                || rayon::join(|| large(&output, &*tables.tokens), || small(&output, tables)),
            )
        });
        let state = pool.install(|| large(&output, &*tables.state))?;
        let mut files: Vec<TableFile> = others?.into_iter().chain([rejects, state, tokens?]).collect();
        files.extend(occurrences.into_iter().chain(activity?));
        files.sort_by_key(|file| file.table);
        Ok((output, Written { files, occurrences_not_written: self.not_written }))
    }

    /// The first rows of each finding; the rest is counted.
    fn limited(&mut self, rows: Vec<OccurrenceRow>) -> Vec<OccurrenceRow> {
        let Some(most) = self.tabled.occurrences_max else { return rows };
        let (written, not_written) = (&mut self.written, &mut self.not_written);
        let mut fits = |row: &OccurrenceRow| {
            let id = row.texts().finding_id;
            if let Some(count) = written.get_mut(id) {
                *count += 1;
                return *count <= most;
            }
            written.insert(id.to_owned(), 1);
            most > 0
        };
        let mut kept = rows;
        kept.retain(|row| {
            let fits = fits(row);
            *not_written += u64::from(!fits);
            fits
        });
        kept
    }
}

impl Sink for ResultWriter {
    fn occurrences(&mut self, rows: Vec<OccurrenceRow>) -> Result<(), SinkError> {
        if self.occurrences.is_none() {
            return Ok(());
        }
        let rows = self.limited(rows);
        match &mut self.occurrences {
            Some(occurrences) => push(occurrences, rows),
            None => Ok(()),
        }
    }

    fn rejects(&mut self, rows: Vec<RejectRow>) -> Result<(), SinkError> {
        push(&mut self.rejects, rows)
    }
}

fn push<R: Row + Send + 'static>(writer: &mut RowWriter<R>, rows: Vec<R>) -> Result<(), SinkError> {
    writer.push(rows).map_err(|error| SinkError(Box::new(failed::<R>(error))))
}

fn failed<R: Row>(error: ParquetError) -> WriteError {
    WriteError::Table { name: file_name(R::TABLE), error }
}

fn start<R: Row + Send + 'static>(
    output: &OutputDir,
    pool: &Arc<ThreadPool>,
) -> Result<RowWriter<R>, WriteError> {
    let file = output.file(&file_name(R::TABLE))?;
    RowWriter::new(file, Arc::clone(pool)).map_err(failed::<R>)
}

/// The tables that are never large.
fn small(output: &OutputDir, tables: &Tables) -> Result<[TableFile; 3], WriteError> {
    let coverage = whole(output, &tables.coverage)?;
    let findings = whole(output, &tables.findings)?;
    Ok([coverage, findings, whole(output, &tables.problems)?])
}

fn whole<R: Row + Sync>(output: &OutputDir, rows: &[R]) -> Result<TableFile, WriteError> {
    let file = output.file(&file_name(R::TABLE))?;
    let batches = rows.chunks(limits::TABLE_BATCH_ROWS).map(R::batch);
    let writer = TableWriter::new(R::TABLE, file);
    writer.and_then(|writer| writer.write_all(batches)).map_err(failed::<R>)
}

/// A table whose batches are made when they are written.
fn large(output: &OutputDir, table: &dyn LargeTable) -> Result<TableFile, WriteError> {
    let name = file_name(table.table());
    let file = output.file(&name)?;
    let starts = (0..table.rows()).step_by(limits::TABLE_BATCH_ROWS);
    let batches = starts.map(|start| table.batch(start..start + limits::TABLE_BATCH_ROWS));
    let writer = TableWriter::new(table.table(), file);
    writer.and_then(|writer| writer.write_all(batches)).map_err(|error| WriteError::Table { name, error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::OccurrenceTexts;
    use crate::redact::Fingerprint;
    use crate::rules::Severity;

    fn occurrence(finding: &str, line: i64) -> OccurrenceRow {
        let texts = OccurrenceTexts {
            finding_id: finding,
            rule: "wrong-aud",
            source: Some("a.log"),
            ..OccurrenceTexts::default()
        };
        let mut row = OccurrenceRow::new(Severity::High, Fingerprint([0; 32]), &texts);
        row.line = Some(line);
        row
    }

    fn rows(tabled: Tabled) -> (Vec<(&'static str, u64)>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputDir::create(&folder.path().join("out")).unwrap();
        let mut writer = ResultWriter::new(output, tabled).unwrap();
        for line in 0..3 {
            writer.occurrences(vec![occurrence("a", line), occurrence("b", line)]).unwrap();
        }
        let (_, written) = writer.finish(&Tables::default()).unwrap();
        (written.files.iter().map(|file| (file.table, file.rows)).collect(), written.occurrences_not_written)
    }

    #[test]
    fn every_table_is_written_even_if_it_is_empty() {
        let (files, _) =
            rows(Tabled { occurrences: true, occurrences_max: None, activity: true, threads: 2 });
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            ["activity", "coverage", "findings", "occurrences", "problems", "rejects", "state", "tokens"]
        );
        assert!(files.contains(&("occurrences", 6)));
    }

    #[test]
    fn occurrences_can_be_limited_or_left_out() {
        let (files, not_written) =
            rows(Tabled { occurrences: true, occurrences_max: Some(2), activity: false, threads: 2 });
        assert!(files.contains(&("occurrences", 4)) && !files.iter().any(|(name, _)| *name == "activity"));
        assert_eq!(not_written, 2);
        let (files, not_written) =
            rows(Tabled { occurrences: false, occurrences_max: Some(2), activity: true, threads: 2 });
        assert!(!files.iter().any(|(name, _)| *name == "occurrences"));
        assert_eq!(not_written, 0);
    }
}
