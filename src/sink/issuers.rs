//! The issuers of the tokens that were accepted in a result, read from `tokens.parquet`.

use crate::findings::Table;
use crate::sink::parquet::file_name;
use crate::time::UtcMicros;
use crate::verify::Verdict;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Issuers that are told apart. Senders make issuers up as they like; the byte-least stay.
const ISSUERS_MAX: usize = 10_000;

/// What a result says of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSeen {
    /// Distinct tokens.
    pub tokens: u64,
    /// Those among them whose signature is `not-covered`.
    pub not_covered: u64,
    /// Least and greatest `iat`.
    pub issued: Option<(UtcMicros, UtcMicros)>,
}

/// Why a result's issuers cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}; name a directory that an audit has written", path.display())]
pub struct IssuersError {
    path: PathBuf,
    why: String,
}

/// Adds the issuers of a result.
///
/// # Errors
///
/// If the result has no readable table of tokens.
pub fn add_issuers(result: &Path, issuers: &mut BTreeMap<String, IssuerSeen>) -> Result<(), IssuersError> {
    let path = result.join(file_name(Table::Tokens));
    let fault = |why: String| IssuersError { path: path.clone(), why };
    let file = File::open(&path).map_err(|error| fault(error.to_string()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| fault(error.to_string()))?;
    let columns = ProjectionMask::columns(builder.parquet_schema(), ["signature", "iss", "iat", "accepted"]);
    let reader = builder.with_projection(columns).build().map_err(|error| fault(error.to_string()))?;
    for batch in reader {
        let batch = batch.map_err(|error| fault(error.to_string()))?;
        add_batch(&batch, issuers).ok_or_else(|| fault("it is no table of tokens".to_owned()))?;
    }
    Ok(())
}

fn add_batch(batch: &RecordBatch, issuers: &mut BTreeMap<String, IssuerSeen>) -> Option<()> {
    let text = |name: &str| {
        arrow::compute::cast(batch.column_by_name(name)?, &arrow::datatypes::DataType::Utf8).ok()
    };
    let (signature, iss) = (text("signature")?, text("iss")?);
    let (signature, iss) = (signature.as_string_opt::<i32>()?, iss.as_string_opt::<i32>()?);
    let number = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let (iat, accepted) = (number("iat")?, number("accepted")?);
    for (((signature, iss), iat), accepted) in signature.iter().zip(iss).zip(iat).zip(accepted) {
        // Whoever is refused may name any issuer.
        let Some(iss) = iss.filter(|_| accepted.is_some_and(|accepted| accepted > 0)) else { continue };
        let not_covered = u64::from(signature == Some(Verdict::NotCovered.name()));
        let issued = iat.map(UtcMicros::from_seconds).map(|at| (at, at));
        let one = IssuerSeen { tokens: 1, not_covered, issued };
        match issuers.get_mut(iss) {
            Some(known) => known.add(&one),
            None => drop(issuers.insert(iss.to_owned(), one)),
        }
        if issuers.len() > ISSUERS_MAX {
            issuers.pop_last();
        }
    }
    Some(())
}

impl IssuerSeen {
    fn add(&mut self, other: &Self) {
        self.tokens += other.tokens;
        self.not_covered += other.not_covered;
        self.issued = match (self.issued, other.issued) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, two) => one.or(two),
        };
    }
}
