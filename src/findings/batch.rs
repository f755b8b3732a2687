//! Rows as Arrow columns.

use super::occurrence::TEXTS;
use super::{CoverageRow, FindingRow, OccurrenceRow, ProblemRow, RejectRow, Row, Table};
use crate::facts::Outcome;
use crate::redact::push_hex;
use crate::time::UtcMicros;
use crate::verify::Verdict;
use arrow::array::{
    ArrayRef, Int32Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Bytes that a cell of most text columns has, about.
const TEXT_BYTES: usize = 40;
/// Hexadecimal digits of a SHA-256.
const HASH_DIGITS: usize = 64;

fn texts<'r, R: 'r, T: AsRef<str> + 'r>(rows: &'r [R], cell: impl Fn(&'r R) -> Option<T>) -> ArrayRef {
    Arc::new(rows.iter().map(cell).collect::<StringArray>())
}

fn longs<R>(rows: &[R], cell: impl Fn(&R) -> Option<i64>) -> ArrayRef {
    Arc::new(rows.iter().map(cell).collect::<Int64Array>())
}

fn ints<R>(rows: &[R], cell: impl Fn(&R) -> Option<i32>) -> ArrayRef {
    Arc::new(rows.iter().map(cell).collect::<Int32Array>())
}

fn times<R>(rows: &[R], cell: impl Fn(&R) -> Option<UtcMicros>) -> ArrayRef {
    let micros = rows.iter().map(|row| cell(row).map(|time| time.0));
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn lists<'r, R>(rows: &'r [R], cell: impl Fn(&'r R) -> Option<&'r [String]>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        builder.append_option(cell(row).map(|items| items.iter().map(Some)));
    }
    Arc::new(builder.finish())
}

impl Row for FindingRow {
    const TABLE: Table = Table::Findings;

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        let columns = vec![
            texts(rows, |row| Some(&row.finding_id)),
            texts(rows, |row| Some(&row.problem_id)),
            texts(rows, |row| Some(row.rule)),
            texts(rows, |row| Some(row.category)),
            texts(rows, |row| Some(row.severity.name())),
            ints(rows, |row| Some(row.severity.id())),
            texts(rows, |row| Some(row.lane)),
            texts(rows, |row| Some(row.confidence.name())),
            texts(rows, |row| row.outcome.map(Outcome::name)),
            texts(rows, |row| row.signature.map(Verdict::name)),
            texts(rows, |row| row.token_sha256.map(|token| token.hex())),
            texts(rows, |row| row.subject.as_deref()),
            longs(rows, |row| Some(row.count)),
            times(rows, |row| row.first_seen),
            times(rows, |row| row.last_seen),
            texts(rows, |row| row.gateway.as_deref()),
            texts(rows, |row| row.api.as_deref()),
            texts(rows, |row| row.token.iss.as_deref()),
            texts(rows, |row| row.token.aud.as_deref()),
            texts(rows, |row| row.token.tid.as_deref()),
            texts(rows, |row| row.token.oid.as_deref()),
            texts(rows, |row| row.token.sub.as_deref()),
            texts(rows, |row| row.token.client_id.as_deref()),
            texts(rows, |row| row.token.uti.as_deref()),
            texts(rows, |row| row.token.kid.as_deref()),
            texts(rows, |row| row.token.alg.as_deref()),
            texts(rows, |row| row.token.token_version.as_deref()),
            texts(rows, |row| row.token.token_kind.as_deref()),
            texts(rows, |row| row.expected.as_deref()),
            texts(rows, |row| row.actual.as_deref()),
            texts(rows, |row| Some(&row.message)),
            texts(rows, |row| Some(&row.evidence)),
            lists(rows, |row| Some(&row.client_ips)),
            texts(rows, |row| row.source.as_deref()),
            longs(rows, |row| row.line),
            longs(rows, |row| row.offset),
            texts(rows, |row| row.accepted_by.as_deref()),
            texts(rows, |row| Some(row.stage)),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}

impl Row for ProblemRow {
    const TABLE: Table = Table::Problems;

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        let columns = vec![
            texts(rows, |row| Some(&row.problem_id)),
            texts(rows, |row| Some(&row.rule)),
            texts(rows, |row| Some(row.category)),
            texts(rows, |row| Some(row.severity.name())),
            ints(rows, |row| Some(row.severity.id())),
            texts(rows, |row| Some(row.lane)),
            texts(rows, |row| Some(row.confidence.name())),
            texts(rows, |row| row.gateway.as_deref()),
            texts(rows, |row| row.api.as_deref()),
            texts(rows, |row| row.outcome.map(Outcome::name)),
            texts(rows, |row| Some(&row.cause)),
            longs(rows, |row| Some(row.count)),
            longs(rows, |row| Some(row.tokens)),
            longs(rows, |row| Some(row.identities)),
            longs(rows, |row| Some(row.clients)),
            times(rows, |row| row.first_seen),
            times(rows, |row| row.last_seen),
            texts(rows, |row| row.accepted_by.as_deref()),
            texts(rows, |row| Some(row.stage)),
            texts(rows, |row| row.state.as_deref()),
            texts(rows, |row| Some(&row.example_finding_id)),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}

impl Row for OccurrenceRow {
    const TABLE: Table = Table::Occurrences;

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        let column = |bytes| StringBuilder::with_capacity(rows.len(), rows.len() * bytes);
        let mut columns: [StringBuilder; TEXTS] = std::array::from_fn(|_| column(TEXT_BYTES));
        let (mut hashes, mut hash) = (column(HASH_DIGITS), String::with_capacity(HASH_DIGITS));
        // All texts of a row at once: they lie side by side, and the rows do not.
        for row in rows {
            for (column, cell) in columns.iter_mut().zip(row.cells()) {
                column.append_option(cell);
            }
            hash.clear();
            hashes.append_option(row.record_sha256.map(|sha256| {
                push_hex(&sha256, &mut hash);
                &hash
            }));
        }
        let finished = |mut column: StringBuilder| -> ArrayRef { Arc::new(column.finish()) };
        let [finding_id, rule, source, request_id, method, host, rest @ ..] = columns.map(finished);
        let [path, client_ip, user_agent, principal, data_tenant] = rest;
        let columns = vec![
            finding_id,
            rule,
            texts(rows, |row| Some(row.severity.name())),
            times(rows, |row| row.time),
            source,
            longs(rows, |row| row.line),
            longs(rows, |row| row.offset),
            finished(hashes),
            request_id,
            method,
            host,
            path,
            ints(rows, |row| row.status),
            client_ip,
            user_agent,
            principal,
            data_tenant,
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}

impl Row for CoverageRow {
    const TABLE: Table = Table::Coverage;

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        let columns = vec![
            times(rows, |row| row.hour),
            texts(rows, |row| row.gateway.as_deref()),
            texts(rows, |row| row.api.as_deref()),
            longs(rows, |row| Some(row.records)),
            longs(rows, |row| Some(row.tokens)),
            longs(rows, |row| Some(row.masked)),
            longs(rows, |row| Some(row.no_token)),
            longs(rows, |row| Some(row.uncovered)),
            longs(rows, |row| Some(row.rejects)),
            longs(rows, |row| Some(row.not_evaluable)),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}

impl Row for RejectRow {
    const TABLE: Table = Table::Rejects;

    fn batch(rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        let columns = vec![
            texts(rows, |row| row.source.as_deref()),
            longs(rows, |row| row.line),
            longs(rows, |row| row.offset),
            longs(rows, |row| row.length),
            texts(rows, |row| Some(&row.reason)),
            texts(rows, |row| Some(&row.excerpt)),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::schema_of;

    #[test]
    fn empty_tables_are_typed() {
        fn columns<R: Row>() -> usize {
            let batch = R::batch(&[]).unwrap();
            assert_eq!(batch.schema(), schema_of(R::TABLE));
            batch.num_columns()
        }
        let all = [
            columns::<CoverageRow>(),
            columns::<FindingRow>(),
            columns::<OccurrenceRow>(),
            columns::<ProblemRow>(),
            columns::<RejectRow>(),
        ];
        assert_eq!(all, [10, 38, 17, 21, 6]);
    }
}
