//! From steps to findings.

use super::{First, Step, Trail};
use crate::facts::Outcome;
use crate::rules::kit::{Evidence, Rule};
use crate::rules::run::{Conclusion, RunFinding, RunUses};
use crate::time::UtcMicros;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Values that are listed in evidence.
const LISTED_MAX: usize = 10;

/// Some values as evidence shows them: the first ten, in order.
pub fn listed<T: Display>(values: &BTreeSet<T>) -> Vec<Value> {
    values.iter().take(LISTED_MAX).map(|value| Value::from(value.to_string())).collect()
}

/// Uses of a token that are one finding.
struct Told<'s> {
    count: i64,
    seen: Option<(i64, i64)>,
    undated: bool,
    first: First<'s>,
    net: Option<String>,
}

impl<'s> Told<'s> {
    fn of(step: &'s Step<'_>) -> Self {
        let net = step.place.map(|place| place.prefix.to_string());
        Self { count: step.count, seen: step.seen(), undated: step.undated, first: step.first, net }
    }

    fn add(&mut self, step: &'s Step<'_>) {
        let other = Self::of(step);
        self.count += other.count;
        self.undated |= other.undated;
        self.seen = match (self.seen, other.seen) {
            (Some(mine), Some(theirs)) => Some((mine.0.min(theirs.0), mine.1.max(theirs.1))),
            (mine, theirs) => mine.or(theirs),
        };
        if other.first < self.first {
            self.first = other.first;
            self.net = other.net;
        }
    }
}

impl Trail<'_> {
    /// Reports steps of this run: one finding a gateway, API and outcome, where the catalogue has a severity for the
    /// outcome.
    pub fn tell(
        &self,
        rule: &Rule,
        subject: Option<&str>,
        evidence: &Evidence,
        picks: impl Fn(&Step<'_>) -> bool,
        conclusion: &mut Conclusion,
    ) {
        let mut told: BTreeMap<(Option<&str>, Option<&str>, Outcome), Told<'_>> = BTreeMap::new();
        for step in self.steps.iter().filter(|step| !step.earlier && picks(step)) {
            let place = (step.gateway, step.api, step.outcome);
            told.entry(place).and_modify(|told| told.add(step)).or_insert_with(|| Told::of(step));
        }
        for ((gateway, api, outcome), told) in told {
            let cells = evidence.cells.unwrap_or(rule.cells);
            let Some(severity) = cells.at(outcome, rule.category) else { continue };
            let First { source, line, offset, .. } = told.first;
            conclusion.findings.push(RunFinding {
                subject: subject.map(str::to_owned),
                token: Some(self.token),
                gateway: gateway.map(str::to_owned),
                api: api.map(str::to_owned),
                severity,
                evidence: evidence.clone(),
                uses: Some(RunUses {
                    outcome,
                    count: told.count,
                    seen: told.seen.map(|(first, last)| (UtcMicros(first), UtcMicros(last))),
                    undated: told.undated,
                    first: (source.map(str::to_owned), line, offset),
                    net: told.net,
                }),
            });
        }
    }
}
