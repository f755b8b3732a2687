//! A run: readers cut inputs into pieces, workers audit them, one consumer puts their rows in order.
//!
//! ```text
//! readers (threads) --pieces--> workers (rayon) --rows--> consumer (the calling thread) --> sink
//! ```
//!
//! A reader takes the next input in byte order, so that several inputs (compressed ones above all, each of which keeps one core
//! busy) are read side by side. A piece goes to the workers with the buffer that it was read into; buffers come from
//! a pool of fixed size, and a reader that finds none waits: that bounds the memory. Workers never wait for readers, and
//! the consumer waits for nobody: rows that come before their turn are put by, in a file when they are many. So the
//! three cannot block one another.
//!
//! What a piece gives is merged into one of its input's partials, and these are merged when its last piece was audited.
//! Results do not depend on timing, since merging is associative and commutative and rows wait for their turn.
//! The rows of an input wait for its end, so that an interrupted run says nothing about inputs that it did not finish.

use super::chunk::{Dropped, Piece, Shape};
use super::collect::{Collector, Message};
use super::cut::Cutter;
use super::held::Store;
use super::inputs::Listed;
use super::look::{Looked, Open, end, look};
use super::pool::Pool;
use super::report::{InputReport, Outcome, Status};
use super::wait::Halt;
use super::{Progress, Sink, SinkError};
use crate::engine::{Chunk, Engine, Input, InputCounts, Partial, Rows, Scratch, Units};
use crate::facts::Position;
use crate::limits;
use crate::record::FormatSet;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

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

/// What the pieces of an input give.
pub(super) struct Audited {
    input: Input,
    /// As written, for the rejects.
    source: String,
    partials: Mutex<Vec<Partial>>,
}

impl Audited {
    /// Everything that was given so far.
    pub(super) fn take_partials(&self) -> Vec<Partial> {
        std::mem::take(&mut self.partials.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What all threads share.
struct Run<'r> {
    engine: &'r Engine,
    formats: &'r FormatSet,
    inputs: &'r [Listed],
    options: &'r Options,
    progress: &'r dyn Progress,
    halt: Halt<'r>,
    /// The next input that nobody reads.
    next: AtomicUsize,
    buffers: Pool,
    scratches: Mutex<Vec<Scratch>>,
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
    let readers = workers.min(inputs.len());
    let threads = |error: String| RunError::Threads(workers, error);
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(workers).thread_name(|at| format!("worker {at}")).build();
    let pool = pool.map_err(|error| threads(error.to_string()))?;
    let run = &Run {
        engine,
        formats,
        inputs,
        options,
        progress,
        halt: Halt::new(stop),
        next: AtomicUsize::new(0),
        buffers: Pool::new(
            workers.saturating_mul(limits::QUEUED_CHUNKS_PER_WORKER).saturating_add(readers),
            options.chunk_bytes.saturating_mul(2),
        ),
        scratches: Mutex::default(),
    };
    progress.begun(inputs);
    let store = Store::new(options.held_rows_bytes, options.scratch_directory.clone());
    let mut collector = Collector::new(engine, inputs.len(), store, progress, sink);
    let (sender, messages) = sync_channel(workers.saturating_mul(2));
    pool.in_place_scope(|jobs| {
        std::thread::scope(|scope| {
            for _ in 0..readers {
                let sender = sender.clone();
                let reader = std::thread::Builder::new().name("reader".to_owned());
                if let Err(error) = reader.spawn_scoped(scope, move || run.read_inputs(jobs, &sender)) {
                    run.halt.fail();
                    return Err(threads(error.to_string()));
                }
            }
            drop(sender);
            collector.collect(messages).inspect_err(|_| run.halt.fail())
        })
    })?;
    let (inputs, total) = collector.end(inputs);
    let interrupted = inputs.iter().any(|input| input.status == Status::Interrupted);
    Ok(Outcome { inputs, concluded: engine.conclude(total), interrupted })
}

impl Run<'_> {
    /// A reader's life: one input after another.
    fn read_inputs<'s>(&'s self, jobs: &rayon::Scope<'s>, sender: &SyncSender<Message>) {
        while !self.halt.now() {
            let input = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(listed) = self.inputs.get(input) else { return };
            self.progress.input(&listed.source);
            let ended = match look(listed, self.formats, self.options, true, &self.halt) {
                Looked::Done(report) => {
                    self.progress.read(report.bytes);
                    Message::Ended { input, pieces: 0, report, audited: None }
                }
                Looked::Open(open) => self.read(jobs, sender, input, listed, *open),
            };
            // Nobody listens once the sink has failed.
            let _ = sender.send(ended);
        }
    }

