//! From a merged partial to the tables.

use super::accepts::Subject;
use super::addresses;
use super::holes;
use super::names::{Name, Names};
use super::partial::{Finding, FindingKey};
use super::problems;
use super::tables;
use super::tokens::TokenSummary;
use super::totals::Totals;
use super::trails::{Judged, TrailStore};
use super::{Concluded, Engine, Partial};
use crate::facts::Outcome;
use crate::findings::{CoverageRow, FindingRow, Tables, TokenCells, finding_id, problem_id};
use crate::policy::{Behaviour, Stage};
use crate::redact::{self, Fingerprint};
use crate::rules::Severity;
use crate::rules::kit::{CausePart, Judge, Rule, Statement};
use crate::rules::run::{Conclusion, Downgrade, Raise, RunFinding};
use crate::rules::trails::Prefix;
use crate::time::{SECOND, UtcMicros};
use crate::verify::Verdict;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

impl Engine {
    /// Ends an audit: the tables in their order, and the totals.
    pub fn conclude(&self, mut partial: Partial) -> Concluded {
        let runs = self.rules.iter().enumerate().filter(|(_, rule)| matches!(rule.judge, Judge::Run(_)));
        let states = std::mem::take(&mut partial.runs);
        let mut conclusions: Vec<(usize, &Rule, Conclusion)> = Vec::new();
        for ((at, rule), state) in runs.zip(states) {
            let conclusion = state.conclude();
            for (reason, requests) in &conclusion.not_evaluable {
                partial.not_evaluable.add(at, *reason, *requests);
            }
            conclusions.push((at, rule, conclusion));
        }
        for (at, conclusion) in self.judge_trails(&partial) {
            for (reason, requests) in &conclusion.not_evaluable {
                partial.not_evaluable.add(at, *reason, *requests);
            }
            conclusions.extend(self.rules.get(at).map(|rule| (at, *rule, conclusion)));
        }
        let downgrades: Vec<&Downgrade> =
            conclusions.iter().flat_map(|(_, _, conclusion)| &conclusion.downgrades).collect();
        let mut findings: Vec<FindingRow> = partial
            .findings
            .iter()
            .filter_map(|(key, finding)| self.finding(&partial, key, finding))
            .collect();
        for finding in &mut findings {
            downgrade(finding, &downgrades);
        }
        raise(&mut findings, conclusions.iter().flat_map(|(_, _, conclusion)| &conclusion.raises));
        findings.extend(self.of_run(&conclusions, &mut partial));
        let behaviour = self.policy.as_ref().map(|policy| *policy.behaviour()).unwrap_or_default();
        if let Some(keys) = &self.keys {
            holes::lower_unknown_keys(&mut findings, keys, &behaviour);
        }
        holes::lower_unbound_principals(&mut findings, &partial, &behaviour, self.keys.is_some());
        if let Some(least) = self.filters.min_severity {
            findings.retain(|finding| finding.severity >= least);
        }
        addresses::fill(&mut findings, &partial);
        findings.sort_by(|a, b| order(a).cmp(&order(b)));
        let (problems, coverage) = (problems::group(&findings), coverage(&partial));
        let totals = Totals::new(self, &partial, &findings, &problems);
        let [tokens, activity, state] = tables::large(self, partial, &findings);
        let tables = Tables { findings, problems, tokens, activity, coverage, state };
        Concluded { tables, totals }
    }

