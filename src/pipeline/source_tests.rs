use super::*;
use crate::redact;
use aws_lc_rs::digest::SHA256;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

fn text() -> Vec<u8> {
    (0..60_000)
        .flat_map(|number| format!("line {number} {}\n", number * 7919 % 104_729).into_bytes())
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A reader that gives few bytes at a time, and an error at the end if asked to.
struct Drip(Vec<u8>, usize, bool);

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.0[self.1..];
        if rest.is_empty() && self.2 {
            return Err(io::Error::other("disk on fire"));
        }
        let read = rest.len().min(buffer.len()).min(1000);
        buffer[..read].copy_from_slice(&rest[..read]);
        self.1 += read;
        Ok(read)
    }
}

fn read(bytes: &[u8]) -> (Vec<u8>, Ended) {
    read_all(Stream::over(Box::new(Drip(bytes.to_vec(), 0, false)), None, true).unwrap())
}

fn read_all(mut stream: Stream<'_>) -> (Vec<u8>, Ended) {
    let mut all = Vec::new();
    let mut buffer = vec![0; 70_001];
    loop {
        match stream.read(&mut buffer) {
            0 => return (all, stream.finish(true)),
            read => all.extend_from_slice(&buffer[..read]),
        }
    }
}

fn assert_whole(stored: &[u8], expected: &[u8]) {
    let (bytes, ended) = read(stored);
    assert!(bytes == expected, "{} of {} bytes", bytes.len(), expected.len());
    assert_eq!(ended.broken, None);
    assert_eq!(usize::try_from(ended.bytes).unwrap(), stored.len());
    assert_eq!(usize::try_from(ended.bytes_decompressed).unwrap(), expected.len());
    let digest = aws_lc_rs::digest::digest(&SHA256, stored);
    assert_eq!(ended.sha256.unwrap(), redact::hex(digest.as_ref()));
}

#[test]
fn plain_bytes_and_nothing() {
    assert_whole(&text(), &text());
    assert_whole(b"", b"");
    assert_whole(b"x", b"x");
}

#[test]
fn every_gzip_member_is_read_and_padding_skipped() {
    let (all, third) = (text(), text().len() / 3);
    let mut stored = gzip(&all[..third]);
    stored.extend(gzip(b""));
    stored.extend([0; 700]);
    stored.extend(gzip(&all[third..2 * third]));
    stored.extend(gzip(&all[2 * third..]));
    stored.extend([0; 10_000]);
    assert_whole(&stored, &all);
    assert_whole(&gzip(b""), b"");
}

#[test]
fn gzip_headers_may_say_more() {
    let all = text();
    let build = || flate2::GzBuilder::new().extra([7; 300]).filename("a.log").comment("nightly").mtime(1);
    let mut encoder = build().write(Vec::new(), Compression::fast());
    encoder.write_all(&all).unwrap();
    let named = encoder.finish().unwrap();
    assert_whole(&named, &all);
    // The same with a checksum of the header, right and wrong.
    let end = memchr::memmem::find(&named, b"nightly\0").unwrap() + 8;
    let mut header = named[..end].to_vec();
    header[3] |= 2;
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let sum = u16::try_from(crc.sum() & 0xffff).unwrap();
    let checked = [&header, &sum.to_le_bytes()[..], &named[end..]].concat();
    assert_whole(&checked, &all);
    let endless = [&b"\x1f\x8b\x08\x08\0\0\0\0\0\0"[..], &vec![b'x'; 1 << 20]].concat();
    for wrong in [[&header, &(!sum).to_le_bytes()[..], &named[end..]].concat(), endless] {
        let (bytes, ended) = read(&wrong);
        assert!(bytes.is_empty());
        let Some(Broken::Truncated(message)) = ended.broken else { panic!("{:?}", ended.broken) };
        assert!(message.contains("are corrupt"), "{message}");
    }
}

#[test]
fn a_wrong_gzip_checksum_or_length_is_told_after_its_bytes() {
    let all = text();
    let stored = gzip(&all);
    for at in [1, 5] {
        let mut wrong = [&stored[..], &gzip(b"more")].concat();
        wrong[stored.len() - at] ^= 1;
        let (bytes, ended) = read(&wrong);
        assert!(bytes == all);
        assert!(matches!(ended.broken, Some(Broken::Truncated(_))), "{:?}", ended.broken);
    }
}

#[test]
fn a_corrupt_gzip_block_takes_nothing_before_it() {
    // Stored blocks, so that their places are known: of 65,535 bytes each, with 5 bytes of header.
    let all = text();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&all).unwrap();
    let mut stored = encoder.finish().unwrap();
    let block = memchr::memmem::find(&stored, &all[..100]).unwrap();
    let length = usize::from(u16::from_le_bytes([stored[block - 4], stored[block - 3]]));
    // A length that its complement contradicts.
    stored[block + length + 1] ^= 1;
    let (bytes, ended) = read(&stored);
    assert!(bytes == all[..length], "{} of {length} bytes", bytes.len());
    assert!(matches!(ended.broken, Some(Broken::Truncated(_))), "{:?}", ended.broken);
}