    /// Cuts an input into pieces and passes them on.
    fn read<'s>(
        &'s self,
        jobs: &rayon::Scope<'s>,
        sender: &SyncSender<Message>,
        input: usize,
        listed: &Listed,
        open: Open<'_>,
    ) -> Message {
        let Open { mut stream, detection, mut report } = open;
        let audited = Arc::new(Audited {
            input: self.engine.input(&listed.source, detection.format),
            source: report.source.clone(),
            partials: Mutex::default(),
        });
        report.gateway = audited.input.gateway().map(str::to_owned);
        let Options { chunk_bytes, line_bytes_max, .. } = *self.options;
        let mut cutter = Cutter::new(detection.framing, chunk_bytes, line_bytes_max, stream.start());
        let (mut pieces, mut bytes) = (0, 0);
        let stopped = loop {
            if self.halt.now() {
                break true;
            }
            let mut lease = self.buffers.take();
            let piece = cutter.next(&mut stream, &mut lease);
            let read = stream.bytes();
            self.progress.read(read.saturating_sub(bytes));
            bytes = read;
            let (audited, sender) = (Arc::clone(&audited), sender.clone());
            match piece {
                None => break false,
                Some(Piece::Chunk(shape)) => jobs.spawn(move |_| {
                    let rows = self.audit(&audited, &shape, lease.filled());
                    drop(lease);
                    let _ = sender.send(Message::Piece { input, piece: pieces, rows });
                }),
                Some(Piece::Dropped(dropped)) => {
                    drop(lease);
                    let rows = self.reject(&audited, &dropped);
                    let _ = sender.send(Message::Piece { input, piece: pieces, rows });
                }
            }
            pieces += 1;
        };
        end(&mut report, stream.finish(!stopped), &self.halt);
        self.progress.read(report.bytes.saturating_sub(bytes));
        report.lines = cutter.lines();
        if stopped {
            report = InputReport { error: None, ..InputReport::new(report.source, Status::Interrupted) };
        }
        Message::Ended { input, pieces, report: Box::new(report), audited: Some(audited) }
    }

    /// Audits a chunk.
    fn audit(&self, audited: &Audited, shape: &Shape, bytes: &[u8]) -> Rows {
        let mut scratch = pop(&self.scratches).unwrap_or_else(|| self.engine.scratch());
        let rows = self.give(audited, |partial, rows| {
            let chunk = Chunk {
                bytes,
                offset: shape.offset,
                line: shape.line,
                units: shape.spans.as_ref().map_or(Units::Lines, |spans| Units::Spans(spans)),
                cut: shape.cut,
            };
            self.engine.audit_chunk(&audited.input, chunk, &mut scratch, partial, rows);
        });
        push(&self.scratches, scratch);
        rows
    }

    /// Books a unit that was not kept.
    fn reject(&self, audited: &Audited, dropped: &Dropped) -> Rows {
        let position = Position {
            source: Some(&audited.source),
            line: Some(dropped.line),
            offset: Some(dropped.offset),
        };
        self.give(audited, |partial, rows| {
            let Dropped { reason, length, head, .. } = dropped;
            self.engine.reject(&audited.input, *reason, position, *length, head, partial, rows);
        })
    }

    /// Lets `work` add to a partial of the input that nobody else adds to.
    fn give(&self, audited: &Audited, work: impl FnOnce(&mut Partial, &mut Rows)) -> Rows {
        let mut partial = pop(&audited.partials).unwrap_or_else(|| self.engine.partial());
        let InputCounts { units, uses, .. } = *partial.counts();
        let mut rows = Rows::default();
        work(&mut partial, &mut rows);
        self.progress.audited(partial.counts().units - units, partial.counts().uses - uses);
        push(&audited.partials, partial);
        rows
    }
}

fn pop<T>(stack: &Mutex<Vec<T>>) -> Option<T> {
    stack.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn push<T>(stack: &Mutex<Vec<T>>, item: T) {
    stack.lock().unwrap_or_else(PoisonError::into_inner).push(item);
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
