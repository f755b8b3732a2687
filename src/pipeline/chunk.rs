//! A stream of bytes becomes pieces of work: chunks that end at a newline, and lines that are too long to be kept.

use super::source::Stream;
use crate::engine::Span;
use crate::record::Reject;

/// Bytes at the beginning of a dropped line that are kept for its excerpt. As many as the engine looks at, so that a
/// line's excerpt does not depend on whether it was dropped here or there.
const HEAD_BYTES: usize = 64 << 10;
/// Bytes that are read at once while a line is dropped.
const DROP_BYTES: usize = 64 << 10;

/// Bytes that are used again for chunk after chunk; they are cleared only when they are first allocated.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// What it holds.
    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// Memory that it occupies, in bytes.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Forgets its contents, and its memory beyond `most` bytes.
    pub(super) fn clear(&mut self, most: usize) {
        self.filled = 0;
        if self.bytes.len() > most {
            self.bytes.truncate(most);
            self.bytes.shrink_to_fit();
        }
    }

    /// Appends bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(to) = self.bytes.get_mut(self.filled..end) {
            to.copy_from_slice(bytes);
        }
        self.filled = end;
    }

    /// Reads until it holds `target` bytes. False if the stream ended before.
    pub(super) fn fill(&mut self, stream: &mut Stream<'_>, target: usize) -> bool {
        if self.bytes.len() < target {
            self.bytes.resize(target, 0);
        }
        while let Some(rest) = self.bytes.get_mut(self.filled..target)
            && !rest.is_empty()
        {
            match stream.read(rest) {
                0 => return false,
                read => self.filled += read,
            }
        }
        true
    }

    /// Moves what lies behind `end` elsewhere.
    fn split_off(&mut self, end: usize) -> Vec<u8> {
        let rest = self.filled().get(end..).unwrap_or_default().to_vec();
        self.filled = self.filled.min(end);
        rest
    }
}

/// A piece of an input, in the order of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The bytes are in the buffer.
    Chunk(Shape),
    /// A unit that was dropped while it streamed by.
    Dropped(Dropped),
}

/// What is to be known of a chunk beside its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Offset of its first byte.
    pub(super) offset: i64,
    /// Line of its first byte.
    pub(super) line: i64,
    /// Its units; `None` if they are its lines.
    pub(super) spans: Option<Vec<Span>>,
    /// True if the input broke off inside its last unit.
    pub(super) cut: bool,
}

/// A unit that was not kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Why.
    pub(super) reason: Reject,
    /// Line of its first byte.
    pub(super) line: i64,
    /// Offset of its first byte.
    pub(super) offset: i64,
    /// Its length in bytes, without the end of line.
    pub(super) length: i64,
    /// Its first bytes.
    pub(super) head: Vec<u8>,
}

/// Cuts a stream at newlines.
#[derive(Debug)]
pub(super) struct LineCutter {
    chunk_bytes: usize,
    line_bytes_max: usize,
    /// The beginning of a line whose end was not in the last chunk.
    rest: Vec<u8>,
    offset: i64,
    line: i64,
    ended: bool,
}

impl LineCutter {
    /// Chunks of about `chunk_bytes`, at most a line longer; lines over `line_bytes_max` (without their end) are rejected.
    /// `start` is the offset of the stream's first byte.
    pub(super) fn new(chunk_bytes: usize, line_bytes_max: usize, start: usize) -> Self {
        Self { chunk_bytes, line_bytes_max, rest: Vec::new(), offset: signed(start), line: 1, ended: false }
    }

