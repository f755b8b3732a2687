//! Findings grouped by their cause: what alerts, tickets and baselines key on.

use crate::findings::{FindingRow, ProblemRow, first_order};
use crate::redact::Fingerprint;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// One row a problem, sorted by rule, gateway, api, outcome, cause; nulls first.
pub(super) fn group(findings: &[FindingRow]) -> Vec<ProblemRow> {
    let mut groups: BTreeMap<&str, Vec<&FindingRow>> = BTreeMap::new();
    for finding in findings {
        groups.entry(&finding.problem_id).or_default().push(finding);
    }
    let mut rows: Vec<ProblemRow> = groups.into_values().filter_map(|group| problem(&group)).collect();
    rows.sort_by(|a, b| {
        (&a.rule, &a.gateway, &a.api, a.outcome, &a.cause)
            .cmp(&(&b.rule, &b.gateway, &b.api, b.outcome, &b.cause))
    });
    rows
}

fn problem(group: &[&FindingRow]) -> Option<ProblemRow> {
    let example = group.iter().copied().min_by(|a, b| first(a, b))?;
    let distinct = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let tokens: BTreeSet<Fingerprint> = group.iter().filter_map(|finding| finding.token_sha256).collect();
    let clients: BTreeSet<&str> =
        group.iter().filter_map(|finding| finding.token.client_id.as_deref()).collect();
    let identities: BTreeSet<Identity<'_>> = group.iter().filter_map(|finding| identity(finding)).collect();
    let accepted =
        group.iter().map(|finding| finding.accepted_by.as_deref()).collect::<Option<BTreeSet<&str>>>();
    let enforced = group.iter().any(|finding| finding.stage == "enforce");
    Some(ProblemRow {
        problem_id: example.problem_id.clone(),
        rule: example.rule.to_owned(),
        category: example.category,
        severity: group.iter().map(|finding| finding.severity).max()?,
        lane: example.lane,
        confidence: group.iter().map(|finding| finding.confidence).max()?,
        gateway: example.gateway.clone(),
        api: example.api.clone(),
        outcome: example.outcome,
        cause: example.cause.clone(),
        count: group.iter().map(|finding| finding.count).sum(),
        tokens: distinct(tokens.len()),
        identities: distinct(identities.len()),
        clients: distinct(clients.len()),
        first_seen: group.iter().filter_map(|finding| finding.first_seen).min(),
        last_seen: group.iter().filter_map(|finding| finding.last_seen).max(),
        accepted_by: accepted.and_then(|reasons| reasons.first().map(|reason| (*reason).to_owned())),
        stage: if enforced { "enforce" } else { "observe" },
        state: None,
        example_finding_id: example.finding_id.clone(),
    })
}

/// The finding whose first occurrence comes first; then the least token.
fn first(a: &FindingRow, b: &FindingRow) -> Ordering {
    first_order(a.first_seen, b.first_seen)
        .then_with(|| (&a.source, a.line, a.offset).cmp(&(&b.source, b.line, b.offset)))
        .then_with(|| a.token_sha256.cmp(&b.token_sha256))
        .then_with(|| a.finding_id.cmp(&b.finding_id))
}

pub(super) type Identity<'f> = (Option<&'f str>, &'f str, Option<&'f str>);

/// Who a finding's token stands for: (tid, oid), else (tid, sub, aud), because `sub` is pairwise per application (rules.md 1.4).
pub(super) fn identity(finding: &FindingRow) -> Option<Identity<'_>> {
    let token = &finding.token;
    let tid = token.tid.as_deref();
    match (token.oid.as_deref(), token.sub.as_deref()) {
        (Some(oid), _) => Some((tid, oid, None)),
        (None, Some(sub)) => Some((tid, sub, token.aud.as_deref())),
        (None, None) => None,
    }
}