    /// What is said of the run, and of requests that were not judged one by one; `[[accept]]` is asked here.
    fn of_run(&self, conclusions: &[(usize, &Rule, Conclusion)], partial: &mut Partial) -> Vec<FindingRow> {
        let mut rows: Vec<(usize, Subject, FindingRow)> = Vec::new();
        for (at, rule, conclusion) in conclusions {
            for finding in &conclusion.findings {
                let token = finding.token.and_then(|token| summary(partial, token));
                let subject = Subject {
                    of_archive: false,
                    vouched: token.is_some_and(|token| token.is_believed(true)),
                    undated: finding.uses.as_ref().is_some_and(|uses| uses.undated),
                };
                let row = self.run_finding(rule, partial, finding);
                rows.push((*at, subject, FindingRow { stage: self.stage_of(row.api.as_deref()), ..row }));
            }
        }
        let of_archive = Subject { of_archive: true, ..Subject::default() };
        rows.extend(self.archive_findings(partial).into_iter().map(|(at, row)| (at, of_archive, row)));
        for (at, subject, row) in &mut rows {
            self.accepts.judge_row((*at, *subject), row, partial.counts.last_time, &mut partial.accepts);
        }
        rows.into_iter().map(|(.., row)| row).collect()
    }

    /// What the rules say of the key history.
    fn archive_findings(&self, partial: &Partial) -> Vec<(usize, FindingRow)> {
        let rows = |(at, rule): (usize, &&'static Rule)| {
            // These rules have one severity, for there is no request that it could depend on.
            let severity = rule.cells.accepted?;
            let findings =
                rule.judge_archive(self.context()).into_iter().map(|Statement { subject, evidence }| {
                    RunFinding {
                        subject: Some(subject),
                        token: None,
                        gateway: None,
                        api: None,
                        severity: evidence.cells.and_then(|cells| cells.accepted).unwrap_or(severity),
                        evidence,
                        uses: None,
                    }
                });
            Some(findings.map(|finding| (at, self.run_finding(rule, partial, &finding))).collect::<Vec<_>>())
        };
        self.rules.iter().enumerate().filter_map(rows).flatten().collect()
    }

