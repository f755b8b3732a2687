//! One struct a table; fields in the order of the columns. Every text has passed the redactor.

use crate::facts::Outcome;
use crate::redact::Fingerprint;
use crate::rules::{Confidence, Severity};
use crate::time::UtcMicros;
use crate::verify::Verdict;

/// The columns of `findings` that describe the token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenCells {
    /// `iss`
    pub iss: Option<String>,
    /// `aud`, an array as JSON text.
    pub aud: Option<String>,
    /// `tid`
    pub tid: Option<String>,
    /// `oid`
    pub oid: Option<String>,
    /// `sub`
    pub sub: Option<String>,
    /// `azp`, else `appid`.
    pub client_id: Option<String>,
    /// `uti`
    pub uti: Option<String>,
    /// `kid` of the header.
    pub kid: Option<String>,
    /// `alg` of the header.
    pub alg: Option<String>,
    /// `1.0` or `2.0`
    pub token_version: Option<String>,
    /// `app`, `delegated` or `unknown`
    pub token_kind: Option<String>,
}

/// A row of `findings`.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingRow {
    /// See [`super::finding_id`].
    pub finding_id: String,
    /// See [`super::problem_id`].
    pub problem_id: String,
    /// Rule id.
    pub rule: &'static str,
    /// Family.
    pub category: &'static str,
    /// Highest of its requests.
    pub severity: Severity,
    /// Lane.
    pub lane: &'static str,
    /// Highest of its requests.
    pub confidence: Confidence,
    /// `None` for run-level rules.
    pub outcome: Option<Outcome>,
    /// `None` for run-level rules.
    pub signature: Option<Verdict>,
    /// Written as 64 hexadecimal digits.
    pub token_sha256: Option<Fingerprint>,
    /// What a rule that is not about one token is about.
    pub subject: Option<String>,
    /// Requests.
    pub count: i64,
    /// Least judged time.
    pub first_seen: Option<UtcMicros>,
    /// Greatest judged time.
    pub last_seen: Option<UtcMicros>,
    /// Gateway.
    pub gateway: Option<String>,
    /// API.
    pub api: Option<String>,
    /// Columns of the token.
    pub token: TokenCells,
    /// What would have been right, at the first occurrence.
    pub expected: Option<String>,
    /// The judged value, at the first occurrence.
    pub actual: Option<String>,
    /// One sentence.
    pub message: String,
    /// JSON object with sorted keys.
    pub evidence: String,
    /// First ten addresses.
    pub client_ips: Vec<String>,
    /// First occurrence.
    pub source: Option<String>,
    /// First occurrence.
    pub line: Option<i64>,
    /// First occurrence.
    pub offset: Option<i64>,
    /// Reason of the accepting exception.
    pub accepted_by: Option<String>,
    /// `enforce` or `observe`
    pub stage: &'static str,
    /// Text of the problem's cause; not a column of this table.
    pub cause: String,
}

impl FindingRow {
    /// True if it counts for `--fail-on`: neither accepted nor in an `observe` api.
    pub fn counts(&self) -> bool {
        self.accepted_by.is_none() && self.stage == "enforce"
    }
}

/// A row of `problems`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProblemRow {
    /// See [`super::problem_id`].
    pub problem_id: String,
    /// Rule id.
    pub rule: String,
    /// Family.
    pub category: &'static str,
    /// Highest of its findings.
    pub severity: Severity,
    /// Lane.
    pub lane: &'static str,
    /// Highest of its findings.
    pub confidence: Confidence,
    /// Gateway.
    pub gateway: Option<String>,
    /// API.
    pub api: Option<String>,
    /// Outcome.
    pub outcome: Option<Outcome>,
    /// `name=value` joined by `, `.
    pub cause: String,
    /// Requests.
    pub count: i64,
    /// Distinct tokens.
    pub tokens: i64,
    /// Distinct identities (tid and oid, else tid, sub and aud).
    pub identities: i64,
    /// Distinct client ids.
    pub clients: i64,
    /// Least judged time.
    pub first_seen: Option<UtcMicros>,
    /// Greatest judged time.
    pub last_seen: Option<UtcMicros>,
    /// Reason of the accepting exception, if every finding was accepted.
    pub accepted_by: Option<String>,
    /// `enforce` or `observe`
    pub stage: &'static str,
    /// new, ongoing or returned; `None` without a baseline.
    pub state: Option<String>,
    /// The finding of its first occurrence.
    pub example_finding_id: String,
}

/// A row of `coverage`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CoverageRow {
    /// Start of the hour.
    pub hour: Option<UtcMicros>,
    /// Gateway.
    pub gateway: Option<String>,
    /// API.
    pub api: Option<String>,
    /// Records.
    pub records: i64,
    /// Records with a token.
    pub tokens: i64,
    /// Records with a masked token.
    pub masked: i64,
    /// Records with none or with a credential of another scheme.
    pub no_token: i64,
    /// Records that no entry of the policy matches.
    pub uncovered: i64,
    /// Units that gave no record.
    pub rejects: i64,
    /// Records with at least one rule that could not look.
    pub not_evaluable: i64,
}

/// A row of `rejects`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RejectRow {
    /// Source of the input.
    pub source: Option<String>,
    /// Line, counted from 1.
    pub line: Option<i64>,
    /// Offset of the unit's first byte.
    pub offset: Option<i64>,
    /// Length in bytes.
    pub length: Option<i64>,
    /// json, no-match, too-long or truncated-input.
    pub reason: String,
    /// At most 200 bytes, redacted.
    pub excerpt: String,
}
