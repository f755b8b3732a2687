//! The directives of Apache's `LogFormat` (`mod_log_config`).

use super::binding::{self, Binding, Piece, Variable};
use super::problem;
use crate::record::TimeIs;
use crate::record::draft::Role;
use crate::record::errors::{Problem, TemplateProblem};
use crate::record::shape::{DurationUnit, How, TimeForm};
use crate::time::parse::EpochUnit;

/// Splits a `LogFormat` text, with or without the backslashes that the configuration file needs. A time spelled by several
/// directives becomes one.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Problem> {
    let text = unescaped(text);
    let mut pieces = Vec::new();
    let mut rest = text.as_str();
    while let Some((literal, after)) = rest.split_once('%') {
        push_literal(&mut pieces, literal);
        if let Some(behind) = after.strip_prefix('%') {
            push_literal(&mut pieces, "%");
            rest = behind;
            continue;
        }
        let column = text.get(..text.len() - after.len() - 1).unwrap_or_default().chars().count();
        let (variable, behind) = directive(after, column)?;
        pieces.push(Piece::Variable(variable));
        rest = behind;
    }
    push_literal(&mut pieces, rest);
    Ok(with_joined_times(pieces))
}

/// `\"` and `\\` of the configuration, and its letters for tab and newline.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                Some(next @ ('"' | '\\' | '\'')) => out.push(next),
                Some(next) => out.extend(['\\', next]),
                None => out.push('\\'),
            },
            (other, false) => out.push(other),
        }
    }
    out
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Literal(last)) => last.push_str(text),
        _ => pieces.push(Piece::Literal(text.to_owned())),
    }
}

/// `%{argument}X` with the conditions and modifiers before it.
fn directive(after: &str, column: usize) -> Result<(Variable, &str), Problem> {
    let modified = after.trim_start_matches(|next: char| matches!(next, '!' | '<' | '>' | ',') || next.is_ascii_digit());
    let (argument, body) = match modified.strip_prefix('{') {
        Some(braced) => {
            let (argument, body) =
                braced.split_once('}').ok_or_else(|| problem(column, TemplateProblem::Unterminated))?;
            (Some(argument), body)
        }
        None => (None, modified),
    };
    let body = body.trim_start_matches(['<', '>']);
    let length = if body.starts_with('^') { 3 } else { 1 };
    let (letter, behind) = body
        .split_at_checked(length)
        .filter(|(letter, _)| letter.trim_start_matches('^').bytes().all(|byte| byte.is_ascii_alphabetic()))
        .ok_or_else(|| problem(column, TemplateProblem::NoVariable))?;
    let written = after.get(..after.len() - behind.len()).unwrap_or_default();
    let mut variable = Variable { name: format!("%{written}"), column, ..Variable::default() };
    bind(&mut variable, letter, argument);
    Ok((variable, behind))
}

fn bind(variable: &mut Variable, letter: &str, argument: Option<&str>) {
    let role = |role, rank| vec![Binding::Role(role, rank)];
    variable.bindings = match (letter, argument) {
        ("a", None) => role(Role::ClientIp, 0),
        ("h", _) => role(Role::ClientIp, 1),
        ("r", _) => role(Role::Request, 0),
        ("m", _) => role(Role::Method, 0),
        ("U", _) => role(Role::Path, 0),
        ("q", _) => role(Role::Query, 0),
        ("s", _) => role(Role::Status, 0),
        ("V", _) => role(Role::Host, 2),
        ("v", _) => role(Role::Host, 3),
        ("L", _) => role(Role::RequestId, 3),
        ("D", _) => vec![Binding::Duration { unit: DurationUnit::Micros, precision: 3 }],
        ("T", unit) => duration(unit.unwrap_or("s")),
        ("t", argument) => return bind_time(variable, argument.unwrap_or_default()),
        ("i", Some(header)) => binding::request_header(&header.to_ascii_lowercase()),
        ("o", Some(header)) => binding::response_header(&header.to_ascii_lowercase()),
        ("C", Some(cookie)) => vec![binding::token(format!("cookie:{cookie}"), How::Scan)],
        ("e", Some("UNIQUE_ID")) => role(Role::RequestId, 1),
        ("x", Some("SSL_PROTOCOL")) => Vec::new(),
        _ => Vec::new(),
    };
}

fn duration(unit: &str) -> Vec<Binding> {
    let (unit, precision) = match unit {
        "us" => (DurationUnit::Micros, 3),
        "ms" => (DurationUnit::Millis, 2),
        _ => (DurationUnit::Seconds, 1),
    };
    vec![Binding::Duration { unit, precision }]
}

/// `%t`, `%{sec}t` and its kin, `%{strftime}t`, each for the begin of the request or, with `end:`, its end.
fn bind_time(variable: &mut Variable, argument: &str) {
    let (is, format) = match argument.strip_prefix("end:") {
        Some(format) => (TimeIs::End, format),
        None => (TimeIs::Start, argument.strip_prefix("begin:").unwrap_or(argument)),
    };
    let (form, precision) = match format {
        "" => {
            variable.bracketed = true;
            (TimeForm::Clf, 1)
        }
        "sec" => (TimeForm::Epoch(EpochUnit::Seconds), 1),
        "msec" => (TimeForm::Epoch(EpochUnit::Millis), 3),
        "usec" => (TimeForm::Epoch(EpochUnit::Micros), 4),
        "msec_frac" | "usec_frac" => (TimeForm::Auto, 0),
        _ => (TimeForm::Strftime(format.to_owned()), 2),
    };
    format.clone_into(&mut variable.format);
    variable.bindings = vec![Binding::Time { form, is, precision }];
}

/// `%{%Y-%m-%dT%T}t.%{msec_frac}t%{%z}t` is one time.
fn with_joined_times(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    for piece in pieces {
        if let (Piece::Variable(next), true) = (&piece, is_time(&piece)) {
            let between = match out.last() {
                Some(Piece::Literal(text)) if text.chars().all(|mark| ".,:TZ".contains(mark)) => Some(text.clone()),
                _ => None,
            };
            let before = if between.is_some() { out.len().checked_sub(2) } else { out.len().checked_sub(1) };
            if let Some(Piece::Variable(first)) = before.and_then(|at| out.get_mut(at)).filter(|piece| is_time(piece)) {
                join(first, between.as_deref().unwrap_or_default(), next);
                if between.is_some() {
                    out.pop();
                }
                continue;
            }
        }
        out.push(piece);
    }
    out
}

/// True for a time that another directive may continue.
fn is_time(piece: &Piece) -> bool {
    matches!(piece, Piece::Variable(variable)
        if !variable.format.is_empty() && matches!(variable.bindings.as_slice(), [Binding::Time { .. }]))
}

fn join(first: &mut Variable, between: &str, next: &Variable) {
    first.name.push_str(between);
    first.name.push_str(&next.name);
    first.format = format!("{}{between}{}", strftime_of(&first.format), strftime_of(&next.format));
    let format = first.format.clone();
    if let Some(Binding::Time { form, precision, .. }) = first.bindings.first_mut() {
        *form = TimeForm::Strftime(format);
        *precision = 4;
    }
}

fn strftime_of(format: &str) -> &str {
    match format {
        "sec" => "%s",
        "msec_frac" => "%3f",
        "usec_frac" => "%6f",
        _ => format,
    }
}
