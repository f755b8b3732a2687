//! The files that a policy is made of: on disk beside the policy file, or in memory for tests.

use super::error::PolicyError;
use crate::redact;
use aws_lc_rs::digest;
use globset::GlobBuilder;
use globset::GlobMatcher;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// A file that took part in a policy.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PolicyFile {
    /// Path as it was reached.
    pub path: String,
    /// SHA-256 of its bytes, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

impl PolicyFile {
    pub(super) fn new(path: String, bytes: &[u8]) -> Self {
        Self { path, sha256: redact::hex(digest::digest(&digest::SHA256, bytes).as_ref()) }
    }
}

/// One hash over several files in order. Paths stay out of it, so that it is the same on any machine.
pub(super) fn combined_sha256(files: &[PolicyFile]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for file in files {
        context.update(file.sha256.as_bytes());
        context.update(b"\n");
    }
    redact::hex(context.finish().as_ref())
}

/// Where relative paths of a policy lead.
#[derive(Clone, Copy, Debug)]
pub(super) enum Folder<'a> {
    /// The directory of this policy file.
    Disk(&'a Path),
    /// File contents by relative path.
    Memory(&'a BTreeMap<String, String>),
}

/// True if a pattern has a wildcard; otherwise it names one file.
pub(super) fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

/// A glob in which `*` stays within one path segment.
pub(super) fn glob(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(pattern).literal_separator(true).build()?.compile_matcher())
}

/// Why a pattern cannot be followed.
#[derive(Debug)]
pub(super) enum FindError {
    Glob(globset::Error),
    Policy(PolicyError),
}

impl Folder<'_> {
    /// Files that a pattern names, in byte order; the policy file itself and hidden files are left out.
    pub(super) fn find(self, pattern: &str) -> Result<Vec<PathBuf>, FindError> {
        match self {
            Self::Memory(files) => {
                let glob = glob(pattern).map_err(FindError::Glob)?;
                let names = files.keys().filter(|name| *name == pattern || glob.is_match(name));
                Ok(names.map(PathBuf::from).collect())
            }
            Self::Disk(policy) => {
                let base = policy.parent().unwrap_or(Path::new(""));
                if is_glob(pattern) {
                    find_on_disk(base, pattern, policy)
                } else {
                    let path = base.join(pattern);
                    Ok(if path.is_file() { vec![path] } else { Vec::new() })
                }
            }
        }
    }

    /// The bytes of a file that was found.
    pub(super) fn read(self, path: &Path) -> Result<Vec<u8>, PolicyError> {
        let read = match self {
            Self::Disk(_) => fs::read(path),
            Self::Memory(files) => match path.to_str().and_then(|name| files.get(name)) {
                Some(text) => Ok(text.clone().into_bytes()),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        };
        read.map_err(|source| PolicyError::Read { path: path.display().to_string(), source })
    }
}

/// Walks from the last directory before the first wildcard.
fn find_on_disk(base: &Path, pattern: &str, policy: &Path) -> Result<Vec<PathBuf>, FindError> {
    let split =
        pattern.split('/').take_while(|part| !is_glob(part)).map(|part| part.len() + 1).sum::<usize>();
    let (fixed, wild) = pattern.split_at_checked(split).unwrap_or(("", pattern));
    let root = base.join(fixed);
    let matcher = glob(wild).map_err(FindError::Glob)?;
    let start = if root.as_os_str().is_empty() { Path::new(".") } else { root.as_path() };
    if !start.is_dir() {
        return Ok(Vec::new());
    }
    let wants_hidden = wild.starts_with('.') || wild.contains("/.");
    let depth_max = (!wild.contains("**")).then(|| wild.split('/').count());
    let mut builder = ignore::WalkBuilder::new(start);
    builder.standard_filters(false).hidden(!wants_hidden).follow_links(true).max_depth(depth_max);
    let itself = fs::canonicalize(policy).ok();
    let mut found = Vec::new();
    for entry in builder.build() {
        let entry = entry.map_err(|error| walk_error(&root, error))?;
        let Ok(relative) = entry.path().strip_prefix(start) else { continue };
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
        if is_file && matcher.is_match(relative) {
            let path = root.join(relative);
            if itself.is_none() || fs::canonicalize(&path).ok() != itself {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn walk_error(root: &Path, error: ignore::Error) -> FindError {
    let path = root.display().to_string();
    let text = error.to_string();
    let source = error.into_io_error().unwrap_or_else(|| io::Error::other(text));
    FindError::Policy(PolicyError::Read { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_find_files_in_byte_order_and_never_the_policy() {
        let dir = tempfile::tempdir().unwrap();
        let policy = dir.path().join("policy.toml");
        for name in [
            "policy.toml",
            "b.toml",
            "apis/z.toml",
            "apis/a.toml",
            "apis/.swp.toml",
            "apis/deep/x.toml",
            "apis/n.txt",
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| {
            let paths = Folder::Disk(&policy).find(pattern).unwrap();
            let names = paths.iter().map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string());
            names.collect::<Vec<_>>()
        };
        assert_eq!(found("apis/*.toml"), ["apis/a.toml", "apis/z.toml"]);
        assert_eq!(found("**/*.toml"), ["apis/a.toml", "apis/deep/x.toml", "apis/z.toml", "b.toml"]);
        assert_eq!(found("*.toml"), ["b.toml"]);
        assert_eq!(found("b.toml"), ["b.toml"]);
        assert_eq!(found("none/*.toml"), Vec::<String>::new());
        assert_eq!(found("none.toml"), Vec::<String>::new());
    }

    #[test]
    fn the_combined_hash_knows_order_but_no_paths() {
        let a = PolicyFile::new("a".to_owned(), b"1");
        let b = PolicyFile::new("b".to_owned(), b"2");
        let moved = PolicyFile { path: "elsewhere/a".to_owned(), ..a.clone() };
        assert_eq!(combined_sha256(&[a.clone(), b.clone()]), combined_sha256(&[moved, b.clone()]));
        assert_ne!(combined_sha256(&[a.clone(), b.clone()]), combined_sha256(&[b, a]));
    }
}
