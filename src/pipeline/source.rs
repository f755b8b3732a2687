//! An input as one stream of decompressed bytes, with the digest and the lengths of what was read.

use super::Place;
use super::decode::{Gzip, Zstd};
use super::hash::Hash;
use super::wait::{Halt, Patient};
use crate::limits::DETECT_BYTES;
use std::fs::File;
use std::io::{self, BufReader, Read};

/// Bytes that are read of a compressed file at once.
const READ_BYTES: usize = 256 << 10;
/// Bytes that tell containers apart.
const MAGIC_BYTES: usize = 16;
const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// How an input is packed, told by its first bytes and never by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Packing {
    /// As it is.
    Plain,
    /// gzip, any number of members.
    Gzip,
    /// zstd, any number of frames.
    Zstd,
}

/// Where an input broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Its bytes end early or make no sense from here on.
    Truncated(String),
    /// Its bytes could not be read from here on.
    Unreadable(String),
}

/// What is known of an input once nothing more is read of it.
#[derive(Debug)]
pub(super) struct Ended {
    /// Bytes as stored.
    pub(super) bytes: u64,
    /// SHA-256 of them, 64 hexadecimal digits; `None` if it is off or not every byte was read.
    pub(super) sha256: Option<String>,
    /// Bytes after decompression.
    pub(super) bytes_decompressed: u64,
    /// Where it broke off, if it did.
    pub(super) broken: Option<Broken>,
}

/// The bytes as stored, counted and hashed on their way.
struct Raw<'r> {
    reader: Box<dyn Read + Send + 'r>,
    /// Read to tell the container, and to be read again.
    peeked: Vec<u8>,
    at: usize,
    digest: Option<Hash>,
    bytes: u64,
    failed: Option<String>,
}

impl Raw<'_> {
    fn peek(&mut self) {
        let mut head = [0; MAGIC_BYTES];
        let mut filled = 0;
        while let Some(rest) = head.get_mut(filled..)
            && !rest.is_empty()
        {
            match self.read_on(rest) {
                Ok(0) | Err(_) => break,
                Ok(read) => filled += read,
            }
        }
        self.peeked = head.get(..filled).unwrap_or_default().to_vec();
    }

    fn read_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.reader.read(buffer) {
                Ok(read) => {
                    self.bytes += count(read);
                    if let Some(digest) = &mut self.digest {
                        digest.update(buffer.get(..read).unwrap_or_default());
                    }
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = Some(format!("reading failed after byte {}: {error}", self.bytes));
                    return Err(error);
                }
            }
        }
    }
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.peeked.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at += read;
        match (read, &self.failed) {
            (0, Some(error)) => Err(io::Error::other(error.clone())),
            (0, None) => self.read_on(buffer),
            _ => Ok(read),
        }
    }
}

enum Decoder<'r> {
    Plain(Raw<'r>),
    Gzip(Gzip<BufReader<Raw<'r>>>),
    Zstd(Zstd<BufReader<Raw<'r>>>),
}

impl<'r> Decoder<'r> {
    fn raw(&mut self) -> &mut Raw<'r> {
        match self {
            Self::Plain(raw) => raw,
            Self::Gzip(gzip) => gzip.inner().get_mut(),
            Self::Zstd(zstd) => zstd.inner().get_mut(),
        }
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
            Self::Zstd(zstd) => zstd.read(buffer),
        }
    }
}

/// An input that is being read.
pub(super) struct Stream<'r> {
    decoder: Decoder<'r>,
    packing: Packing,
    /// The first bytes, read for detection and to be read again.
    head: Vec<u8>,
    at: usize,
    bom: usize,
    bytes_decompressed: u64,
    ended: bool,
    broken: Option<Broken>,
    /// Length that the file had when it was opened.
    length: Option<u64>,
}

impl<'r> Stream<'r> {
    /// Opens an input and reads its head.
    ///
    /// # Errors
    ///
    /// It cannot be opened, or there is no memory for a decoder.
    pub(super) fn open(place: &Place, digest: bool, halt: &'r Halt<'r>) -> io::Result<Self> {
        match place {
            Place::File { path, .. } => {
                let file = File::open(path)?;
                let metadata = file.metadata()?;
                let length = metadata.is_file().then_some(metadata.len());
                Self::over(Box::new(file), length, digest)
            }
            Place::Pipe { .. } | Place::Stdin => {
                Self::over(Box::new(Patient::new(place, halt)?), None, digest)
            }
            Place::Nowhere { error, .. } => Err(io::Error::other(error.clone())),
        }
    }

    /// A stream over any reader, of a length if it is known.
    pub(super) fn over(
        reader: Box<dyn Read + Send + 'r>,
        length: Option<u64>,
        digest: bool,
    ) -> io::Result<Self> {
        let digest = digest.then(Hash::new);
        let mut raw = Raw { reader, peeked: Vec::new(), at: 0, digest, bytes: 0, failed: None };
        raw.peek();
        let packing = packing(&raw.peeked);
        let decoder = match packing {
            Packing::Plain => Decoder::Plain(raw),
            Packing::Gzip => Decoder::Gzip(Gzip::new(BufReader::with_capacity(READ_BYTES, raw))),
            Packing::Zstd => Decoder::Zstd(Zstd::new(BufReader::with_capacity(READ_BYTES, raw))?),
        };
        let mut stream = Self {
            decoder,
            packing,
            head: Vec::new(),
            at: 0,
            bom: 0,
            bytes_decompressed: 0,
            ended: false,
            broken: None,
            length,
        };
        stream.read_head();
        Ok(stream)
    }

