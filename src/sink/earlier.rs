//! The one place that opens a result of an earlier run.

use crate::engine::Earlier;
use crate::findings::Table;
use crate::redact;
use crate::sink::manifest::SCHEMA_VERSION;
use crate::sink::output::MANIFEST;
use crate::sink::parquet::file_name;
use aws_lc_rs::digest;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use serde_json::Value;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Bytes that are hashed at once.
const HASHED_BYTES: usize = 64 << 10;

/// A result whose manifest this version reads.
#[derive(Debug)]
pub struct EarlierResult {
    /// Its directory.
    pub path: PathBuf,
    /// `run.json`
    pub manifest: Value,
}

/// Why a result cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EarlierError {
    /// A directory or a file.
    #[error("{path} cannot be read: {error}; name a directory that an audit has written")]
    Io {
        /// What was to be read.
        path: String,
        /// Why it could not be.
        error: io::Error,
    },
    /// Something else.
    #[error("{path} is no result of tokentrail and holds none; name a directory that an audit has written")]
    NoResult {
        /// The directory.
        path: String,
    },
    /// Its manifest.
    #[error(
        "{path} cannot be used: its {MANIFEST} cannot be read ({why}); leave it out, or audit its logs again"
    )]
    Manifest {
        /// The directory.
        path: String,
        /// Why.
        why: String,
    },
    /// Written by another version.
    #[error(
        "{path} is of schema version {found}, and this version reads {SCHEMA_VERSION}; leave it out, or audit its logs \
         again"
    )]
    Schema {
        /// The directory.
        path: String,
        /// Its version.
        found: u64,
    },
    /// One of its tables.
    #[error("{path} cannot be used: {name} cannot be read ({error}); leave it out, or audit its logs again")]
    Table {
        /// The directory.
        path: String,
        /// The file.
        name: String,
        /// Why.
        error: ParquetError,
    },
    /// A table is not the one that was written.
    #[error(
        "{path} cannot be used: {name} is not the file that {MANIFEST} names (SHA-256 differs); restore it, or audit its \
         logs again"
    )]
    Changed {
        /// The directory.
        path: String,
        /// The file.
        name: String,
    },
}

impl EarlierResult {
    /// True if a directory holds a manifest, whosever it is.
    pub fn is_at(path: &Path) -> bool {
        path.join(MANIFEST).is_file()
    }

    /// Opens a result.
    ///
    /// # Errors
    ///
    /// If it is none, or one of another schema version.
    pub fn open(path: &Path) -> Result<Self, EarlierError> {
        let shown = || path.display().to_string();
        fs::read_dir(path).map_err(|error| failed(path, error))?;
        if !Self::is_at(path) {
            return Err(EarlierError::NoResult { path: shown() });
        }
        let file = path.join(MANIFEST);
        let text = fs::read(&file).map_err(|error| failed(&file, error))?;
        let manifest: Value = serde_json::from_slice(&text)
            .map_err(|error| EarlierError::Manifest { path: shown(), why: error.to_string() })?;
        if manifest.pointer("/tool/name").and_then(Value::as_str) != Some("tokentrail") {
            return Err(EarlierError::NoResult { path: shown() });
        }
        let found = manifest.get("schema_version").and_then(Value::as_u64).unwrap_or_default();
        if found != u64::from(SCHEMA_VERSION) {
            return Err(EarlierError::Schema { path: shown(), found });
        }
        Ok(Self { path: path.to_owned(), manifest })
    }

    /// A text of the manifest, by its JSON pointer.
    ///
    /// # Errors
    ///
    /// If it is not there.
    pub fn text(&self, pointer: &str) -> Result<&str, EarlierError> {
        let found = self.manifest.pointer(pointer).and_then(Value::as_str);
        found.ok_or_else(|| self.unreadable(format!("there is no {pointer}")))
    }

    /// Why the manifest cannot be used.
    pub(super) fn unreadable(&self, why: String) -> EarlierError {
        EarlierError::Manifest { path: self.path.display().to_string(), why }
    }

    /// What its run kept for the next one; `None` if it kept nothing.
    ///
    /// # Errors
    ///
    /// If the table of the state is missing, was changed, or is another version's.
    pub fn state(&self) -> Result<Option<Earlier>, EarlierError> {
        let table = Table::State;
        let files = self.manifest.pointer("/output/files").and_then(Value::as_array);
        let name = Value::from(file_name(table));
        if !files.into_iter().flatten().any(|file| file.get("name") == Some(&name)) {
            return Ok(None);
        }
        let broken = |error| self.broken(table, error);
        let batches: Result<Vec<_>, _> = self.table(table)?.build().map_err(broken)?.collect();
        let batches = batches.map_err(|error| broken(error.into()))?;
        let earlier = Earlier::read(batches);
        earlier.map(Some).map_err(|error| broken(ParquetError::General(error.to_string())))
    }

    /// One of its tables, unchanged since it was written.
    ///
    /// # Errors
    ///
    /// If it is missing, was changed, or is no Parquet.
    pub fn table(&self, table: Table) -> Result<ParquetRecordBatchReaderBuilder<File>, EarlierError> {
        let name = file_name(table);
        let place = self.path.join(&name);
        let sha256 = sha256(&place).map_err(|error| failed(&place, error))?;
        let files = self.manifest.pointer("/output/files").and_then(Value::as_array);
        let named = files.into_iter().flatten().find(|file| file.get("name") == Some(&Value::from(&*name)));
        let named = named.and_then(|file| file.get("sha256")?.as_str());
        if named != Some(&sha256) {
            return Err(EarlierError::Changed { path: self.path.display().to_string(), name });
        }
        let file = File::open(&place).map_err(|error| failed(&place, error))?;
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| self.broken(table, error))
    }

    /// Why a table cannot be read.
    pub fn broken(&self, table: Table, error: ParquetError) -> EarlierError {
        EarlierError::Table { path: self.path.display().to_string(), name: file_name(table), error }
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; HASHED_BYTES];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(redact::hex(context.finish().as_ref()));
        }
        context.update(buffer.get(..length).unwrap_or_default());
    }
}

pub(super) fn failed(path: &Path, error: io::Error) -> EarlierError {
    EarlierError::Io { path: path.display().to_string(), error }
}
