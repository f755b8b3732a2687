//! Text codecs that remember how a text was spelled, and the names of the algorithms.

pub mod algorithm;
pub mod base64url;
pub mod json;
