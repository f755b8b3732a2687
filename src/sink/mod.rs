//! Where results go: Parquet tables, `run.json`, the summary.
mod output;
mod parquet;
