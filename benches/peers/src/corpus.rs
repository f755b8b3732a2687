//! What is read: log lines in blocks, and key documents.

use crate::Failure;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const BLOCK_BYTES: usize = 4 << 20;

/// The fields of a line that an audit wants at the least; none of the generated ones has an escape.
#[derive(Deserialize)]
pub(crate) struct Line<'l> {
    /// Start of the request, in milliseconds since the epoch.
    pub ts: i64,
    /// HTTP status.
    pub status: u16,
    /// Host.
    pub host: &'l str,
    /// Path and query.
    pub url: &'l str,
    /// Request headers.
    #[serde(borrow)]
    pub headers: Headers<'l>,
}

/// Request headers.
#[derive(Deserialize)]
pub(crate) struct Headers<'l> {
    /// Scheme and token.
    pub authorization: Option<&'l str>,
}

impl<'l> Line<'l> {
    /// Reads a line.
    pub(crate) fn read(bytes: &'l [u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The bearer token.
    pub(crate) fn token(&self) -> Option<&'l str> {
        self.headers.authorization?.strip_prefix("Bearer ")
    }
}

/// Hands out whole lines of some files, block by block; the buffer is reused.
pub(crate) fn blocks(logs: &[PathBuf], mut each: impl FnMut(&[&[u8]])) -> Result<(), Failure> {
    let mut buffer = vec![0; BLOCK_BYTES];
    for path in logs {
        let mut file = File::open(path).map_err(|why| format!("{}: {why}", path.display()))?;
        let mut filled = 0;
        loop {
            let read = file.read(&mut buffer[filled..])?;
            let end = filled + read;
            // At the end of the file, the last line need not end in a newline.
            let whole = if read == 0 { end } else { last_newline(&buffer[..end]) };
            let mut lines = Vec::with_capacity(whole / 1024);
            let mut start = 0;
            for at in memchr::memchr_iter(b'\n', &buffer[..whole]) {
                lines.push(&buffer[start..at]);
                start = at + 1;
            }
            if start < whole {
                lines.push(&buffer[start..whole]);
            }
            each(&lines);
            if read == 0 {
                break;
            }
            buffer.copy_within(whole..end, 0);
            filled = end - whole;
            if filled == buffer.len() {
                return Err(format!("{}: a line is longer than {BLOCK_BYTES} bytes", path.display()).into());
            }
        }
    }
    Ok(())
}

/// End of the last whole line.
fn last_newline(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1)
}

/// A public key as a document states it.
#[derive(Clone, Deserialize)]
pub(crate) struct Jwk {
    /// Key id.
    pub kid: String,
    /// RSA modulus.
    #[serde(default)]
    pub n: String,
    /// RSA exponent.
    #[serde(default)]
    pub e: String,
    /// EC point.
    #[serde(default)]
    pub x: String,
    /// EC point.
    #[serde(default)]
    pub y: String,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Jwk>,
}

/// Every key of the documents below a folder (or of one document) by its kid.
pub(crate) fn keys(path: &Path) -> Result<BTreeMap<String, Jwk>, Failure> {
    let mut keys = BTreeMap::new();
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let mut below =
                fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failure>>()?;
            // Taken from the end: what all tenants share comes before what one tenant lists.
            below.sort();
            left.extend(below);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let document: Document = serde_json::from_slice(&fs::read(&path)?)?;
            // What was planted to be found, secrets and second keys of an id, is nobody's signing key.
            for key in document.keys.into_iter().filter(|key| !key.n.is_empty() || !key.x.is_empty()) {
                keys.entry(key.kid.clone()).or_insert(key);
            }
        }
    }
    if keys.is_empty() {
        return Err(format!("{}: no key document", path.display()).into());
    }
    Ok(keys)
}
