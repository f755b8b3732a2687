//! The files of an archive, wherever they lie: in a directory, or in the one file that `keys pack` makes of it.

use super::document::DOCUMENT_BYTES_MAX;
use super::error::KeysError;
use super::pack;
use super::stored::LINES_FILE;
use super::stored::sha256;
use crate::redact;
use aws_lc_rs::digest;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The files of an archive as they lie there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// SHA-256 of each document, by path relative to the archive, with `/` separators.
    pub(super) documents: BTreeMap<String, String>,
    /// Each body once, by its SHA-256: an unchanged key set is often stored again and again.
    pub(super) bodies: BTreeMap<String, Vec<u8>>,
    /// `captures.jsonl`, byte by byte.
    pub(super) lines: Option<Vec<u8>>,
    /// Files of that name below other directories, which do not count.
    pub(super) nested_lines: BTreeSet<String>,
}

impl Files {
    /// Reads a directory, or a packed archive.
    pub(super) fn read(path: &Path) -> Result<Self, KeysError> {
        if path.is_file() { pack::unpack(path) } else { Self::of_directory(path) }
    }

    fn of_directory(directory: &Path) -> Result<Self, KeysError> {
        let mut files = Self::default();
        let mut documents = BTreeMap::new();
        files.list(directory, "", &mut documents, &mut HashSet::new())?;
        for (file, path) in documents {
            let body = read_document(&path, &file)?;
            files.add(file, body);
        }
        let path = directory.join(LINES_FILE);
        if path.is_file() {
            files.lines = Some(fs::read(&path).map_err(KeysError::io(&path))?);
        }
        Ok(files)
    }

    fn add(&mut self, file: String, body: Vec<u8>) {
        let sha256 = sha256(&body);
        self.bodies.entry(sha256.clone()).or_insert(body);
        self.documents.insert(file, sha256);
    }

    /// The archive's digest: over every document's path and content in the order of the paths, and over `captures.jsonl`.
    pub(super) fn sha256(&self) -> String {
        let mut whole = digest::Context::new(&digest::SHA256);
        for (file, sha256) in &self.documents {
            whole.update(format!("{file}\0{sha256}\n").as_bytes());
        }
        if let Some(lines) = &self.lines {
            whole.update(format!("{LINES_FILE}\0{}\n", sha256(lines)).as_bytes());
        }
        redact::hex(whole.finish().as_ref())
    }

    /// Lists a directory and everything below it, dot directories aside; links are followed, but none twice.
    fn list(
        &mut self,
        directory: &Path,
        prefix: &str,
        documents: &mut BTreeMap<String, PathBuf>,
        seen: &mut HashSet<PathBuf>,
    ) -> Result<(), KeysError> {
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
                    self.list(&path, &format!("{below}/"), documents, seen)?;
                }
            } else if is_document {
                documents.insert(below, path);
            } else if name == LINES_FILE && !prefix.is_empty() {
                self.nested_lines.insert(below);
            }
        }
        Ok(())
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
