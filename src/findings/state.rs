//! Rows of `state`: what a run keeps for the next one.

use super::{Table, schema_of};
use crate::codec::decimal;
use crate::redact::{Fingerprint, push_hex};
use arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Bytes of a fingerprint as text.
const HEX_BYTES: usize = 64;
/// Bytes that a cell of most columns has, about.
const TEXT_BYTES: usize = 40;

/// A context of a token, or (without a token) a tenant that was let in. Columns of one type stand together, in the order
/// of the names beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateRow {
    /// The token.
    pub token_sha256: Option<Fingerprint>,
    /// [`Self::TEXTS`]
    pub texts: [Option<String>; 21],
    /// [`Self::NUMBERS`]
    pub numbers: [Option<i64>; 7],
    /// [`Self::TIMES`], in microseconds.
    pub times: [Option<i64>; 2],
    /// [`Self::LISTS`]: numbers joined by `/`.
    pub lists: [Vec<String>; 3],
}

/// A table that is no state of this version.
#[derive(Debug, thiserror::Error)]
#[error("column {column} of the state is missing or of another type: it was kept by another version")]
pub struct StateError {
    /// The column.
    pub column: &'static str,
}

impl StateRow {
    /// Text columns.
    pub const TEXTS: [&str; 21] = [
        "signed",
        "signature",
        "iss",
        "aud",
        "tid",
        "oid",
        "sub",
        "client_id",
        "uti",
        "sid",
        "kid",
        "token_kind",
        "gateway",
        "api",
        "outcome",
        "network",
        "prefix",
        "user_agent",
        "host",
        "principal",
        "source",
    ];
    /// Number columns.
    pub const NUMBERS: [&str; 7] = ["iat", "exp", "marks", "spelling", "count", "line", "offset"];
    /// Time columns.
    pub const TIMES: [&str; 2] = ["first_seen", "last_seen"];
    /// List columns.
    pub const LISTS: [&str; 3] = ["spans", "request_ids", "routes"];
}

/// A row on its way into the table; its columns stand as those of [`StateRow`] do.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateCells<'c> {
    /// The token.
    pub token_sha256: Option<Fingerprint>,
    /// [`StateRow::TEXTS`]
    pub texts: [Option<&'c str>; 21],
    /// [`StateRow::NUMBERS`]
    pub numbers: [Option<i64>; 7],
    /// [`StateRow::TIMES`], in microseconds.
    pub times: [Option<i64>; 2],
    /// Each first and last use of a stretch.
    pub spans: &'c [(i64, i64)],
    /// Each the hash of a request id and its first use.
    pub request_ids: &'c [(u32, i64)],
    /// Each the hash of a route with its first and last use.
    pub routes: &'c [(u32, (i64, i64))],
}

/// Columns of `state`, filled row by row.
pub struct StateColumns {
    token: StringBuilder,
    texts: [StringBuilder; 21],
    numbers: [Int64Builder; 7],
    times: [TimestampMicrosecondBuilder; 2],
    lists: [ListBuilder<StringBuilder>; 3],
    /// Where a cell is put together.
    cell: String,
}

impl StateColumns {
    /// Empty, with room for so many rows.
    pub fn new(rows: usize) -> Self {
        let texts = |bytes: usize| StringBuilder::with_capacity(rows, rows * bytes);
        let times = || TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC");
        Self {
            token: texts(HEX_BYTES),
            texts: std::array::from_fn(|_| texts(TEXT_BYTES)),
            numbers: std::array::from_fn(|_| Int64Builder::with_capacity(rows)),
            times: std::array::from_fn(|_| times()),
            lists: std::array::from_fn(|_| ListBuilder::with_capacity(texts(TEXT_BYTES), rows)),
            cell: String::new(),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: &StateCells<'_>) {
        let Self { token, texts, numbers, times, lists, cell } = self;
        cell.clear();
        if let Some(Fingerprint(sha256)) = &row.token_sha256 {
            push_hex(sha256, cell);
        }
        token.append_option(row.token_sha256.map(|_| cell.as_str()));
        texts.iter_mut().zip(row.texts).for_each(|(column, text)| column.append_option(text));
        numbers.iter_mut().zip(row.numbers).for_each(|(column, number)| column.append_option(number));
        times.iter_mut().zip(row.times).for_each(|(column, time)| column.append_option(time));
        let [spans, ids, routes] = lists;
        push_list(spans, row.spans.iter().map(|(first, last)| [*first, *last]), cell);
        push_list(ids, row.request_ids.iter().map(|(hash, time)| [(*hash).into(), *time]), cell);
        let routes_of = row.routes.iter().map(|(hash, (first, last))| [(*hash).into(), *first, *last]);
        push_list(routes, routes_of, cell);
    }

    /// The rows.
    ///
    /// # Errors
    ///
    /// Only if a column's offsets overflow, which a small number of rows rules out.
    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let Self { mut token, texts, numbers, times, lists, .. } = self;
        let mut columns: Vec<ArrayRef> = vec![array(token.finish())];
        columns.extend(texts.map(|mut column| array(column.finish())));
        columns.extend(numbers.map(|mut column| array(column.finish())));
        columns.extend(times.map(|mut column| array(column.finish())));
        columns.extend(lists.map(|mut column| array(column.finish())));
        RecordBatch::try_new(schema_of(Table::State), columns)
    }
}

