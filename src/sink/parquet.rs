//! One Parquet file a table, whose bytes depend on the rows alone: not on how they arrived, on threads or on time.

use crate::findings::{LargeTable, Row, Table, schema_of};
use crate::limits;
use crate::redact;
use aws_lc_rs::digest;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// Rows of a row group: a whole number of batches, small enough that a reader skips most of a large file.
const ROW_GROUP_ROWS: usize = 16 * limits::TABLE_BATCH_ROWS;

/// Columns whose values come from a small set, in any table; only these get a dictionary. A list column is named by
/// its leaf.
const DICTIONARY: &[&str] = &[
    "accepted_by",
    "alg",
    "api",
    "aud",
    "category",
    "client_id",
    "confidence",
    "gateway",
    "host",
    "iss",
    "key_source",
    "kid",
    "lane",
    "method",
    "outcome",
    "reason",
    "rule",
    "severity",
    "severity_id",
    "signature",
    "source",
    "stage",
    "state",
    "status",
    "tid",
    "token_kind",
    "token_version",
    "typ",
    "hosts.list.element",
    "roles.list.element",
    "rules.list.element",
    "scp.list.element",
];

/// Columns that are looked up by value.
const BLOOM: &[&str] = &["oid", "token_sha256", "uti"];

/// A finished table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TableFile {
    /// File name within the result.
    pub name: String,
    /// Table name.
    pub table: &'static str,
    /// Rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
}

/// Writes the rows of one table to one file.
pub struct TableWriter<R: Row> {
    writer: ArrowWriter<Hashed>,
    waiting: Vec<R>,
    rows: u64,
}

impl<R: Row> TableWriter<R> {
    /// Starts a table in an empty file.
    pub fn new(file: File) -> Result<Self, ParquetError> {
        // No Arrow schema in the metadata: the Parquet types say everything, and every reader gives the same columns.
        let options =
            ArrowWriterOptions::new().with_properties(properties(R::TABLE)).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Hashed::new(file), R::schema(), options)?;
        Ok(Self { writer, waiting: Vec::new(), rows: 0 })
    }

    /// Adds rows in the table's order.
    pub fn push(&mut self, rows: impl IntoIterator<Item = R>) -> Result<(), ParquetError> {
        for row in rows {
            self.waiting.push(row);
            if self.waiting.len() == limits::TABLE_BATCH_ROWS {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes a whole table, all at once.
    pub fn write_all(mut self, rows: &[R]) -> Result<TableFile, ParquetError> {
        for batch in rows.chunks(limits::TABLE_BATCH_ROWS) {
            self.encode(batch)?;
        }
        self.finish()
    }

    /// Ends the table and makes the file durable.
    pub fn finish(mut self) -> Result<TableFile, ParquetError> {
        if !self.waiting.is_empty() {
            self.flush()?;
        }
        let (bytes, sha256) = self.writer.into_inner()?.finish()?;
        let table = R::TABLE.name();
        Ok(TableFile { name: file_name(R::TABLE), table, rows: self.rows, bytes, sha256 })
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.waiting);
        self.encode(&rows)
    }

    fn encode(&mut self, rows: &[R]) -> Result<(), ParquetError> {
        self.rows += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        self.writer.write(&R::batch(rows)?)
    }
}

/// Writes a table whose columns are made when they are written.
pub fn write_large(file: File, table: &dyn LargeTable) -> Result<TableFile, ParquetError> {
    let options =
        ArrowWriterOptions::new().with_properties(properties(table.table())).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Hashed::new(file), schema_of(table.table()), options)?;
    for start in (0..table.rows()).step_by(limits::TABLE_BATCH_ROWS) {
        writer.write(&table.batch(start..start + limits::TABLE_BATCH_ROWS)?)?;
    }
    let (bytes, sha256) = writer.into_inner()?.finish()?;
    let rows = u64::try_from(table.rows()).unwrap_or(u64::MAX);
    Ok(TableFile { name: file_name(table.table()), table: table.table().name(), rows, bytes, sha256 })
}

/// Name of a table's file.
pub fn file_name(table: Table) -> String {
    format!("{}.parquet", table.name())
}

