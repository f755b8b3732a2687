//! Rows that leave a run while it goes on: a thread of their own makes batches of them and writes them.

use crate::findings::Row;
use crate::limits;
use crate::sink::parquet::{TableFile, TableWriter};
use parquet::errors::ParquetError;
use rayon::ThreadPool;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Full batches that may wait to be written.
const BATCHES: usize = 2;

/// Writes the rows of one table to one file, in the order in which they come.
pub(super) struct RowWriter<R: Row> {
    waiting: Vec<R>,
    full: SyncSender<Vec<R>>,
    thread: Option<JoinHandle<Result<TableFile, ParquetError>>>,
}

impl<R: Row + Send + 'static> RowWriter<R> {
    /// Starts a table in an empty file; its columns are encoded in `pool`.
    pub(super) fn new(file: File, pool: Arc<ThreadPool>) -> Result<Self, ParquetError> {
        let writer = TableWriter::new(R::TABLE, file)?;
        let (full, batches) = sync_channel(BATCHES);
        let thread = std::thread::Builder::new().name(R::TABLE.name().to_owned());
        let thread = thread.spawn(move || write(writer, batches, &pool)).map_err(failed)?;
        Ok(Self { waiting: Vec::new(), full, thread: Some(thread) })
    }

    /// Adds rows in the table's order.
    pub(super) fn push(&mut self, rows: impl IntoIterator<Item = R>) -> Result<(), ParquetError> {
        for row in rows {
            self.waiting.push(row);
            if self.waiting.len() == limits::TABLE_BATCH_ROWS {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    /// Ends the table and makes the file durable.
    pub(super) fn finish(mut self) -> Result<TableFile, ParquetError> {
        self.pass_on()?;
        let Self { full, thread, .. } = self;
        drop(full);
        joined(thread)
    }

    fn pass_on(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.waiting);
        if rows.is_empty() || self.full.send(rows).is_ok() {
            return Ok(());
        }
        // The thread ends early only because it failed.
        joined(self.thread.take()).map(drop)
    }
}

fn write<R: Row>(
    mut writer: TableWriter,
    batches: Receiver<Vec<R>>,
    pool: &ThreadPool,
) -> Result<TableFile, ParquetError> {
    for rows in batches {
        let batch = R::batch(&rows)?;
        drop(rows);
        pool.install(|| writer.write(&batch))?;
    }
    pool.install(|| writer.finish())
}

fn joined(thread: Option<JoinHandle<Result<TableFile, ParquetError>>>) -> Result<TableFile, ParquetError> {
    let gone = || ParquetError::General("its thread is gone".to_owned());
    thread.ok_or_else(gone)?.join().map_err(|_| gone())?
}

fn failed(error: std::io::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::RejectRow;

    fn reject(line: i64) -> RejectRow {
        RejectRow {
            source: Some("logs/a.log".to_owned()),
            line: Some(line),
            offset: Some(line * 100),
            length: Some(99),
            reason: "json".to_owned(),
            excerpt: format!("line {line}"),
        }
    }

    #[test]
    fn bytes_do_not_depend_on_how_rows_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let count = 2 * i64::try_from(limits::TABLE_BATCH_ROWS).unwrap() + 17;
        let write = |name: &str, step: usize| {
            let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap());
            let file = File::create(folder.path().join(name)).unwrap();
            let mut writer = RowWriter::new(file, pool).unwrap();
            let rows: Vec<RejectRow> = (0..count).map(reject).collect();
            for rows in rows.chunks(step) {
                writer.push(rows.iter().map(|row| reject(row.line.unwrap()))).unwrap();
            }
            writer.finish().unwrap()
        };
        let whole = write("a", usize::MAX);
        assert_eq!(i64::try_from(whole.rows).unwrap(), count);
        assert_eq!(write("b", 1), whole);
        assert_eq!(write("c", 1000), whole);
        let rows: Vec<RejectRow> = (0..count).map(reject).collect();
        let writer = TableWriter::new(RejectRow::TABLE, File::create(folder.path().join("d")).unwrap());
        let batches = rows.chunks(limits::TABLE_BATCH_ROWS).map(RejectRow::batch);
        assert_eq!(writer.unwrap().write_all(batches).unwrap(), whole);
    }
}
