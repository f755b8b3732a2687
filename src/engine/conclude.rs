//! From a merged partial to the tables.

use super::names::Names;
use super::partial::{Finding, FindingKey, TokenSummary};
use super::problems;
use super::totals::Totals;
use super::{Concluded, Engine, Partial};
use crate::findings::{
    ActivityRow, CoverageRow, FindingRow, Tables, TokenCells, TokenRow, finding_id, problem_id,
};
use crate::policy::Stage;
use crate::redact::{self, Fingerprint};
use crate::rules::kit::{CausePart, Judge, Rule};
use crate::rules::run::{Conclusion, Downgrade, RunFinding};
use crate::verify::Verdict;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

impl Engine {
    /// Ends an audit: the tables in their order, and the totals.
    pub fn conclude(&self, mut partial: Partial) -> Concluded {
        let runs = self.rules.iter().filter(|rule| matches!(rule.judge, Judge::Run(_)));
        let states = std::mem::take(&mut partial.runs);
        let conclusions: Vec<(&Rule, Conclusion)> =
            runs.zip(states).map(|(rule, state)| (*rule, state.conclude())).collect();
        let downgrades: Vec<&Downgrade> =
            conclusions.iter().flat_map(|(_, conclusion)| &conclusion.downgrades).collect();
        let mut findings: Vec<FindingRow> = partial
            .findings
            .iter()
            .filter_map(|(key, finding)| self.finding(&partial, key, finding))
            .collect();
        for finding in &mut findings {
            downgrade(finding, &downgrades);
        }
        for (rule, conclusion) in &conclusions {
            findings.extend(conclusion.findings.iter().map(|finding| run_finding(rule, &partial, finding)));
        }
        if let Some(least) = self.filters.min_severity {
            findings.retain(|finding| finding.severity >= least);
        }
        findings.sort_by(|a, b| order(a).cmp(&order(b)));
        let tables = Tables {
            problems: problems::group(&findings),
            tokens: tokens(&partial, &findings),
            activity: activity(&partial),
            coverage: coverage(&partial),
            findings,
        };
        let totals = Totals::new(self, &partial, &tables);
        Concluded { tables, totals }
    }

    fn finding(&self, partial: &Partial, key: &FindingKey, finding: &Finding) -> Option<FindingRow> {
        let rule = self.rules.get(key.rule)?;
        let (fingerprint, token) = partial.tokens.get(key.token.0)?;
        let names = &partial.names;
        let sha256 = fingerprint.hex();
        let (gateway, api) = (names.optional(key.gateway), names.optional(key.api));
        let outcome = Some(key.outcome.name());
        let cause = self.cause(rule, finding, token);
        Some(FindingRow {
            finding_id: finding_id(rule.id, Some(&sha256), gateway, api, outcome, None),
            problem_id: problem_id(rule.id, gateway, api, outcome, &cause),
            rule: rule.id.to_owned(),
            category: rule.category.name(),
            severity: finding.severity,
            lane: rule.lane.name(),
            confidence: finding.confidence,
            outcome: Some(key.outcome),
            signature: Some(finding.verdict),
            token_sha256: Some(sha256),
            subject: None,
            count: finding.count,
            first_seen: finding.seen.first,
            last_seen: finding.seen.last,
            gateway: gateway.map(str::to_owned),
            api: api.map(str::to_owned),
            token: token.cells.clone(),
            expected: finding.detail.expected.clone(),
            actual: finding.detail.actual.clone(),
            message: finding.detail.message.clone(),
            evidence: finding.detail.evidence.clone(),
            client_ips: finding.client_ips.texts(names),
            source: names.optional(finding.at.source).map(str::to_owned),
            line: finding.at.line,
            offset: finding.at.offset,
            accepted_by: None,
            stage: finding.stage().name(),
            cause,
        })
    }

