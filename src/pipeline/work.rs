//! A worker's life: read a piece of an open input, let others read on from it, audit the piece.
//!
//! The bytes of a piece are audited by the thread that read them, while they are in its cache; only the reading itself,
//! and decompression with it, happens in turns.

use super::audited::Audited;
use super::chunk::{Buffer, Dropped, Piece, Shape};
use super::collect::Message;
use super::cut::Cutter;
use super::look::{Looked, Open, end, look};
use super::report::{InputReport, Status};
use super::run::Run;
use super::source::Stream;
use super::turns::Turn;
use crate::engine::{Chunk, InputCounts, Partial, Rows, Scratch, Units};
use crate::facts::Position;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// An input that is being read.
pub(super) struct Reading<'h> {
    stream: Stream<'h>,
    cutter: Cutter,
    report: InputReport,
    audited: Arc<Audited>,
    /// Pieces that were read.
    pieces: u64,
    /// Bytes that were reported to have been read.
    bytes: u64,
}

/// What a worker has for itself.
struct Desk {
    /// Number of the worker.
    worker: usize,
    buffer: Buffer,
    scratch: Scratch,
}

impl<'r> Run<'r> {
    /// Works until there is nothing to read any more.
    pub(super) fn work(&self, worker: usize, sender: &SyncSender<Message>) {
        let mut desk = Desk { worker, buffer: Buffer::default(), scratch: self.engine.scratch() };
        while let Some(turn) = self.turns.take(|| self.halt.now()) {
            self.take_turn(turn, &mut desk, sender);
            desk.buffer.clear(self.options.chunk_bytes.saturating_mul(2));
        }
    }

    fn take_turn(&self, mut turn: Turn<'_, Box<Reading<'r>>>, desk: &mut Desk, sender: &SyncSender<Message>) {
        let open = turn.open().or_else(|| self.open(turn.number(), sender));
        let Some(mut reading) = open else { return };
        if self.halt.now() {
            return self.end(*reading, true, sender);
        }
        let piece = reading.cutter.next(&mut reading.stream, &mut desk.buffer);
        let read = reading.stream.bytes();
        self.progress.read(read.saturating_sub(reading.bytes));
        reading.bytes = read;
        let Some(piece) = piece else { return self.end(*reading, false, sender) };
        let (audited, number) = (Arc::clone(&reading.audited), reading.pieces);
        reading.pieces += 1;
        audited.begin();
        turn.put_back(reading);
        let rows = match piece {
            Piece::Chunk(shape) => self.audit(&audited, &shape, desk),
            Piece::Dropped(dropped) => self.reject(&audited, &dropped, desk.worker),
        };
        audited.done(self.engine, number, rows, sender);
    }

    /// Opens an input; `None` if there is nothing to read in it.
    fn open(&self, number: usize, sender: &SyncSender<Message>) -> Option<Box<Reading<'r>>> {
        let listed = self.inputs.get(number)?;
        self.progress.input(&listed.source);
        let open = match look(listed, self.formats, self.options, true, self.halt) {
            Looked::Open(open) => *open,
            Looked::Done(report) => {
                self.progress.read(report.bytes);
                // Nobody listens once the sink has failed.
                let whole = Some(Box::new(self.engine.partial()));
                let _ = sender.send(Message::Ended { input: number, report, whole });
                return None;
            }
        };
        let Open { stream, detection, mut report } = open;
        let input = self.engine.input(&listed.source, detection.format);
        report.gateway = input.gateway().map(str::to_owned);
        let audited = Audited::new(number, input, report.source.clone(), self.options.workers.max(1));
        let chunk_bytes = self.options.chunk_bytes;
        let cutter = Cutter::new(detection.framing, chunk_bytes, self.options.line_bytes_max, stream.start());
        Some(Box::new(Reading { stream, cutter, report, audited: Arc::new(audited), pieces: 0, bytes: 0 }))
    }

    /// Ends reading of an input: at its end, or because the run is stopped.
    fn end(&self, reading: Reading<'_>, stopped: bool, sender: &SyncSender<Message>) {
        let Reading { stream, cutter, mut report, audited, bytes, .. } = reading;
        end(&mut report, stream.finish(!stopped), self.halt);
        self.progress.read(report.bytes.saturating_sub(bytes));
        report.lines = cutter.lines();
        if stopped {
            report = InputReport { error: None, ..InputReport::new(report.source, Status::Interrupted) };
        }
        audited.end(self.engine, Box::new(report), sender);
    }

    /// Audits the chunk in the buffer.
    fn audit(&self, audited: &Audited, shape: &Shape, desk: &mut Desk) -> Rows {
        let Desk { worker, buffer, scratch } = desk;
        self.give(audited, *worker, |partial, rows| {
            let chunk = Chunk {
                bytes: buffer.filled(),
                offset: shape.offset,
                line: shape.line,
                units: Units::Spans(buffer.spans()),
                cut: shape.cut,
            };
            self.engine.audit_chunk(&audited.input, chunk, scratch, partial, rows);
        })
    }

    /// Books a unit that was not kept.
    fn reject(&self, audited: &Audited, dropped: &Dropped, worker: usize) -> Rows {
        let position = Position {
            source: Some(&audited.source),
            line: Some(dropped.line),
            offset: Some(dropped.offset),
        };
        self.give(audited, worker, |partial, rows| {
            let Dropped { reason, length, head, .. } = dropped;
            self.engine.reject(&audited.input, *reason, position, *length, head, partial, rows);
        })
    }

    /// Lets `work` add to the worker's partial of the input.
    fn give(&self, audited: &Audited, worker: usize, work: impl FnOnce(&mut Partial, &mut Rows)) -> Rows {
        audited.give(self.engine, worker, |partial| {
            let InputCounts { units, uses, .. } = *partial.counts();
            let mut rows = Rows::default();
            work(partial, &mut rows);
            self.progress.audited(partial.counts().units - units, partial.counts().uses - uses);
            rows
        })
    }
}
