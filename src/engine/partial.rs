//! What a part of the input gave: merges with other parts in any order and any grouping, and is then concluded.

use super::accepts::AcceptCounts;
use super::activity::Activity;
use super::counts::{InputCounts, NotEvaluable, VerdictCounts};
use super::names::{Name, Names, Translation};
use super::order::{At, FirstTen, Seen};
use super::tokens::{TokenNumber, Tokens};
use super::trails::Trails;
use super::uncovered::Uncovered;
use super::write::CleanAgents;
use crate::facts::Outcome;
use crate::policy::Stage;
use crate::rules::run::RunState;
use crate::rules::{Confidence, Severity};
use crate::time::UtcMicros;
use crate::verify::Verdict;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// What makes a finding one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(super) struct FindingKey {
    /// Place of the rule among the engine's rules.
    pub(super) rule: usize,
    pub(super) token: TokenNumber,
    pub(super) gateway: Option<Name>,
    pub(super) api: Option<Name>,
    pub(super) outcome: Outcome,
}

/// What a finding says at its first occurrence. The order breaks ties between requests without a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(super) struct Detail {
    pub(super) message: String,
    pub(super) expected: Option<String>,
    pub(super) actual: Option<String>,
    /// JSON object with sorted keys.
    pub(super) evidence: String,
    /// Address of the first occurrence.
    pub(super) client_ip: Option<String>,
    /// The claim that the evidence names, for the cause.
    pub(super) claim: Option<String>,
}

/// A finding so far.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Finding {
    /// See [`crate::findings::finding_id`].
    pub(super) id: String,
    /// Requests.
    pub(super) count: i64,
    /// Requests among them that an `[[accept]]` covers.
    pub(super) accepted: i64,
    /// The byte-least reason for these.
    pub(super) accepted_by: Option<Name>,
    pub(super) severity: Severity,
    pub(super) confidence: Confidence,
    pub(super) verdict: Verdict,
    pub(super) enforced: bool,
    pub(super) seen: Seen,
    pub(super) at: At,
    pub(super) detail: Detail,
    pub(super) client_ips: FirstTen,
}

/// A combination of the coverage table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(super) struct CoverageKey {
    pub(super) hour: Option<UtcMicros>,
    pub(super) gateway: Option<Name>,
    pub(super) api: Option<Name>,
}

/// A row of the coverage table so far.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Coverage {
    pub(super) records: i64,
    pub(super) tokens: i64,
    pub(super) masked: i64,
    pub(super) no_token: i64,
    pub(super) uncovered: i64,
    pub(super) rejects: i64,
    pub(super) not_evaluable: i64,
}

/// A gateway so far.
#[derive(Clone, Debug, Default)]
pub(super) struct GatewayState {
    /// First and last record of each minute, in microseconds; kept only where the policy expects regular records.
    pub(super) minutes: HashMap<i64, (i64, i64)>,
    /// Least (time of use − `iat`) of validly signed tokens, in seconds, where negative.
    pub(super) clock_offset_s: Option<i64>,
}

/// See the module.
#[derive(Default)]
pub struct Partial {
    /// Tells the engine's partials apart while they live.
    pub(super) id: u64,
    pub(super) counts: InputCounts,
    pub(super) names: Names,
    pub(super) tokens: Tokens,
    pub(super) findings: HashMap<FindingKey, Finding>,
    pub(super) activity: Activity,
    /// What tokens did, for rules over many uses.
    pub(super) trails: Trails,
    pub(super) coverage: HashMap<CoverageKey, Coverage>,
    /// Uses that a rule could not judge, by rule and reason.
    pub(super) not_evaluable: NotEvaluable,
    pub(super) verdicts: VerdictCounts,
    pub(super) uncovered: u64,
    /// Where these lead.
    pub(super) uncovered_at: Uncovered,
    pub(super) ambiguous: HashMap<Name, u64>,
    pub(super) gateways: HashMap<Name, GatewayState>,
    /// What the policy's exceptions were asked about.
    pub(super) accepts: AcceptCounts,
    /// One a run rule of the engine, in the engine's order.
    pub(super) runs: Vec<Box<dyn RunState>>,
    /// What occurrences need of user agents; it is not merged.
    pub(super) agents: CleanAgents,
}

impl Partial {
    /// What became of the units.
    pub fn counts(&self) -> &InputCounts {
        &self.counts
    }

