//! An archive in one Parquet file (`keys pack`): every file of the directory byte by byte, each body once, so that it is read as
//! if the directory lay there, with the same digest. Further columns are for those who query it.
//!
//! The file is sealed: its metadata hold the SHA-256 of all of its bytes (with zeros in that place). It is checked before anything is
//! read, because readers of Parquet are not made for damaged files.

use super::archive::Archive;
use super::capture::CaptureLine;
use super::error::KeysError;
use super::files::Files;
use super::stored::sha256;
use crate::redact;
use arrow::array::builder::{LargeBinaryBuilder, StringBuilder, TimestampMicrosecondBuilder};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::error::ArrowError;
use aws_lc_rs::digest;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// How every Parquet file begins.
const MAGIC: &[u8; 4] = b"PAR1";

/// The entry of the file's own metadata that holds the archive's digest.
const DIGEST: &str = "tokentrail.archive_sha256";

/// The entry that holds the seal, and what stands before the digits; nothing after it in a file has this text.
const SEAL: &str = "tokentrail.seal";
const SEAL_BEGIN: &str = "sealed-sha256:";
/// The digits while the digest is made.
const UNSEALED: [u8; 64] = [b'0'; 64];

/// `kind` of a document: `content` is its body, null where an earlier row has the same `sha256`.
const DOCUMENT: &str = "document";
/// `kind` of a line of `captures.jsonl`: `content` is the line with its line end.
const LINE: &str = "line";

/// A packed archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The Parquet file.
    pub bytes: Vec<u8>,
    /// The archive's digest, which stays the same.
    pub sha256: String,
    /// Documents in it.
    pub documents: usize,
    /// Distinct ones.
    pub bodies: usize,
}

/// Makes one Parquet file of an archive. The same archive gives the same bytes.
///
/// # Errors
///
/// See [`KeysError`]. An archive that `audit` would refuse is not packed.
pub fn pack(archive: &Path) -> Result<Packed, KeysError> {
    let files = Files::read(archive)?;
    Archive::whole(&files, archive)?;
    let fault = |error: String| KeysError::Pack { path: archive.to_owned(), reason: error };
    let table = table(&files).map_err(|error| fault(error.to_string()))?;
    let level = ZstdLevel::try_new(9).map_err(|error| fault(error.to_string()))?;
    let zeros = format!("{SEAL_BEGIN}{}", String::from_utf8_lossy(&UNSEALED));
    let metadata =
        vec![KeyValue::new(DIGEST.to_owned(), files.sha256()), KeyValue::new(SEAL.to_owned(), zeros)];
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        // Least and greatest values of whole documents would only repeat them.
        .set_statistics_enabled(EnabledStatistics::None)
        .set_key_value_metadata(Some(metadata))
        .set_column_dictionary_enabled("content".into(), false)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), table.schema(), options)
        .map_err(|error| fault(error.to_string()))?;
    writer.write(&table).map_err(|error| fault(error.to_string()))?;
    let mut bytes = writer.into_inner().map_err(|error| fault(error.to_string()))?;
    if let Some((place, seal)) = seal(&bytes)
        && let Some(digits) = bytes.get_mut(place)
    {
        digits.copy_from_slice(seal.as_bytes());
    }
    let (documents, bodies) = (files.documents.len(), files.bodies.len());
    Ok(Packed { bytes, sha256: files.sha256(), documents, bodies })
}

/// True for a file that begins as a packed archive does. What is no file is not looked into: a pipe gives its bytes once.
pub(super) fn is_packed(path: &Path) -> bool {
    let mut begin = [0; 4];
    path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok()
        && begin == *MAGIC
}

