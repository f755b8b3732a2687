//! What a run as a whole found out, beside the tables.

use super::{AcceptCount, Engine, InputCounts, Partial, Systemic, UncoveredPlace, systemic};
use crate::findings::{FindingRow, ProblemRow};
use crate::policy::Accept;
use crate::policy::Gateway;
use crate::rules::Severity;
use crate::verify::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// Sums over the whole run.
#[derive(Debug, Default)]
pub struct Totals {
    /// Uses and records of everything.
    pub counts: InputCounts,
    /// Rules that ran.
    pub rules_run: Vec<&'static str>,
    /// Rules that could not run, with the missing input.
    pub rules_skipped: BTreeMap<&'static str, &'static str>,
    /// Records a rule could not judge: rule -> reason -> records.
    pub not_evaluable: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Uses by verdict.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Distinct tokens by verdict.
    pub token_verdicts: BTreeMap<&'static str, u64>,
    /// Distinct tokens.
    pub distinct_tokens: u64,
    /// Records that no entry of the policy matches.
    pub uncovered: u64,
    /// Where these lead, those with most records first; some of them where there are very many.
    pub uncovered_places: Vec<UncoveredPlace>,
    /// APIs of the policy that no record matched.
    pub unmatched_apis: Vec<String>,
    /// Records that only the byte-least name of an entry decided: api -> records.
    pub ambiguous: BTreeMap<String, u64>,
    /// What each gateway of the policy (and each gateway seen) did.
    pub gateways: BTreeMap<String, GatewayTotals>,
    /// Findings by rule and severity.
    pub findings: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Problems by rule and severity.
    pub problems: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Rules that fire nearly everywhere at one API, by rule and API.
    pub systemic: Vec<Systemic>,
    /// The policy's exceptions, in its order.
    pub accepts: Vec<AcceptTotals>,
    /// Highest severity among findings that count for `--fail-on` (neither accepted nor in an `observe` api).
    pub worst: Option<Severity>,
}

/// An `[[accept]]` of the policy and what it was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptTotals {
    /// The exception.
    pub accept: Accept,
    /// Where it stands in the policy.
    pub place: String,
    /// How often it was asked.
    pub count: AcceptCount,
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

impl Totals {
    /// The totals of a partial whose tables are made.
    pub(super) fn new(
        engine: &Engine,
        partial: &Partial,
        findings: &[FindingRow],
        problems: &[ProblemRow],
    ) -> Self {
        let mut totals = Self {
            counts: *partial.counts(),
            rules_run: engine.rules.iter().map(|rule| rule.id).collect(),
            rules_skipped: engine.skipped.clone(),
            distinct_tokens: u64::try_from(partial.tokens.len()).unwrap_or(u64::MAX),
            uncovered: partial.uncovered,
            uncovered_places: partial.uncovered_at.places(),
            unmatched_apis: unmatched_apis(engine, partial),
            gateways: gateways(engine, partial),
            systemic: systemic::systemic(partial, findings),
            accepts: accepts(engine, partial),
            ..Self::default()
        };
        partial.not_evaluable.by_rule(&engine.plans).each_rule(|rule, reason, uses| {
            if let Some(rule) = engine.rules.get(rule) {
                let reasons = totals.not_evaluable.entry(rule.id).or_default();
                *reasons.entry(reason.0.to_owned()).or_default() += uses;
            }
        });
        for verdict in Verdict::ALL {
            totals.verdicts.insert(verdict.name(), partial.verdicts.of(verdict));
            totals.token_verdicts.insert(verdict.name(), 0);
        }
        for token in partial.tokens.summaries() {
            *totals.token_verdicts.entry(token.verdict.name()).or_default() += 1;
        }
        for (api, records) in &partial.ambiguous {
            *totals.ambiguous.entry(partial.names.text(*api).to_owned()).or_default() += records;
        }
        for finding in findings {
            let by_rule = totals.findings.entry(finding.rule.to_owned()).or_default();
            *by_rule.entry(finding.severity.name()).or_default() += 1;
            if finding.counts() {
                totals.worst = totals.worst.max(Some(finding.severity));
            }
        }
        for problem in problems {
            let by_rule = totals.problems.entry(problem.rule.clone()).or_default();
            *by_rule.entry(problem.severity.name()).or_default() += 1;
        }
        totals
    }
}

