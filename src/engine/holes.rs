//! Holes of the key archive (rules.md 2.10): a key id that many people's tokens bear for a while is a key that nobody captured,
//! not one that somebody made up.

use super::problems::{Identity, identity};
use crate::findings::FindingRow;
use crate::keys::{EntraSource, EntraTenant, KeyHistory, SourceKind};
use crate::rules::{Lane, Severity};
use crate::time::{HOUR, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};

/// The rule whose findings are looked at.
const RULE: &str = "kid-unknown";
/// Least number of identities.
const IDENTITIES_MIN: usize = 5;
/// Least time between the first request and the last.
const SPAN_MIN: i64 = HOUR;

/// A tenant and a key id.
type Place = (Option<String>, Option<String>);

#[derive(Default)]
struct Seen<'f> {
    identities: BTreeSet<Identity<'f>>,
    first: Option<UtcMicros>,
    last: Option<UtcMicros>,
}

impl Seen<'_> {
    fn is_a_hole(&self) -> bool {
        let span = self.first.zip(self.last).map_or(0, |(first, last)| last.0.saturating_sub(first.0));
        self.identities.len() >= IDENTITIES_MIN && span >= SPAN_MIN
    }
}

/// Lowers what turns out to be a hole: medium at most, and no attack.
pub(super) fn lower(findings: &mut [FindingRow], keys: &KeyHistory) {
    let mut seen: BTreeMap<Place, Seen<'_>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.rule == RULE) {
        let seen = seen.entry(place(finding)).or_default();
        seen.identities.extend(identity(finding));
        seen.first = [seen.first, finding.first_seen].into_iter().flatten().min();
        seen.last = seen.last.max(finding.last_seen);
    }
    let holes: BTreeSet<Place> = seen
        .into_iter()
        .filter(|((tenant, _), seen)| seen.is_a_hole() && !is_captured(tenant.as_deref(), keys))
        .map(|(place, _)| place)
        .collect();
    for finding in findings.iter_mut().filter(|finding| finding.rule == RULE) {
        if holes.contains(&place(finding)) {
            finding.severity = finding.severity.min(Severity::Medium);
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
