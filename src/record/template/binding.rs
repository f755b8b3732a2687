//! What the variables of a template stand for.

use crate::record::TimeIs;
use crate::record::draft::Role;
use crate::record::shape::{DurationUnit, How, Source, TimeForm};

/// A literal or a variable.
#[derive(Clone, Debug)]
pub(in crate::record) enum Piece {
    Literal(String),
    Variable(Variable),
}

/// A variable of a template.
#[derive(Clone, Debug, Default)]
pub(in crate::record) struct Variable {
    /// As it is written: `$status`, `%>s`.
    pub(in crate::record) name: String,
    /// Character of the template where it begins, from 0.
    pub(in crate::record) column: usize,
    pub(in crate::record) bindings: Vec<Binding>,
    /// True if the value stands in brackets of its own.
    pub(super) bracketed: bool,
    /// True if the value may be a list with spaces, as nginx writes about upstreams.
    pub(super) list: bool,
    /// The `strftime` notation of the value, or nothing.
    pub(super) format: String,
}

/// A use of a variable's value.
#[derive(Clone, Debug)]
pub(in crate::record) enum Binding {
    /// A role; the lower rank wins.
    Role(Role, u16),
    /// A token source.
    Token(Source),
    /// The time; of several the one with the highest precision is taken.
    Time { form: TimeForm, is: TimeIs, precision: u8 },
    /// The duration; likewise.
    Duration { unit: DurationUnit, precision: u8 },
}

/// Headers that carry tokens (formats.md pitfall 23).
const TOKEN_HEADERS: [&str; 8] = [
    "authorization",
    "x-ms-token-aad-access-token",
    "x-ms-token-aad-id-token",
    "x-forwarded-access-token",
    "x-auth-request-access-token",
    "x-amzn-oidc-accesstoken",
    "x-goog-iap-jwt-assertion",
    "x-access-token",
];

/// What a request header is good for, by its lower-case name.
pub(super) fn request_header(name: &str) -> Vec<Binding> {
    if TOKEN_HEADERS.contains(&name) {
        return vec![token(format!("header:{name}"), How::Value)];
    }
    match name {
        "host" => vec![Binding::Role(Role::Host, 1)],
        "user-agent" => vec![Binding::Role(Role::UserAgent, 0)],
        "x-request-id" | "request-id" | "x-correlation-id" | "traceparent" => vec![Binding::Role(Role::RequestId, 2)],
        "cookie" => vec![token("header:cookie".to_owned(), How::Scan)],
        "sec-websocket-protocol" => vec![token(format!("header:{name}"), How::Scan)],
        _ => Vec::new(),
    }
}

/// What a response header is good for, by its lower-case name.
pub(super) fn response_header(name: &str) -> Vec<Binding> {
    if name == "location" { vec![Binding::Role(Role::Location, 0)] } else { Vec::new() }
}

pub(super) fn token(label: String, how: How) -> Binding {
    Binding::Token(Source { label, how })
}