fn unmatched_apis(engine: &Engine, partial: &Partial) -> Vec<String> {
    let matched: BTreeSet<&str> =
        partial.coverage.keys().filter_map(|key| partial.names.optional(key.api)).collect();
    let known = engine.policy.iter().flat_map(|policy| policy.apis());
    known.map(|api| &api.name).filter(|name| !matched.contains(name.as_str())).cloned().collect()
}

fn accepts(engine: &Engine, partial: &Partial) -> Vec<AcceptTotals> {
    let Some(policy) = &engine.policy else { return Vec::new() };
    let totals = |(number, accept): (usize, &Accept)| AcceptTotals {
        accept: accept.clone(),
        place: policy.accept_place(number).map(ToString::to_string).unwrap_or_default(),
        count: partial.accepts.of(number),
    };
    policy.accepts().iter().enumerate().map(totals).collect()
}

fn gateways(engine: &Engine, partial: &Partial) -> BTreeMap<String, GatewayTotals> {
    let mut gateways: BTreeMap<String, GatewayTotals> = BTreeMap::new();
    for (key, coverage) in &partial.coverage {
        let Some(gateway) = key.gateway else { continue };
        let totals = gateways.entry(partial.names.text(gateway).to_owned()).or_default();
        totals.records += u64::try_from(coverage.records).unwrap_or(0);
        totals.tokens += u64::try_from(coverage.tokens).unwrap_or(0);
    }
    for (gateway, state) in &partial.gateways {
        let totals = gateways.entry(partial.names.text(*gateway).to_owned()).or_default();
        totals.clock_offset_s = state.clock_offset_s;
        totals.longest_gap = longest_gap(engine, state.minutes.values().copied().collect());
    }
    let expected = engine.policy.as_ref().map_or(&[][..], |policy| policy.gateways());
    for gateway in expected {
        let totals = gateways.entry(gateway.name.clone()).or_default();
        totals.unmet = unmet(gateway, totals);
    }
    gateways
}

/// Longest time without a record, the ends of `--since` and `--until` included.
fn longest_gap(engine: &Engine, mut minutes: Vec<(i64, i64)>) -> Option<i64> {
    minutes.sort_unstable();
    let (first, last) = (minutes.first()?.0, minutes.last()?.1);
    let between = minutes
        .iter()
        .zip(minutes.iter().skip(1))
        .map(|((_, end), (start, _))| start.saturating_sub(*end))
        .max();
    let period = engine.filters.period;
    let before = period.since.map(|since| first.saturating_sub(since.0));
    let after = period.until.map(|until| until.0.saturating_sub(last));
    [between, before, after].into_iter().flatten().max().or(Some(0))
}

fn unmet(gateway: &Gateway, totals: &GatewayTotals) -> Vec<String> {
    let mut unmet = Vec::new();
    let name = &gateway.name;
    let seconds = |micros: i64| micros / crate::time::SECOND;
    match (gateway.expect_every, totals.longest_gap) {
        (Some(_), None) => {
            unmet.push(format!("gateway {name} has no record with a time, a record was expected regularly"));
        }
        (Some(every), Some(gap)) if gap > every => {
            unmet.push(format!(
                "gateway {name} is silent for {} s, at most {} s were expected",
                seconds(gap),
                seconds(every)
            ));
        }
        _ => {}
    }
    if let Some(least) = gateway.expect_min_records.filter(|least| totals.records < *least) {
        unmet.push(format!("gateway {name} has {} records, at least {least} were expected", totals.records));
    }
    if gateway.expect_tokens && totals.tokens == 0 {
        unmet.push(format!("gateway {name} has no record with a token, tokens were expected"));
    }
    unmet
}
