//! A stream of bytes becomes pieces of work: chunks that end at a newline, and lines that are too long to be kept.

use super::source::Stream;
use crate::engine::Span;
use crate::record::Reject;

/// Bytes at the beginning of a dropped line that are kept for its excerpt. As many as the engine looks at, so that a
/// line's excerpt does not depend on whether it was dropped here or there.
const HEAD_BYTES: usize = 64 << 10;
/// Bytes that are read at once while a line is dropped.
const DROP_BYTES: usize = 64 << 10;

/// A chunk. Its memory is used again for chunk after chunk; bytes are cleared only when they are first allocated.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
    spans: Vec<Span>,
}

impl Buffer {
    /// What it holds.
    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// Its units, in order.
    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Adds a unit of the bytes that it holds.
    pub(super) fn push_span(&mut self, span: Span) {
        self.spans.push(span);
    }

    /// Memory that it occupies, in bytes.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Forgets its contents, and its memory beyond `most` bytes.
    pub(super) fn clear(&mut self, most: usize) {
        self.filled = 0;
        self.spans.clear();
        if self.bytes.len() > most {
            self.bytes.truncate(most);
            self.bytes.shrink_to_fit();
        }
        self.spans.shrink_to(most / size_of::<Span>());
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

    /// Moves what lies behind `end` to `rest`.
    fn split_off(&mut self, end: usize, rest: &mut Vec<u8>) {
        rest.extend_from_slice(self.filled().get(end..).unwrap_or_default());
        self.filled = self.filled.min(end);
    }
}

/// A piece of an input, in the order of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The bytes and their units are in the buffer.
    Chunk(Shape),
    /// A unit that was dropped while it streamed by.
    Dropped(Dropped),
}

/// What is to be known of a chunk beside its bytes and units.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Offset of its first byte.
    pub(super) offset: i64,
    /// Line of its first byte.
    pub(super) line: i64,
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
        buffer.clear(usize::MAX);
        if self.ended {
            return None;
        }
        buffer.push(&self.rest);
        self.rest.clear();
        // A CR before the newline is not counted.
        let longest = self.line_bytes_max.saturating_add(1);
        let mut target = buffer.filled.saturating_add(self.chunk_bytes.max(1));
        let mut looked = 0;
        loop {
            self.ended = !buffer.fill(stream, target);
            let fresh = buffer.filled().get(looked..).unwrap_or_default();
            let end = memchr::memrchr(b'\n', fresh).map(|at| looked + at + 1);
            looked = buffer.filled;
            match end {
                _ if self.ended => return self.last_chunk(stream, buffer),
                Some(end) => {
                    buffer.split_off(end, &mut self.rest);
                    return Some(Piece::Chunk(self.shape(buffer, false)));
                }
                None if looked > longest => return Some(Piece::Dropped(self.drop_line(stream, buffer))),
                None => target = looked.saturating_mul(2).min(longest.saturating_add(1)),
            }
        }
    }

    fn last_chunk(&mut self, stream: &Stream<'_>, buffer: &mut Buffer) -> Option<Piece> {
        if buffer.filled().is_empty() {
            return None;
        }
        let inside = buffer.filled().last().is_some_and(|last| *last != b'\n');
        Some(Piece::Chunk(self.shape(buffer, inside && stream.broken().is_some())))
    }

    /// Cuts the chunk in the buffer into its lines, describes it and moves on behind it. This one pass over the bytes
    /// tells lines, their numbers and those that are too long.
    fn shape(&mut self, buffer: &mut Buffer, cut: bool) -> Shape {
        let bytes = buffer.bytes.get(..buffer.filled).unwrap_or_default();
        let (offset, first) = (self.offset, self.line);
        let unfinished = (bytes.last() != Some(&b'\n')).then_some(bytes.len());
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes).chain(unfinished) {
            let text = without_cr(bytes.get(start..end).unwrap_or_default());
            let reject = (text.len() > self.line_bytes_max).then_some(Reject::TooLong);
            buffer.spans.push(Span { start, end: start + text.len(), line: self.line, reject });
            start = end + 1;
            self.line += 1;
        }
        self.offset += signed(bytes.len());
        // What is known to be too long is not said to be cut.
        let cut = cut && buffer.spans.last().is_none_or(|span| span.reject.is_none());
        Shape { offset, line: first, cut }
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
                buffer.split_off(newline + 1, &mut self.rest);
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
