//! Inputs -> chunks -> engine -> sink. Knows neither Parquet nor a terminal nor a clock.

mod audited;
mod chunk;
mod collect;
mod cut;
mod decode;
mod elements;
mod hash;
mod held;
mod inputs;
mod look;
mod report;
mod run;
mod source;
mod turns;
mod wait;
mod work;

pub use inputs::{InputsError, Listed, Place, list};
pub use look::survey;
pub use report::{Completeness, InputReport, Outcome, Status};
pub use run::{Options, RunError, run};
pub use source::Packing;

use crate::findings::{OccurrenceRow, RejectRow};

/// Where rows go that need no conclusion. Rows come in the order of their tables.
pub trait Sink {
    /// Takes occurrences of one input.
    ///
    /// # Errors
    ///
    /// They cannot be written. Nothing more comes then.
    fn occurrences(&mut self, rows: Vec<OccurrenceRow>) -> Result<(), SinkError>;

    /// Takes rejects of one input.
    ///
    /// # Errors
    ///
    /// They cannot be written. Nothing more comes then.
    fn rejects(&mut self, rows: Vec<RejectRow>) -> Result<(), SinkError>;
}

/// Why a sink failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SinkError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// Hears how far a run is. Called by every thread and often: it has to be quick, and may not wait.
pub trait Progress: Sync {
    /// These inputs are going to be read.
    fn begun(&self, inputs: &[Listed]) {
        let _ = inputs;
    }

    /// Reading of an input begins.
    fn input(&self, source: &str) {
        let _ = source;
    }

    /// So many bytes more, as stored, were read.
    fn read(&self, bytes: u64) {
        let _ = bytes;
    }

    /// So many units and uses of tokens more were audited.
    fn audited(&self, units: u64, uses: u64) {
        let _ = (units, uses);
    }

    /// An input was finished.
    fn ended(&self, report: &InputReport) {
        let _ = report;
    }
}

/// Nobody listens.
impl Progress for () {}

/// Bytes of all inputs as stored; `None` if one of them is a pipe.
pub fn total_bytes(inputs: &[Listed]) -> Option<u64> {
    inputs.iter().try_fold(0_u64, |total, listed| match listed.place {
        Place::File { bytes, .. } => Some(total.saturating_add(bytes)),
        Place::Nowhere { .. } => Some(total),
        Place::Stdin | Place::Pipe { .. } => None,
    })
}
