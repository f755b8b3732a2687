//! The one integration test binary: linking Arrow and Parquet once is enough.

mod cli;
mod corpus;
mod engine;
mod formats;
mod gateways;
mod generated;
mod jose;
mod mint;
mod pipeline;
mod result;
mod rules;
mod run_rules;
mod secrets;
mod tidy;
