//! The line path: a chunk of bytes is cut into units, read by its format and judged.

use super::front::Front;
use super::scan::Scanned;
use super::{Chunk, Engine, Input, Partial, Rows, Span, Units, excerpt};
use crate::codec::json::Parser;
use crate::facts::Position;
use crate::findings::RejectRow;
use crate::record::{ReadScratch, Reject, Unit};
use bumpalo::Bump;

/// Buffers of one worker, reused from chunk to chunk.
#[derive(Default)]
pub struct Scratch {
    arena: Bump,
    read: ReadScratch,
    workspace: Workspace,
}

/// What judging uses again from chunk to chunk.
#[derive(Default)]
pub(super) struct Workspace {
    pub(super) front: Front,
    pub(super) parser: Parser,
    /// One a token of the chunk's records.
    pub(super) slots: Vec<usize>,
    /// Records of the last chunk, which is about what the next one has.
    records: usize,
}

impl Scratch {
    /// Forgets the records of the last chunk: the memory for records, and the buffers of reading and judging.
    pub(super) fn restart(&mut self) -> (&Bump, &mut ReadScratch, &mut Workspace) {
        self.arena.reset();
        (&self.arena, &mut self.read, &mut self.workspace)
    }
}

impl Engine {
    /// Buffers for one worker.
    pub fn scratch(&self) -> Scratch {
        let mut scratch = Scratch::default();
        if self.portable {
            scratch.read = ReadScratch::portable();
            scratch.workspace.parser = Parser::portable();
        }
        scratch
    }

    /// Audits a piece of an input into `partial`; rows that need no conclusion go to `rows`.
    ///
    /// The pieces of an input may come in any order, cut at any unit.
    pub fn audit_chunk(
        &self,
        input: &Input,
        chunk: Chunk<'_>,
        scratch: &mut Scratch,
        partial: &mut Partial,
        rows: &mut Rows,
    ) {
        let Some(format) = &input.format else { return };
        let (arena, read, workspace) = scratch.restart();
        let mut scanned: Vec<Scanned<'_>> = Vec::with_capacity(workspace.records);
        for_each_unit(chunk, |span, last| {
            let raw = chunk.bytes.get(span.start..span.end).unwrap_or_default();
            let offset = chunk.offset.saturating_add(i64::try_from(span.start).unwrap_or(i64::MAX));
            let position =
                Position { source: Some(&input.source), line: Some(span.line), offset: Some(offset) };
            let read = match span.reject {
                Some(reject) => Err(reject),
                None => format.read(raw, arena, read),
            };
            match read {
                Ok((Unit::Record, record)) => {
                    partial.counts.units += 1;
                    scanned.push(Scanned { record, position, raw: Some(raw) });
                }
                Ok((Unit::Ignored, _)) => {
                    partial.counts.units += 1;
                    partial.counts.ignored += 1;
                }
                Err(reject) => {
                    let reject = if chunk.cut && last { Reject::TruncatedInput } else { reject };
                    let length = i64::try_from(raw.len()).unwrap_or(i64::MAX);
                    self.reject(input, reject, position, length, raw, partial, rows);
                }
            }
        });
        workspace.records = scanned.len();
        self.judge_all(input, &scanned, workspace, partial, rows);
    }

    /// Audits one unit that stands alone: a cell of a text column.
    pub(super) fn audit_unit(
        &self,
        input: &Input,
        unit: &[u8],
        position: Position<'_>,
        scratch: &mut Scratch,
        partial: &mut Partial,
        rows: &mut Rows,
    ) {
        let Some(format) = &input.format else { return };
        let (arena, read, workspace) = scratch.restart();
        match format.read(unit, arena, read) {
            Ok((Unit::Record, record)) => {
                partial.counts.units += 1;
                let scanned = [Scanned { record, position, raw: Some(unit) }];
                self.judge_all(input, &scanned, workspace, partial, rows);
            }
            Ok((Unit::Ignored, _)) => {
                partial.counts.units += 1;
                partial.counts.ignored += 1;
            }
            Err(reject) => {
                let length = i64::try_from(unit.len()).unwrap_or(i64::MAX);
                self.reject(input, reject, position, length, unit, partial, rows);
            }
        }
    }

    /// Books a unit that gives no record. `head` is its beginning, for the excerpt; `length` its whole length in bytes.
    #[expect(clippy::too_many_arguments, reason = "a reject is its place, its reason and where it is booked")]
    pub fn reject(
        &self,
        input: &Input,
        reason: Reject,
        position: Position<'_>,
        length: i64,
        head: &[u8],
        partial: &mut Partial,
        rows: &mut Rows,
    ) {
        partial.counts.units += 1;
        partial.counts.rejects.add(reason);
        let gateway = input.gateway().map(|gateway| partial.names.id(gateway));
        let key = super::partial::CoverageKey { hour: None, gateway, api: None };
        partial.coverage.entry(key).or_default().rejects += 1;
        rows.rejects.push(RejectRow {
            source: position.source.map(str::to_owned),
            line: position.line,
            offset: position.offset,
            length: Some(length),
            reason: reason.name().to_owned(),
            excerpt: excerpt::of(head),
        });
    }
}

/// Calls `unit` with every unit, and whether it is the chunk's last.
fn for_each_unit(chunk: Chunk<'_>, mut unit: impl FnMut(Span, bool)) {
    match chunk.units {
        Units::Spans(spans) => {
            for (at, span) in spans.iter().enumerate() {
                unit(*span, at + 1 == spans.len());
            }
        }
        Units::Lines => {
            let mut start = 0;
            let mut line = chunk.line;
            while start < chunk.bytes.len() {
                let rest = chunk.bytes.get(start..).unwrap_or_default();
                let newline = memchr::memchr(b'\n', rest);
                let length = newline.unwrap_or(rest.len());
                let end = match rest.get(..length) {
                    Some([.., b'\r']) => start + length - 1,
                    _ => start + length,
                };
                let next = start + length + 1;
                unit(Span { start, end, line, reject: None }, newline.is_none() || next >= chunk.bytes.len());
                start = next;
                line += 1;
            }
        }
    }
}
