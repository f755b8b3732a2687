//! Runs the binary and reads what it wrote.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use assert_cmd::Command;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A result directory that was just written.
pub struct Audited {
    folder: tempfile::TempDir,
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The binary.
pub fn tokentrail() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokentrail"));
    command.env("NO_COLOR", "1").env_remove("TZ");
    command
}

/// `tokentrail audit ARGS -o …`, in a folder.
pub fn audit_in<A: AsRef<std::ffi::OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Audited {
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut command = tokentrail();
    command.current_dir(folder).arg("audit").args(args).arg("-o").arg(out.path().join("out"));
    let output = command.output().unwrap();
    Audited {
        folder: out,
        exit: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Audited {
    /// A file of the result.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    /// The bytes of every table, by name.
    pub fn tables(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.path("")).unwrap().map(|entry| entry.unwrap().path());
        let tables = entries.filter(|path| path.extension().is_some_and(|extension| extension == "parquet"));
        tables
            .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
            .collect()
    }

    /// run.json.
    pub fn run(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("run.json")).unwrap()).unwrap()
    }

    /// A table's rows: column -> text, absent where null.
    pub fn rows(&self, table: &str) -> Vec<BTreeMap<String, String>> {
        rows(&self.path(&format!("{table}.parquet")))
    }
}

/// The rows of a Parquet file: column -> text, absent where null.
pub fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.flat_map(|batch| rows_of(&batch.unwrap())).collect()
}

/// The rows of a batch.
pub fn rows_of(batch: &RecordBatch) -> Vec<BTreeMap<String, String>> {
    let row = |at: usize| {
        batch
            .schema()
            .fields()
            .iter()
            .zip(batch.columns())
            .filter_map(|(field, column)| Some((field.name().clone(), text(column, at)?)))
            .collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

fn text(column: &dyn Array, at: usize) -> Option<String> {
    if column.is_null(at) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(at).to_owned(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(at).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(at).to_string(),
        DataType::Timestamp(..) => column.as_primitive::<TimestampMicrosecondType>().value(at).to_string(),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(at);
            items.as_string::<i32>().iter().flatten().collect::<Vec<_>>().join(",")
        }
        other => panic!("unexpected column type {other}"),
    })
}
