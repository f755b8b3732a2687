use super::*;
use proptest::prelude::*;
use std::io::{self, Read};

/// Line, offset, length, beginning, reject: what the engine would see of a unit.
type Seen = (i64, i64, i64, Vec<u8>, Option<Reject>);

fn stream(bytes: &[u8]) -> Stream<'_> {
    Stream::over(Box::new(bytes), None, false).unwrap()
}

fn units(bytes: &[u8], chunk_bytes: usize, line_bytes_max: usize) -> (Vec<Seen>, i64) {
    let mut stream = stream(bytes);
    let mut cutter = LineCutter::new(chunk_bytes, line_bytes_max, 0);
    let mut buffer = Buffer::default();
    let mut seen = Vec::new();
    let head = |bytes: &[u8]| bytes[..bytes.len().min(HEAD_BYTES)].to_vec();
    while let Some(piece) = cutter.next(&mut stream, &mut buffer) {
        match piece {
            Piece::Dropped(it) => seen.push((it.line, it.offset, it.length, it.head, Some(it.reason))),
            Piece::Chunk(shape) => {
                let bytes = buffer.filled();
                assert!(!bytes.is_empty() && !shape.cut);
                assert_eq!(buffer.spans().first().map(|span| span.line), Some(shape.line));
                for span in buffer.spans() {
                    let unit = &bytes[span.start..span.end];
                    let offset = shape.offset + signed(span.start);
                    seen.push((span.line, offset, signed(unit.len()), head(unit), span.reject));
                }
            }
        }
    }
    (seen, cutter.lines())
}

fn lines(bytes: &[u8], first: i64) -> Vec<Span> {
    let mut start = 0;
    let mut spans = Vec::new();
    for (line, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let bare = without_cr(text.strip_suffix(b"\n").unwrap_or(text));
        spans.push(Span { start, end: start + bare.len(), line: first + signed(line), reject: None });
        start += text.len();
    }
    spans
}

fn expected(bytes: &[u8], line_bytes_max: usize) -> Vec<Seen> {
    let unit = |span: Span| {
        let unit = &bytes[span.start..span.end];
        let reject = (unit.len() > line_bytes_max).then_some(Reject::TooLong);
        let head = unit[..unit.len().min(HEAD_BYTES)].to_vec();
        (span.line, signed(span.start), signed(unit.len()), head, reject)
    };
    lines(bytes, 1).into_iter().map(unit).collect()
}

proptest! {
    #[test]
    fn units_do_not_depend_on_chunks(
        lines in prop::collection::vec(("[a-z\\x00\\r]{0,30}", prop::bool::weighted(0.3)), 0..12),
        unterminated in "[a-z\\r]{0,30}",
        chunk_bytes in 1_usize..80,
        line_bytes_max in 1_usize..40,
    ) {
        let mut bytes = Vec::new();
        for (line, carriage_return) in &lines {
            bytes.extend(line.bytes());
            bytes.extend(if *carriage_return { &b"\r\n"[..] } else { b"\n" });
        }
        bytes.extend(unterminated.bytes());
        let expected = expected(&bytes, line_bytes_max);
        let count = signed(expected.len());
        prop_assert_eq!(units(&bytes, chunk_bytes, line_bytes_max), (expected, count));
    }
}

#[test]
fn a_chunk_border_at_every_place() {
    let bytes = b"\n\r\nfirst\r\n\nsecond line\nlonger than the most\r\nexactly-10\r\nx\n\n\nend\r";
    for line_bytes_max in [1, 5, 10, 11, 100] {
        let expected = expected(bytes, line_bytes_max);
        for chunk_bytes in 1..=bytes.len() + 2 {
            assert_eq!(
                units(bytes, chunk_bytes, line_bytes_max).0,
                expected,
                "{chunk_bytes} {line_bytes_max}"
            );
        }
    }
}

#[test]
fn the_head_of_a_dropped_line_does_not_depend_on_where_it_was_dropped() {
    let mut bytes: Vec<u8> =
        (0..200_000_u32).map(|number| b'a' + u8::try_from(number % 23).unwrap()).collect();
    bytes.extend(b"\r\nnext\n");
    let expected = expected(&bytes, 50);
    for chunk_bytes in [10, 1000, 70_000, 1 << 20] {
        assert!(units(&bytes, chunk_bytes, 50).0 == expected, "{chunk_bytes}");
    }
}

/// Gives `left` bytes of one line, then `tail`.
struct Endless {
    left: usize,
    tail: &'static [u8],
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return self.tail.read(buffer);
        }
        let read = buffer.len().min(self.left);
        buffer[..read].fill(b'a');
        self.left -= read;
        Ok(read)
    }
}

#[test]
fn a_line_of_100_mb_needs_no_memory() {
    let length = 100 << 20;
    let reader = Endless { left: length, tail: b"\r\nnext\n" };
    let mut stream = Stream::over(Box::new(reader), None, false).unwrap();
    let mut cutter = LineCutter::new(1 << 20, 2 << 20, 0);
    let mut buffer = Buffer::default();
    let Some(Piece::Dropped(dropped)) = cutter.next(&mut stream, &mut buffer) else { panic!("not dropped") };
    assert_eq!((dropped.line, dropped.offset, dropped.length), (1, 0, signed(length)));
    assert_eq!(dropped.head.len(), HEAD_BYTES);
    assert!(buffer.capacity() <= 4 << 20, "{} bytes", buffer.capacity());
    let Some(Piece::Chunk(shape)) = cutter.next(&mut stream, &mut buffer) else { panic!("no chunk") };
    assert_eq!((shape.line, shape.offset), (2, signed(length) + 2));
    assert_eq!(buffer.filled(), b"next\n");
    assert_eq!(cutter.next(&mut stream, &mut buffer), None);
    assert_eq!(cutter.lines(), 2);
    buffer.clear(1 << 20);
    assert!(buffer.capacity() <= 1 << 20);
}

struct Breaks(&'static [u8]);

impl Read for Breaks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("broken")),
            read => Ok(read),
        }
    }
}

#[test]
fn only_the_unit_at_a_break_is_cut() {
    for (bytes, line_bytes_max, expected) in [
        (&b"one\ntwo\nthr"[..], 100, [false, false, true].as_slice()),
        (b"one\ntwo\n", 100, &[false, false]),
        (b"one\ntwothree", 5, &[false, false]),
        (b"", 5, &[]),
    ] {
        let mut stream = Stream::over(Box::new(Breaks(bytes)), None, false).unwrap();
        let mut cutter = LineCutter::new(4, line_bytes_max, 0);
        let mut buffer = Buffer::default();
        let mut cut = Vec::new();
        while let Some(piece) = cutter.next(&mut stream, &mut buffer) {
            cut.push(matches!(piece, Piece::Chunk(Shape { cut: true, .. })));
        }
        assert_eq!(cut, expected);
    }
}

#[test]
fn offsets_count_a_byte_order_mark() {
    let mut stream = stream(b"\xef\xbb\xbfab\nc\n");
    let mut cutter = LineCutter::new(2, 100, stream.start());
    let mut buffer = Buffer::default();
    let mut offsets = Vec::new();
    while let Some(Piece::Chunk(shape)) = cutter.next(&mut stream, &mut buffer) {
        offsets.push((shape.offset, buffer.filled().to_vec()));
    }
    assert_eq!(offsets, [(3, b"ab\n".to_vec()), (6, b"c\n".to_vec())]);
}