fn properties(table: Table) -> WriterProperties {
    let builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(concat!("tokentrail version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_dictionary_enabled(false)
        // The inner field of a list is named as the Parquet specification wants it.
        .set_coerce_types(true);
    let builder = DICTIONARY
        .iter()
        .fold(builder, |builder, column| builder.set_column_dictionary_enabled(path(column), true));
    let schema = schema_of(table);
    let looked_up = BLOOM.iter().filter(|column| schema.field_with_name(column).is_ok());
    looked_up.fold(builder, bloom).build()
}

fn bloom(builder: WriterPropertiesBuilder, column: &&str) -> WriterPropertiesBuilder {
    builder
        .set_column_bloom_filter_enabled(path(column), true)
        .set_column_bloom_filter_fpp(path(column), 0.01)
}

fn path(column: &str) -> ColumnPath {
    ColumnPath::new(column.split('.').map(str::to_owned).collect())
}

/// A file whose digest is made on the way, so that nothing is read back.
struct Hashed {
    file: BufWriter<File>,
    digest: digest::Context,
    bytes: u64,
}

impl Hashed {
    fn new(file: File) -> Self {
        Self { file: BufWriter::new(file), digest: digest::Context::new(&digest::SHA256), bytes: 0 }
    }

    fn finish(self) -> io::Result<(u64, String)> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok((self.bytes, redact::hex(self.digest.finish().as_ref())))
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        self.bytes += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{FindingRow, RejectRow, TokenCells};
    use crate::redact::Fingerprint;
    use crate::rules::{Confidence, Severity};
    use crate::time::UtcMicros;
    use crate::verify::Verdict;
    use arrow::array::{Array, AsArray, RecordBatch};
    use arrow::datatypes::{DataType, TimeUnit};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    fn reject(line: i64) -> RejectRow {
        RejectRow {
            source: Some("logs/a.log".to_owned()),
            line: Some(line),
            offset: Some(line * 100),
            length: Some(99),
            reason: "json".to_owned(),
            excerpt: format!("line {line}"),
        }
    }

    fn finding(at: usize) -> FindingRow {
        let [low, ..] = at.to_le_bytes();
        FindingRow {
            finding_id: format!("{at:032x}"),
            problem_id: "p".to_owned(),
            rule: "wrong-aud",
            category: "audience",
            severity: Severity::High,
            lane: "overreach",
            confidence: Confidence::Strong,
            outcome: None,
            signature: Some(Verdict::Valid),
            token_sha256: Some(Fingerprint([low; 32])),
            subject: None,
            count: 1,
            first_seen: Some(UtcMicros(1_700_000_000_000_001)),
            last_seen: None,
            gateway: None,
            api: None,
            token: TokenCells { oid: Some(format!("oid-{at}")), ..Default::default() },
            expected: None,
            actual: None,
            message: "m".to_owned(),
            evidence: "{}".to_owned(),
            client_ips: vec!["203.0.113.7".to_owned()],
            source: None,
            line: None,
            offset: None,
            accepted_by: None,
            stage: "enforce",
            cause: String::new(),
        }
    }

    fn write<R: Row>(path: &std::path::Path, pieces: impl IntoIterator<Item = Vec<R>>) -> TableFile {
        let mut writer = TableWriter::new(File::create(path).unwrap()).unwrap();
        for piece in pieces {
            writer.push(piece).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(path: &std::path::Path) -> RecordBatch {
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        builder.build().unwrap().next().unwrap().unwrap()
    }

    #[test]
    fn bytes_do_not_depend_on_how_rows_arrive() {
        let folder = tempfile::tempdir().unwrap();
        let rows = 2 * i64::try_from(limits::TABLE_BATCH_ROWS).unwrap() + 17;
        let whole = write(&folder.path().join("a"), [(0..rows).map(reject).collect()]);
        let single = write(&folder.path().join("b"), (0..rows).map(|line| vec![reject(line)]));
        assert_eq!(whole, single);
        let writer = TableWriter::new(File::create(folder.path().join("c")).unwrap()).unwrap();
        assert_eq!(whole, writer.write_all(&(0..rows).map(reject).collect::<Vec<_>>()).unwrap());
        assert_eq!(whole.rows, u64::try_from(rows).unwrap());
        let bytes = std::fs::read(folder.path().join("a")).unwrap();
        assert_eq!(whole.sha256, redact::hex(digest::digest(&digest::SHA256, &bytes).as_ref()));
        assert_eq!(whole.bytes, u64::try_from(bytes.len()).unwrap());
    }

    #[test]
    fn tables_read_back_with_standard_types() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings.parquet");
        write(&path, [vec![finding(1), finding(2)]]);
        let batch = read(&path);
        let schema = batch.schema();
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        assert_eq!(schema.field_with_name("first_seen").unwrap().data_type(), &utc);
        let DataType::List(item) = schema.field_with_name("client_ips").unwrap().data_type() else {
            panic!("no list")
        };
        assert_eq!((item.name().as_str(), item.data_type()), ("element", &DataType::Utf8));
        assert_eq!(batch.column_by_name("oid").unwrap().as_string::<i32>().value(1), "oid-2");
        assert!(batch.column_by_name("last_seen").unwrap().is_null(0));
        let expected: Vec<String> =
            FindingRow::schema().fields().iter().map(|field| field.name().clone()).collect();
        let found: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn looked_up_columns_have_bloom_filters_and_nothing_varies() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings.parquet");
        write(&path, [(0..100).map(finding).collect()]);
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let metadata = reader.metadata();
        assert_eq!(metadata.file_metadata().key_value_metadata(), None);
        let bloomed: Vec<String> = metadata
            .row_group(0)
            .columns()
            .iter()
            .filter(|column| column.bloom_filter_offset().is_some())
            .map(|column| column.column_path().string())
            .collect();
        assert_eq!(bloomed, ["token_sha256", "oid", "uti"]);
        let dictionaries =
            metadata.row_group(0).columns().iter().filter(|c| c.dictionary_page_offset().is_some());
        assert!(
            dictionaries.map(|c| c.column_path().string()).all(|name| DICTIONARY.contains(&name.as_str()))
        );
    }

    #[test]
    fn every_dictionary_column_exists_in_some_table() {
        for column in DICTIONARY.iter().chain(BLOOM) {
            let root = column.split('.').next().unwrap();
            assert!(
                Table::ALL.iter().any(|table| schema_of(*table).field_with_name(root).is_ok()),
                "{column}"
            );
        }
    }

    #[test]
    fn an_empty_table_is_a_valid_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.parquet");
        assert_eq!(write::<RejectRow>(&path, []).rows, 0);
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        assert_eq!(builder.schema().fields().len(), 6);
    }
}
