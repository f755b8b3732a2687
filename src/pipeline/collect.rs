//! The one consumer: brings rows into the order of the inputs, and merges what inputs gave when they are finished.

use super::audited::merged_with;
use super::held::{Held, Store};
use super::inputs::Listed;
use super::report::{InputReport, Status};
use super::run::RunError;
use super::{Progress, Sink};
use crate::engine::{Engine, Partial, Rows};
use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

/// Bytes of rows that are put by as one, so that what is known of waiting rows does not grow with the pieces.
const BLOCK_BYTES: usize = 1 << 20;

/// What workers tell the consumer.
pub(super) enum Message {
    /// Pieces of an input that have rows.
    Rows {
        /// Number of the input.
        input: usize,
        /// Numbers of the pieces within it, and their rows.
        pieces: Vec<(u64, Rows)>,
        /// Rows of all pieces before this one were sent.
        settled: u64,
    },
    /// Every piece of an input was audited, or it is given up.
    Ended {
        /// Number of the input.
        input: usize,
        /// What became of it.
        report: Box<InputReport>,
        /// What its pieces gave; `None` if nothing of it counts.
        whole: Option<Box<Partial>>,
    },
}

/// What is known of an input.
#[derive(Default)]
struct State {
    /// Rows of settled pieces, in order.
    blocks: Vec<Held>,
    /// The block that is being filled, a piece behind the other: to append them would copy every row. And its weight.
    block: Vec<Rows>,
    block_weight: usize,
    /// Rows of other pieces.
    ahead: BTreeMap<u64, Held>,
    report: Option<Box<InputReport>>,
}

impl State {
    fn add(&mut self, pieces: Vec<(u64, Rows)>, settled: u64, store: &mut Store) -> Result<(), RunError> {
        for (piece, rows) in pieces {
            self.ahead.insert(piece, store.hold(vec![rows]).map_err(RunError::Store)?);
        }
        while let Some(first) = self.ahead.first_entry()
            && *first.key() < settled
        {
            let (mut rows, weight) = store.take(first.remove()).map_err(RunError::Store)?;
            self.block.append(&mut rows);
            self.block_weight += weight;
            if self.block_weight >= BLOCK_BYTES {
                self.close(store)?;
            }
        }
        Ok(())
    }

    /// Puts the block by.
    fn close(&mut self, store: &mut Store) -> Result<(), RunError> {
        if self.block_weight == 0 {
            return Ok(());
        }
        self.block_weight = 0;
        self.blocks.push(store.hold(std::mem::take(&mut self.block)).map_err(RunError::Store)?);
        Ok(())
    }

    fn forget(&mut self, store: &mut Store) -> Result<(), RunError> {
        self.block = Vec::new();
        let held = std::mem::take(&mut self.blocks);
        for held in held.into_iter().chain(std::mem::take(&mut self.ahead).into_values()) {
            store.forget(&held).map_err(RunError::Store)?;
        }
        Ok(())
    }
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
    total: Option<Partial>,
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
        Self { engine, progress, sink, store, states, front: 0, total: None }
    }

    /// Takes messages until every sender is gone.
    ///
    /// # Errors
    ///
    /// The sink or the file of waiting rows failed; the rest of the messages is not looked at then.
    pub(super) fn collect(&mut self, messages: Receiver<Message>) -> Result<(), RunError> {
        for message in messages {
            match message {
                Message::Rows { input, pieces, settled } => {
                    let Some(state) = self.states.get_mut(input) else { continue };
                    state.add(pieces, settled, &mut self.store)?;
                }
                Message::Ended { input, report, whole } => self.finish(input, report, whole)?,
            }
            while self.states.get(self.front).is_some_and(|state| state.report.is_some()) {
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

    /// Takes in what an input gave.
    fn finish(
        &mut self,
        number: usize,
        report: Box<InputReport>,
        whole: Option<Box<Partial>>,
    ) -> Result<(), RunError> {
        let Some(state) = self.states.get_mut(number) else { return Ok(()) };
        if report.status == Status::Interrupted {
            state.forget(&mut self.store)?;
        } else {
            state.add(Vec::new(), u64::MAX, &mut self.store)?;
            // It may wait long for the inputs before it.
            state.close(&mut self.store)?;
        }
        if let Some(whole) = whole {
            self.total = Some(match self.total.take() {
                Some(total) => merged_with(total, *whole),
                None => *whole,
            });
        }
        self.progress.ended(&report);
        state.report = Some(report);
        Ok(())
    }

    /// Hands an input's rows to the sink, if it is finished.
    fn pass_on(&mut self, number: usize) -> Result<(), RunError> {
        let Some(state) = self.states.get_mut(number) else { return Ok(()) };
        if state.report.is_none() {
            return state.forget(&mut self.store);
        }
        for held in std::mem::take(&mut state.blocks) {
            let (pieces, _) = self.store.take(held).map_err(RunError::Store)?;
            for rows in pieces {
                if !rows.occurrences.is_empty() {
                    self.sink.occurrences(rows.occurrences)?;
                }
                if !rows.rejects.is_empty() {
                    self.sink.rejects(rows.rejects)?;
                }
            }
        }
        Ok(())
    }

    /// The reports of all inputs and what the finished ones gave. An input that was not begun or not finished is
    /// interrupted.
    pub(super) fn end(self, inputs: &[Listed]) -> (Vec<InputReport>, Partial) {
        let report = |(state, listed): (State, &Listed)| match state.report {
            Some(report) => *report,
            None => InputReport::new(listed.written(), Status::Interrupted),
        };
        let reports = self.states.into_iter().zip(inputs).map(report).collect();
        (reports, self.total.unwrap_or_else(|| self.engine.partial()))
    }
}