    /// The text that tells this problem from others of its rule (contract section 7). Claims count only where a key
    /// vouches for them, so that an attacker cannot split a problem with random ones.
    fn cause(&self, rule: &Rule, finding: &Finding, token: &TokenSummary) -> String {
        let unverified_run = self.keys.is_none() && finding.verdict == Verdict::NotCovered;
        if !finding.verdict.is_valid() && !unverified_run {
            return format!("net={}", network(finding.detail.client_ip.as_deref()));
        }
        let part = |part: &CausePart| {
            let (name, value) = match part {
                CausePart::Aud => ("aud", token.cells.aud.as_deref()),
                CausePart::Claim => ("claim", finding.detail.claim.as_deref()),
                CausePart::Client => ("client", token.cells.client_id.as_deref()),
                CausePart::Tid => ("tid", token.cells.tid.as_deref()),
            };
            format!("{name}={}", value.unwrap_or(""))
        };
        let parts: Vec<String> = rule.cause.iter().map(part).collect();
        redact::cell(&parts.join(", "), &[]).into_owned()
    }
}

/// The /24 or /56 of an address; empty for anything that is none.
fn network(address: Option<&str>) -> String {
    match address.and_then(|address| address.parse::<IpAddr>().ok()).map(|address| address.to_canonical()) {
        Some(IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Some(IpAddr::V6(v6)) => {
            let prefix = u128::from(v6) & (u128::MAX << (128 - 56));
            format!("{}/56", std::net::Ipv6Addr::from(prefix))
        }
        None => String::new(),
    }
}

type Order<'f> =
    (&'f str, Option<&'f str>, Option<&'f str>, Option<&'f str>, Option<&'static str>, Option<&'f str>);

/// rule, api, token, gateway, outcome, subject; nulls first.
fn order(row: &FindingRow) -> Order<'_> {
    (
        &row.rule,
        row.api.as_deref(),
        row.token_sha256.as_deref(),
        row.gateway.as_deref(),
        row.outcome.map(crate::facts::Outcome::name),
        row.subject.as_deref(),
    )
}

/// Applies what run rules learned about other rules' findings.
fn downgrade(finding: &mut FindingRow, downgrades: &[&Downgrade]) {
    for downgrade in downgrades {
        let named = downgrade.rules.contains(&finding.rule.as_str());
        let here = downgrade.gateway.is_none() || downgrade.gateway == finding.gateway;
        let within = downgrade.within.is_none_or(|(name, most)| {
            let evidence: Value = serde_json::from_str(&finding.evidence).unwrap_or_default();
            evidence.get(name).and_then(Value::as_i64).is_some_and(|value| value <= most)
        });
        if named && here && within && finding.severity > downgrade.to {
            finding.severity = downgrade.to;
        }
    }
}

/// The row of a run rule's finding.
fn run_finding(rule: &Rule, partial: &Partial, finding: &RunFinding) -> FindingRow {
    let cell = |text: &str| redact::cell(text, &[]).into_owned();
    let optional = |text: &Option<String>| text.as_deref().map(cell);
    let summary = finding.token.and_then(|token| summary(partial, token));
    let sha256 = finding.token.map(|token| token.hex());
    let (gateway, api, subject) =
        (optional(&finding.gateway), optional(&finding.api), optional(&finding.subject));
    let uses = finding.uses.as_ref();
    let outcome = uses.map(|uses| uses.outcome);
    let outcome_name = outcome.map(crate::facts::Outcome::name);
    let cause = subject.clone().unwrap_or_else(|| {
        let cells = summary.map(|summary| &summary.cells);
        let client = cells.and_then(|cells| cells.client_id.as_deref()).unwrap_or("");
        let tid = cells.and_then(|cells| cells.tid.as_deref()).unwrap_or("");
        format!("client={client}, tid={tid}")
    });
    let facts: BTreeMap<&str, &Value> =
        finding.evidence.facts.iter().map(|(name, value)| (*name, value)).collect();
    let (source, line, offset) = uses.map_or((None, None, None), |uses| uses.first.clone());
    FindingRow {
        finding_id: finding_id(
            rule.id,
            sha256.as_deref(),
            gateway.as_deref(),
            api.as_deref(),
            outcome_name,
            subject.as_deref(),
        ),
        problem_id: problem_id(rule.id, gateway.as_deref(), api.as_deref(), outcome_name, &cause),
        rule: rule.id.to_owned(),
        category: rule.category.name(),
        severity: finding.severity,
        lane: rule.lane.name(),
        confidence: finding.evidence.confidence.unwrap_or(rule.confidence),
        outcome,
        signature: summary.map(|summary| summary.verdict),
        token_sha256: sha256,
        subject,
        count: uses.map_or(0, |uses| uses.count),
        first_seen: uses.and_then(|uses| uses.seen).map(|seen| seen.0),
        last_seen: uses.and_then(|uses| uses.seen).map(|seen| seen.1),
        gateway,
        api,
        token: summary.map_or_else(TokenCells::default, |summary| summary.cells.clone()),
        expected: optional(&finding.evidence.expected),
        actual: optional(&finding.evidence.actual),
        message: cell(&finding.evidence.message),
        evidence: cell(&serde_json::to_string(&facts).unwrap_or_default()),
        client_ips: Vec::new(),
        source: optional(&source),
        line,
        offset,
        accepted_by: None,
        stage: Stage::Enforce.name(),
        cause,
    }
}