fn array(column: impl Array + 'static) -> ArrayRef {
    Arc::new(column)
}

/// Adds a list of numbers that are joined by `/`.
fn push_list<const N: usize>(
    column: &mut ListBuilder<StringBuilder>,
    items: impl Iterator<Item = [i64; N]>,
    cell: &mut String,
) {
    for item in items {
        cell.clear();
        for (at, number) in item.into_iter().enumerate() {
            if at > 0 {
                cell.push('/');
            }
            decimal::push(number, cell);
        }
        column.values().append_value(&*cell);
    }
    column.append(true);
}

impl StateRow {
    /// The rows of a batch.
    ///
    /// # Errors
    ///
    /// If a column is missing or of another type.
    pub fn read(batch: &RecordBatch) -> Result<Vec<Self>, StateError> {
        let mut rows = vec![Self::default(); batch.num_rows()];
        let tokens = texts(batch, "token_sha256")?;
        for (row, token) in rows.iter_mut().zip(tokens.iter()) {
            let parsed =
                token.map(|token| Fingerprint::parse(token).ok_or(StateError { column: "token_sha256" }));
            row.token_sha256 = parsed.transpose()?;
        }
        for (at, name) in Self::TEXTS.into_iter().enumerate() {
            let column = texts(batch, name)?;
            each(&mut rows, |row| row.texts.get_mut(at), column.iter().map(|cell| cell.map(str::to_owned)));
        }
        for (at, name) in Self::NUMBERS.into_iter().enumerate() {
            let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
            let column = column.ok_or(StateError { column: name })?;
            each(&mut rows, |row| row.numbers.get_mut(at), column.iter());
        }
        for (at, name) in Self::TIMES.into_iter().enumerate() {
            let column = batch
                .column_by_name(name)
                .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
            let column = column.ok_or(StateError { column: name })?;
            each(&mut rows, |row| row.times.get_mut(at), column.iter());
        }
        for (at, name) in Self::LISTS.into_iter().enumerate() {
            let missing = StateError { column: name };
            let column = batch.column_by_name(name).and_then(|column| column.as_list_opt::<i32>());
            let column = column.filter(|column| column.value_type() == DataType::Utf8).ok_or(missing)?;
            let items = |list: Option<ArrayRef>| -> Vec<String> {
                let texts = list.as_ref().map(AsArray::as_string::<i32>);
                texts.into_iter().flat_map(|texts| texts.iter().flatten().map(str::to_owned)).collect()
            };
            each(&mut rows, |row| row.lists.get_mut(at), column.iter().map(items));
        }
        Ok(rows)
    }
}

fn texts<'b>(batch: &'b RecordBatch, name: &'static str) -> Result<&'b StringArray, StateError> {
    let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or(StateError { column: name })
}

/// Fills a place of each row.
fn each<T>(
    rows: &mut [StateRow],
    place: impl Fn(&mut StateRow) -> Option<&mut T>,
    cells: impl Iterator<Item = T>,
) {
    for (row, cell) in rows.iter_mut().zip(cells) {
        if let Some(place) = place(row) {
            *place = cell;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let mut cells = StateCells {
            token_sha256: Some(Fingerprint([7; 32])),
            numbers: [Some(1), None, Some(3), None, Some(-5), None, Some(7)],
            times: [Some(9), None],
            spans: &[(1, 2)],
            routes: &[(3, (4, 5)), (6, (-7, 8))],
            ..StateCells::default()
        };
        cells.texts.iter_mut().step_by(2).for_each(|text| *text = Some("text"));
        let mut columns = StateColumns::new(2);
        columns.push(&cells);
        columns.push(&StateCells::default());
        let batch = columns.finish().unwrap();
        let row = StateRow {
            token_sha256: cells.token_sha256,
            texts: cells.texts.map(|text| text.map(str::to_owned)),
            numbers: cells.numbers,
            times: cells.times,
            lists: [vec!["1/2".to_owned()], Vec::new(), vec!["3/4/5".to_owned(), "6/-7/8".to_owned()]],
        };
        assert_eq!(StateRow::read(&batch).unwrap(), [row, StateRow::default()]);
        let fewer = batch.project(&[0, 1]).unwrap();
        assert_eq!(StateRow::read(&fewer).unwrap_err().column, "signature");
    }
}
