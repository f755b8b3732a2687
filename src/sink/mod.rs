//! Where results go: Parquet tables, `run.json`, the summary.

mod baseline;
mod completeness;
mod digest;
mod earlier;
mod input;
mod issuers;
mod manifest;
mod output;
mod parquet;
mod parts;
mod result;
mod rows;
mod summary;
mod text;

pub use baseline::Baselines;
pub use completeness::Completeness;
pub use earlier::{EarlierError, EarlierResult};
pub use input::{Counts, Input, InputFormat, RejectCounts, TokenCounts};
pub use issuers::{IssuerSeen, IssuersError, add_issuers};
pub use manifest::{
    Expectation, FilterReport, GatewayReport, Given, HashedFile, KeyArchive, Manifest, RuleReport,
    SCHEMA_VERSION, Text, Tool, Verdicts, Written,
};
pub use output::{MANIFEST, OutputDir, OutputError, Published};
pub use parquet::{TableFile, TableWriter, file_name};
pub use parts::{AcceptReport, BaselineReport, SystemicReport, UncoveredReport};
pub use result::{ResultWriter, Tabled, WriteError};
pub use summary::{View, summary};
pub use text::{Align, counted, grouped, table, visible};
