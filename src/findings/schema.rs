//! The Arrow schemas: names, types and order are fixed by the contract.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// The tables of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Every use of every token in hourly buckets.
    Activity,
    /// What could and could not be looked at.
    Coverage,
    /// One row per rule, token, gateway, api, outcome and subject.
    Findings,
    /// One row per finding and request.
    Occurrences,
    /// One row per cause.
    Problems,
    /// Units that gave no record.
    Rejects,
    /// What the next run may need: one row per token and context, and per tenant.
    State,
    /// One row per distinct token.
    Tokens,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 8] = [
        Self::Activity,
        Self::Coverage,
        Self::Findings,
        Self::Occurrences,
        Self::Problems,
        Self::Rejects,
        Self::State,
        Self::Tokens,
    ];

    /// Name, and file name without `.parquet`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Activity => "activity",
            Self::Coverage => "coverage",
            Self::Findings => "findings",
            Self::Occurrences => "occurrences",
            Self::Problems => "problems",
            Self::Rejects => "rejects",
            Self::State => "state",
            Self::Tokens => "tokens",
        }
    }
}

/// Kinds of column, written as one letter in the tables below.
#[derive(Clone, Copy)]
enum Kind {
    /// string
    S,
    /// int32
    I,
    /// int64
    L,
    /// timestamp[us, UTC]
    T,
    /// list<string>
    A,
}
use Kind::{A, I, L, S, T};

const FINDINGS: &[(&str, Kind)] = &[
    ("finding_id", S),
    ("problem_id", S),
    ("rule", S),
    ("category", S),
    ("severity", S),
    ("severity_id", I),
    ("lane", S),
    ("confidence", S),
    ("outcome", S),
    ("signature", S),
    ("token_sha256", S),
    ("subject", S),
    ("count", L),
    ("first_seen", T),
    ("last_seen", T),
    ("gateway", S),
    ("api", S),
    ("iss", S),
    ("aud", S),
    ("tid", S),
    ("oid", S),
    ("sub", S),
    ("client_id", S),
    ("uti", S),
    ("kid", S),
    ("alg", S),
    ("token_version", S),
    ("token_kind", S),
    ("expected", S),
    ("actual", S),
    ("message", S),
    ("evidence", S),
    ("client_ips", A),
    ("source", S),
    ("line", L),
    ("offset", L),
    ("accepted_by", S),
    ("stage", S),
];

const PROBLEMS: &[(&str, Kind)] = &[
    ("problem_id", S),
    ("rule", S),
    ("category", S),
    ("severity", S),
    ("severity_id", I),
    ("lane", S),
    ("confidence", S),
    ("gateway", S),
    ("api", S),
    ("outcome", S),
    ("cause", S),
    ("count", L),
    ("tokens", L),
    ("identities", L),
    ("clients", L),
    ("first_seen", T),
    ("last_seen", T),
    ("accepted_by", S),
    ("stage", S),
    ("state", S),
    ("example_finding_id", S),
];

const OCCURRENCES: &[(&str, Kind)] = &[
    ("finding_id", S),
    ("rule", S),
    ("severity", S),
    ("time", T),
    ("source", S),
    ("line", L),
    ("offset", L),
    ("record_sha256", S),
    ("request_id", S),
    ("method", S),
    ("host", S),
    ("path", S),
    ("status", I),
    ("client_ip", S),
    ("user_agent", S),
    ("principal", S),
    ("data_tenant", S),
];

const TOKENS: &[(&str, Kind)] = &[
    ("token_sha256", S),
    ("signature", S),
    ("key_source", S),
    ("alg", S),
    ("kid", S),
    ("typ", S),
    ("iss", S),
    ("aud", S),
    ("tid", S),
    ("oid", S),
    ("sub", S),
    ("client_id", S),
    ("uti", S),
    ("sid", S),
    ("scp", A),
    ("roles", A),
    ("token_version", S),
    ("token_kind", S),
    ("iat", L),
    ("nbf", L),
    ("exp", L),
    ("first_seen", T),
    ("last_seen", T),
    ("uses", L),
    ("accepted", L),
    ("denied", L),
    ("distinct_ips", L),
    ("hosts", A),
    ("rules", A),
];

const ACTIVITY: &[(&str, Kind)] = &[
    ("hour", T),
    ("token_sha256", S),
    ("gateway", S),
    ("api", S),
    ("client_ip", S),
    ("outcome", S),
    ("count", L),
    ("first_seen", T),
    ("last_seen", T),
];

const COVERAGE: &[(&str, Kind)] = &[
    ("hour", T),
    ("gateway", S),
    ("api", S),
    ("records", L),
    ("tokens", L),
    ("masked", L),
    ("no_token", L),
    ("uncovered", L),
    ("rejects", L),
    ("not_evaluable", L),
];

const REJECTS: &[(&str, Kind)] =
    &[("source", S), ("line", L), ("offset", L), ("length", L), ("reason", S), ("excerpt", S)];

const STATE: &[(&str, Kind)] = &[
    ("token_sha256", S),
    ("signed", S),
    ("signature", S),
    ("iss", S),
    ("aud", S),
    ("tid", S),
    ("oid", S),
    ("sub", S),
    ("client_id", S),
    ("uti", S),
    ("sid", S),
    ("kid", S),
    ("token_kind", S),
    ("gateway", S),
    ("api", S),
    ("outcome", S),
    ("network", S),
    ("prefix", S),
    ("user_agent", S),
    ("host", S),
    ("principal", S),
    ("source", S),
    ("iat", L),
    ("exp", L),
    ("marks", L),
    ("spelling", L),
    ("count", L),
    ("line", L),
    ("offset", L),
    ("first_seen", T),
    ("last_seen", T),
    ("spans", A),
    ("request_ids", A),
    ("routes", A),
];

/// The schema of a table; every column is nullable.
pub fn schema_of(table: Table) -> SchemaRef {
    let columns = match table {
        Table::Activity => ACTIVITY,
        Table::Coverage => COVERAGE,
        Table::Findings => FINDINGS,
        Table::Occurrences => OCCURRENCES,
        Table::Problems => PROBLEMS,
        Table::Rejects => REJECTS,
        Table::State => STATE,
        Table::Tokens => TOKENS,
    };
    let fields: Vec<Field> =
        columns.iter().map(|(name, kind)| Field::new(*name, data_type(*kind), true)).collect();
    Arc::new(Schema::new(fields))
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        S => DataType::Utf8,
        I => DataType::Int32,
        L => DataType::Int64,
        T => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        A => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
    }
}