fn summary(partial: &Partial, token: Fingerprint) -> Option<&TokenSummary> {
    partial.tokens.get(partial.numbers.get(&token)?.0).map(|(_, summary)| summary)
}

fn tokens(partial: &Partial, findings: &[FindingRow]) -> Vec<TokenRow> {
    let mut rules: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for finding in findings {
        if let Some(token) = &finding.token_sha256 {
            rules.entry(token).or_default().insert(&finding.rule);
        }
    }
    let row = |(fingerprint, token): &(Fingerprint, TokenSummary)| {
        let token_sha256 = fingerprint.hex();
        let rules =
            rules.get(token_sha256.as_str()).into_iter().flatten().map(|rule| (*rule).to_owned()).collect();
        TokenRow {
            token_sha256,
            signature: token.verdict,
            key_source: token.key_source.clone(),
            token: token.cells.clone(),
            first_seen: token.seen.first,
            last_seen: token.seen.last,
            uses: token.uses,
            accepted: token.accepted,
            denied: token.denied,
            distinct_ips: token.client_ips.count(),
            hosts: token.hosts.texts(&partial.names),
            rules,
        }
    };
    let mut rows: Vec<TokenRow> = partial.tokens.iter().map(row).collect();
    rows.sort_by(|a, b| a.token_sha256.cmp(&b.token_sha256));
    rows
}

fn activity(partial: &Partial) -> Vec<ActivityRow> {
    let names = &partial.names;
    let sha256: Vec<String> = partial.tokens.iter().map(|(fingerprint, _)| fingerprint.hex()).collect();
    let mut rows: Vec<ActivityRow> = partial
        .activity
        .iter()
        .map(|(key, activity)| ActivityRow {
            hour: key.hour,
            token_sha256: sha256.get(key.token.0).cloned().unwrap_or_default(),
            gateway: owned(names, key.gateway),
            api: owned(names, key.api),
            client_ip: owned(names, key.client_ip),
            outcome: key.outcome,
            count: activity.count,
            first_seen: activity.seen.first,
            last_seen: activity.seen.last,
        })
        .collect();
    rows.sort_by(|a, b| {
        (a.hour, &a.token_sha256, &a.gateway, &a.api, &a.client_ip, a.outcome).cmp(&(
            b.hour,
            &b.token_sha256,
            &b.gateway,
            &b.api,
            &b.client_ip,
            b.outcome,
        ))
    });
    rows
}

fn coverage(partial: &Partial) -> Vec<CoverageRow> {
    let names = &partial.names;
    let mut rows: Vec<CoverageRow> = partial
        .coverage
        .iter()
        .map(|(key, coverage)| CoverageRow {
            hour: key.hour,
            gateway: owned(names, key.gateway),
            api: owned(names, key.api),
            records: coverage.records,
            tokens: coverage.tokens,
            masked: coverage.masked,
            no_token: coverage.no_token,
            uncovered: coverage.uncovered,
            rejects: coverage.rejects,
            not_evaluable: coverage.not_evaluable,
        })
        .collect();
    rows.sort_by(|a, b| (a.hour, &a.gateway, &a.api).cmp(&(b.hour, &b.gateway, &b.api)));
    rows
}

fn owned(names: &Names, name: Option<super::names::Name>) -> Option<String> {
    names.optional(name).map(str::to_owned)
}