    /// The stage of an API; a statement about the run as a whole counts.
    fn stage_of(&self, api: Option<&str>) -> &'static str {
        let settings = self.policy.as_ref().zip(api).and_then(|(policy, api)| policy.api_named(api));
        settings.map_or(Stage::Enforce, |settings| settings.stage).name()
    }

    fn finding(&self, partial: &Partial, key: &FindingKey, finding: &Finding) -> Option<FindingRow> {
        let rule = self.rules.get(key.rule)?;
        let token = partial.tokens.get(key.token)?;
        let names = &partial.names;
        let (gateway, api) = (names.optional(key.gateway), names.optional(key.api));
        let outcome = Some(key.outcome.name());
        let cause = self.cause(rule, finding, token, names);
        Some(FindingRow {
            finding_id: finding.id.clone(),
            problem_id: problem_id(rule.id, gateway, api, outcome, &cause),
            rule: rule.id,
            category: rule.category.name(),
            severity: finding.severity,
            lane: rule.lane.name(),
            confidence: finding.confidence,
            outcome: Some(key.outcome),
            signature: Some(finding.verdict),
            token_sha256: Some(token.fingerprint),
            subject: None,
            count: finding.count,
            first_seen: finding.seen.first(),
            last_seen: finding.seen.last(),
            gateway: gateway.map(str::to_owned),
            api: api.map(str::to_owned),
            token: cells(token, names),
            expected: finding.detail.expected.clone(),
            actual: finding.detail.actual.clone(),
            message: finding.detail.message.clone(),
            evidence: finding.detail.evidence.clone(),
            client_ips: finding.client_ips.texts(names).into_iter().map(str::to_owned).collect(),
            source: names.optional(finding.at.source).map(str::to_owned),
            line: finding.at.line(),
            offset: finding.at.offset(),
            accepted_by: finding.accepted_by(names).map(str::to_owned),
            stage: finding.stage().name(),
            cause,
        })
    }

    /// The text that tells this problem from others of its rule (contract section 7). Claims count only where a key
    /// vouches for them, so that an attacker cannot split a problem with random ones.
    fn cause(&self, rule: &Rule, finding: &Finding, token: &TokenSummary, names: &Names) -> String {
        let unverified_run = self.keys.is_none() && finding.verdict == Verdict::NotCovered;
        if !finding.verdict.is_valid() && !unverified_run {
            return format!("net={}", network(finding.detail.client_ip.as_deref()));
        }
        let part = |part: &CausePart| {
            let (name, value) = match part {
                CausePart::Aud => ("aud", names.optional(token.texts.aud)),
                CausePart::Claim => ("claim", finding.detail.claim.as_deref()),
                CausePart::Client => ("client", names.optional(token.texts.client_id)),
                CausePart::Tid => ("tid", names.optional(token.texts.tid)),
            };
            format!("{name}={}", value.unwrap_or(""))
        };
        let parts: Vec<String> = rule.cause.iter().map(part).collect();
        redact::cell(&parts.join(", "), &[]).into_owned()
    }

    /// The row of a run rule's finding.
    fn run_finding(&self, rule: &Rule, partial: &Partial, finding: &RunFinding) -> FindingRow {
        let cell = |text: &str| redact::cell(text, &[]).into_owned();
        let optional = |text: &Option<String>| text.as_deref().map(cell);
        let summary = finding.token.and_then(|token| summary(partial, token));
        let sha256 = finding.token.map(|token| token.hex());
        let (gateway, api, subject) =
            (optional(&finding.gateway), optional(&finding.api), optional(&finding.subject));
        let uses = finding.uses.as_ref();
        let outcome = uses.map(|uses| uses.outcome);
        let outcome_name = outcome.map(Outcome::name);
        let cause = subject.clone().unwrap_or_else(|| self.run_cause(finding, summary, &partial.names));
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
            rule: rule.id,
            category: rule.category.name(),
            severity: finding.severity,
            lane: rule.lane.name(),
            confidence: finding.evidence.confidence.unwrap_or(rule.confidence),
            outcome,
            signature: summary.map(|summary| summary.verdict),
            token_sha256: finding.token,
            subject,
            count: uses.map_or(0, |uses| uses.count),
            first_seen: uses.and_then(|uses| uses.seen).map(|seen| seen.0),
            last_seen: uses.and_then(|uses| uses.seen).map(|seen| seen.1),
            gateway,
            api,
            token: summary.map_or_else(TokenCells::default, |summary| cells(summary, &partial.names)),
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

    /// The text that tells a problem of a run rule without a subject from others of the rule; see [`Self::cause`].
    fn run_cause(&self, finding: &RunFinding, token: Option<&TokenSummary>, names: &Names) -> String {
        let verdict = token.map(|token| token.verdict);
        let unverified_run = self.keys.is_none() && verdict == Some(Verdict::NotCovered);
        if verdict.is_some_and(|verdict| !verdict.is_valid()) && !unverified_run {
            return format!(
                "net={}",
                finding.uses.as_ref().and_then(|uses| uses.net.as_deref()).unwrap_or("")
            );
        }
        let text = |of: fn(&TokenSummary) -> Option<Name>| names.optional(token.and_then(of)).unwrap_or("");
        let (client, tid) = (text(|token| token.texts.client_id), text(|token| token.texts.tid));
        format!("client={client}, tid={tid}")
    }

    /// What the rules over trails say.
    fn judge_trails(&self, partial: &Partial) -> Vec<Judged> {
        if !self.keeps_trails {
            return Vec::new();
        }
        let Partial { names, tokens, trails, .. } = partial;
        let earlier = self.earlier.as_deref();
        let default = Behaviour::default();
        let behaviour = self.policy.as_ref().map_or(&default, |policy| policy.behaviour());
        let store = TrailStore::new(names, tokens, trails, earlier, self.keys.is_some());
        store.judge(&self.rules, behaviour, earlier)
    }
}

/// The /24 or /56 of an address; empty for anything that is none.
fn network(address: Option<&str>) -> String {
    let address = address.and_then(|address| address.parse::<IpAddr>().ok());
    address.map(|address| Prefix::of(address).to_string()).unwrap_or_default()
}

