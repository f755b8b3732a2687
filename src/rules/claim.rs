//! Claims as several rules read them.

use crate::codec;
use crate::codec::json::{Number, Value};
use crate::token::Claims;

/// The strings of a claim: one, or those of an array; blank ones say nothing.
pub(super) fn texts<'c>(claims: &'c Claims<'_>, name: &str) -> impl Iterator<Item = &'c str> {
    let values = match claims.member(name) {
        Some(Value::Array(items)) => items.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    values.iter().filter_map(Value::as_text).filter(|text| !codec::is_blank(text))
}

/// True if a claim is there; a null says nothing.
pub(super) fn is_present(claims: &Claims<'_>, name: &str) -> bool {
    !matches!(claims.member(name), None | Some(Value::Null))
}

/// A flag, which Entra's optional claims spell as a boolean, a number or a text.
pub(super) fn flag(claims: &Claims<'_>, name: &str) -> Option<bool> {
    match claims.member(name)? {
        Value::Bool(flag) => Some(*flag),
        Value::Number(Number::Integer(number)) => Some(*number != 0),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
