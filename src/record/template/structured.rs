//! Templates whose text is a JSON object: keys are found by the variables in their values.

use super::binding::Piece;
use super::problem;
use crate::record::errors::{Problem, TemplateProblem};
use serde_json::Value;

/// Marks around the number of a variable while the template is read as JSON.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// A member of the object that the template writes.
#[derive(Debug)]
pub(in crate::record) struct Member {
    /// Keys that lead to it.
    pub(in crate::record) path: Vec<String>,
    /// What its value is made of.
    pub(in crate::record) pieces: Vec<Piece>,
}

/// The members of a template that begins like a JSON object; `None` for any other template.
///
/// # Errors
///
/// The template begins like JSON and is none.
pub(in crate::record) fn members(pieces: &[Piece]) -> Result<Option<Vec<Member>>, Problem> {
    let Some(Piece::Literal(first)) = pieces.first() else { return Ok(None) };
    if !first.trim_start().starts_with('{') {
        return Ok(None);
    }
    let mut json = String::new();
    let mut in_string = false;
    for (number, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(text) => {
                json.push_str(text);
                in_string ^= quotes(text) % 2 == 1;
            }
            Piece::Variable(_) if in_string => json.extend(mark(number)),
            Piece::Variable(_) => json.extend(std::iter::once('"').chain(mark(number)).chain(['"'])),
        }
    }
    let value: Value = serde_json::from_str(&json).map_err(|_| problem(0, TemplateProblem::NotJson))?;
    let mut out = Vec::new();
    collect(&value, pieces, &mut Vec::new(), &mut out);
    Ok(Some(out))
}

fn mark(number: usize) -> impl Iterator<Item = char> {
    let digits: Vec<char> = number.to_string().chars().collect();
    std::iter::once(OPEN).chain(digits).chain([CLOSE])
}

/// Quotes that begin or end a text.
fn quotes(text: &str) -> usize {
    let mut count = 0;
    let mut escaped = false;
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => count += 1,
            _ => {}
        }
    }
    count
}

fn collect(value: &Value, pieces: &[Piece], path: &mut Vec<String>, out: &mut Vec<Member>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                path.push(key.clone());
                collect(value, pieces, path, out);
                path.pop();
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                path.push(index.to_string());
                collect(element, pieces, path, out);
                path.pop();
            }
        }
        Value::String(text) if text.contains(OPEN) => {
            out.push(Member { path: path.clone(), pieces: with_variables(text, pieces) });
        }
        _ => {}
    }
}

fn with_variables(text: &str, pieces: &[Piece]) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once(OPEN) {
        if !literal.is_empty() {
            out.push(Piece::Literal(literal.to_owned()));
        }
        let (number, behind) = after.split_once(CLOSE).unwrap_or((after, ""));
        let variable = number.parse::<usize>().ok().and_then(|number| pieces.get(number));
        out.extend(variable.cloned());
        rest = behind;
    }
    if !rest.is_empty() {
        out.push(Piece::Literal(rest.to_owned()));
    }
    out
}
