//! What can be wrong with an archive.

use std::path::PathBuf;

/// Why an archive cannot be read or added to. Paths of documents are relative to the archive.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Nothing to verify with.
    #[error(
        "{}: No keys in the archive; add a JWKS document with `tokentrail keys add FILE --captured-at TIME`, or capture \
         one with `tokentrail keys fetch`",
        .0.display()
    )]
    Empty(PathBuf),
    /// Not a directory that can be listed, or a file that cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A `*.json` file that is neither a key document nor metadata.
    #[error(
        "{file}: {reason}; a key document is a JSON object with a `keys` array, exactly as the issuer served it"
    )]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key document whose time of capture nobody states.
    #[error(
        "{file}: no time of capture; name it in captures.jsonl, or let the file name begin with a UTC time such as \
         2026-11-22T103427Z.json (file time stamps are not evidence)"
    )]
    NoTime {
        /// The file.
        file: String,
    },
    /// A line of `captures.jsonl` that cannot be understood.
    #[error("captures.jsonl:{line}: {reason}; correct or remove the line")]
    Line {
        /// Line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A document that is not what its line recorded.
    #[error(
        "{file}: tampered: its SHA-256 is {found}, but captures.jsonl:{line} recorded {recorded}; restore the document \
         as it was captured"
    )]
    Tampered {
        /// The file.
        file: String,
        /// The source of the capture.
        origin: String,
        /// Line, counted from 1.
        line: usize,
        /// Recorded digest, lower-case hexadecimal.
        recorded: String,
        /// Digest of the file as it is.
        found: String,
    },
    /// A line whose `prev` is not the capture before it.
    #[error(
        "captures.jsonl:{line}: tampered: `prev` is {recorded}, which is the SHA-256 of no capture before it: a line was \
         removed, added or changed; restore captures.jsonl from a copy"
    )]
    Chain {
        /// The source of the capture.
        origin: String,
        /// Line, counted from 1.
        line: usize,
        /// Recorded digest, lower-case hexadecimal.
        recorded: String,
    },
    /// A packed archive that is not what was packed.
    #[error("{}: {reason}; pack the archive's directory again with `tokentrail keys pack`", path.display())]
    Pack {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A capture that cannot be added.
    #[error("{0}")]
    Add(String),
}

impl KeysError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Io { path: path.into(), error }
    }
}
