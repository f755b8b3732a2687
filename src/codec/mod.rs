//! Text codecs that remember how a text was spelled.

pub mod base64url;
pub mod json;
