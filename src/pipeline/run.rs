//! A run: workers read pieces of the inputs in turns and audit them, one consumer puts their rows in order.
//!
//! ```text
//! workers: read (in turns) -> audit --rows--> consumer (the calling thread) --> sink
//! ```
//!
//! A worker reads a piece, lets others read on, and audits what it has read while the bytes are in its cache (`turns.rs`,
//! `work.rs`). It has one buffer: that bounds the memory. While one worker decompresses, another one audits, so that a single
//! compressed input takes as long as its decompression; several are read side by side. Digests are made on threads of their
//! own (`hash.rs`). The consumer waits for nobody: rows that come before their turn are put by, in a file when they are many.
//! So the threads cannot block one another.
//!
//! What a piece gives is merged into its worker's partial of the input, and these are merged when the input's last piece
//! was audited (`audited.rs`). Results do not depend on timing, since merging is associative and commutative and rows wait
//! for their turn. The rows of an input wait for its end, so that an interrupted run says nothing about inputs that it did
//! not finish.

use super::collect::Collector;
use super::held::Store;
use super::inputs::Listed;
use super::report::{Outcome, Status};
use super::turns::Turns;
use super::wait::Halt;
use super::work::Reading;
use super::{Progress, Sink, SinkError};
use crate::engine::Engine;
use crate::limits;
use crate::record::FormatSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;

/// How a run goes.
#[derive(Clone, Debug)]
pub struct Options {
    /// Worker threads (`-j`), at least 1.
    pub workers: usize,
    /// Bytes of a chunk; results do not depend on it.
    pub chunk_bytes: usize,
    /// Longest unit, in bytes (`--max-line`).
    pub line_bytes_max: usize,
    /// Whether the bytes of the inputs are hashed (not with `--no-input-digest`).
    pub digest: bool,
    /// The format of all inputs, if it is forced (`--input-format`).
    pub format: Option<String>,
    /// Bytes of rows that may wait in memory.
    pub held_rows_bytes: usize,
    /// Where a file for more of them is made.
    pub scratch_directory: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: 1,
            chunk_bytes: limits::CHUNK_BYTES,
            line_bytes_max: limits::LINE_BYTES_MAX,
            digest: true,
            format: None,
            held_rows_bytes: limits::HELD_ROWS_BYTES,
            scratch_directory: std::env::temp_dir(),
        }
    }
}

/// Why a run could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The sink failed.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The file of waiting rows failed.
    #[error("rows could not be put by in a temporary file: {0}; free some space or name another directory")]
    Store(io::Error),
    /// Threads could not be started.
    #[error("{0} worker threads could not be started: {1}; ask for fewer with -j")]
    Threads(usize, String),
}

/// What all threads share.
pub(super) struct Run<'r> {
    pub(super) engine: &'r Engine,
    pub(super) formats: &'r FormatSet,
    pub(super) inputs: &'r [Listed],
    pub(super) options: &'r Options,
    pub(super) progress: &'r dyn Progress,
    pub(super) halt: &'r Halt<'r>,
    pub(super) turns: Turns<Box<Reading<'r>>>,
}

/// Audits the inputs; rows go to the sink in the order of the inputs, everything else is in the outcome.
///
/// Once `stop` is true nothing more is read: inputs that were read to their end are in the outcome, no others.
///
/// # Errors
///
/// The sink fails, rows cannot be put by, or threads cannot be started. The run stops at once then.
pub fn run(
    engine: &Engine,
    formats: &FormatSet,
    inputs: &[Listed],
    options: &Options,
    stop: &AtomicBool,
    progress: &dyn Progress,
    sink: &mut dyn Sink,
) -> Result<Outcome, RunError> {
    let workers = options.workers.max(1);
    let threads = |error: rayon::ThreadPoolBuildError| RunError::Threads(workers, error.to_string());
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(workers).thread_name(|at| format!("worker {at}")).build();
    let pool = pool.map_err(threads)?;
    let halt = Halt::new(stop);
    let turns = Turns::new(inputs.len());
    let run = Run { engine, formats, inputs, options, progress, halt: &halt, turns };
    let run = &run;
    progress.begun(inputs);
    let store = Store::new(options.held_rows_bytes, options.scratch_directory.clone());
    let mut collector = Collector::new(engine, inputs.len(), store, progress, sink);
    let (sender, messages) = sync_channel(workers.saturating_mul(2));
    pool.in_place_scope(|jobs| {
        for worker in 0..workers {
            let sender = sender.clone();
            jobs.spawn(move |_| run.work(worker, &sender));
        }
        drop(sender);
        collector.collect(messages).inspect_err(|_| halt.fail())
    })?;
    let (inputs, total) = collector.end(inputs);
    let interrupted = inputs.iter().any(|input| input.status == Status::Interrupted);
    // In the pool, so that whatever is concluded side by side keeps to the number of workers.
    Ok(Outcome { inputs, concluded: pool.install(|| engine.conclude(total)), interrupted })
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