    /// Takes in what another part gave; both are of the same engine.
    pub fn merge(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        self.counts.merge(&other.counts);
        let names = self.names.absorb(&other.names);
        let tokens = self.tokens.absorb(other.tokens, &self.names, &names);
        self.activity.absorb(&other.activity, &tokens, &names);
        self.trails.absorb(other.trails, &tokens, &names, &self.names);
        for (key, finding) in other.findings {
            let key = FindingKey {
                token: tokens.get(key.token.at()).copied().unwrap_or(key.token),
                gateway: names.optional(key.gateway),
                api: names.optional(key.api),
                ..key
            };
            self.merge_finding(key, finding, &names);
        }
        for (key, coverage) in other.coverage {
            let key =
                CoverageKey { gateway: names.optional(key.gateway), api: names.optional(key.api), ..key };
            self.coverage.entry(key).or_default().merge(coverage);
        }
        self.not_evaluable.merge(&other.not_evaluable);
        self.verdicts.merge(&other.verdicts);
        self.accepts.merge(&other.accepts);
        self.uncovered += other.uncovered;
        self.uncovered_at.merge(&other.uncovered_at);
        for (api, records) in other.ambiguous {
            *self.ambiguous.entry(names.of(api)).or_default() += records;
        }
        for (gateway, state) in other.gateways {
            self.gateways.entry(names.of(gateway)).or_default().merge(state);
        }
        if self.runs.is_empty() {
            self.runs = other.runs;
        } else {
            for (mine, theirs) in self.runs.iter_mut().zip(other.runs) {
                mine.merge(theirs);
            }
        }
    }

    /// True if it has seen no unit, so that another part can take its place whole.
    fn is_empty(&self) -> bool {
        self.counts.units == 0 && self.tokens.len() == 0 && self.coverage.is_empty()
    }

    fn merge_finding(&mut self, key: FindingKey, theirs: Finding, translation: &Translation) {
        let at = theirs.at.translated(translation);
        let mut client_ips = FirstTen::default();
        client_ips.merge(&theirs.client_ips, translation, &self.names);
        let accepted_by = translation.optional(theirs.accepted_by);
        let theirs = Finding { accepted_by, at, client_ips, ..theirs };
        match self.findings.entry(key) {
            Entry::Vacant(vacant) => drop(vacant.insert(theirs)),
            Entry::Occupied(mut known) => known.get_mut().merge(theirs, &self.names),
        }
    }
}

impl Finding {
    /// Adds another part's requests.
    pub(super) fn merge(&mut self, other: Self, names: &Names) {
        self.count += other.count;
        self.accepted += other.accepted;
        self.accept_by(other.accepted_by, names);
        self.severity = self.severity.max(other.severity);
        self.confidence = self.confidence.max(other.confidence);
        self.verdict = self.verdict.min(other.verdict);
        self.enforced |= other.enforced;
        self.seen.merge(other.seen);
        let order = other.at.order(&self.at, names).then_with(|| other.detail.cmp(&self.detail));
        if order.is_lt() {
            self.at = other.at;
            self.detail = other.detail;
        }
        self.client_ips.take(&other.client_ips, names);
    }

    /// Takes a reason to accept some of its requests into account.
    pub(super) fn accept_by(&mut self, reason: Option<Name>, names: &Names) {
        let least = |known: Option<Name>| names.optional(known) <= names.optional(reason);
        if reason.is_some() && (self.accepted_by.is_none() || !least(self.accepted_by)) {
            self.accepted_by = reason;
        }
    }

    /// The reason to accept it, if every one of its requests is accepted.
    pub(super) fn accepted_by<'n>(&self, names: &'n Names) -> Option<&'n str> {
        if self.accepted == self.count { names.optional(self.accepted_by) } else { None }
    }

    /// The stage that its requests were judged in; one enforced request makes it count.
    pub(super) fn stage(&self) -> Stage {
        if self.enforced { Stage::Enforce } else { Stage::Observe }
    }
}

impl Coverage {
    fn merge(&mut self, other: Self) {
        self.records += other.records;
        self.tokens += other.tokens;
        self.masked += other.masked;
        self.no_token += other.no_token;
        self.uncovered += other.uncovered;
        self.rejects += other.rejects;
        self.not_evaluable += other.not_evaluable;
    }
}

impl GatewayState {
    /// Takes a record's time into account.
    pub(super) fn add_minute(&mut self, time: UtcMicros) {
        let minute = time.0.div_euclid(60 * crate::time::SECOND);
        self.widen(minute, (time.0, time.0));
    }

    fn widen(&mut self, minute: i64, (first, last): (i64, i64)) {
        let mine = self.minutes.entry(minute).or_insert((first, last));
        *mine = (mine.0.min(first), mine.1.max(last));
    }

    fn merge(&mut self, other: Self) {
        for (minute, period) in other.minutes {
            self.widen(minute, period);
        }
        self.clock_offset_s = match (self.clock_offset_s, other.clock_offset_s) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}