    /// Lines that were cut off so far.
    pub(super) fn lines(&self) -> i64 {
        self.line - 1
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self, stream: &mut Stream<'_>, buffer: &mut Buffer) -> Option<Piece> {
        buffer.filled = 0;
        if self.ended {
            return None;
        }
        buffer.push(&std::mem::take(&mut self.rest));
        // A CR before the newline is not counted.
        let longest = self.line_bytes_max.saturating_add(1);
        let mut target = self.chunk_bytes.max(1);
        let mut looked = 0;
        loop {
            self.ended = !buffer.fill(stream, target);
            let fresh = buffer.filled().get(looked..).unwrap_or_default();
            let end = memchr::memrchr(b'\n', fresh).map(|at| looked + at + 1);
            looked = buffer.filled;
            match end {
                _ if self.ended => return self.last_chunk(stream, buffer),
                Some(end) => {
                    self.rest = buffer.split_off(end);
                    return Some(Piece::Chunk(self.shape(buffer, false)));
                }
                None if looked > longest => return Some(Piece::Dropped(self.drop_line(stream, buffer))),
                None => target = looked.saturating_mul(2).min(longest.saturating_add(1)),
            }
        }
    }

    fn last_chunk(&mut self, stream: &Stream<'_>, buffer: &Buffer) -> Option<Piece> {
        let inside = buffer.filled().last().is_some_and(|last| *last != b'\n');
        let shape = self.shape(buffer, inside && stream.broken().is_some());
        self.line += i64::from(inside);
        (!buffer.filled().is_empty()).then_some(Piece::Chunk(shape))
    }

    /// Describes the chunk in the buffer and moves on behind it.
    fn shape(&mut self, buffer: &Buffer, cut: bool) -> Shape {
        let bytes = buffer.filled();
        let (mut start, mut newlines, mut long) = (0, 0_usize, false);
        for newline in memchr::memchr_iter(b'\n', bytes) {
            long |= newline - start > self.line_bytes_max;
            newlines += 1;
            start = newline + 1;
        }
        long |= bytes.len() - start > self.line_bytes_max;
        let spans = long.then(|| self.spans(bytes));
        // What is known to be too long is not said to be cut.
        let cut =
            cut && spans.as_ref().and_then(|spans| spans.last()).is_none_or(|span| span.reject.is_none());
        let shape = Shape { offset: self.offset, line: self.line, spans, cut };
        self.offset += signed(bytes.len());
        self.line += signed(newlines);
        shape
    }

    /// The lines of a chunk that holds one that is too long.
    fn spans(&self, bytes: &[u8]) -> Vec<Span> {
        let ends =
            memchr::memchr_iter(b'\n', bytes).chain((bytes.last() != Some(&b'\n')).then_some(bytes.len()));
        let mut start = 0;
        let mut line = self.line;
        let span = |newline: usize| {
            let text = without_cr(bytes.get(start..newline).unwrap_or_default());
            let reject = (text.len() > self.line_bytes_max).then_some(Reject::TooLong);
            let span = Span { start, end: start + text.len(), line, reject };
            start = newline + 1;
            line += 1;
            span
        };
        ends.map(span).collect()
    }

    /// Reads on to the end of the line that the buffer begins with, keeping only its head.
    fn drop_line(&mut self, stream: &mut Stream<'_>, buffer: &mut Buffer) -> Dropped {
        let mut dropped = Dropped {
            reason: Reject::TooLong,
            line: self.line,
            offset: self.offset,
            length: 0,
            head: Vec::new(),
        };
        let mut carriage_return = false;
        loop {
            let bytes = buffer.filled();
            let newline = memchr::memchr(b'\n', bytes);
            let part = bytes.get(..newline.unwrap_or(bytes.len())).unwrap_or_default();
            let missing = HEAD_BYTES.saturating_sub(dropped.head.len());
            dropped.head.extend_from_slice(part.get(..missing).unwrap_or(part));
            dropped.length += signed(part.len());
            carriage_return = part.last().map_or(carriage_return, |last| *last == b'\r');
            if let Some(newline) = newline {
                self.rest = buffer.split_off(newline + 1);
                self.offset += 1;
                break;
            }
            buffer.filled = 0;
            // An empty buffer means that the stream has ended.
            self.ended = !buffer.fill(stream, DROP_BYTES) && buffer.filled == 0;
            if self.ended {
                break;
            }
        }
        self.offset += dropped.length;
        self.line += 1;
        if carriage_return {
            dropped.length -= 1;
            let kept = usize::try_from(dropped.length).unwrap_or(usize::MAX);
            dropped.head.truncate(kept);
        }
        dropped
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A length or a place as the tables write it.
pub(super) fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