/// Reads a packed archive, and compares it with the digest that was packed.
pub(super) fn unpack(path: &Path) -> Result<Files, KeysError> {
    let fault = |reason: String| KeysError::Pack { path: path.to_owned(), reason };
    let no_pack = |error: &dyn std::fmt::Display| fault(format!("no packed archive: {error}"));
    let bytes = fs::read(path).map_err(KeysError::io(path))?;
    if !bytes.starts_with(MAGIC) {
        return Err(fault("neither a directory nor a packed archive".to_owned()));
    }
    let (place, seal) = seal(&bytes).ok_or_else(|| no_pack(&"it has no seal"))?;
    if bytes.get(place) != Some(seal.as_bytes()) {
        return Err(fault(format!("tampered: its bytes have the seal {seal}, and another is written in it")));
    }
    drop(bytes);
    let file = File::open(path).map_err(KeysError::io(path))?;
    // The columns are known. What the file says of Arrow's types would be one more thing to trust.
    let options = ArrowReaderOptions::new().with_schema(Arc::new(schema()));
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(|error| no_pack(&error))?;
    let entries = builder.metadata().file_metadata().key_value_metadata();
    let entry = entries.into_iter().flatten().find(|entry| entry.key == DIGEST);
    let Some(recorded) = entry.and_then(|entry| entry.value.clone()) else {
        return Err(no_pack(&format!("no {DIGEST} in it")));
    };
    let read = builder.build().map_err(|error| no_pack(&error))?;
    let mut files = Files::default();
    for batch in read {
        let batch = batch.map_err(|error| fault(format!("tampered: {error}")))?;
        add_files(&batch, &mut files).map_err(|reason| fault(format!("tampered: {reason}")))?;
    }
    let found = files.sha256();
    if found != recorded {
        return Err(fault(format!("tampered: its SHA-256 is {found}, but {recorded} was packed")));
    }
    Ok(files)
}

/// Where the digits of the seal stand, and what they must be; `None` if there is no place for them.
fn seal(bytes: &[u8]) -> Option<(Range<usize>, String)> {
    let start = memchr::memmem::rfind(bytes, SEAL_BEGIN.as_bytes())? + SEAL_BEGIN.len();
    let place = start..start.checked_add(UNSEALED.len())?;
    let mut whole = digest::Context::new(&digest::SHA256);
    whole.update(bytes.get(..start)?);
    whole.update(&UNSEALED);
    whole.update(bytes.get(place.end..)?);
    Some((place, redact::hex(whole.finish().as_ref())))
}

fn schema() -> Schema {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let time =
        |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true);
    Schema::new(vec![
        text("kind"),
        text("file"),
        text("source"),
        time("captured_at"),
        time("ended_at"),
        text("status"),
        text("sha256"),
        // Bodies of many captures may be more than 2 GB together.
        Field::new("content", DataType::LargeBinary, true),
    ])
}

/// The documents by path, then the lines in their order.
fn table(files: &Files) -> Result<RecordBatch, ArrowError> {
    let [mut kind, mut file, mut source, mut status, mut sha256] =
        std::array::from_fn(|_| StringBuilder::new());
    let [mut captured_at, mut ended_at] =
        std::array::from_fn(|_| TimestampMicrosecondBuilder::new().with_timezone("UTC"));
    let mut content = LargeBinaryBuilder::new();
    let mut written = BTreeSet::new();
    for (path, digest) in &files.documents {
        kind.append_value(DOCUMENT);
        file.append_value(path);
        source.append_null();
        captured_at.append_null();
        ended_at.append_null();
        status.append_null();
        sha256.append_value(digest);
        let body = files.bodies.get(digest).filter(|_| written.insert(digest));
        content.append_option(body);
    }
    for bytes in files.lines.iter().flat_map(|lines| rows_of(lines)) {
        let line = std::str::from_utf8(bytes).ok().and_then(|text| CaptureLine::parse(text.trim(), 0).ok());
        let time = line.as_ref().and_then(|line| line.time);
        kind.append_value(LINE);
        file.append_option(line.as_ref().and_then(|line| line.file.as_deref()));
        source.append_option(line.as_ref().and_then(|line| line.source.as_deref()));
        captured_at.append_option(time.map(|time| time.start.0));
        ended_at.append_option(time.map(|time| time.end.0));
        status.append_option(line.as_ref().and_then(|line| line.status).map(|status| status.to_string()));
        sha256.append_option(line.as_ref().and_then(|line| line.sha256.as_deref()));
        content.append_value(bytes);
    }
    RecordBatch::try_new(
        Arc::new(schema()),
        vec![
            Arc::new(kind.finish()),
            Arc::new(file.finish()),
            Arc::new(source.finish()),
            Arc::new(captured_at.finish()),
            Arc::new(ended_at.finish()),
            Arc::new(status.finish()),
            Arc::new(sha256.finish()),
            Arc::new(content.finish()),
        ],
    )
}

