//! The one consumer: brings rows into the order of the inputs, and merges what inputs gave when they are finished.

use super::held::{Held, Store};
use super::inputs::Listed;
use super::report::{InputReport, Status};
use super::run::{Audited, RunError};
use super::{Progress, Sink};
use crate::engine::{Engine, Partial, Rows};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// What readers and workers tell the consumer.
pub(super) enum Message {
    /// A piece of an input was audited.
    Piece {
        /// Number of the input.
        input: usize,
        /// Number of the piece within it.
        piece: u64,
        /// Its rows.
        rows: Rows,
    },
    /// An input's reader is done; pieces may still be with the workers.
    Ended {
        /// Number of the input.
        input: usize,
        /// Pieces that it was cut into.
        pieces: u64,
        /// What became of it, but for the counts.
        report: Box<InputReport>,
        /// What its pieces gave; `None` if there were none.
        audited: Option<Arc<Audited>>,
    },
}

/// What is known of an input.
#[derive(Default)]
struct State {
    /// Pieces that were audited.
    arrived: u64,
    /// Pieces that there are, once that is known.
    pieces: Option<u64>,
    /// Rows by piece.
    rows: BTreeMap<u64, Held>,
    report: Option<Box<InputReport>>,
    audited: Option<Arc<Audited>>,
    finished: bool,
}

/// See the module.
pub(super) struct Collector<'c> {
    engine: &'c Engine,
    progress: &'c dyn Progress,
    sink: &'c mut dyn Sink,
    store: Store,
    states: Vec<State>,
    /// The first input whose rows are not all with the sink.
    front: usize,
    /// What finished inputs gave.
    total: Partial,
}

impl<'c> Collector<'c> {
    pub(super) fn new(
        engine: &'c Engine,
        inputs: usize,
        store: Store,
        progress: &'c dyn Progress,
        sink: &'c mut dyn Sink,
    ) -> Self {
        let states = (0..inputs).map(|_| State::default()).collect();
        Self { engine, progress, sink, store, states, front: 0, total: engine.partial() }
    }

    /// Takes messages until every sender is gone.
    ///
    /// # Errors
    ///
    /// The sink or the file of waiting rows failed; the rest of the messages is not looked at then.
    pub(super) fn collect(&mut self, messages: Receiver<Message>) -> Result<(), RunError> {
        for message in messages {
            let number = match message {
                Message::Piece { input, piece, rows } => {
                    let Some(state) = self.states.get_mut(input) else { continue };
                    state.arrived += 1;
                    if !rows.occurrences.is_empty() || !rows.rejects.is_empty() {
                        state.rows.insert(piece, self.store.hold(rows).map_err(RunError::Store)?);
                    }
                    input
                }
                Message::Ended { input, pieces, report, audited } => {
                    let Some(state) = self.states.get_mut(input) else { continue };
                    state.pieces = Some(pieces);
                    state.report = Some(report);
                    state.audited = audited;
                    input
                }
            };
            self.finish(number)?;
            while self.states.get(self.front).is_some_and(|state| state.finished) {
                self.pass_on(self.front)?;
                self.front += 1;
            }
        }
        // After an interruption, inputs behind one that was not finished may be.
        for number in self.front..self.states.len() {
            self.pass_on(number)?;
        }
        Ok(())
    }

    /// Merges what an input gave, if its last piece has arrived.
    fn finish(&mut self, number: usize) -> Result<(), RunError> {
        let Some(state) = self.states.get_mut(number) else { return Ok(()) };
        let Some(report) = &mut state.report else { return Ok(()) };
        if state.pieces != Some(state.arrived) {
            return Ok(());
        }
        state.finished = true;
        let audited = state.audited.take();
        if report.status == Status::Interrupted {
            for held in std::mem::take(&mut state.rows).values() {
                self.store.forget(held).map_err(RunError::Store)?;
            }
        } else if let Some(audited) = audited {
            let mut whole = self.engine.partial();
            for partial in audited.take_partials() {
                whole.merge(partial);
            }
            report.counts = *whole.counts();
            self.total.merge(whole);
        }
        self.progress.ended(report);
        Ok(())
    }

    /// Hands an input's rows to the sink, if it is finished.
    fn pass_on(&mut self, number: usize) -> Result<(), RunError> {
        let Some(state) = self.states.get_mut(number) else { return Ok(()) };
        let held = std::mem::take(&mut state.rows);
        for held in held.into_values() {
            if !state.finished {
                self.store.forget(&held).map_err(RunError::Store)?;
                continue;
            }
            let Rows { occurrences, rejects } = self.store.take(held).map_err(RunError::Store)?;
            if !occurrences.is_empty() {
                self.sink.occurrences(occurrences)?;
            }
            if !rejects.is_empty() {
                self.sink.rejects(rejects)?;
            }
        }
        Ok(())
    }

    /// The reports of all inputs and what the finished ones gave. An input that was not begun or not finished is
    /// interrupted.
    pub(super) fn end(self, inputs: &[Listed]) -> (Vec<InputReport>, Partial) {
        let report = |(state, listed): (State, &Listed)| match state.report {
            Some(report) if state.finished => *report,
            _ => InputReport::new(listed.written(), Status::Interrupted),
        };
        (self.states.into_iter().zip(inputs).map(report).collect(), self.total)
    }
}
