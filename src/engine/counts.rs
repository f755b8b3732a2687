//! Counters that add up: every unit of an input is counted exactly once.

use super::plans::{Plan, Plans};
use crate::record::Presence;
use crate::record::Reject;
use crate::rules::kit::Reason;
use crate::time::UtcMicros;
use crate::verify::Verdict;

/// Rejected units by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rejects {
    /// Not JSON.
    pub json: u64,
    /// Text that the template does not match.
    pub no_match: u64,
    /// Longer than `--max-line`.
    pub too_long: u64,
    /// Cut off by the end of a broken input.
    pub truncated_input: u64,
}

impl Rejects {
    /// Counts one.
    pub fn add(&mut self, reason: Reject) {
        match reason {
            Reject::Json => self.json += 1,
            Reject::NoMatch => self.no_match += 1,
            Reject::TooLong => self.too_long += 1,
            Reject::TruncatedInput => self.truncated_input += 1,
        }
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.json + self.no_match + self.too_long + self.truncated_input
    }

    fn merge(&mut self, other: &Self) {
        self.json += other.json;
        self.no_match += other.no_match;
        self.too_long += other.too_long;
        self.truncated_input += other.truncated_input;
    }
}

/// What became of the units of one input. `units = records + filtered + rejects + ignored`, and
/// `records = present + masked + other_scheme + absent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InputCounts {
    /// Lines, or elements of an envelope.
    pub units: u64,
    /// Records that were audited.
    pub records: u64,
    /// Records outside the time window or the filters.
    pub filtered: u64,
    /// Blank lines, comments, headers.
    pub ignored: u64,
    /// Units that gave no record.
    pub rejects: Rejects,
    /// Records in which bytes had to be replaced.
    pub repaired: u64,
    /// Records with a token.
    pub present: u64,
    /// Records with a masked token.
    pub masked: u64,
    /// Records with a credential of another scheme.
    pub other_scheme: u64,
    /// Records without any of these.
    pub absent: u64,
    /// Uses of tokens (a record may carry several).
    pub uses: u64,
    /// Least logged or judged time of its records.
    pub first_time: Option<UtcMicros>,
    /// Greatest time of its records.
    pub last_time: Option<UtcMicros>,
}

impl InputCounts {
    /// Counts a record's presence of a token.
    pub(super) fn add_presence(&mut self, presence: Presence) {
        match presence {
            Presence::Present => self.present += 1,
            Presence::Masked => self.masked += 1,
            Presence::OtherScheme => self.other_scheme += 1,
            Presence::Absent => self.absent += 1,
        }
    }

    /// Widens the period of the records.
    pub(super) fn add_time(&mut self, time: Option<UtcMicros>) {
        self.first_time = least(self.first_time, time);
        self.last_time = greatest(self.last_time, time);
    }

    /// Adds another part of the same input, or another input.
    pub fn merge(&mut self, other: &Self) {
        self.units += other.units;
        self.records += other.records;
        self.filtered += other.filtered;
        self.ignored += other.ignored;
        self.rejects.merge(&other.rejects);
        self.repaired += other.repaired;
        self.present += other.present;
        self.masked += other.masked;
        self.other_scheme += other.other_scheme;
        self.absent += other.absent;
        self.uses += other.uses;
        self.add_time(other.first_time);
        self.add_time(other.last_time);
    }
}

/// Uses by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct VerdictCounts([u64; Verdict::ALL.len()]);

impl VerdictCounts {
    /// Counts a use.
    pub(super) fn add(&mut self, verdict: Verdict) {
        if let Some(count) = self.0.get_mut(verdict.rank()) {
            *count += 1;
        }
    }

    /// Uses with a verdict.
    pub(super) fn of(&self, verdict: Verdict) -> u64 {
        self.0.get(verdict.rank()).copied().unwrap_or_default()
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine += theirs);
    }
}

/// Uses that a rule could not judge.
#[derive(Clone, Debug, Default)]
pub(super) struct NotEvaluable {
    /// For each rule, by its place, its few reasons.
    rules: Vec<Vec<(Reason, u64)>>,
    /// Uses by the number of their plan, whose rules are not counted above.
    plans: Vec<u64>,
}

impl NotEvaluable {
    /// Counts a use for all the rules that its plan says cannot look.
    pub(super) fn add_plan(&mut self, plan: &Plan) {
        match plan.number {
            Some(number) => self.add_uses(number, 1),
            None => plan.unlooked.iter().for_each(|(rule, reason)| self.add(*rule, *reason, 1)),
        }
    }

    fn add_uses(&mut self, plan: usize, uses: u64) {
        if self.plans.len() <= plan {
            self.plans.resize(plan + 1, 0);
        }
        if let Some(count) = self.plans.get_mut(plan) {
            *count += uses;
        }
    }

    /// Counts uses.
    pub(super) fn add(&mut self, rule: usize, reason: Reason, uses: u64) {
        if self.rules.len() <= rule {
            self.rules.resize_with(rule + 1, Vec::new);
        }
        let Some(reasons) = self.rules.get_mut(rule) else { return };
        match reasons.iter_mut().find(|(known, _)| known.is(reason)) {
            Some((_, count)) => *count += uses,
            None => reasons.push((reason, uses)),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.each_rule(|rule, reason, uses| self.add(rule, reason, uses));
        other.plans.iter().enumerate().for_each(|(plan, uses)| self.add_uses(plan, *uses));
    }

    /// The same, rule by rule.
    pub(super) fn by_rule(&self, plans: &Plans) -> Self {
        let mut all = Self { rules: self.rules.clone(), plans: Vec::new() };
        for (number, uses) in self.plans.iter().enumerate().filter(|(_, uses)| **uses > 0) {
            let plan = plans.numbered(number);
            let unlooked = plan.iter().flat_map(|plan| &plan.unlooked);
            unlooked.for_each(|(rule, reason)| all.add(*rule, *reason, *uses));
        }
        all
    }

    /// Every rule with its reasons, but for those that are counted by plan.
    pub(super) fn each_rule(&self, mut take: impl FnMut(usize, Reason, u64)) {
        for (rule, reasons) in self.rules.iter().enumerate() {
            for (reason, uses) in reasons {
                take(rule, *reason, *uses);
            }
        }
    }
}

/// The lesser of two instants of which either may be absent.
pub(super) fn least(a: Option<UtcMicros>, b: Option<UtcMicros>) -> Option<UtcMicros> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The greater of two instants of which either may be absent.
pub(super) fn greatest(a: Option<UtcMicros>, b: Option<UtcMicros>) -> Option<UtcMicros> {
    a.max(b)
}