/// The lines of `captures.jsonl` with their line ends; one that is empty where the file is, so that it is there again.
fn rows_of(lines: &[u8]) -> Vec<&[u8]> {
    if lines.is_empty() { vec![lines] } else { lines.split_inclusive(|byte| *byte == b'\n').collect() }
}

/// Adds the files of rows of a packed table; the reason if they cannot be of [`table`].
fn add_files(packed: &RecordBatch, files: &mut Files) -> Result<(), String> {
    let text = |name: &str| {
        let column = packed.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        column.ok_or_else(|| format!("no column {name}"))
    };
    let [kinds, paths, digests] = [text("kind")?, text("file")?, text("sha256")?];
    let contents = packed.column_by_name("content").and_then(|column| column.as_binary_opt::<i64>());
    let contents = contents.ok_or("no column content")?;
    let digest = |row| contents.is_valid(row).then(|| sha256(contents.value(row)));
    let found: Vec<Option<String>> = (0..packed.num_rows()).into_par_iter().map(digest).collect();
    for (row, found) in found.into_iter().enumerate() {
        let content = contents.is_valid(row).then(|| contents.value(row));
        let kind = if kinds.is_valid(row) { kinds.value(row) } else { "" };
        match (kind, content) {
            (LINE, Some(content)) => {
                files.lines.get_or_insert_default().extend_from_slice(content);
            }
            (DOCUMENT, content) if paths.is_valid(row) && digests.is_valid(row) => {
                let (path, digest) = (paths.value(row), digests.value(row));
                if let Some(body) = content {
                    if found.as_deref() != Some(digest) {
                        return Err(format!("{path} is not what was packed"));
                    }
                    files.bodies.insert(digest.to_owned(), body.to_vec());
                } else if !files.bodies.contains_key(digest) {
                    return Err(format!("the content of {path} is missing"));
                }
                files.documents.insert(path.to_owned(), digest.to_owned());
            }
            _ => return Err(format!("row {row} is neither a document nor a line")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::TestKey;
    use serde_json::json;

    #[test]
    fn every_byte_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("keys");
        fs::create_dir_all(archive.join("x")).unwrap();
        let body = json!({"keys":[TestKey::P256.jwk("a")]}).to_string();
        for name in ["x/2026-11-22.json", "x/2026-11-23.json", "a.json"] {
            fs::write(archive.join(name), &body).unwrap();
        }
        let line = r#"{"file":"a.json","captured_at":"2026-11-22"}"#;
        let file = folder.path().join("history.parquet");
        // Blank lines, other line ends and an unfinished line are kept; so is a file without any.
        for lines in [format!("{line}\r\n\n{line}\n{{\"file\":"), format!("{line}\n"), String::new()] {
            fs::write(archive.join("captures.jsonl"), &lines).unwrap();
            if lines.is_empty() {
                fs::remove_file(archive.join("a.json")).unwrap();
            }
            let packed = pack(&archive).unwrap();
            assert_eq!(packed.bodies, 1);
            fs::write(&file, &packed.bytes).unwrap();
            assert_eq!(Files::read(&file).unwrap(), Files::read(&archive).unwrap());
            assert_eq!(pack(&file).unwrap(), packed);
        }
    }

    #[test]
    fn no_byte_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let body = json!({"keys":[TestKey::P256.jwk("a")]}).to_string();
        fs::write(folder.path().join("2026-11-22.json"), body).unwrap();
        let whole = pack(folder.path()).unwrap().bytes;
        let file = folder.path().join("history.parquet");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&file, bytes).unwrap();
            let error = Files::read(&file).unwrap_err();
            assert!(matches!(error, KeysError::Pack { .. }), "{at}: {error}");
        }
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        assert!(Files::read(&file).unwrap_err().to_string().contains("it has no seal"));
    }
}
