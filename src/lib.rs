//! # tokentrail
//!
//! Tells whether the bearer tokens in API gateway logs were rightly accepted at the time they were used.
//!
//! Bytes go one way through the library, and a module imports only what lies below it:
//!
//! ```text
//! bytes -> lines -> record -> token facts -> findings -> Arrow batches -> Parquet
//! ```
//!
//! `ARCHITECTURE.md` walks through the floors.

// Floor 0
pub mod codec;
pub mod entra;
pub mod limits;
pub mod redact;
pub mod time;
// Floor 1
pub mod keys;
pub mod token;
// Floor 2
pub mod policy;
pub mod record;
pub mod verify;
// Floor 3
pub mod facts;
// Floor 4
pub mod rules;
// Floor 5
pub mod findings;
// Floor 6
pub mod engine;
// Floor 7
pub mod pipeline;
// Floor 8
pub mod generate;
pub mod learn;
pub mod sink;
