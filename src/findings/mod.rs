//! The tables: their rows, their Arrow schemas and their total order (contract section 7).

mod batch;
mod id;
mod occurrence;
mod rank;
mod rows;
mod schema;
mod state;

pub use id::{finding_id, problem_id};
pub use occurrence::{OccurrenceRow, OccurrenceTexts};
pub use rank::ranked;
pub use rows::{CoverageRow, FindingRow, ProblemRow, RejectRow, TokenCells};
pub use schema::{Table, schema_of};
pub use state::{StateCells, StateColumns, StateError, StateRow};

use crate::time::UtcMicros;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

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

/// A table with a row a token or more: its columns are made when they are written, some rows at a time.
pub trait LargeTable: fmt::Debug + Send + Sync {
    /// Which table it is.
    fn table(&self) -> Table;

    /// How many rows it has.
    fn rows(&self) -> usize;

    /// Some of its rows as columns in the table's schema; rows beyond the last are left out.
    ///
    /// # Errors
    ///
    /// Only if a column's offsets overflow, which a small number of rows rules out.
    fn batch(&self, rows: Range<usize>) -> Result<RecordBatch, arrow::error::ArrowError>;
}

/// A large table without rows.
impl LargeTable for Table {
    fn table(&self) -> Table {
        *self
    }

    fn rows(&self) -> usize {
        0
    }

    fn batch(&self, _: Range<usize>) -> Result<RecordBatch, arrow::error::ArrowError> {
        Ok(RecordBatch::new_empty(schema_of(*self)))
    }
}

/// The tables that are concluded once everything was seen, each in its order.
#[derive(Debug)]
pub struct Tables {
    /// Sorted by rule, api, token, gateway, outcome, subject; nulls first.
    pub findings: Vec<FindingRow>,
    /// Sorted by rule, gateway, api, outcome, cause; nulls first.
    pub problems: Vec<ProblemRow>,
    /// Sorted by token.
    pub tokens: Box<dyn LargeTable>,
    /// Sorted by hour, token, gateway, api, address, outcome; nulls first.
    pub activity: Box<dyn LargeTable>,
    /// Sorted by hour, gateway, api; nulls first.
    pub coverage: Vec<CoverageRow>,
    /// What the next run may need; sorted by token, nulls first.
    pub state: Box<dyn LargeTable>,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            findings: Vec::new(),
            problems: Vec::new(),
            tokens: Box::new(Table::Tokens),
            activity: Box::new(Table::Activity),
            coverage: Vec::new(),
            state: Box::new(Table::State),
        }
    }
}
