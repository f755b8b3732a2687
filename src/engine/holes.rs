//! Holes of the archive and of the policy (rules.md 2.10). A key id that many people's tokens bear for a while is a key that
//! nobody captured, not one that somebody made up; an API at which nearly every principal is unbound maps tokens to ids of its
//! own, and the policy does not know them.

use super::Partial;
use super::problems::{Identity, identity};
use crate::findings::FindingRow;
use crate::keys::{EntraSource, EntraTenant, KeyHistory, SourceKind};
use crate::policy::Behaviour;
use crate::rules::{Lane, Severity};
use crate::time::UtcMicros;
use std::collections::{BTreeMap, BTreeSet};

/// The rule whose findings may be a hole of the archive.
const KID_UNKNOWN: &str = "kid-unknown";
/// The rule whose findings may be a hole of the policy.
const PRINCIPAL_UNBOUND: &str = "principal-unbound";
/// Identities that an API must have unbound: fewer could be somebody who tries his luck where nobody else calls.
const UNBOUND_IDENTITIES_MIN: usize = 5;

/// A tenant and a key id.
type Place = (Option<String>, Option<String>);

#[derive(Default)]
struct Seen<'f> {
    identities: BTreeSet<Identity<'f>>,
    first: Option<UtcMicros>,
    last: Option<UtcMicros>,
}

impl Seen<'_> {
    fn is_a_hole(&self, behaviour: &Behaviour) -> bool {
        let span = self.first.zip(self.last).map_or(0, |(first, last)| last.0.saturating_sub(first.0));
        let many = usize::try_from(behaviour.kid_unknown_hole_identities).unwrap_or(usize::MAX);
        self.identities.len() >= many && span >= behaviour.kid_unknown_hole_span
    }
}

/// Lowers what turns out to be a hole of the archive: medium at most, and no attack.
pub(super) fn lower_unknown_keys(findings: &mut [FindingRow], keys: &KeyHistory, behaviour: &Behaviour) {
    let mut seen: BTreeMap<Place, Seen<'_>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.rule == KID_UNKNOWN) {
        let seen = seen.entry(place(finding)).or_default();
        seen.identities.extend(identity(finding));
        seen.first = [seen.first, finding.first_seen].into_iter().flatten().min();
        seen.last = seen.last.max(finding.last_seen);
    }
    let holes: BTreeSet<Place> = seen
        .into_iter()
        .filter(|((tenant, _), seen)| seen.is_a_hole(behaviour) && !is_captured(tenant.as_deref(), keys))
        .map(|(place, _)| place)
        .collect();
    for finding in findings.iter_mut().filter(|finding| finding.rule == KID_UNKNOWN) {
        if holes.contains(&place(finding)) {
            finding.severity = finding.severity.min(Severity::Medium);
            finding.lane = Lane::BlindSpot.name();
        }
    }
}

/// Lowers what turns out to be a hole of the policy: an info, and no overreach.
pub(super) fn lower_unbound_principals(
    findings: &mut [FindingRow],
    partial: &Partial,
    behaviour: &Behaviour,
    has_keys: bool,
) {
    let mut unbound: BTreeMap<&str, (i64, BTreeSet<Identity<'_>>)> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.rule == PRINCIPAL_UNBOUND) {
        let (requests, identities) = unbound.entry(finding.api.as_deref().unwrap_or_default()).or_default();
        *requests += finding.count;
        // Anybody can make up identities that no key vouches for.
        if !has_keys || finding.signature.is_some_and(crate::verify::Verdict::is_valid) {
            identities.extend(identity(finding));
        }
    }
    let mut tokens: BTreeMap<&str, i64> = BTreeMap::new();
    for (key, coverage) in partial.coverage.iter().filter(|_| !unbound.is_empty()) {
        *tokens.entry(partial.names.optional(key.api).unwrap_or_default()).or_default() += coverage.tokens;
    }
    let percent = i128::from(behaviour.principal_unbound_hole_percent);
    let is_a_hole = |api: &str, requests: i64, identities: usize| {
        let all = tokens.get(api).copied().unwrap_or_default();
        identities >= UNBOUND_IDENTITIES_MIN && i128::from(requests) * 100 >= i128::from(all) * percent
    };
    let holes: BTreeSet<String> = unbound
        .into_iter()
        .filter(|(api, (requests, identities))| is_a_hole(api, *requests, identities.len()))
        .map(|(api, _)| api.to_owned())
        .collect();
    for finding in findings.iter_mut().filter(|finding| finding.rule == PRINCIPAL_UNBOUND) {
        if finding.api.as_deref().is_some_and(|api| holes.contains(api)) {
            finding.severity = Severity::Info;
            finding.lane = Lane::BlindSpot.name();
        }
    }
}

fn place(finding: &FindingRow) -> Place {
    (finding.token.tid.clone(), finding.token.kid.clone())
}

/// True if the tenant's own key set was captured; without it, keys that only this tenant lists are missing.
fn is_captured(tenant: Option<&str>, keys: &KeyHistory) -> bool {
    keys.sources().any(|(_, source)| match &source.kind {
        SourceKind::Entra(EntraSource { tenant: EntraTenant::One(own), .. }) => Some(own.as_str()) == tenant,
        _ => false,
    })
}
