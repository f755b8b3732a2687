//! A stream of JSON values becomes pieces of work: chunks of whole elements, whatever stands between them.

use super::chunk::{Buffer, Dropped, Piece, Shape, signed};
use super::source::Stream;
use crate::engine;
use crate::record::Reject;
use crate::record::wrap::{Span, Splitter};
use std::collections::VecDeque;

/// Bytes that are split at once. Always as many, so that rejects do not depend on how the input was stored.
const STEP_BYTES: usize = 64 << 10;
/// Bytes between two elements of a chunk at most: they are in the chunk, for an element's offset is told by its place.
const GAP_BYTES_MAX: usize = 4 << 10;

/// An element, or a stretch that gives none.
#[derive(Clone, Copy, Debug)]
struct Element {
    offset: i64,
    line: i64,
    length: i64,
    reject: Option<Reject>,
    /// Bytes of it that were kept.
    kept: usize,
}

/// Elements that were split and are in no chunk yet.
#[derive(Debug, Default)]
struct Ahead {
    elements: VecDeque<Element>,
    /// What was kept of them, one after another.
    bytes: Vec<u8>,
    /// Where the first of them begins.
    at: usize,
}

impl Ahead {
    fn add(&mut self, span: Span, bytes: &[u8], start: usize) {
        let whole = u64::try_from(bytes.len()) == Ok(span.length);
        // A rejected line has its end of line with it.
        let text = if whole && span.reject.is_some() { bytes.trim_ascii_end() } else { bytes };
        let length = if whole { signed(text.len()) } else { i64::try_from(span.length).unwrap_or(i64::MAX) };
        self.elements.push_back(Element {
            offset: i64::try_from(span.offset).unwrap_or(i64::MAX).saturating_add(signed(start)),
            line: i64::try_from(span.line).unwrap_or(i64::MAX),
            length,
            reject: span.reject,
            kept: text.len(),
        });
        self.bytes.extend_from_slice(text);
    }

    fn first(&self) -> Option<(Element, &[u8])> {
        let element = *self.elements.front()?;
        Some((element, self.bytes.get(self.at..self.at + element.kept).unwrap_or_default()))
    }

    fn advance(&mut self) {
        if let Some(element) = self.elements.pop_front() {
            self.at += element.kept;
        }
        if self.elements.is_empty() {
            self.at = 0;
            // One long element is no reason to keep its memory.
            self.bytes.clear();
            self.bytes.shrink_to(2 * STEP_BYTES);
        }
    }
}

/// Cuts a stream between elements.
#[derive(Debug)]
pub(super) struct ElementCutter {
    chunk_bytes: usize,
    splitter: Splitter,
    step: Buffer,
    ahead: Ahead,
    /// Offset of the first byte that is split.
    start: usize,
    newlines: usize,
    ended: bool,
}

impl ElementCutter {
    /// Chunks of about `chunk_bytes`, at most an element longer; elements over `unit_bytes_max` are rejected. `start` is
    /// the offset of the stream's first byte.
    pub(super) fn new(chunk_bytes: usize, unit_bytes_max: usize, start: usize) -> Self {
        Self {
            chunk_bytes,
            splitter: Splitter::new(unit_bytes_max),
            step: Buffer::default(),
            ahead: Ahead::default(),
            start,
            newlines: 0,
            ended: false,
        }
    }

    /// Lines that were split so far.
    pub(super) fn lines(&self) -> i64 {
        signed(self.newlines)
    }

    /// The next piece; `None` at the end.
    pub(super) fn next(&mut self, stream: &mut Stream<'_>, buffer: &mut Buffer) -> Option<Piece> {
        buffer.clear(usize::MAX);
        let mut shape = None;
        loop {
            while let Some((element, bytes)) = self.ahead.first() {
                match (element.reject, shape.is_some()) {
                    (Some(_), true) => return shape.map(Piece::Chunk),
                    (Some(reason), false) => {
                        let Element { line, offset, length, .. } = element;
                        let head = bytes.to_vec();
                        self.ahead.advance();
                        return Some(Piece::Dropped(Dropped { reason, line, offset, length, head }));
                    }
                    (None, _) => {
                        if !append(&mut shape, buffer, element, bytes, self.chunk_bytes) {
                            return shape.map(Piece::Chunk);
                        }
                        self.ahead.advance();
                    }
                }
            }
            if self.ended {
                return shape.map(Piece::Chunk);
            }
            self.split(stream);
        }
    }

    /// Splits the next bytes of the stream.
    fn split(&mut self, stream: &mut Stream<'_>) {
        self.step.clear(usize::MAX);
        self.ended = !self.step.fill(stream, STEP_BYTES);
        let bytes = self.step.filled();
        self.newlines += memchr::memchr_iter(b'\n', bytes).count();
        let (ahead, start) = (&mut self.ahead, self.start);
        let mut emit = |span: Span, bytes: &[u8]| ahead.add(span, bytes, start);
        self.splitter.feed(bytes, &mut emit);
        if self.ended {
            self.splitter.finish(stream.broken().is_some(), &mut emit);
            self.newlines += usize::from(bytes.last().is_some_and(|last| *last != b'\n'));
        }
    }
}