#[test]
fn every_zstd_frame_is_read_and_skippable_ones_skipped() {
    let (all, half) = (text(), text().len() / 2);
    let mut skippable = b"\x53\x2a\x4d\x18".to_vec();
    skippable.extend(5000_u32.to_le_bytes());
    skippable.extend([7; 5000]);
    let mut stored = skippable.clone();
    stored.extend(zstd(&all[..half]));
    stored.extend(&skippable);
    stored.extend(zstd(b""));
    stored.extend(zstd(&all[half..]));
    stored.extend(&skippable);
    assert_whole(&stored, &all);
    assert_whole(&skippable, b"");
}

#[test]
fn broken_data_keep_what_lies_before() {
    let all = text();
    for stored in [gzip(&all), zstd(&all)] {
        let cut = &stored[..stored.len() / 2];
        let (bytes, ended) = read(cut);
        assert!(all.starts_with(&bytes) && bytes.len() > all.len() / 4, "{} bytes", bytes.len());
        let Some(Broken::Truncated(message)) = ended.broken else { panic!("{:?}", ended.broken) };
        assert!(message.contains("end in the middle"), "{message}");
        assert_eq!(usize::try_from(ended.bytes).unwrap(), cut.len());
        assert!(ended.sha256.is_some());

        let mut corrupt = stored.clone();
        let middle = corrupt.len() / 2;
        corrupt[middle..middle + 64].fill(0x55);
        let (bytes, ended) = read(&corrupt);
        assert!(bytes.len() > all.len() / 4, "{} bytes", bytes.len());
        assert!(matches!(ended.broken, Some(Broken::Truncated(_))), "{:?}", ended.broken);
        assert_eq!(usize::try_from(ended.bytes).unwrap(), corrupt.len(), "the rest is read for the digest");

        let mut trailed = stored.clone();
        trailed.extend(b"GET / 200\n");
        let (bytes, ended) = read(&trailed);
        assert!(bytes == all);
        assert!(matches!(ended.broken, Some(Broken::Truncated(_))), "{:?}", ended.broken);
    }
    let (bytes, ended) = read(b"\x1f\x8b");
    assert!(bytes.is_empty() && ended.broken.is_some());
}

#[test]
fn a_read_error_keeps_what_lies_before() {
    let all = text();
    let (bytes, ended) = read_all(Stream::over(Box::new(Drip(all.clone(), 0, true)), None, true).unwrap());
    assert!(bytes == all);
    let Some(Broken::Unreadable(message)) = ended.broken else { panic!("{:?}", ended.broken) };
    assert_eq!(message, format!("reading failed after byte {}: disk on fire", all.len()));
    assert_eq!(ended.sha256, None);
    for few in [&b""[..], b"abc"] {
        let (bytes, ended) =
            read_all(Stream::over(Box::new(Drip(few.to_vec(), 0, true)), None, true).unwrap());
        assert_eq!(bytes, few);
        assert!(matches!(ended.broken, Some(Broken::Unreadable(_))), "{:?}", ended.broken);
    }
}

#[test]
fn a_file_that_shrinks_is_truncated() {
    let (_, ended) = read_all(Stream::over(Box::new(&b"abc\n"[..]), Some(9), false).unwrap());
    assert!(matches!(ended.broken, Some(Broken::Truncated(_))), "{:?}", ended.broken);
    assert_eq!(ended.sha256, None);
}

#[test]
fn a_byte_order_mark_is_no_text() {
    for stored in [b"\xef\xbb\xbf{}\n".to_vec(), gzip(b"\xef\xbb\xbf{}\n")] {
        let mut stream = Stream::over(Box::new(&stored[..]), None, false).unwrap();
        assert_eq!((stream.head(), stream.start()), (&b"{}\n"[..], 3));
        let mut buffer = [0; 9];
        assert_eq!(stream.read(&mut buffer), 3);
        assert_eq!(stream.finish(true).bytes_decompressed, 6);
    }
}

#[test]
fn what_is_no_text_is_named() {
    let utf16: Vec<u8> = "GET /a 200".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_big: Vec<u8> = "GET /a 200".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let cases: [(&[u8], &str); 7] = [
        (b"\xff\xfeG\0", "UTF-16"),
        (&utf16, "UTF-16"),
        (&utf16_big, "UTF-16"),
        (b"PAR1\x15\x04", "Parquet"),
        (&gzip(b"PAR1\x15\x04"), "Parquet"),
        (&gzip(&gzip(b"x")), "compressed twice"),
        (b"PK\x03\x04", "zip"),
    ];
    for (stored, what) in cases {
        let stream = Stream::over(Box::new(stored), None, false).unwrap();
        assert!(stream.unsupported().is_some_and(|named| named.contains(what)), "{what}");
    }
    for text in [&b"{\"a\":1}\n"[..], b"", b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", b"xx"] {
        assert_eq!(Stream::over(Box::new(text), None, false).unwrap().unsupported(), None);
    }
}
