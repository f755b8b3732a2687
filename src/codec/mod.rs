//! Text codecs that remember how a text was spelled, the names of the algorithms, and digits.

pub mod algorithm;
pub mod base64url;
pub mod decimal;
pub mod json;
