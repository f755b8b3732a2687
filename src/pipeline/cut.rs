//! The two ways in which a stream is cut into pieces.

use super::chunk::{Buffer, LineCutter, Piece};
use super::elements::ElementCutter;
use super::source::Stream;
use crate::record::Framing;

/// Cuts a stream as its format demands.
pub(super) enum Cutter {
    /// At newlines.
    Lines(LineCutter),
    /// Between JSON values.
    Elements(Box<ElementCutter>),
}

impl Cutter {
    /// Chunks of about `chunk_bytes`; units over `unit_bytes_max` are rejected. `start` is the offset of the first byte.
    pub(super) fn new(framing: Framing, chunk_bytes: usize, unit_bytes_max: usize, start: usize) -> Self {
        match framing {
            Framing::Lines => Self::Lines(LineCutter::new(chunk_bytes, unit_bytes_max, start)),
            Framing::Elements => {
                Self::Elements(Box::new(ElementCutter::new(chunk_bytes, unit_bytes_max, start)))
            }
        }
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self, stream: &mut Stream<'_>, buffer: &mut Buffer) -> Option<Piece> {
        match self {
            Self::Lines(cutter) => cutter.next(stream, buffer),
            Self::Elements(cutter) => cutter.next(stream, buffer),
        }
    }

    /// Lines that were read so far.
    pub(super) fn lines(&self) -> i64 {
        match self {
            Self::Lines(cutter) => cutter.lines(),
            Self::Elements(cutter) => cutter.lines(),
        }
    }
}