/// Appends an element to a chunk at the place that its offset demands. False if it has to go to the next chunk.
fn append(
    shape: &mut Option<Shape>,
    buffer: &mut Buffer,
    element: Element,
    bytes: &[u8],
    chunk_bytes: usize,
) -> bool {
    let filled = buffer.filled().len();
    let shape = shape.get_or_insert(Shape { offset: element.offset, line: element.line, cut: false });
    let place = usize::try_from(element.offset.saturating_sub(shape.offset)).unwrap_or(usize::MAX);
    let gap = place.saturating_sub(filled);
    let begun = filled > 0;
    if begun && (filled >= chunk_bytes || place < filled || gap > GAP_BYTES_MAX) {
        return false;
    }
    buffer.push([b' '; GAP_BYTES_MAX].get(..gap).unwrap_or_default());
    buffer.push(bytes);
    buffer.push_span(engine::Span {
        start: place,
        end: place + bytes.len(),
        line: element.line,
        reject: None,
    });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = (i64, i64, Vec<u8>, Option<Reject>);

    fn units(bytes: &[u8], chunk_bytes: usize, unit_bytes_max: usize) -> Vec<Seen> {
        let mut stream = Stream::over(Box::new(bytes), None, false).unwrap();
        let mut cutter = ElementCutter::new(chunk_bytes, unit_bytes_max, stream.start());
        let mut buffer = Buffer::default();
        let mut seen = Vec::new();
        while let Some(piece) = cutter.next(&mut stream, &mut buffer) {
            match piece {
                Piece::Dropped(it) => seen.push((it.line, it.offset, it.head, Some(it.reason))),
                Piece::Chunk(shape) => {
                    for span in buffer.spans() {
                        let offset = shape.offset + signed(span.start);
                        seen.push((
                            span.line,
                            offset,
                            buffer.filled()[span.start..span.end].to_vec(),
                            span.reject,
                        ));
                    }
                }
            }
        }
        seen
    }

    #[test]
    fn elements_keep_their_places_whatever_the_chunk() {
        let bytes =
            b"\xef\xbb\xbf{\"records\": [\n  {\"a\": 1},\n  {\"b\": [2, {}]}\n]}\n{\"c\":3}{\"d\":4}\n";
        let expected: Vec<Seen> =
            [(2, &b"{\"a\": 1}"[..]), (3, b"{\"b\": [2, {}]}"), (5, b"{\"c\":3}"), (5, b"{\"d\":4}")]
                .into_iter()
                .map(|(line, unit)| {
                    let offset = memchr::memmem::find(bytes, unit).unwrap();
                    (line, signed(offset), unit.to_vec(), None)
                })
                .collect();
        for chunk_bytes in 1..80 {
            assert_eq!(units(bytes, chunk_bytes, 1000), expected, "{chunk_bytes}");
        }
    }

    #[test]
    fn a_huge_envelope_on_one_line_needs_little_memory() {
        let mut bytes = b"{\"records\":[".to_vec();
        for number in 0..50_000 {
            bytes.extend(
                format!("{{\"number\":{number},\"text\":\"{}\"}},", "x".repeat(number % 200)).bytes(),
            );
        }
        bytes.pop();
        bytes.extend(b"]}");
        let mut stream = Stream::over(Box::new(&bytes[..]), None, false).unwrap();
        let mut cutter = ElementCutter::new(1 << 16, 1 << 20, 0);
        let mut buffer = Buffer::default();
        let mut count = 0;
        while let Some(piece) = cutter.next(&mut stream, &mut buffer) {
            assert!(matches!(piece, Piece::Chunk(_)), "{piece:?}");
            count += buffer.spans().len();
            assert!(buffer.capacity() < 1 << 18);
        }
        assert_eq!((count, cutter.lines()), (50_000, 1));
    }

    #[test]
    fn what_is_no_element_is_dropped_in_its_place() {
        let long = format!("{{\"long\":\"{}\"}}", "x".repeat(300));
        let bytes = format!("{{\"a\":1}}\nnot json\n{{\"b\":2}}\n{long}\n{{\"c\":3}}\n");
        for chunk_bytes in [1, 10, 1000] {
            let seen = units(bytes.as_bytes(), chunk_bytes, 100);
            let reasons: Vec<_> = seen.iter().map(|(line, _, _, reject)| (*line, *reject)).collect();
            let expected =
                [(1, None), (2, Some(Reject::Json)), (3, None), (4, Some(Reject::TooLong)), (5, None)];
            assert_eq!(reasons, expected, "{chunk_bytes}");
            assert_eq!(seen[1].2, b"not json");
        }
    }
}
