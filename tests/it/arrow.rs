//! The batch path: the same results as the line path over the columns that both have, whatever the column types and however
//! the batches are cut.

use crate::corpus::{Corpus, audit, corpus, pieces, told};
use arrow::array::{
    ArrayRef, BinaryArray, Int64Array, LargeStringArray, ListBuilder, RecordBatch, StringArray,
    StringBuilder, StringViewArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::compute::concat_batches;
use bumpalo::Bump;
use std::sync::Arc;
use tokentrail::engine::{BatchError, Concluded, Engine, Rows};
use tokentrail::facts::JudgedTime;
use tokentrail::generate::LogFormat;
use tokentrail::record::{ReadScratch, Unit};

/// What a line holds, as columns have it.
#[derive(Default)]
struct Columns {
    time: Vec<Option<i64>>,
    tokens: Vec<Vec<String>>,
    status: Vec<Option<i64>>,
    line: Vec<i64>,
    offset: Vec<i64>,
    texts: [Vec<Option<String>>; 13],
}

const TEXTS: [&str; 13] = [
    "method",
    "scheme",
    "host",
    "path",
    "query",
    "route",
    "client_ip",
    "user_agent",
    "request_id",
    "principal",
    "data_tenant",
    "token_source",
    "source",
];

/// Reads the corpus' lines into columns.
fn columns(corpus: &Corpus) -> Columns {
    let (format, mut columns) = (corpus.format(), Columns::default());
    for (source, bytes) in corpus.logs() {
        let mut offset = 0;
        for (line, text) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let (arena, mut scratch) = (Bump::new(), ReadScratch::default());
            let (unit, record) = format.read(text, &arena, &mut scratch).unwrap();
            assert_eq!(unit, Unit::Record);
            columns.time.push(JudgedTime::of(&record).map(|time| time.at.0));
            columns.tokens.push(record.tokens.iter().map(|hit| format!("Bearer {}", hit.value)).collect());
            columns.status.push(record.status.map(i64::from));
            columns.line.push(line);
            columns.offset.push(offset);
            let texts = [
                record.method,
                record.scheme,
                record.host,
                record.path,
                record.query,
                record.route,
                record.client_ip,
                record.user_agent,
                record.request_id,
                record.principal,
                record.data_tenant,
                record.tokens.first().map(|hit| hit.place),
                Some(&source),
            ];
            for (column, text) in columns.texts.iter_mut().zip(texts) {
                column.push(text.map(str::to_owned));
            }
            offset += i64::try_from(text.len()).unwrap();
        }
    }
    columns
}

/// How columns are typed.
#[derive(Clone, Copy, PartialEq)]
enum Typing {
    Plain,
    Large,
    Views,
}

fn batch(columns: &Columns, typing: Typing) -> RecordBatch {
    let texts = |values: Vec<Option<&str>>| -> ArrayRef {
        match typing {
            Typing::Plain => Arc::new(StringArray::from(values)),
            Typing::Large => Arc::new(LargeStringArray::from(values)),
            Typing::Views => Arc::new(StringViewArray::from(values)),
        }
    };
    let time: ArrayRef = match typing {
        Typing::Plain => Arc::new(TimestampMicrosecondArray::from(columns.time.clone()).with_timezone("UTC")),
        _ => Arc::new(
            columns
                .time
                .iter()
                .map(|time| time.map(|time| time * 1000))
                .collect::<TimestampNanosecondArray>(),
        ),
    };
    let mut tokens = ListBuilder::new(StringBuilder::new());
    for values in &columns.tokens {
        tokens.append_value(values.iter().map(Some));
    }
    let mut named: Vec<(&str, ArrayRef)> = vec![
        ("time", time),
        ("token", Arc::new(tokens.finish())),
        ("status", Arc::new(Int64Array::from(columns.status.clone()))),
        ("line", Arc::new(Int64Array::from(columns.line.clone()))),
        ("offset", Arc::new(Int64Array::from(columns.offset.clone()))),
    ];
    for (name, values) in TEXTS.iter().zip(&columns.texts) {
        named.push((name, texts(values.iter().map(Option::as_deref).collect())));
    }
    RecordBatch::try_from_iter(named).unwrap()
}

/// Conclusion and occurrences of batches.
fn of_batches(engine: &Engine, batches: &[RecordBatch]) -> (Concluded, Rows) {
    let (mut scratch, mut rows) = (engine.scratch(), Rows::default());
    let mut all = engine.partial();
    for batch in batches {
        let mut partial = engine.partial();
        engine.audit_batch(batch, &mut scratch, &mut partial, &mut rows).unwrap();
        all.merge(partial);
    }
    (engine.conclude(all), rows)
}

/// The same of the lines; what columns cannot have is taken away.
fn of_lines(corpus: &Corpus, engine: &Engine) -> (Concluded, Rows) {
    let (logs, mut rows) = (corpus.logs(), Rows::default());
    let partial = audit(engine, &corpus.format(), &pieces(&logs, || 500), &mut rows);
    (engine.conclude(partial), rows)
}

