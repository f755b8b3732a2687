//! The tables: their rows, their Arrow schemas and their total order (contract section 7).

mod batch;
mod id;
mod rows;
mod schema;

pub use id::{finding_id, problem_id};
pub use rows::{
    ActivityRow, CoverageRow, FindingRow, OccurrenceRow, ProblemRow, RejectRow, TokenCells, TokenRow,
};
pub use schema::{Table, schema_of};

use crate::time::UtcMicros;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::cmp::Ordering;

/// A row of one of the tables.
pub trait Row {
    /// The table that it belongs to.
    const TABLE: Table;

    /// Rows as Arrow columns in the table's schema.
    ///
    /// # Errors
    ///
    /// Only if a column's offsets overflow, which the fixed batch size rules out.
    fn batch(rows: &[Self]) -> Result<RecordBatch, arrow::error::ArrowError>
    where
        Self: Sized;

    /// The table's schema.
    fn schema() -> SchemaRef {
        schema_of(Self::TABLE)
    }
}

/// Order of instants in which "first" means least and an absent time comes last.
pub fn first_order(a: Option<UtcMicros>, b: Option<UtcMicros>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// The tables that are concluded once everything was seen, each in its order.
#[derive(Debug, Default)]
pub struct Tables {
    /// Sorted by rule, api, token, gateway, outcome, subject; nulls first.
    pub findings: Vec<FindingRow>,
    /// Sorted by rule, gateway, api, outcome, cause; nulls first.
    pub problems: Vec<ProblemRow>,
    /// Sorted by token.
    pub tokens: Vec<TokenRow>,
    /// Sorted by hour, token, gateway, api, address, outcome; nulls first.
    pub activity: Vec<ActivityRow>,
    /// Sorted by hour, gateway, api; nulls first.
    pub coverage: Vec<CoverageRow>,
}
