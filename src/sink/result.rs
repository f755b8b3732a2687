//! The sink of a run: takes rows as they come, and the concluded tables at the end.

use crate::findings::{LargeTable, OccurrenceRow, RejectRow, Row, Tables};
use crate::pipeline::{Sink, SinkError};
use crate::sink::manifest::Written;
use crate::sink::output::{OutputDir, OutputError};
use crate::sink::parquet::{TableFile, TableWriter, file_name, write_large};
use parquet::errors::ParquetError;
use std::collections::HashMap;
use std::path::Path;

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
}

/// A result that is being written.
pub struct ResultWriter {
    output: OutputDir,
    tabled: Tabled,
    occurrences: Option<TableWriter<OccurrenceRow>>,
    rejects: TableWriter<RejectRow>,
    /// Occurrences that were written, by finding; only where they are limited.
    written: HashMap<String, u64>,
    not_written: u64,
}

impl ResultWriter {
    /// Starts a result in the staging directory of `output`.
    pub fn new(output: OutputDir, tabled: Tabled) -> Result<Self, WriteError> {
        let occurrences = tabled.occurrences.then(|| start(&output)).transpose()?;
        let rejects = start(&output)?;
        Ok(Self { output, tabled, occurrences, rejects, written: HashMap::new(), not_written: 0 })
    }

    /// Where files of the run that are not part of the result may lie until it ends.
    pub fn scratch_directory(&self) -> &Path {
        self.output.path()
    }

    /// Writes the concluded tables; the directory is then complete but for the manifest.
    pub fn finish(self, tables: &Tables) -> Result<(OutputDir, Written), WriteError> {
        let output = self.output;
        let mut files = Vec::new();
        if self.tabled.activity {
            files.push(large(&output, &*tables.activity)?);
        }
        files.push(whole(&output, &tables.coverage)?);
        files.push(whole(&output, &tables.findings)?);
        if let Some(occurrences) = self.occurrences {
            files.push(end(occurrences)?);
        }
        files.push(whole(&output, &tables.problems)?);
        files.push(end(self.rejects)?);
        files.push(large(&output, &*tables.tokens)?);
        Ok((output, Written { files, occurrences_not_written: self.not_written }))
    }

    /// The first rows of each finding; the rest is counted.
    fn limited(&mut self, rows: Vec<OccurrenceRow>) -> Vec<OccurrenceRow> {
        let Some(most) = self.tabled.occurrences_max else { return rows };
        let (written, not_written) = (&mut self.written, &mut self.not_written);
        let mut fits = |row: &OccurrenceRow| {
            if let Some(count) = written.get_mut(&row.finding_id) {
                *count += 1;
                return *count <= most;
            }
            written.insert(row.finding_id.clone(), 1);
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

fn push<R: Row>(writer: &mut TableWriter<R>, rows: Vec<R>) -> Result<(), SinkError> {
    writer.push(rows).map_err(|error| SinkError(Box::new(failed::<R>(error))))
}

fn failed<R: Row>(error: ParquetError) -> WriteError {
    WriteError::Table { name: file_name(R::TABLE), error }
}

fn large(output: &OutputDir, table: &dyn LargeTable) -> Result<TableFile, WriteError> {
    let name = file_name(table.table());
    let file = output.file(&name)?;
    write_large(file, table).map_err(|error| WriteError::Table { name, error })
}

fn start<R: Row>(output: &OutputDir) -> Result<TableWriter<R>, WriteError> {
    let file = output.file(&file_name(R::TABLE))?;
    TableWriter::new(file).map_err(failed::<R>)
}

fn end<R: Row>(writer: TableWriter<R>) -> Result<TableFile, WriteError> {
    writer.finish().map_err(failed::<R>)
}

fn whole<R: Row>(output: &OutputDir, rows: &[R]) -> Result<TableFile, WriteError> {
    start(output)?.write_all(rows).map_err(failed::<R>)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Fingerprint;
    use crate::rules::Severity;

    fn occurrence(finding: &str, line: i64) -> OccurrenceRow {
        OccurrenceRow {
            finding_id: finding.to_owned(),
            rule: "wrong-aud".to_owned(),
            severity: Severity::High,
            time: None,
            source: Some("a.log".to_owned()),
            line: Some(line),
            offset: Some(0),
            record_sha256: None,
            request_id: None,
            method: None,
            host: None,
            path: None,
            status: None,
            client_ip: None,
            user_agent: None,
            principal: None,
            data_tenant: None,
            token: Fingerprint([0; 32]),
        }
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
        let (files, _) = rows(Tabled { occurrences: true, occurrences_max: None, activity: true });
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            ["activity", "coverage", "findings", "occurrences", "problems", "rejects", "tokens"]
        );
        assert!(files.contains(&("occurrences", 6)));
    }

    #[test]
    fn occurrences_can_be_limited_or_left_out() {
        let (files, not_written) =
            rows(Tabled { occurrences: true, occurrences_max: Some(2), activity: false });
        assert!(files.contains(&("occurrences", 4)) && !files.iter().any(|(name, _)| *name == "activity"));
        assert_eq!(not_written, 2);
        let (files, not_written) =
            rows(Tabled { occurrences: false, occurrences_max: Some(2), activity: true });
        assert!(!files.iter().any(|(name, _)| *name == "occurrences"));
        assert_eq!(not_written, 0);
    }
}
