//! Inputs -> chunks -> engine -> sink. Knows neither Parquet nor a terminal nor a clock.

mod chunk;
mod decode;
mod inputs;
mod source;
mod wait;

pub use inputs::{InputsError, Listed, Place, list};
pub use source::Packing;

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Read to its end.
    Complete,
    /// Read to its end; there was nothing in it.
    Empty,
    /// Not there.
    Missing,
    /// It could not be read, or not to its end.
    Unreadable,
    /// It breaks off or is corrupt; what lies before was audited.
    Truncated,
    /// Known, and nothing that can be read as text.
    Unsupported,
    /// The run was stopped before its end; none of it is in the result.
    Interrupted,
    /// Only its head was looked at (dry run).
    Planned,
}
