//! One Parquet file a table, whose bytes depend on the rows alone: not on how they arrived, on threads or on time.

use crate::findings::{Table, schema_of};
use crate::limits;
use crate::redact;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;
use aws_lc_rs::digest;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator};
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// Rows of a row group: a whole number of batches, small enough that a reader skips most of a large file.
const ROW_GROUP_ROWS: usize = 128 * limits::TABLE_BATCH_ROWS;

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

/// Further columns of `occurrences` with a dictionary: what one client or finding does again and again. Paths are no such
/// column, for most of them name what was asked for.
const OCCURRENCES_DICTIONARY: &[&str] =
    &["client_ip", "data_tenant", "finding_id", "principal", "user_agent"];

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

/// Writes one table to one file, its columns side by side on the threads of the pool that it is called in.
///
/// Pages end where batches do, so files are the same only if the batches are: all of [`limits::TABLE_BATCH_ROWS`] rows but
/// the last.
pub struct TableWriter {
    table: Table,
    writer: SerializedFileWriter<Hashed>,
    factory: ArrowRowGroupWriterFactory,
    /// Of the row group that is being written; none between two groups.
    columns: Vec<ArrowColumnWriter>,
    /// Rows of that group.
    group_rows: usize,
    groups: usize,
    rows: u64,
}

impl TableWriter {
    /// Starts a table in an empty file.
    pub fn new(table: Table, file: File) -> Result<Self, ParquetError> {
        // No Arrow schema in the metadata: the Parquet types say everything, and every reader gives the same columns.
        let options =
            ArrowWriterOptions::new().with_properties(properties(table)).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Hashed::new(file), schema_of(table), options)?;
        let (writer, factory) = writer.into_serialized_writer()?;
        Ok(Self { table, writer, factory, columns: Vec::new(), group_rows: 0, groups: 0, rows: 0 })
    }

    /// Adds a batch. Strings may be plain, views or dictionaries; the file is the same.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let room = ROW_GROUP_ROWS - self.group_rows;
        if batch.num_rows() > room {
            self.write(&batch.slice(0, room))?;
            return self.write(&batch.slice(room, batch.num_rows() - room));
        }
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.columns.is_empty() {
            self.columns = self.factory.create_column_writers(self.groups)?;
        }
        let schema = schema_of(self.table);
        let names = |fields: &Fields| fields.iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        if names(schema.fields()) != names(batch.schema().fields()) {
            let what = format!("{} has other columns than its batch", self.table.name());
            return Err(ParquetError::General(what));
        }
        // No column is nested but for lists, so each has one leaf and one writer.
        let columns = schema.fields().par_iter().zip_eq(batch.columns());
        self.columns.par_iter_mut().zip_eq(columns).try_for_each(|(writer, (field, column))| {
            let field = Field::new(field.name(), column.data_type().clone(), field.is_nullable());
            compute_leaves(&field, column)?.iter().try_for_each(|leaf| writer.write(leaf))
        })?;
        self.group_rows += batch.num_rows();
        self.rows += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
        if self.group_rows == ROW_GROUP_ROWS { self.end_group() } else { Ok(()) }
    }

    /// Writes a whole table and ends it. The next batch is made while one is written.
    pub fn write_all(
        mut self,
        batches: impl IntoIterator<Item = Result<RecordBatch, ArrowError>, IntoIter: Send>,
    ) -> Result<TableFile, ParquetError> {
        let mut batches = batches.into_iter();
        let mut next = batches.next().transpose()?;
        while let Some(batch) = next {
            let (written, made) = rayon::join(|| self.write(&batch), || batches.next().transpose());
            written?;
            next = made?;
        }
        self.finish()
    }

    /// Ends the table and makes the file durable.
    pub fn finish(mut self) -> Result<TableFile, ParquetError> {
        self.end_group()?;
        let (bytes, sha256) = self.writer.into_inner()?.finish()?;
        let (name, table) = (file_name(self.table), self.table.name());
        Ok(TableFile { name, table, rows: self.rows, bytes, sha256 })
    }

    fn end_group(&mut self) -> Result<(), ParquetError> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let columns = std::mem::take(&mut self.columns);
        let columns: Vec<ArrowColumnChunk> =
            columns.into_par_iter().map(ArrowColumnWriter::close).collect::<Result<_, _>>()?;
        let mut group = self.writer.next_row_group()?;
        for column in columns {
            column.append_to_row_group(&mut group)?;
        }
        group.close()?;
        self.group_rows = 0;
        self.groups += 1;
        Ok(())
    }
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
    let further = if table == Table::Occurrences { OCCURRENCES_DICTIONARY } else { &[] };
    let builder = DICTIONARY
        .iter()
        .chain(further)
        .fold(builder, |builder, column| builder.set_column_dictionary_enabled(path(column), true));
    let schema = schema_of(table);
    let builder = schema.fields().iter().fold(builder, |builder, field| encoded(builder, field));
    let builder = schema.fields().iter().fold(builder, |builder, field| bounded(builder, table, field));
    let looked_up = BLOOM.iter().filter(|column| schema.field_with_name(column).is_ok());
    looked_up.fold(builder, bloom).build()
}

/// The text columns that a table is sorted by, at least for long stretches.
fn sorted_by(table: Table) -> &'static [&'static str] {
    match table {
        Table::Activity | Table::Tokens => &["token_sha256"],
        Table::Coverage | Table::State => &[],
        Table::Findings | Table::Problems => &["rule"],
        Table::Occurrences | Table::Rejects => &["source"],
    }
}

/// Least and greatest values: of texts in no order they would rule out no page, and finding them takes two comparisons a cell.
fn bounded(builder: WriterPropertiesBuilder, table: Table, field: &Field) -> WriterPropertiesBuilder {
    let text = matches!(field.data_type(), DataType::Utf8 | DataType::List(_));
    if !text || sorted_by(table).contains(&field.name().as_str()) {
        return builder;
    }
    builder.set_column_statistics_enabled(path(&leaf(field)), EnabledStatistics::None)
}

/// The name of a column; a list's values have one of their own.
fn leaf(field: &Field) -> String {
    let list = matches!(field.data_type(), DataType::List(_));
    if list { format!("{}.list.element", field.name()) } else { field.name().clone() }
}

/// Values that have no dictionary: numbers as differences, texts with their lengths apart. What is left of random texts is of one
/// kind then, and zstd passes over it quickly instead of matching lengths.
fn encoded(builder: WriterPropertiesBuilder, field: &Field) -> WriterPropertiesBuilder {
    let column = leaf(field);
    if DICTIONARY.contains(&column.as_str()) {
        return builder;
    }
    let encoding = match field.data_type() {
        DataType::Utf8 | DataType::List(_) => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        _ => Encoding::DELTA_BINARY_PACKED,
    };
    builder.set_column_encoding(path(&column), encoding)
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
#[path = "parquet_tests.rs"]
mod tests;
