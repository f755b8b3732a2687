//! The pure core: lines or a `RecordBatch` in, partials out, tables at the end. No clock, environment, files or network.

mod counts;

pub use counts::{InputCounts, Rejects};

use crate::findings::{OccurrenceRow, RejectRow, Tables};
use crate::keys::KeyHistory;
use crate::policy::Policy;
use crate::record::Reject;
use crate::rules::{Rule, Severity};
use crate::time::Period;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which records and findings an audit keeps; everything empty keeps all.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Filters {
    /// `--since` and `--until`, already resolved.
    pub period: Period,
    /// `--min-severity`
    pub min_severity: Option<Severity>,
    /// `--tid`
    pub tid: Vec<String>,
    /// `--oid`
    pub oid: Vec<String>,
    /// `--client`
    pub client: Vec<String>,
    /// `--ip`
    pub ip: Vec<String>,
    /// `--kid`
    pub kid: Vec<String>,
    /// `--uti`
    pub uti: Vec<String>,
    /// `--sid`
    pub sid: Vec<String>,
    /// `--token`, fingerprints of 64 hexadecimal digits.
    pub token: Vec<String>,
    /// `--gateway`
    pub gateway: Vec<String>,
    /// `--api`
    pub api: Vec<String>,
}

/// What an engine is made of.
pub struct Setup {
    /// The policy, if one was given.
    pub policy: Option<Arc<Policy>>,
    /// The key history, if an archive was given.
    pub keys: Option<Arc<KeyHistory>>,
    /// Rules to run (after `--rule` and `--skip-rule`).
    pub rules: Vec<&'static Rule>,
    /// Filters.
    pub filters: Filters,
    /// Whether to make occurrence rows.
    pub occurrences: bool,
    /// Whether to keep the activity table.
    pub activity: bool,
}

/// A piece of an input.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'c> {
    /// The bytes, decompressed.
    pub bytes: &'c [u8],
    /// Offset of the first byte in the decompressed stream.
    pub offset: i64,
    /// Number of the line in which the first byte lies, counted from 1.
    pub line: i64,
    /// How the bytes are cut into units.
    pub units: Units<'c>,
    /// True if the input broke off here: the last unit may be cut.
    pub cut: bool,
}

/// How a chunk is cut into units.
#[derive(Clone, Copy, Debug)]
pub enum Units<'c> {
    /// At newlines (a CR before one is dropped).
    Lines,
    /// At these places.
    Spans(&'c [Span]),
}

/// A unit inside a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte within the chunk.
    pub start: usize,
    /// End within the chunk.
    pub end: usize,
    /// Line of its first byte, counted from 1.
    pub line: i64,
    /// Why it is no unit, if it is none.
    pub reject: Option<Reject>,
}

/// Rows that leave the engine at once, in the order of the input.
#[derive(Debug, Default)]
pub struct Rows {
    /// In the table's order within one source.
    pub occurrences: Vec<OccurrenceRow>,
    /// In the table's order within one source.
    pub rejects: Vec<RejectRow>,
}

/// What a run as a whole found out, beside the tables.
#[derive(Debug, Default)]
pub struct Totals {
    /// Uses and records of everything.
    pub counts: InputCounts,
    /// Rules that ran.
    pub rules_run: Vec<&'static str>,
    /// Rules that could not run, with the missing input.
    pub rules_skipped: BTreeMap<&'static str, &'static str>,
    /// Records a rule could not judge: rule -> reason -> records.
    pub not_evaluable: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Uses by verdict.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Distinct tokens by verdict.
    pub token_verdicts: BTreeMap<&'static str, u64>,
    /// Distinct tokens.
    pub distinct_tokens: u64,
    /// Records that no entry of the policy matches.
    pub uncovered: u64,
    /// Records that only the byte-least name of an entry decided: api -> records.
    pub ambiguous: BTreeMap<String, u64>,
    /// What each gateway of the policy (and each gateway seen) did.
    pub gateways: BTreeMap<String, GatewayTotals>,
    /// Findings by rule and severity.
    pub findings: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Problems by rule and severity.
    pub problems: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Highest severity among findings that count for `--fail-on` (neither accepted nor in an `observe` api).
    pub worst: Option<Severity>,
}

/// What one gateway's records look like over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayTotals {
    /// Records.
    pub records: u64,
    /// Records with a token.
    pub tokens: u64,
    /// Longest time between two neighbouring records, in microseconds, measured by the minute.
    pub longest_gap: Option<i64>,
    /// By how many seconds the gateway's clock seems to lag behind the issuer's: the most by which the first use of a
    /// validly signed token precedes its `iat`; `None` if none does.
    pub clock_offset_s: Option<i64>,
    /// Expectations of the policy that are not met, each a sentence.
    pub unmet: Vec<String>,
}

/// The end of an audit.
#[derive(Debug, Default)]
pub struct Concluded {
    /// The tables.
    pub tables: Tables,
    /// The totals.
    pub totals: Totals,
}
