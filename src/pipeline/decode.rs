//! gzip and zstd as streams that give up no byte before a break.

use flate2::{Decompress, FlushDecompress};
use std::io::{self, BufRead, Read};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// Bytes that begin a zstd frame at most, header and all.
const ZSTD_HEADER_BYTES: usize = 18;
/// The window of a gzip member, as a power of two (RFC 1951, section 2).
const GZIP_WINDOW_BITS: u8 = 15;

/// Every member of a gzip file, with any zero padding between and after them (tape blocks, and loggers that preallocate).
///
/// The decoder is asked for as much as fits into the reader's buffer. What it wrote before it found a block corrupt is
/// handed out before the error, which a reader of the library would not do.
pub(super) struct Gzip<R> {
    reader: R,
    /// The member that is being read.
    member: Option<Decompress>,
    /// Why it cannot be read any further, once everything before was handed out.
    error: Option<io::Error>,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, member: None, error: None }
    }

    /// The compressed side.
    pub(super) fn inner(&mut self) -> &mut R {
        &mut self.reader
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            let member = match &mut self.member {
                Some(member) => member,
                None if skip_zeros(&mut self.reader)? => {
                    self.member.insert(Decompress::new_gzip(GZIP_WINDOW_BITS))
                }
                None => return Ok(0),
            };
            let bytes = self.reader.fill_buf()?;
            let ended = bytes.is_empty();
            let (read, wrote) = (member.total_in(), member.total_out());
            let status = member.decompress(bytes, buffer, FlushDecompress::None);
            let consumed = usize::try_from(member.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(member.total_out() - wrote).unwrap_or(usize::MAX);
            self.reader.consume(consumed);
            match status {
                Ok(flate2::Status::StreamEnd) => self.member = None,
                Ok(_) if ended && written == 0 => self.error = Some(ends_inside("gzip member")),
                Ok(_) => {}
                Err(error) => self.error = Some(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
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
