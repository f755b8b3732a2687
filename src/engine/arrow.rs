//! The batch path: an Arrow `RecordBatch` of records (contract section 8). Results equal the line path's over the columns
//! that both have.

use super::lines::Scratch;
use super::scan::Scanned;
use super::{Engine, Input, Partial, Rows};
use crate::facts::Position;
use crate::record::{Format, LoggedTime, Record, TimeIs, TokenField, is_absent};
use crate::time::UtcMicros;
use crate::time::Zone;
use crate::time::parse::{self, Stamp};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, Int64Array, ListArray, RecordBatch, StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use bumpalo::Bump;
use std::sync::Arc;

/// A batch that cannot be audited.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Neither `token` nor `text`.
    #[error(
        "the batch has neither a column `token` nor a column `text`: name the column that holds the tokens `token`"
    )]
    NoToken,
    /// A column of a type that its role cannot have.
    #[error("column `{column}` has type {found}: {expected}")]
    Type {
        /// Name of the column.
        column: &'static str,
        /// Its type.
        found: DataType,
        /// What it may be.
        expected: &'static str,
    },
    /// A `text` column without a format.
    #[error("the batch has a column `text`: give the format of its lines")]
    NoFormat,
    /// Arrow could not convert a column.
    #[error("a column could not be converted: {0}")]
    Arrow(#[from] ArrowError),
}

impl Engine {
    /// Audits a batch of records: columns `time, token, token_source, method, scheme, host, path, query, route, status,
    /// duration, client_ip, user_agent, request_id, principal, data_tenant, gateway, source, line, offset`, of which only
    /// `token` is required. `time` is the start of the request (a timestamp of any unit, or text in RFC 3339), `duration`
    /// is in microseconds, `token` is text or a list of text.
    ///
    /// # Errors
    ///
    /// See [`BatchError`]; nothing is booked then.
    pub fn audit_batch(
        &self,
        batch: &RecordBatch,
        scratch: &mut Scratch,
        partial: &mut Partial,
        rows: &mut Rows,
    ) -> Result<(), BatchError> {
        let columns = Columns::new(batch)?;
        let (arena, _, workspace) = scratch.restart();
        for (source, rows_of) in columns.runs_of_sources(batch.num_rows()) {
            let input = self.columns(source.unwrap_or(""));
            let input = if source.is_some() { input } else { Input { gateway: None, ..input } };
            let place = source.map(|_| input.source());
            let scanned: Vec<Scanned<'_>> = rows_of
                .map(|row| {
                    let position = Position { source: place, ..columns.places.position(row) };
                    Scanned { record: columns.record(row, arena), position, raw: None }
                })
                .collect();
            partial.counts.units += u64::try_from(scanned.len()).unwrap_or(u64::MAX);
            self.judge_all(&input, &scanned, workspace, partial, rows);
        }
        Ok(())
    }

    /// Audits a batch of log lines: a `text` column (any string or binary type) read by `format`, with optional `source`,
    /// `line` and `offset` columns. A null is an ignored unit.
    ///
    /// # Errors
    ///
    /// See [`BatchError`]; nothing is booked then.
    pub fn audit_text_batch(
        &self,
        batch: &RecordBatch,
        format: &Arc<Format>,
        scratch: &mut Scratch,
        partial: &mut Partial,
        rows: &mut Rows,
    ) -> Result<(), BatchError> {
        let Some(text) = batch.column_by_name("text") else { return Err(BatchError::NoToken) };
        let text = bytes_of("text", text)?;
        let places = Places::new(batch)?;
        for row in 0..batch.num_rows() {
            let source = places.source.text(row);
            let input = match source {
                Some(source) => self.input(source, Arc::clone(format)),
                None => Input { gateway: None, ..self.input("", Arc::clone(format)) },
            };
            let unit = if text.is_null(row) { &[][..] } else { text.value(row) };
            let position = Position { source: source.map(|_| input.source()), ..places.position(row) };
            self.audit_unit(&input, unit, position, scratch, partial, rows);
        }
        Ok(())
    }
}

/// Where the rows of a batch stood.
struct Places {
    source: Texts,
    line: Option<Int64Array>,
    offset: Option<Int64Array>,
}

