//! What the files of an archive say: key documents and metadata, and the lines that tell when each was captured.

use super::capture::CaptureLine;
use super::chain;
use super::chain::Cut;
use super::document::{Document, KnownKeys};
use super::error::KeysError;
use super::files::Files;
use crate::redact;
use aws_lc_rs::digest;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::BTreeMap;
use std::collections::HashMap;

/// Name of the file that records when each document was captured.
pub(super) const LINES_FILE: &str = "captures.jsonl";

/// The files of an archive, before they are given times and sources.
pub(super) struct Stored {
    /// By path relative to the archive.
    pub(super) documents: BTreeMap<String, StoredDocument>,
    pub(super) lines: Vec<CaptureLine>,
    /// Where the beginning of a source was cut off.
    pub(super) cuts: Vec<Cut>,
}

pub(super) struct StoredDocument {
    pub(super) sha256: String,
    pub(super) parsed: Result<Document, String>,
}

impl Stored {
    /// What the files say, and notices. What is wrong with `captures.jsonl` is added to `faults`.
    pub(super) fn of(files: &Files, faults: &mut Vec<KeysError>) -> (Self, Vec<String>) {
        let nested = |file: &String| {
            format!("{file} is ignored: only the {LINES_FILE} of the archive's own directory counts")
        };
        let mut notices: Vec<String> = files.nested_lines.iter().map(nested).collect();
        // A source that writes something new into each of its documents leaves tens of thousands to parse.
        let (bodies, known) = (files.bodies.par_iter(), KnownKeys::default());
        let parsed: HashMap<&String, Result<Document, String>> =
            bodies.map(|(sha256, body)| (sha256, known.parse(body))).collect();
        let absent = || Err("its content is missing".to_owned());
        let document = |(file, sha256): (&String, &String)| {
            let parsed = parsed.get(sha256).cloned().unwrap_or_else(absent);
            (file.clone(), StoredDocument { sha256: sha256.clone(), parsed })
        };
        let documents = files.documents.iter().map(document).collect();
        let (mut lines, mut cuts) = (Vec::new(), Vec::new());
        if let Some(bytes) = &files.lines {
            lines = read_lines(bytes, &mut notices, faults);
            let chain = chain::check(&lines);
            faults.extend(chain.broken);
            notices.extend(chain.cuts.iter().map(ToString::to_string));
            cuts = chain.cuts;
        }
        (Self { documents, lines, cuts }, notices)
    }
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

/// The source of a document that no line gives one.
pub(super) fn directory_of(file: &str) -> String {
    file.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    redact::hex(digest::digest(&digest::SHA256, bytes).as_ref())
}
