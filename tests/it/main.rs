//! The one integration test binary: linking Arrow and Parquet once is enough.

#![allow(
    unreachable_pub,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that meets the unexpected has failed, and says so by panicking"
)]

mod accept;
mod arrow;
mod baseline;
mod case_base;
mod case_record;
mod case_trails;
mod cli;
mod corpus;
mod deliver;
mod deployments;
mod engine;
mod formats;
mod gateways;
mod generated;
mod https;
mod jose;
mod keys_check;
mod keys_fetch;
mod keys_hostile;
mod keys_import;
mod keys_pack;
mod keys_show;
mod mint;
mod onward;
mod pipeline;
mod policy;
mod policy_init;
mod result;
mod rules;
mod rules_hostile;
mod run_rules;
mod second_judge;
mod secrets;

mod tidy;
mod together;
mod trails;
