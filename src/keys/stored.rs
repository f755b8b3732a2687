//! The files of an archive as they lie there: key documents and metadata, and the lines that say when each was captured.

use super::capture::CaptureLine;
use super::chain;
use super::document::DOCUMENT_BYTES_MAX;
use super::document::Document;
use super::error::KeysError;
use crate::redact;
use aws_lc_rs::digest;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Name of the file that records when each document was captured.
pub(super) const LINES_FILE: &str = "captures.jsonl";

/// The files of an archive, before they are given times and sources.
pub(super) struct Stored {
    /// By path relative to the archive.
    pub(super) documents: BTreeMap<String, StoredDocument>,
    pub(super) lines: Vec<CaptureLine>,
}

pub(super) struct StoredDocument {
    pub(super) sha256: String,
    pub(super) parsed: Result<Document, String>,
}

impl Stored {
    /// The files, the archive's digest, and notices. What is wrong with `captures.jsonl` is added to `faults`.
    pub(super) fn read(
        directory: &Path,
        faults: &mut Vec<KeysError>,
    ) -> Result<(Self, String, Vec<String>), KeysError> {
        let mut notices = Vec::new();
        let mut found = Found::default();
        found.list(directory, "", &mut HashSet::new())?;
        for nested in &found.nested_lines {
            notices.push(format!(
                "{nested} is ignored: only the {LINES_FILE} of the archive's own directory counts"
            ));
        }
        let mut whole = digest::Context::new(&digest::SHA256);
        let mut parsed: BTreeMap<String, Result<Document, String>> = BTreeMap::new();
        let mut documents = BTreeMap::new();
        for (file, path) in &found.documents {
            let bytes = read_document(path, file)?;
            let sha256 = sha256(&bytes);
            whole.update(format!("{file}\0{sha256}\n").as_bytes());
            // An unchanged key set is often stored again and again.
            let parsed = parsed.entry(sha256.clone()).or_insert_with(|| Document::parse(&bytes)).clone();
            documents.insert(file.clone(), StoredDocument { sha256, parsed });
        }
        let mut lines = Vec::new();
        let path = directory.join(LINES_FILE);
        if path.is_file() {
            let bytes = fs::read(&path).map_err(KeysError::io(&path))?;
            whole.update(format!("{LINES_FILE}\0{}\n", sha256(&bytes)).as_bytes());
            lines = read_lines(&bytes, &mut notices, faults);
            faults.extend(chain::check(&lines));
        }
        let whole = redact::hex(whole.finish().as_ref());
        Ok((Self { documents, lines }, whole, notices))
    }
}

fn read_document(path: &Path, file: &str) -> Result<Vec<u8>, KeysError> {
    let bytes = fs::metadata(path).map_err(KeysError::io(path))?.len();
    if bytes > DOCUMENT_BYTES_MAX {
        let reason = format!("{bytes} bytes are more than a key document has");
        return Err(KeysError::Malformed { file: file.to_owned(), reason });
    }
    fs::read(path).map_err(KeysError::io(path))
}

/// Every line that is finished by a line feed and can be understood; blank ones aside.
pub(super) fn read_lines(
    bytes: &[u8],
    notices: &mut Vec<String>,
    faults: &mut Vec<KeysError>,
) -> Vec<CaptureLine> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = Vec::new();
    for (at, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = at + 1;
        let Some(text) = text.strip_suffix(b"\n") else {
            notices.push(format!("{LINES_FILE}:{number}: the last line is not finished and is ignored"));
            break;
        };
        let text = std::str::from_utf8(text).map_err(|_| "not UTF-8".to_owned()).map(str::trim);
        match text.and_then(|text| {
            if text.is_empty() { Ok(None) } else { CaptureLine::parse(text, number).map(Some) }
        }) {
            Ok(line) => lines.extend(line),
            Err(reason) => faults.push(KeysError::Line { line: number, reason }),
        }
    }
    lines
}

/// The files below a directory.
#[derive(Default)]
struct Found {
    documents: BTreeMap<String, PathBuf>,
    nested_lines: BTreeSet<String>,
}

impl Found {
    /// Lists a directory and everything below it, dot directories aside; links are followed, but none twice.
    fn list(&mut self, directory: &Path, prefix: &str, seen: &mut HashSet<PathBuf>) -> Result<(), KeysError> {
        let own = directory.canonicalize().map_err(KeysError::io(directory))?;
        if !seen.insert(own) {
            return Ok(());
        }
        for entry in fs::read_dir(directory).map_err(KeysError::io(directory))? {
            let path = entry.map_err(KeysError::io(directory))?.path();
            // A name that is not UTF-8 cannot be named in a line; its replacement is only shown.
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            let below = format!("{prefix}{name}");
            let is_document = path.extension().is_some_and(|extension| extension == "json");
            let kind = match fs::metadata(&path) {
                Ok(kind) => kind,
                // A dead link or an editor's lock file beside the documents.
                Err(_) if !is_document => continue,
                Err(error) => return Err(KeysError::Io { path, error }),
            };
            if kind.is_dir() {
                if !name.starts_with('.') {
                    self.list(&path, &format!("{below}/"), seen)?;
                }
            } else if is_document {
                self.documents.insert(below, path);
            } else if name == LINES_FILE && !prefix.is_empty() {
                self.nested_lines.insert(below);
            }
        }
        Ok(())
    }
}

/// The source of a document that no line gives one.
pub(super) fn directory_of(file: &str) -> String {
    file.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    redact::hex(digest::digest(&digest::SHA256, bytes).as_ref())
}
