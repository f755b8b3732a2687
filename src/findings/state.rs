//! Rows of `state`: what a run keeps for the next one.

use super::{Row, Table};
use crate::redact::Fingerprint;
use arrow::array::{
    ArrayRef, AsArray, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use std::sync::Arc;

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

impl Row for StateRow {
    const TABLE: Table = Table::State;

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        let token = |row: &Self| row.token_sha256.map(|token| token.hex());
        let mut columns: Vec<ArrayRef> = vec![Arc::new(rows.iter().map(token).collect::<StringArray>())];
        for at in 0..Self::TEXTS.len() {
            let cell = |row: &Self| row.texts.get(at).cloned().flatten();
            columns.push(Arc::new(rows.iter().map(cell).collect::<StringArray>()));
        }
        for at in 0..Self::NUMBERS.len() {
            let cell = |row: &Self| row.numbers.get(at).copied().flatten();
            columns.push(Arc::new(rows.iter().map(cell).collect::<Int64Array>()));
        }
        for at in 0..Self::TIMES.len() {
            let cell = |row: &Self| row.times.get(at).copied().flatten();
            let column = rows.iter().map(cell).collect::<TimestampMicrosecondArray>();
            columns.push(Arc::new(column.with_timezone("UTC")));
        }
        for at in 0..Self::LISTS.len() {
            let mut column = ListBuilder::new(StringBuilder::new());
            for row in rows {
                row.lists.get(at).into_iter().flatten().for_each(|item| column.values().append_value(item));
                column.append(true);
            }
            columns.push(Arc::new(column.finish()));
        }
        RecordBatch::try_new(Self::schema(), columns)
    }
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
        let mut row = StateRow { token_sha256: Some(Fingerprint([7; 32])), ..StateRow::default() };
        row.texts
            .iter_mut()
            .zip(0..)
            .filter(|(_, at)| at % 2 == 0)
            .for_each(|(text, at)| *text = Some(format!("text {at}")));
        row.numbers = [Some(1), None, Some(3), None, Some(-5), None, Some(7)];
        row.times = [Some(9), None];
        row.lists = [vec!["1/2".to_owned()], Vec::new(), vec!["3/4".to_owned(), "5/6".to_owned()]];
        let rows = [row, StateRow::default()];
        let batch = StateRow::batch(&rows).unwrap();
        assert_eq!(StateRow::read(&batch).unwrap(), rows);
        let fewer = batch.project(&[0, 1]).unwrap();
        assert_eq!(StateRow::read(&fewer).unwrap_err().column, "signature");
    }
}
