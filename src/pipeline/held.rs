//! Rows that wait: in memory up to a budget, beyond it in a file without a name.

use crate::engine::Rows;
use crate::findings::{OccurrenceRow, RejectRow};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem::size_of;
use std::path::PathBuf;

/// Rows of an input that wait.
#[derive(Debug)]
pub(super) enum Held {
    /// In memory, with their weight in bytes.
    Here(Vec<Rows>, usize),
    /// In the file.
    There {
        /// First byte.
        at: u64,
        /// Bytes.
        length: usize,
    },
}

/// Where rows wait.
#[derive(Debug)]
pub(super) struct Store {
    budget: usize,
    weight: usize,
    directory: PathBuf,
    file: Option<File>,
    /// Bytes of the file.
    end: u64,
    /// Rows in the file that were not taken back.
    waiting: usize,
}

impl Store {
    /// Rows of `budget` bytes are kept in memory, the rest in a file in `directory`.
    pub(super) fn new(budget: usize, directory: PathBuf) -> Self {
        Self { budget, weight: 0, directory, file: None, end: 0, waiting: 0 }
    }

    /// Puts rows by.
    ///
    /// # Errors
    ///
    /// The file cannot be made or written.
    pub(super) fn hold(&mut self, rows: Vec<Rows>) -> io::Result<Held> {
        let weight = rows.iter().map(weight).sum::<usize>();
        if self.weight + weight <= self.budget {
            self.weight += weight;
            return Ok(Held::Here(rows, weight));
        }
        let pieces: Vec<_> = rows.iter().map(|rows| (&rows.occurrences, &rows.rejects)).collect();
        let bytes = serde_json::to_vec(&pieces)?;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.directory)?),
        };
        tracing::debug!(bytes = bytes.len(), "rows wait in a file");
        let held = Held::There { at: self.end, length: bytes.len() };
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(&bytes)?;
        self.end += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.waiting += 1;
        Ok(held)
    }

    /// Takes rows back, with their weight.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(super) fn take(&mut self, held: Held) -> io::Result<(Vec<Rows>, usize)> {
        match held {
            Held::Here(rows, weight) => {
                self.weight = self.weight.saturating_sub(weight);
                Ok((rows, weight))
            }
            Held::There { at, length } => {
                let mut bytes = vec![0; length];
                if let Some(file) = &mut self.file {
                    file.seek(SeekFrom::Start(at))?;
                    file.read_exact(&mut bytes)?;
                }
                self.forget_one()?;
                let pieces: Vec<(Vec<OccurrenceRow>, Vec<RejectRow>)> = serde_json::from_slice(&bytes)?;
                let rows = |(occurrences, rejects)| Rows { occurrences, rejects };
                let rows: Vec<Rows> = pieces.into_iter().map(rows).collect();
                let weight = rows.iter().map(weight).sum();
                Ok((rows, weight))
            }
        }
    }

    /// Drops rows that are not wanted after all.
    ///
    /// # Errors
    ///
    /// The file cannot be emptied.
    pub(super) fn forget(&mut self, held: &Held) -> io::Result<()> {
        match held {
            Held::Here(_, weight) => {
                self.weight = self.weight.saturating_sub(*weight);
                Ok(())
            }
            Held::There { .. } => self.forget_one(),
        }
    }

    fn forget_one(&mut self) -> io::Result<()> {
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiting == 0
            && let Some(file) = &mut self.file
        {
            file.set_len(0)?;
            self.end = 0;
        }
        Ok(())
    }
}

/// Bytes of memory that rows occupy, about.
pub(super) fn weight(rows: &Rows) -> usize {
    let occurrence = |row: &OccurrenceRow| size_of::<OccurrenceRow>() + row.text_bytes();
    let occurrences: usize = rows.occurrences.iter().map(occurrence).sum();
    let reject = |row: &RejectRow| {
        size_of::<RejectRow>() + row.excerpt.len() + row.reason.len() + text(row.source.as_ref())
    };
    occurrences + rows.rejects.iter().map(reject).sum::<usize>()
}

fn text(cell: Option<&String>) -> usize {
    cell.map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(line: i64) -> Rows {
        let reject = RejectRow {
            source: Some("a.log".to_owned()),
            line: Some(line),
            offset: None,
            length: Some(3),
            reason: "json".to_owned(),
            excerpt: "\u{fffd}\"\n".to_owned(),
        };
        Rows { occurrences: Vec::new(), rejects: vec![reject] }
    }

    #[test]
    fn rows_come_back_from_memory_and_file() {
        let directory = tempfile::tempdir().unwrap();
        for budget in [0, 400, 1 << 20] {
            let mut store = Store::new(budget, directory.path().to_owned());
            for _ in 0..2 {
                let mut held: Vec<Held> =
                    (0..20).map(|line| store.hold(vec![rows(line), rows(-line)]).unwrap()).collect();
                store.forget(&held.remove(7)).unwrap();
                let pieces = held.into_iter().flat_map(|held| store.take(held).unwrap().0);
                let lines = pieces.map(|rows| rows.rejects);
                let expected = (0..20).filter(|line| *line != 7).flat_map(|line| [rows(line), rows(-line)]);
                let expected = expected.map(|rows| rows.rejects);
                assert!(lines.eq(expected));
                assert_eq!((store.weight, store.waiting, store.end), (0, 0, 0));
            }
        }
        assert_eq!(directory.path().read_dir().unwrap().count(), 0, "the file has no name");
    }
}
