//! Where results go: Parquet tables, `run.json`, the summary.
mod output;
mod parquet;
mod text;
pub use output::{MANIFEST, OutputDir, OutputError, Published};
pub use parquet::{TableFile, TableWriter, file_name};
pub use text::{Align, counted, grouped, table, visible};
