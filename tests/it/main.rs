//! The one integration test binary: linking Arrow and Parquet once is enough.

mod corpus;
mod engine;
mod gateways;
mod generated;
mod jose;
mod pipeline;
mod result;
mod run_rules;
mod secrets;
mod tidy;
