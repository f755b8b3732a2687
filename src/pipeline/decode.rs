//! gzip and zstd as streams that give up no byte before a break.

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, Read};
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// Bytes that are asked of a gzip decoder at once: what a corrupt block takes with it at most.
const GZIP_STEP_BYTES: usize = 16 << 10;
/// Bytes that begin a zstd frame at most, header and all.
const ZSTD_HEADER_BYTES: usize = 18;

/// Every member of a gzip file, with any zero padding between and after them (tape blocks, and loggers that preallocate).
pub(super) enum Gzip<R> {
    Inside(Box<GzDecoder<R>>),
    Between(R),
    /// Only while one of the others becomes the other.
    Turning,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(reader: R) -> Self {
        Self::Between(reader)
    }

    /// The compressed side.
    pub(super) fn inner(&mut self) -> Option<&mut R> {
        match self {
            Self::Inside(member) => Some(member.get_mut()),
            Self::Between(reader) => Some(reader),
            Self::Turning => None,
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let step = buffer.len().min(GZIP_STEP_BYTES);
        let Some(buffer) = buffer.get_mut(..step) else { return Ok(0) };
        loop {
            let turned = match std::mem::replace(self, Self::Turning) {
                Self::Inside(mut member) => match member.read(buffer) {
                    Ok(0) => Self::Between(member.into_inner()),
                    read => {
                        *self = Self::Inside(member);
                        return read;
                    }
                },
                Self::Between(mut reader) => match skip_zeros(&mut reader) {
                    Ok(true) => Self::Inside(Box::new(GzDecoder::new(reader))),
                    end => {
                        *self = Self::Between(reader);
                        return end.map(|_| 0);
                    }
                },
                Self::Turning => return Ok(0),
            };
            *self = turned;
        }
    }
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
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the file ends inside a zstd frame",
                ));
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
