//! gzip and zstd as streams that give up no byte before a break.

use flate2::{Crc, Decompress, FlushDecompress};
use std::io::{self, BufRead, Read};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// Bytes that begin a zstd frame at most, header and all.
const ZSTD_HEADER_BYTES: usize = 18;
/// Longest name or comment in a gzip header.
const GZIP_TEXT_BYTES_MAX: usize = 64 << 10;

/// Every member of a gzip file, with any zero padding between and after them (tape blocks, and loggers that preallocate).
///
/// The decoder is asked for as much as fits into the reader's buffer, and what it wrote before it found a block corrupt is
/// handed out before the error; the library's own readers drop that. So headers and checksums are read here.
pub(super) struct Gzip<R> {
    reader: R,
    inflate: Decompress,
    crc: Crc,
    /// True inside a member.
    inside: bool,
    /// Why it cannot be read any further, once everything before was handed out.
    error: Option<io::Error>,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, inflate: Decompress::new(false), crc: Crc::new(), inside: false, error: None }
    }

    /// The compressed side.
    pub(super) fn inner(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Passes a member's header (RFC 1952, section 2.3).
    fn begin(&mut self) -> io::Result<()> {
        let mut crc = Crc::new();
        let [id1, id2, method, flags, ..] = taken::<10>(&mut self.reader, &mut crc)?;
        if [id1, id2, method] != [0x1f, 0x8b, 8] || flags & 0b1110_0000 != 0 {
            return Err(corrupt("no gzip header where one has to be"));
        }
        if flags & 0b0100 != 0 {
            for _ in 0..u16::from_le_bytes(taken(&mut self.reader, &mut crc)?) {
                taken::<1>(&mut self.reader, &mut crc)?;
            }
        }
        for flag in [0b1000, 0b1_0000] {
            let mut left = GZIP_TEXT_BYTES_MAX;
            while flags & flag != 0 && taken(&mut self.reader, &mut crc)? != [0] {
                left = left.checked_sub(1).ok_or_else(|| corrupt("a gzip header without end"))?;
            }
        }
        let [low, high, ..] = crc.sum().to_le_bytes();
        if flags & 0b0010 != 0 && taken(&mut self.reader, &mut crc)? != [low, high] {
            return Err(corrupt("a wrong checksum of a gzip header"));
        }
        self.inflate.reset(false);
        self.crc.reset();
        self.inside = true;
        Ok(())
    }

    /// Compares a member's checksum and length with those behind it.
    fn end(&mut self) -> io::Result<()> {
        self.inside = false;
        let expected = [self.crc.sum().to_le_bytes(), self.crc.amount().to_le_bytes()];
        let mut found = [[0; 4]; 2];
        self.reader.read_exact(found.as_flattened_mut())?;
        if found == expected { Ok(()) } else { Err(corrupt("a wrong gzip checksum or length")) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            if !self.inside {
                if !skip_zeros(&mut self.reader)? {
                    return Ok(0);
                }
                self.begin()?;
            }
            let bytes = self.reader.fill_buf()?;
            let ended = bytes.is_empty();
            let (read, wrote) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(bytes, buffer, FlushDecompress::None);
            let consumed = usize::try_from(self.inflate.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.inflate.total_out() - wrote).unwrap_or(usize::MAX);
            self.reader.consume(consumed);
            self.crc.update(buffer.get(..written).unwrap_or_default());
            match status {
                Ok(flate2::Status::StreamEnd) => self.error = self.end().err(),
                Ok(_) if ended && written == 0 => self.error = Some(ends_inside("gzip member")),
                Ok(_) => {}
                Err(error) => self.error = Some(corrupt(&error.to_string())),
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

/// The next bytes of a header, which its checksum covers.
fn taken<const N: usize>(reader: &mut impl Read, crc: &mut Crc) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    crc.update(&bytes);
    Ok(bytes)
}

fn corrupt(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn ends_inside(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("the file ends inside a {what}"))
}

/// Whether anything but zeros follows; stands at it then.
fn skip_zeros(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = reader.fill_buf()?;
        let (zeros, all) = (bytes.iter().take_while(|byte| **byte == 0).count(), bytes.len());
        if zeros < all {
            reader.consume(zeros);
            return Ok(true);
        }
        if all == 0 {
            return Ok(false);
        }
        reader.consume(all);
    }
}

/// Every frame of a zstd file; skippable frames give nothing.
///
/// The decoder is fed one block at a time: fed more, it would drop the good blocks before a corrupt one.
pub(super) struct Zstd<R> {
    reader: R,
    decoder: Decoder<'static>,
    /// Bytes of the next step, as the decoder asks; 0 between frames.
    wanted: usize,
    /// True if the last step filled its buffer, so that decoded bytes may wait inside.
    full: bool,
}

impl<R: BufRead> Zstd<R> {
    pub(super) fn new(reader: R) -> io::Result<Self> {
        Ok(Self { reader, decoder: Decoder::new()?, wanted: 0, full: false })
    }

    /// The compressed side.
    pub(super) fn inner(&mut self) -> &mut R {
        &mut self.reader
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let bytes: &[u8] = if self.full { &[] } else { self.reader.fill_buf()? };
            if bytes.is_empty() && !self.full {
                if self.wanted == 0 {
                    return Ok(0);
                }
                return Err(ends_inside("zstd frame"));
            }
            if self.wanted == 0 && !self.full {
                self.decoder.reinit()?;
                self.wanted = ZSTD_HEADER_BYTES;
            }
            let mut input = InBuffer::around(bytes.get(..self.wanted).unwrap_or(bytes));
            let mut output = OutBuffer::around(&mut *buffer);
            self.wanted = self.decoder.run(&mut input, &mut output)?;
            let (consumed, written) = (input.pos(), output.pos());
            // Zero means that the frame is finished and everything of it was handed out.
            self.full = self.wanted != 0 && written == buffer.len();
            self.reader.consume(consumed);
            if written > 0 {
                return Ok(written);
            }
        }
    }
}
