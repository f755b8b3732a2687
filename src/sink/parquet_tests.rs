use super::*;
use arrow::array::{ArrayRef, AsArray, ListBuilder, StringBuilder};
use arrow::array::{DictionaryArray, Int32Array, Int64Array, LargeStringArray, StringArray, StringViewArray};
use arrow::array::{TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::{Int32Type, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Type;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Cells that tell rows and columns apart; every fifth one is null.
fn column(field: &Field, rows: Range<i64>) -> ArrayRef {
    let name = field.name();
    // Few values where a dictionary is to be used.
    let wrap = if DICTIONARY.contains(&name.as_str()) { 7 } else { i64::MAX };
    let cells = rows.map(|row| (row % 5 != 4).then_some(row % wrap));
    match field.data_type() {
        DataType::Utf8 => {
            Arc::new(cells.map(|cell| cell.map(|cell| format!("{name}-{cell}"))).collect::<StringArray>())
        }
        DataType::Int32 => Arc::new(cells.map(|cell| i32::try_from(cell?).ok()).collect::<Int32Array>()),
        DataType::Int64 => Arc::new(cells.collect::<Int64Array>()),
        DataType::Timestamp(..) => {
            Arc::new(cells.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        DataType::List(_) => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for cell in cells {
                lists.append_option(cell.map(|cell| (0..cell % 4).map(|item| Some(item.to_string()))));
            }
            Arc::new(lists.finish())
        }
        other => new_null_array(other, cells.count()),
    }
}

fn batches(table: Table, rows: i64) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + Clone + Send {
    let schema = schema_of(table);
    (0..rows).step_by(limits::TABLE_BATCH_ROWS).map(move |start| {
        let rows = start..rows.min(start + i64::try_from(limits::TABLE_BATCH_ROWS).unwrap());
        let columns = schema.fields().iter().map(|field| column(field, rows.clone())).collect();
        RecordBatch::try_new(Arc::clone(&schema), columns)
    })
}

fn write(path: &Path, table: Table, rows: i64) -> TableFile {
    let writer = TableWriter::new(table, File::create(path).unwrap()).unwrap();
    writer.write_all(batches(table, rows)).unwrap()
}

fn read(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    builder.build().unwrap().next().unwrap().unwrap()
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let folder = tempfile::tempdir().unwrap();
    let more_than_a_group = i64::try_from(ROW_GROUP_ROWS + 17).unwrap();
    for (table, rows) in [(Table::Rejects, more_than_a_group), (Table::Tokens, 20_000)] {
        let path = folder.path().join("a");
        let whole = write(&path, table, rows);
        assert_eq!(i64::try_from(whole.rows).unwrap(), rows);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(whole.sha256, redact::hex(digest::digest(&digest::SHA256, &bytes).as_ref()));
        assert_eq!(whole.bytes, u64::try_from(bytes.len()).unwrap());
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let other = pool.install(|| write(&folder.path().join("b"), table, rows));
            assert_eq!(whole, other, "{threads} threads");
        }
    }
}

#[test]
fn bytes_do_not_depend_on_how_strings_are_held() {
    let folder = tempfile::tempdir().unwrap();
    let plain = write(&folder.path().join("a"), Table::Tokens, 10_000);
    let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    for held in [DataType::Utf8View, DataType::LargeUtf8, codes] {
        let batches = batches(Table::Tokens, 10_000).map(|batch| {
            let batch = batch?;
            let schema = batch.schema();
            let columns = schema.fields().iter().zip(batch.columns());
            let columns = columns.map(|(field, column)| match column.as_string_opt::<i32>() {
                Some(texts) => (field.name(), held_as(&held, texts)),
                None => (field.name(), Arc::clone(column)),
            });
            RecordBatch::try_from_iter(columns)
        });
        let file = File::create(folder.path().join("b")).unwrap();
        let other = TableWriter::new(Table::Tokens, file).unwrap().write_all(batches).unwrap();
        assert_eq!(other, plain, "{held}");
    }
}

fn held_as(held: &DataType, column: &StringArray) -> ArrayRef {
    match held {
        DataType::Utf8View => Arc::new(column.iter().collect::<StringViewArray>()),
        DataType::LargeUtf8 => Arc::new(column.iter().collect::<LargeStringArray>()),
        _ => Arc::new(column.iter().collect::<DictionaryArray<Int32Type>>()),
    }
}

#[test]
fn tables_read_back_with_standard_types() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.parquet");
    write(&path, Table::Tokens, 2);
    let batch = read(&path);
    let schema = batch.schema();
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(schema.field_with_name("first_seen").unwrap().data_type(), &utc);
    let DataType::List(item) = schema.field_with_name("scp").unwrap().data_type() else { panic!("no list") };
    assert_eq!((item.name().as_str(), item.data_type()), ("element", &DataType::Utf8));
    assert_eq!(batch.column_by_name("oid").unwrap().as_string::<i32>().value(1), "oid-1");
    let names = |schema: &arrow::datatypes::Schema| {
        schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&schema), names(&schema_of(Table::Tokens)));
}

#[test]
fn looked_up_columns_have_bloom_filters_and_nothing_varies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.parquet");
    write(&path, Table::Tokens, 100);
    let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
    let metadata = reader.metadata();
    assert_eq!(metadata.file_metadata().key_value_metadata(), None);
    let columns = metadata.row_group(0).columns();
    let bloomed = columns.iter().filter(|column| column.bloom_filter_offset().is_some());
    let bloomed: Vec<_> =
        bloomed.map(|it| (it.column_path().string(), it.bloom_filter_length().unwrap())).collect();
    assert_eq!(
        bloomed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["token_sha256", "oid", "uti"]
    );
    assert!(bloomed.iter().all(|(_, length)| *length < 1024), "as large as 100 values need: {bloomed:?}");
    let texts = columns.iter().filter(|column| column.column_type() == Type::BYTE_ARRAY);
    let bounded = texts.filter(|column| column.statistics().is_some());
    assert_eq!(bounded.map(|column| column.column_path().string()).collect::<Vec<_>>(), ["token_sha256"]);
    let mut dictionaries = columns.iter().filter(|column| column.dictionary_page_offset().is_some());
    assert!(dictionaries.all(|column| DICTIONARY.contains(&column.column_path().string().as_str())));
}

#[test]
fn every_column_that_is_treated_in_its_own_way_exists() {
    let exists = |column: &str, table: Table| {
        let root = column.split('.').next().unwrap();
        schema_of(table).field_with_name(root).is_ok()
    };
    for column in DICTIONARY.iter().chain(BLOOM) {
        assert!(Table::ALL.iter().any(|table| exists(column, *table)), "{column}");
    }
    for column in OCCURRENCES_DICTIONARY {
        assert!(exists(column, Table::Occurrences), "{column}");
    }
    for table in Table::ALL {
        assert!(sorted_by(table).iter().all(|column| exists(column, table)), "{}", table.name());
    }
}

#[test]
fn an_empty_table_is_a_valid_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rejects.parquet");
    assert_eq!(write(&path, Table::Rejects, 0).rows, 0);
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    assert_eq!(builder.schema().fields().len(), 6);
}
