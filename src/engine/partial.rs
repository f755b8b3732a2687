//! What a part of the input gave: merges with other parts in any order and any grouping, and is then concluded.

use super::counts::InputCounts;
use super::distinct::Distinct;
use super::names::{Name, Names, Translation};
use super::order::{At, FirstTen, Seen};
use crate::facts::Outcome;
use crate::findings::TokenCells;
use crate::policy::Stage;
use crate::redact::Fingerprint;
use crate::rules::run::RunState;
use crate::rules::{Confidence, Severity};
use crate::time::UtcMicros;
use crate::verify::Verdict;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A token of a partial by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct TokenNumber(pub(super) usize);

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
    /// Requests.
    pub(super) count: i64,
    /// Requests among them that an `[[accept]]` covers.
    pub(super) accepted: i64,
    pub(super) severity: Severity,
    pub(super) confidence: Confidence,
    pub(super) verdict: Verdict,
    pub(super) enforced: bool,
    pub(super) seen: Seen,
    pub(super) at: At,
    pub(super) detail: Detail,
    pub(super) client_ips: FirstTen,
}

/// A distinct token so far.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct TokenSummary {
    pub(super) cells: TokenCells,
    pub(super) verdict: Verdict,
    pub(super) key_source: Option<String>,
    pub(super) seen: Seen,
    pub(super) uses: i64,
    pub(super) accepted: i64,
    pub(super) denied: i64,
    pub(super) client_ips: Distinct,
    pub(super) hosts: FirstTen,
}

/// A combination of the activity table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(super) struct ActivityKey {
    pub(super) hour: Option<UtcMicros>,
    pub(super) token: TokenNumber,
    pub(super) gateway: Option<Name>,
    pub(super) api: Option<Name>,
    pub(super) client_ip: Option<Name>,
    pub(super) outcome: Outcome,
}

/// A row of the activity table so far.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Activity {
    pub(super) count: i64,
    pub(super) seen: Seen,
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
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct GatewayState {
    /// First and last record of each minute, in microseconds; kept only where the policy expects regular records.
    pub(super) minutes: HashMap<i64, (i64, i64)>,
    /// Least (time of use − `iat`) of validly signed tokens, in seconds, where negative.
    pub(super) clock_offset_s: Option<i64>,
}

/// See the module.
#[derive(Default)]
pub struct Partial {
    pub(super) counts: InputCounts,
    pub(super) names: Names,
    pub(super) numbers: HashMap<Fingerprint, TokenNumber>,
    pub(super) tokens: Vec<(Fingerprint, TokenSummary)>,
    pub(super) findings: HashMap<FindingKey, Finding>,
    pub(super) activity: HashMap<ActivityKey, Activity>,
    pub(super) coverage: HashMap<CoverageKey, Coverage>,
    /// (rule, reason) -> uses.
    pub(super) not_evaluable: HashMap<(usize, Name), u64>,
    pub(super) verdicts: HashMap<Verdict, u64>,
    pub(super) uncovered: u64,
    pub(super) ambiguous: HashMap<Name, u64>,
    pub(super) gateways: HashMap<Name, GatewayState>,
    /// One a run rule of the engine, in the engine's order.
    pub(super) runs: Vec<Box<dyn RunState>>,
}

impl Partial {
    /// What became of the units.
    pub fn counts(&self) -> &InputCounts {
        &self.counts
    }