impl Places {
    fn new(batch: &RecordBatch) -> Result<Self, BatchError> {
        Ok(Self {
            source: Texts::new(batch, "source")?,
            line: longs(batch, "line")?,
            offset: longs(batch, "offset")?,
        })
    }

    /// Line and offset of a row; the source is the input's.
    fn position(&self, row: usize) -> Position<'static> {
        Position {
            source: None,
            line: long(self.line.as_ref(), row),
            offset: long(self.offset.as_ref(), row),
        }
    }
}

/// A batch's columns by role.
struct Columns {
    places: Places,
    time: Option<Int64Array>,
    duration: Option<Int64Array>,
    status: Option<Int64Array>,
    token: Tokens,
    token_source: Texts,
    texts: [Texts; 12],
}

/// Text columns that fill a field of the record as they are, in the order of `Columns::record`.
const TEXTS: [&str; 12] = [
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
    "gateway",
];

impl Columns {
    fn new(batch: &RecordBatch) -> Result<Self, BatchError> {
        let mut texts = Vec::with_capacity(TEXTS.len());
        for name in TEXTS {
            texts.push(Texts::new(batch, name)?);
        }
        let token = batch.column_by_name("token").ok_or(BatchError::NoToken)?;
        Ok(Self {
            places: Places::new(batch)?,
            time: batch.column_by_name("time").map(times).transpose()?,
            duration: longs(batch, "duration")?,
            status: longs(batch, "status")?,
            token: Tokens::new(token)?,
            token_source: Texts::new(batch, "token_source")?,
            texts: texts.try_into().map_err(|_| BatchError::NoToken)?,
        })
    }

    /// Rows in a row that have the same source, so that the policy is asked once for each.
    fn runs_of_sources(&self, rows: usize) -> Vec<(Option<&str>, std::ops::Range<usize>)> {
        let mut runs: Vec<(Option<&str>, std::ops::Range<usize>)> = Vec::new();
        for row in 0..rows {
            let source = self.places.source.text(row);
            match runs.last_mut() {
                Some((last, run)) if *last == source => run.end = row + 1,
                _ => runs.push((source, row..row + 1)),
            }
        }
        runs
    }

    fn record<'a>(&'a self, row: usize, arena: &'a Bump) -> Record<'a> {
        let [
            method,
            scheme,
            host,
            path,
            query,
            route,
            client_ip,
            user_agent,
            request_id,
            principal,
            data_tenant,
            gateway,
        ] = &self.texts;
        let place = self.token_source.text(row).unwrap_or("token");
        let fields = self.token.values(row).map(|value| TokenField { place, value });
        let record = Record {
            time: long(self.time.as_ref(), row).map(|at| LoggedTime { at: UtcMicros(at), is: TimeIs::Start }),
            duration: long(self.duration.as_ref(), row),
            status: long(self.status.as_ref(), row).and_then(|status| i32::try_from(status).ok()),
            method: method.text(row),
            scheme: scheme.text(row),
            host: host.text(row),
            path: path.text(row),
            query: query.text(row),
            route: route.text(row),
            client_ip: client_ip.text(row),
            user_agent: user_agent.text(row),
            request_id: request_id.text(row),
            principal: principal.text(row),
            data_tenant: data_tenant.text(row),
            gateway: gateway.text(row),
            ..Record::default()
        };
        record.completed(fields, arena)
    }
}

/// A text column, or none.
struct Texts(Option<StringViewArray>);

impl Texts {
    fn new(batch: &RecordBatch, name: &'static str) -> Result<Self, BatchError> {
        batch.column_by_name(name).map(|column| texts_of(name, column)).transpose().map(Self)
    }

    /// The text of a row; what loggers write where there is no value is absent.
    fn text(&self, row: usize) -> Option<&str> {
        let column = self.0.as_ref()?;
        (!column.is_null(row)).then(|| column.value(row)).filter(|text| !is_absent(text))
    }
}

/// The token column: one text or a list of texts a row.
enum Tokens {
    One(StringViewArray),
    Many(ListArray, StringViewArray),
}