    fn read_head(&mut self) {
        let mut head = vec![0; DETECT_BYTES];
        let mut filled = 0;
        while let Some(rest) = head.get_mut(filled..)
            && !rest.is_empty()
        {
            match self.decode(rest) {
                0 => break,
                read => filled += read,
            }
        }
        head.truncate(filled);
        self.bom = if head.starts_with(UTF8_BOM) { UTF8_BOM.len() } else { 0 };
        self.at = self.bom;
        self.head = head;
    }

    fn decode(&mut self, buffer: &mut [u8]) -> usize {
        if self.ended || buffer.is_empty() {
            return 0;
        }
        match self.decoder.read(buffer) {
            Ok(0) => {
                self.ended = true;
                let (length, read) = (self.length, self.bytes());
                if let Some(length) = length.filter(|length| read < *length) {
                    let message = format!("the file shrank from {length} to {read} bytes while it was read");
                    self.broken = Some(Broken::Truncated(message));
                }
                0
            }
            Ok(read) => {
                self.bytes_decompressed += count(read);
                read
            }
            Err(error) => {
                self.ended = true;
                self.broken = Some(self.breakage(&error));
                0
            }
        }
    }

    fn breakage(&mut self, error: &io::Error) -> Broken {
        let (packing, decompressed) = (self.packing, self.bytes_decompressed);
        if let Some(failed) = self.decoder.raw().failed.clone() {
            return Broken::Unreadable(failed);
        }
        let packing = match packing {
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
            Packing::Plain => "plain",
        };
        let what = match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the {packing} data end in the middle"),
            _ => format!("the {packing} data are corrupt ({error})"),
        };
        Broken::Truncated(format!("{what}, after {decompressed} decompressed bytes"))
    }

    /// The first bytes, without a byte order mark.
    pub(super) fn head(&self) -> &[u8] {
        self.head.get(self.bom..).unwrap_or_default()
    }

    /// Offset of the first byte that is read: the length of a byte order mark.
    pub(super) fn start(&self) -> usize {
        self.bom
    }

    /// How it is packed.
    pub(super) fn packing(&self) -> Packing {
        self.packing
    }

    /// What it is, if it is nothing that can be read as text.
    pub(super) fn unsupported(&self) -> Option<&'static str> {
        unsupported(&self.head)
    }

    /// Bytes as stored that were read so far.
    pub(super) fn bytes(&mut self) -> u64 {
        self.decoder.raw().bytes
    }

    /// Reads on; 0 at the end, whole or broken.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let rest = self.head.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            // The head is as long as a chunk of its own.
            self.head = Vec::new();
            self.at = 0;
            return self.decode(buffer);
        }
        let read = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..read), rest.get(..read)) {
            to.copy_from_slice(from);
        }
        self.at += read;
        read
    }

    /// Where it broke off; `None` until then.
    pub(super) fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// Ends reading. With `whole`, what a broken or unsupported input still holds is read for its digest.
    pub(super) fn finish(mut self, whole: bool) -> Ended {
        let read_to_its_end = self.ended && self.broken.is_none();
        let raw = self.decoder.raw();
        let mut every = whole && raw.failed.is_none();
        if every && raw.digest.is_some() && !read_to_its_end {
            let mut buffer = vec![0; READ_BYTES];
            loop {
                match raw.read_on(&mut buffer) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(_) => {
                        every = false;
                        break;
                    }
                }
            }
        }
        let sha256 = raw.digest.take().filter(|_| every).and_then(Hash::finish);
        Ended {
            bytes: self.bytes(),
            sha256,
            bytes_decompressed: self.bytes_decompressed,
            broken: self.broken,
        }
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn packing(head: &[u8]) -> Packing {
    match head {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        // A frame, and the sixteen kinds of skippable frames (RFC 8878, section 3.1).
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
        _ => Packing::Plain,
    }
}

/// Contents that are known and not read, by their first bytes.
const CONTAINERS: &[(&[u8], &str)] = &[
    (b"PAR1", "Parquet, which cannot be read as input yet"),
    (b"\xff\xfe", "UTF-16 text; convert it to UTF-8"),
    (b"\xfe\xff", "UTF-16 text; convert it to UTF-8"),
    (b"Obj\x01", "Avro; convert it to JSON lines"),
    (b"PK\x03\x04", "a zip archive; unpack it"),
    (b"\xfd7zXZ\0", "xz data; unpack them"),
    (b"BZh11AY&SY", "bzip2 data; unpack them"),
    (b"BZh91AY&SY", "bzip2 data; unpack them"),
    (b"\x04\x22\x4d\x18", "lz4 data; unpack them"),
    (b"\x78\x01", "zlib data; unpack them"),
    (b"\x78\x9c", "zlib data; unpack them"),
    (b"\x78\xda", "zlib data; unpack them"),
    (b"\x1f\x8b", "compressed twice; unpack it once"),
    (b"\x28\xb5\x2f\xfd", "compressed twice; unpack it once"),
];

fn unsupported(head: &[u8]) -> Option<&'static str> {
    let known = CONTAINERS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what);
    known.or_else(|| every_second_is_nul(head).then_some("UTF-16 text; convert it to UTF-8"))
}

fn every_second_is_nul(head: &[u8]) -> bool {
    let pairs = head.as_chunks::<2>().0.get(..8).unwrap_or_default();
    let all = |test: fn(&[u8; 2]) -> bool| !pairs.is_empty() && pairs.iter().all(test);
    all(|pair| pair[0] == 0 && pair[1] != 0) || all(|pair| pair[0] != 0 && pair[1] == 0)
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
