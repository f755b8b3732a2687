//! What the pieces of one input give, until the input is finished: partials, and rows on their way to the consumer.

use super::collect::Message;
use super::held::weight;
use super::report::{InputReport, Status};
use crate::engine::{Engine, Input, Partial, Rows};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of rows that are sent at once: waking the consumer for every piece would cost more than their rows.
const SENT_BYTES: usize = 64 << 10;

/// See the module.
pub(super) struct Audited {
    /// Number of the input.
    number: usize,
    /// As the engine knows it.
    pub(super) input: Input,
    /// As written, for the rejects.
    pub(super) source: String,
    /// One a worker, so that each finds its own in its cache.
    partials: Vec<Mutex<Option<Partial>>>,
    waiting: Mutex<Waiting>,
    /// Pieces that are being audited, and one more until the report is there.
    busy: AtomicUsize,
    report: Mutex<Option<Box<InputReport>>>,
}

/// Rows that were not sent yet.
#[derive(Default)]
struct Waiting {
    pieces: Vec<(u64, Rows)>,
    weight: usize,
    /// Pieces before this one were all audited.
    settled: u64,
    /// Pieces behind it that were audited.
    ahead: BTreeSet<u64>,
}

impl Audited {
    /// Nothing yet, of the input of this number; `workers` are going to add to it.
    pub(super) fn new(number: usize, input: Input, source: String, workers: usize) -> Self {
        Self {
            number,
            input,
            source,
            partials: (0..workers).map(|_| Mutex::default()).collect(),
            waiting: Mutex::default(),
            busy: AtomicUsize::new(1),
            report: Mutex::default(),
        }
    }

    /// A piece was read.
    pub(super) fn begin(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets `work` add to the partial of a worker.
    pub(super) fn give<T>(&self, engine: &Engine, worker: usize, work: impl FnOnce(&mut Partial) -> T) -> T {
        let Some(slot) = self.partials.get(worker) else { return work(&mut engine.partial()) };
        work(lock(slot).get_or_insert_with(|| engine.partial()))
    }

    /// A piece was audited.
    pub(super) fn done(&self, engine: &Engine, piece: u64, rows: Rows, sender: &SyncSender<Message>) {
        let mut waiting = lock(&self.waiting);
        if !rows.occurrences.is_empty() || !rows.rejects.is_empty() {
            waiting.weight += weight(&rows);
            waiting.pieces.push((piece, rows));
        }
        waiting.settle(piece);
        if waiting.weight >= SENT_BYTES {
            // Under the lock: what is settled must not overtake its rows.
            self.send(&mut waiting, sender);
        }
        drop(waiting);
        self.leave(engine, sender);
    }

    /// The input was read to its end, or will not be.
    pub(super) fn end(&self, engine: &Engine, report: Box<InputReport>, sender: &SyncSender<Message>) {
        *lock(&self.report) = Some(report);
        self.leave(engine, sender);
    }

    /// Whoever is last finishes the input.
    fn leave(&self, engine: &Engine, sender: &SyncSender<Message>) {
        if self.busy.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let Some(mut report) = lock(&self.report).take() else { return };
        let mut partials = self.partials.iter().filter_map(|slot| lock(slot).take());
        let mut whole = None;
        if report.status != Status::Interrupted {
            let waiting = &mut *lock(&self.waiting);
            self.send(waiting, sender);
            let mut merged = partials.next().unwrap_or_else(|| engine.partial());
            for partial in partials {
                merged = merged_with(merged, partial);
            }
            report.counts = *merged.counts();
            whole = Some(Box::new(merged));
        }
        // Nobody listens once the sink has failed.
        let _ = sender.send(Message::Ended { input: self.number, report, whole });
    }

    fn send(&self, waiting: &mut Waiting, sender: &SyncSender<Message>) {
        let pieces = std::mem::take(&mut waiting.pieces);
        waiting.weight = 0;
        if !pieces.is_empty() {
            let _ = sender.send(Message::Rows { input: self.number, pieces, settled: waiting.settled });
        }
    }
}

impl Waiting {
    fn settle(&mut self, piece: u64) {
        self.ahead.insert(piece);
        while self.ahead.first() == Some(&self.settled) {
            self.ahead.pop_first();
            self.settled += 1;
        }
    }
}

/// The two as one: the smaller is merged into the larger.
pub(super) fn merged_with(a: Partial, b: Partial) -> Partial {
    let (mut large, small) = if a.counts().units < b.counts().units { (b, a) } else { (a, b) };
    large.merge(small);
    large
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