impl Tokens {
    fn new(column: &ArrayRef) -> Result<Self, BatchError> {
        match column.data_type() {
            DataType::List(_) | DataType::LargeList(_) => {
                let item = arrow::datatypes::Field::new_list_field(DataType::Utf8View, true);
                let list = cast(column, &DataType::List(Arc::new(item)))?;
                let list: ListArray = list.as_list::<i32>().clone();
                let items = texts_of("token", list.values())?;
                Ok(Self::Many(list, items))
            }
            _ => texts_of("token", column).map(Self::One),
        }
    }

    fn values(&self, row: usize) -> impl Iterator<Item = &str> {
        let (items, range) = match self {
            Self::One(items) => (items, row..row + 1),
            Self::Many(list, items) if !list.is_null(row) => {
                let offsets = list.value_offsets();
                let at = |row: usize| offsets.get(row).and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
                (items, at(row)..at(row + 1))
            }
            Self::Many(_, items) => (items, 0..0),
        };
        range.filter(|at| !items.is_null(*at)).map(|at| items.value(at))
    }
}

fn texts_of(name: &'static str, column: &ArrayRef) -> Result<StringViewArray, BatchError> {
    match column.data_type() {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Dictionary(..)
        | DataType::Null => Ok(cast(column, &DataType::Utf8View)?.as_string_view().clone()),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            // Engines hand over strings that nobody checked as binary; what is not UTF-8 is replaced.
            let bytes = bytes_of(name, column)?;
            let texts =
                bytes.iter().map(|bytes| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()));
            Ok(texts.collect())
        }
        found => Err(BatchError::Type { column: name, found: found.clone(), expected: "give text" }),
    }
}

fn bytes_of(name: &'static str, column: &ArrayRef) -> Result<BinaryViewArray, BatchError> {
    match column.data_type() {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView => Ok(cast(column, &DataType::BinaryView)?.as_binary_view().clone()),
        found => {
            Err(BatchError::Type { column: name, found: found.clone(), expected: "give text or binary" })
        }
    }
}

fn longs(batch: &RecordBatch, name: &'static str) -> Result<Option<Int64Array>, BatchError> {
    let Some(column) = batch.column_by_name(name) else { return Ok(None) };
    let column = match column.data_type() {
        DataType::Duration(_) => {
            cast(&cast(column, &DataType::Duration(TimeUnit::Microsecond))?, &DataType::Int64)?
        }
        kind if kind.is_numeric()
            || matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null) =>
        {
            cast(column, &DataType::Int64)?
        }
        found => {
            return Err(BatchError::Type {
                column: name,
                found: found.clone(),
                expected: "give whole numbers",
            });
        }
    };
    Ok(Some(column.as_primitive::<Int64Type>().clone()))
}

fn long(column: Option<&Int64Array>, row: usize) -> Option<i64> {
    column.filter(|column| !column.is_null(row)).map(|column| column.value(row))
}

/// Instants in microseconds. A timestamp with a zone is an instant whatever the zone; one without is read as UTC.
fn times(column: &ArrayRef) -> Result<Int64Array, BatchError> {
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let raw = || -> Result<Int64Array, ArrowError> {
        Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    };
    let scaled = |factor: i64| -> Result<Int64Array, ArrowError> {
        Ok(raw()?.iter().map(|time| time.and_then(|time| time.checked_mul(factor))).collect())
    };
    match column.data_type() {
        DataType::Timestamp(Second, _) => Ok(scaled(1_000_000)?),
        DataType::Timestamp(Millisecond, _) => Ok(scaled(1000)?),
        DataType::Timestamp(Microsecond, _) => Ok(raw()?),
        DataType::Timestamp(Nanosecond, _) => {
            Ok(raw()?.iter().map(|time| time.map(|time| time.div_euclid(1000))).collect())
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {
            let texts = texts_of("time", column)?;
            Ok(texts.iter().map(|text| text.and_then(instant_of)).collect())
        }
        found => Err(BatchError::Type {
            column: "time",
            found: found.clone(),
            expected: "give timestamps, or text in RFC 3339",
        }),
    }
}

fn instant_of(text: &str) -> Option<i64> {
    match parse::rfc3339(text.trim_ascii().as_bytes())? {
        Stamp::Utc(at) => Some(at.0),
        Stamp::Civil(civil) => Zone::Assumed.instant(civil).map(|at| at.0),
    }
}
