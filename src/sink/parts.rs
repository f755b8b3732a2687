//! Parts of `run.json`: what it is compared with, what is everywhere, what nothing covers, what is accepted.

use crate::engine::{AcceptCount, AcceptTotals, Systemic, UncoveredPlace};
use crate::rules;
use crate::rules::kit::Need;
use crate::sink::manifest::{FilterReport, Text, instant};
use crate::time;
use crate::time::UtcMicros;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// An earlier result that problems were compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BaselineReport {
    /// Its directory.
    pub path: Text,
    /// When its run started.
    #[serde(serialize_with = "instant")]
    pub started_at: UtcMicros,
    /// Its digest.
    pub result_digest: Text,
    /// `complete` or `partial`; what a partial one lacks counts as new.
    pub completeness: Text,
    /// Its problems.
    pub problems: u64,
    /// Filters beside `since` and `until` that were others in its run.
    pub other_filters: Vec<Text>,
    /// Rules of this run that did not run in its run; not those that only a run with a baseline has.
    pub rules_not_run: Vec<String>,
    /// Filters of its run.
    #[serde(skip)]
    pub filters: Value,
    /// Rules of its run.
    #[serde(skip)]
    pub rules_run: BTreeSet<String>,
}

impl BaselineReport {
    /// Says in what its run differs from one with these filters and rules.
    #[must_use]
    pub fn compared(mut self, filters: &FilterReport, rules: &[&'static str]) -> Self {
        let mine = serde_json::to_value(filters).unwrap_or_default();
        let others = mine.as_object().into_iter().flatten().filter(|(name, value)| {
            !matches!(name.as_str(), "since" | "until") && self.filters.get(name) != Some(value)
        });
        self.other_filters = others.map(|(name, _)| Text::from(name)).collect();
        let of_baselines =
            |id: &str| rules::find(id).is_some_and(|rule| rule.needs.contains(&Need::Baseline));
        let missing = rules.iter().filter(|id| !self.rules_run.contains(**id) && !of_baselines(id));
        self.rules_not_run = missing.map(|id| (*id).to_owned()).collect();
        self
    }
}

/// A rule that fires nearly everywhere at one API.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the members of run.json are listed above")]
pub struct SystemicReport {
    pub rule: String,
    pub api: Text,
    pub tokens: u64,
    pub of_tokens: u64,
    pub identities: u64,
}

/// A place that no entry of the policy matches.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the members of run.json are listed above")]
pub struct UncoveredReport {
    pub host: Option<Text>,
    pub path: Option<Text>,
    pub records: u64,
}

impl From<&UncoveredPlace> for UncoveredReport {
    fn from(place: &UncoveredPlace) -> Self {
        let text = |text: &Option<String>| text.as_ref().map(Text::from);
        Self { host: text(&place.host), path: text(&place.path), records: place.records }
    }
}

impl From<&Systemic> for SystemicReport {
    fn from(systemic: &Systemic) -> Self {
        let Systemic { rule, api, tokens, of_tokens, identities } = systemic;
        Self {
            rule: rule.clone(),
            api: Text::from(api),
            tokens: *tokens,
            of_tokens: *of_tokens,
            identities: *identities,
        }
    }
}

/// An exception of the policy and the requests that it was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the members of run.json are listed above")]
pub struct AcceptReport {
    pub rule: Text,
    pub reason: Text,
    pub owner: Option<Text>,
    /// The last day or instant on which it holds.
    pub expires: Option<String>,
    pub place: Text,
    #[serde(flatten)]
    pub count: AcceptCount,
}

impl From<&AcceptTotals> for AcceptReport {
    fn from(AcceptTotals { accept, place, count }: &AcceptTotals) -> Self {
        Self {
            rule: Text::from(&accept.rule),
            reason: Text::from(&accept.reason),
            owner: accept.owner.as_ref().map(Text::from),
            expires: accept.until.map(last_inside),
            place: Text::from(place),
            count: *count,
        }
    }
}

/// The last day before the midnight at which a period ends, else its last instant.
fn last_inside(until: UtcMicros) -> String {
    let last = until.plus(-1).to_string();
    match last.split_once('T') {
        Some((day, _)) if until.0.rem_euclid(time::DAY) == 0 => day.to_owned(),
        _ => last,
    }
}