fn without_record_hashes(mut rows: Rows) -> String {
    for row in &mut rows.occurrences {
        assert!(row.record_sha256.is_some());
        row.record_sha256 = None;
    }
    format!("{rows:#?}")
}

#[test]
fn batches_give_what_lines_give() {
    let corpus = corpus(LogFormat::EdgeJson);
    let (lines, line_rows) = of_lines(corpus, &corpus.engine(&[]));
    let columns = columns(corpus);
    let line_rows = without_record_hashes(line_rows);
    for typing in [Typing::Plain, Typing::Large, Typing::Views] {
        let batch = batch(&columns, typing);
        let whole = of_batches(&corpus.engine(&[]), std::slice::from_ref(&batch));
        assert_eq!(told(&whole.0), told(&lines));
        assert_eq!(format!("{:#?}", whole.1), line_rows);
        let step = 271;
        let cut: Vec<RecordBatch> = (0..batch.num_rows())
            .step_by(step)
            .map(|start| batch.slice(start, step.min(batch.num_rows() - start)))
            .collect();
        assert_eq!(told(&of_batches(&corpus.engine(&[]), &cut).0), told(&lines));
        assert_eq!(concat_batches(&batch.schema(), &cut).unwrap().num_rows(), batch.num_rows());
    }
}

#[test]
fn text_columns_give_what_lines_give() {
    let corpus = corpus(LogFormat::Nginx);
    let engine = corpus.engine(&[]);
    let (lines, line_rows) = of_lines(corpus, &engine);
    let (mut texts, mut sources, mut numbers, mut offsets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (source, bytes) in corpus.logs() {
        let mut offset = 0;
        for (line, text) in (1_i64..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            texts.push(text.strip_suffix(b"\n").unwrap_or(text).to_vec());
            sources.push(source.clone());
            numbers.push(line);
            offsets.push(offset);
            offset += i64::try_from(text.len()).unwrap();
        }
    }
    let strings: Vec<&str> = texts.iter().map(|text| std::str::from_utf8(text).unwrap()).collect();
    let columns: [ArrayRef; 3] = [
        Arc::new(BinaryArray::from_iter_values(&texts)),
        Arc::new(StringArray::from(strings.clone())),
        Arc::new(StringViewArray::from(strings)),
    ];
    for column in columns {
        let batch = RecordBatch::try_from_iter([
            ("text", column),
            ("source", Arc::new(StringArray::from(sources.clone())) as ArrayRef),
            ("line", Arc::new(Int64Array::from(numbers.clone()))),
            ("offset", Arc::new(Int64Array::from(offsets.clone()))),
        ])
        .unwrap();
        let (mut scratch, mut partial, mut rows) = (engine.scratch(), engine.partial(), Rows::default());
        engine.audit_text_batch(&batch, &corpus.format(), &mut scratch, &mut partial, &mut rows).unwrap();
        assert_eq!(told(&engine.conclude(partial)), told(&lines));
        assert_eq!(format!("{rows:#?}"), format!("{line_rows:#?}"));
    }
}

#[test]
fn a_token_column_is_enough_and_wrong_columns_are_refused() {
    let corpus = corpus(LogFormat::EdgeJson);
    let engine = corpus.engine(&[]);
    let columns = columns(corpus);
    let tokens: Vec<Option<&str>> =
        columns.tokens.iter().take(50).map(|tokens| tokens.first().map(String::as_str)).collect();
    let bare =
        RecordBatch::try_from_iter([("token", Arc::new(StringArray::from(tokens)) as ArrayRef)]).unwrap();
    let (concluded, _) = of_batches(&engine, &[bare]);
    assert_eq!(concluded.totals.counts.records, 50);
    assert!(concluded.totals.distinct_tokens > 0);
    // Without a time the time rules cannot look, and say so.
    assert!(concluded.totals.not_evaluable["expired-use"]["no-time"] > 0);
    assert!(
        concluded.tables.findings.iter().all(|finding| finding.source.is_none() && finding.line.is_none())
    );

    let refused = |name: &str, column: ArrayRef| {
        let batch = RecordBatch::try_from_iter([(name, column)]).unwrap();
        let (mut scratch, mut partial, mut rows) = (engine.scratch(), engine.partial(), Rows::default());
        let error = engine.audit_batch(&batch, &mut scratch, &mut partial, &mut rows).unwrap_err();
        assert_eq!(partial.counts().units, 0, "nothing is booked");
        error
    };
    assert!(matches!(refused("tokens", Arc::new(StringArray::from(vec!["x"]))), BatchError::NoToken));
    let error = refused("token", Arc::new(Int64Array::from(vec![1])));
    assert_eq!(error.to_string(), "column `token` has type Int64: give text");
}