/// Raises findings that turned out to matter more.
fn raise<'r>(findings: &mut [FindingRow], raises: impl Iterator<Item = &'r Raise>) {
    type Place<'r> = (&'r str, Option<Fingerprint>, Option<&'r str>, Option<Outcome>);
    let place = |raise: &'r Raise| (raise.rule, Some(raise.token), raise.api.as_deref(), Some(raise.outcome));
    let severities: BTreeMap<Place<'_>, Severity> = raises.map(|raise| (place(raise), raise.to)).collect();
    for finding in findings {
        let place = (finding.rule, finding.token_sha256, finding.api.as_deref(), finding.outcome);
        if let Some(severity) = severities.get(&place) {
            finding.severity = finding.severity.max(*severity);
        }
    }
}

type Order<'f> =
    (&'f str, Option<&'f str>, Option<Fingerprint>, Option<&'f str>, Option<&'static str>, Option<&'f str>);

/// rule, api, token, gateway, outcome, subject; nulls first.
fn order(row: &FindingRow) -> Order<'_> {
    (
        row.rule,
        row.api.as_deref(),
        row.token_sha256,
        row.gateway.as_deref(),
        row.outcome.map(Outcome::name),
        row.subject.as_deref(),
    )
}

/// Applies what run rules learned about other rules' findings.
fn downgrade(finding: &mut FindingRow, downgrades: &[&Downgrade]) {
    for downgrade in downgrades {
        let named = downgrade.rules.contains(&finding.rule) && finding.severity > downgrade.to;
        let here = downgrade.gateway.is_none() || downgrade.gateway == finding.gateway;
        let seen = finding.first_seen.zip(finding.last_seen);
        let within =
            |(name, most)| greatest(&finding.evidence, name, seen).is_some_and(|value| value <= most);
        if named && here && downgrade.within.is_none_or(within) {
            finding.severity = downgrade.to;
        }
    }
}

/// A number of a finding's evidence, at the request where it is greatest. The evidence is of the first request: no other
/// is as early, but the last is as much later as it came later.
fn greatest(evidence: &str, name: &str, seen: Option<(UtcMicros, UtcMicros)>) -> Option<i64> {
    let evidence: Value = serde_json::from_str(evidence).ok()?;
    let later =
        seen.filter(|_| name == "late_by_s").map_or(0, |(first, last)| last.0.saturating_sub(first.0));
    Some(evidence.get(name)?.as_i64()?.saturating_add(later.div_euclid(SECOND)))
}

fn summary(partial: &Partial, token: Fingerprint) -> Option<&TokenSummary> {
    partial.tokens.get(partial.tokens.number(token)?)
}

/// The columns that a finding shows of its token.
fn cells(token: &TokenSummary, names: &Names) -> TokenCells {
    let text = |name: Option<Name>| names.optional(name).map(str::to_owned);
    let texts = &token.texts;
    TokenCells {
        iss: text(texts.iss),
        aud: text(texts.aud),
        tid: text(texts.tid),
        oid: text(texts.oid),
        sub: text(texts.sub),
        client_id: text(texts.client_id),
        uti: text(texts.uti),
        kid: text(texts.kid),
        alg: text(texts.alg),
        token_version: text(token.derived.map(|derived| derived.0)),
        token_kind: text(token.derived.map(|derived| derived.1)),
    }
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

fn owned(names: &Names, name: Option<Name>) -> Option<String> {
    names.optional(name).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_counts_as_of_the_last_request() {
        let seen = Some((UtcMicros(0), UtcMicros(7200 * SECOND)));
        assert_eq!(greatest(r#"{"late_by_s":60}"#, "late_by_s", seen), Some(7260));
        assert_eq!(greatest(r#"{"early_by_s":60}"#, "early_by_s", seen), Some(60));
        assert_eq!(greatest(r#"{"late_by_s":60}"#, "late_by_s", None), Some(60));
        assert_eq!(greatest(r#"{"late_by_s":60}"#, "early_by_s", seen), None);
    }
}