    /// Takes in what another part gave; both are of the same engine.
    pub fn merge(&mut self, other: Self) {
        self.counts.merge(&other.counts);
        let names = self.names.absorb(&other.names);
        let tokens: Vec<TokenNumber> = other
            .tokens
            .into_iter()
            .map(|(fingerprint, token)| self.merge_token(fingerprint, token, &names))
            .collect();
        let number = |old: TokenNumber| tokens.get(old.0).copied().unwrap_or(old);
        for (key, finding) in other.findings {
            let key = FindingKey {
                token: number(key.token),
                gateway: names.optional(key.gateway),
                api: names.optional(key.api),
                ..key
            };
            self.merge_finding(key, finding, &names);
        }
        for (key, activity) in other.activity {
            let key = ActivityKey {
                token: number(key.token),
                gateway: names.optional(key.gateway),
                api: names.optional(key.api),
                client_ip: names.optional(key.client_ip),
                ..key
            };
            let mine = self.activity.entry(key).or_default();
            mine.count += activity.count;
            mine.seen.merge(activity.seen);
        }
        for (key, coverage) in other.coverage {
            let key =
                CoverageKey { gateway: names.optional(key.gateway), api: names.optional(key.api), ..key };
            self.coverage.entry(key).or_default().merge(coverage);
        }
        for ((rule, reason), uses) in other.not_evaluable {
            *self.not_evaluable.entry((rule, names.of(reason))).or_default() += uses;
        }
        for (verdict, uses) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += uses;
        }
        self.uncovered += other.uncovered;
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

    fn merge_token(
        &mut self,
        fingerprint: Fingerprint,
        token: TokenSummary,
        names: &Translation,
    ) -> TokenNumber {
        match self.numbers.entry(fingerprint) {
            Entry::Vacant(vacant) => {
                let number = *vacant.insert(TokenNumber(self.tokens.len()));
                let mut hosts = FirstTen::default();
                hosts.merge(&token.hosts, names, &self.names);
                self.tokens.push((fingerprint, TokenSummary { hosts, ..token }));
                number
            }
            Entry::Occupied(known) => {
                let number = *known.get();
                if let Some((_, mine)) = self.tokens.get_mut(number.0) {
                    mine.merge(token, names, &self.names);
                }
                number
            }
        }
    }

    fn merge_finding(&mut self, key: FindingKey, theirs: Finding, translation: &Translation) {
        let at = theirs.at.translated(translation);
        let mut client_ips = FirstTen::default();
        client_ips.merge(&theirs.client_ips, translation, &self.names);
        let theirs = Finding { at, client_ips, ..theirs };
        match self.findings.entry(key) {
            Entry::Vacant(vacant) => drop(vacant.insert(theirs)),
            Entry::Occupied(mut known) => known.get_mut().merge(theirs, &self.names),
        }
    }
}

impl TokenSummary {
    /// Adds another part's uses. Texts may differ only by what the redactor had to remove beside other tokens; the
    /// redacted one sorts first.
    fn merge(&mut self, other: Self, translation: &Translation, names: &Names) {
        self.merge_cells(&other.cells);
        if other.verdict < self.verdict {
            self.verdict = other.verdict;
            self.key_source = other.key_source;
        }
        self.seen.merge(other.seen);
        self.uses += other.uses;
        self.accepted += other.accepted;
        self.denied += other.denied;
        self.client_ips.merge(&other.client_ips);
        self.hosts.merge(&other.hosts, translation, names);
    }

    /// Keeps the lesser of two spellings of each text, so that the order of merging does not matter.
    pub(super) fn merge_cells(&mut self, other: &TokenCells) {
        if self.cells == *other {
            return;
        }
        let mine = &mut self.cells;
        for (mine, other) in [
            (&mut mine.iss, &other.iss),
            (&mut mine.aud, &other.aud),
            (&mut mine.tid, &other.tid),
            (&mut mine.oid, &other.oid),
            (&mut mine.sub, &other.sub),
            (&mut mine.client_id, &other.client_id),
            (&mut mine.uti, &other.uti),
            (&mut mine.sid, &other.sid),
            (&mut mine.kid, &other.kid),
            (&mut mine.alg, &other.alg),
            (&mut mine.typ, &other.typ),
        ] {
            if *other < *mine {
                mine.clone_from(other);
            }
        }
        for (mine, other) in [(&mut mine.scp, &other.scp), (&mut mine.roles, &other.roles)] {
            if *other < *mine {
                mine.clone_from(other);
            }
        }
    }
}

impl Finding {
    /// Adds another part's requests.
    pub(super) fn merge(&mut self, other: Self, names: &Names) {
        self.count += other.count;
        self.accepted += other.accepted;
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
