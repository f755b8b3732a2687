//! The variables of nginx's `log_format` (formats.md 1.2, 1.4).

use super::binding::{self, Binding, Piece, Variable};
use super::problem;
use crate::record::TimeIs;
use crate::record::draft::Role;
use crate::record::errors::{Problem, TemplateProblem};
use crate::record::shape::{DurationUnit, How, TimeForm};
use crate::time::parse::EpochUnit;

/// Splits a `log_format` text. A URL spelled by several variables becomes one.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, Problem> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('$') {
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.to_owned()));
        }
        let column = text.get(..text.len() - after.len() - 1).unwrap_or_default().chars().count();
        let (name, behind) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or_else(|| problem(column, TemplateProblem::Unterminated))?,
            None => {
                let end = after.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(after.len());
                after.split_at_checked(end).unwrap_or((after, ""))
            }
        };
        if name.is_empty() {
            return Err(problem(column, TemplateProblem::NoVariable));
        }
        pieces.push(Piece::Variable(variable(name, column)));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.to_owned()));
    }
    Ok(with_joined_urls(pieces))
}

fn variable(name: &str, column: usize) -> Variable {
    let list = name.starts_with("upstream_");
    Variable { name: format!("${name}"), column, bindings: bindings(name), list, ..Variable::default() }
}

fn bindings(name: &str) -> Vec<Binding> {
    let role = |role, rank| vec![Binding::Role(role, rank)];
    let time = |form, precision| vec![Binding::Time { form, is: TimeIs::End, precision }];
    match name {
        "remote_addr" => role(Role::ClientIp, 0),
        "request" => role(Role::Request, 0),
        "request_method" => role(Role::Method, 0),
        "request_uri" => role(Role::Url, 0),
        "uri" | "document_uri" => role(Role::Path, 0),
        "args" | "query_string" => role(Role::Query, 0),
        "status" => role(Role::Status, 0),
        "host" => role(Role::Host, 0),
        "server_name" => role(Role::Host, 2),
        "scheme" => role(Role::Scheme, 0),
        "request_id" | "req_id" => role(Role::RequestId, 0),
        "proxy_upstream_name" | "service_name" => role(Role::Route, 0),
        "msec" => time(TimeForm::Epoch(EpochUnit::Seconds), 2),
        "time_iso8601" => time(TimeForm::Rfc3339, 1),
        "time_local" => time(TimeForm::Clf, 0),
        "request_time" => vec![Binding::Duration { unit: DurationUnit::Seconds, precision: 1 }],
        _ => prefixed(name),
    }
}

fn prefixed(name: &str) -> Vec<Binding> {
    if let Some(header) = name.strip_prefix("http_") {
        return binding::request_header(&header.to_ascii_lowercase().replace('_', "-"));
    }
    if let Some(header) = name.strip_prefix("sent_http_").or_else(|| name.strip_prefix("upstream_http_")) {
        return binding::response_header(&header.to_ascii_lowercase().replace('_', "-"));
    }
    if let Some(cookie) = name.strip_prefix("cookie_") {
        return vec![binding::token(format!("cookie:{cookie}"), How::Scan)];
    }
    match name.strip_prefix("arg_") {
        Some(argument @ "access_token") => vec![binding::token(format!("query:{argument}"), How::Value)],
        Some(argument) => vec![binding::token(format!("query:{argument}"), How::Scan)],
        None => Vec::new(),
    }
}

/// `$scheme://$host$request_uri` and `$uri$is_args$args` are one URL each, not fields without text between them.
fn with_joined_urls(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    let mut absolute = false;
    for piece in pieces {
        let joins = match (&piece, out.last()) {
            (Piece::Literal(text), Some(Piece::Variable(last))) => {
                absolute = last.name == "$scheme" && text == "://" || absolute && is_url_text(text);
                absolute
            }
            (Piece::Variable(next), Some(Piece::Variable(last))) => {
                absolute
                    || (matches!(last.name.as_str(), "$uri" | "$document_uri" | "$url") && next.name == "$is_args")
                    || (last.name.ends_with("$is_args") && matches!(next.name.as_str(), "$args" | "$query_string"))
            }
            _ => {
                absolute = false;
                false
            }
        };
        match out.last_mut() {
            Some(Piece::Variable(last)) if joins => {
                match piece {
                    Piece::Literal(text) => last.name.push_str(&text),
                    Piece::Variable(next) => last.name.push_str(&next.name),
                }
                last.bindings = vec![Binding::Role(Role::Url, 0)];
                last.list = false;
            }
            _ => out.push(piece),
        }
    }
    out
}

fn is_url_text(text: &str) -> bool {
    !text.contains([' ', '"', '\'', '\t', '|', ',', ']', '}'])
}
