//! The files of an archive, wherever they lie: in a directory, or in the one file that `keys pack` makes of it.

use super::document::DOCUMENT_BYTES_MAX;
use super::error::KeysError;
use super::pack;
use super::stored::LINES_FILE;
use super::stored::sha256;
use crate::redact;
use aws_lc_rs::digest;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

/// Documents that are read at once, by all threads together.
const READ_AT_ONCE: usize = 64;

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
        let read = |(file, path): (String, PathBuf)| {
            let body = read_document(&path, &file)?;
            let sha256 = sha256(&body);
            Ok((file, sha256, body))
        };
        // In pieces, so that documents that are the same do not all lie in memory at once.
        let documents: Vec<(String, PathBuf)> = documents.into_iter().collect();
        for piece in documents.chunks(READ_AT_ONCE) {
            let piece: Vec<Result<_, KeysError>> = piece.par_iter().cloned().map(read).collect();
            for document in piece {
                let (file, sha256, body) = document?;
                files.bodies.entry(sha256.clone()).or_insert(body);
                files.documents.insert(file, sha256);
            }
        }
        let path = directory.join(LINES_FILE);
        // Whatever has this name must be readable: without it nothing would be compared with what was captured.
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(KeysError::Io { path, error }),
            Ok(_) if path.exists() && !path.is_file() => {
                return Err(KeysError::Io { path, error: io::Error::other("not a regular file") });
            }
            Ok(_) => files.lines = Some(fs::read(&path).map_err(KeysError::io(&path))?),
        }
        Ok(files)
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

/// Reads a document. What is no file, a pipe or a device, may never end.
fn read_document(path: &Path, file: &str) -> Result<Vec<u8>, KeysError> {
    let malformed = |reason: &str| KeysError::Malformed { file: file.to_owned(), reason: reason.to_owned() };
    if !fs::metadata(path).map_err(KeysError::io(path))?.is_file() {
        return Err(malformed("not a regular file"));
    }
    let opened = fs::File::open(path).map_err(KeysError::io(path))?;
    read_bounded(opened).map_err(KeysError::io(path))?.ok_or_else(|| malformed(TOO_LONG))
}

/// Why a document is not read.
pub(super) const TOO_LONG: &str = "longer than any key document (16 MiB)";

/// Everything that a reader gives; `None` if that is more than a document has.
pub(super) fn read_bounded(reader: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let read = reader.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(u64::try_from(read).is_ok_and(|read| read <= DOCUMENT_BYTES_MAX).then_some(bytes))
}
