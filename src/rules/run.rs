//! Rules over many requests: they observe, merge in any order, and conclude once the run is over.

use super::kit::{Evidence, Reason, Severity};
use crate::facts::{Facts, Outcome, Tokenless};
use crate::redact::Fingerprint;
use crate::time::UtcMicros;
use std::any::Any;

/// A rule that needs more than one request.
pub trait RunRule: Sync {
    /// State that has seen nothing.
    fn start(&self) -> Box<dyn RunState>;

    /// State from [`RunState::save`].
    ///
    /// # Errors
    ///
    /// If the bytes are not of this rule and version.
    fn restore(&self, saved: &[u8]) -> Result<Box<dyn RunState>, RestoreError>;
}

/// Saved state that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("saved state of rule {rule} cannot be read by this version")]
pub struct RestoreError {
    /// Id of the rule.
    pub rule: &'static str,
}

/// What a run rule has seen so far. `merge` must be associative and commutative, because workers, nightly runs and
/// distributed engines cut the input anywhere.
pub trait RunState: Send {
    /// Takes one use into account.
    fn observe(&mut self, facts: &Facts<'_>);
    /// Takes a request without a token value into account, which few rules speak about.
    fn observe_tokenless(&mut self, _request: &Tokenless<'_>) {}
    /// Takes in what another worker saw; `other` is of the same rule.
    fn merge(&mut self, other: Box<dyn RunState>);
    /// A versioned form that [`RunRule::restore`] reads.
    fn save(&self) -> Vec<u8>;
    /// Judges.
    fn conclude(self: Box<Self>) -> Conclusion;
    /// For `merge`.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// What a run rule says in the end.
#[derive(Debug, Default)]
pub struct Conclusion {
    /// Findings, with or without a token.
    pub findings: Vec<RunFinding>,
    /// Findings of other rules that turned out to matter less.
    pub downgrades: Vec<Downgrade>,
    /// Findings of other rules that turned out to matter more.
    pub raises: Vec<Raise>,
    /// Requests that could not be judged, by reason.
    pub not_evaluable: Vec<(Reason, u64)>,
}

impl Conclusion {
    /// Counts requests that could not be judged.
    pub fn lacking(&mut self, reason: Reason, requests: u64) {
        if requests == 0 {
            return;
        }
        match self.not_evaluable.iter_mut().find(|(known, _)| known.is(reason)) {
            Some((_, count)) => *count += requests,
            None => self.not_evaluable.push((reason, requests)),
        }
    }
}

/// Raises another rule's findings of a token at an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// The rule.
    pub rule: &'static str,
    /// The token.
    pub token: Fingerprint,
    /// The API.
    pub api: Option<String>,
    /// The outcome.
    pub outcome: Outcome,
    /// The severity they get, if theirs is lower.
    pub to: Severity,
}

/// A finding of a run rule.
#[derive(Clone, Debug)]
pub struct RunFinding {
    /// What it is about (`kid:…`, `ip:…`, `gateway:…`, …), if not about one token.
    pub subject: Option<String>,
    /// The token that it is about, if it is about one.
    pub token: Option<Fingerprint>,
    /// Gateway.
    pub gateway: Option<String>,
    /// API.
    pub api: Option<String>,
    /// Severity.
    pub severity: Severity,
    /// The evidence.
    pub evidence: Evidence,
    /// The requests behind it; `None` for statements about the run as a whole.
    pub uses: Option<RunUses>,
}

/// The requests behind a run rule's finding.
#[derive(Clone, Debug)]
pub struct RunUses {
    /// Outcome of the requests.
    pub outcome: Outcome,
    /// How many.
    pub count: i64,
    /// First and last judged time.
    pub seen: Option<(UtcMicros, UtcMicros)>,
    /// True if one of them has no time.
    pub undated: bool,
    /// Source, line and offset of the first.
    pub first: (Option<String>, Option<i64>, Option<i64>),
    /// The /24 or /56 of its client, if it is known.
    pub net: Option<String>,
}

/// Lowers findings of other rules after the fact (rules.md 2.8 item 5).
#[derive(Clone, Debug, PartialEq)]
pub struct Downgrade {
    /// Rules whose findings are lowered.
    pub rules: &'static [&'static str],
    /// Only findings of this gateway.
    pub gateway: Option<String>,
    /// Only findings whose evidence has this number, and at most this large; `late_by_s` counts as of the last request.
    pub within: Option<(&'static str, i64)>,
    /// The severity they get, if theirs is higher.
    pub to: Severity,
}
