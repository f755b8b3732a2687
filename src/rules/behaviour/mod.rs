//! Family G: behaviour across records.

pub(super) mod aud_spray;
pub(super) mod authz_probe;
pub(super) mod compromised_identity_use;
pub(super) mod expired_retry;
pub(super) mod forged_burst;
pub(super) mod identity_many_principals;
pub(super) mod ip_claim_mismatch;
pub(super) mod kid_spray;
pub(super) mod late_first_use;
pub(super) mod principal_fanout;
pub(super) mod session_many_ip;
pub(super) mod sig_variant;
pub(super) mod tenant_first_seen;
pub(super) mod tenant_spray;
pub(super) mod token_cleartext;
pub(super) mod token_in_body;
pub(super) mod token_in_path;
pub(super) mod token_in_query;
pub(super) mod token_in_referer;
pub(super) mod token_many_host;
pub(super) mod token_many_ip;
pub(super) mod token_many_ua;
pub(super) mod use_after_denied;
pub(super) mod use_after_revocation;
pub(super) mod uti_conflict;
pub(super) mod uti_missing;
pub(super) mod verdict_flap;

use super::kit::{Check, Evidence, Reason, Rule};
use super::principal;
use super::run::Conclusion;
use super::trails::{Crowd, Group, Marks, Single, Step, Trail, listed};
use crate::facts::{Facts, Outcome, Place};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Fires where the token stood in a part of the request that is no place for it.
fn stands_in(place: Place, facts: &Facts<'_>, message: &'static str) -> Check {
    let stood = Place::of(&facts.hit, facts.record);
    if stood == place || place.holds_as_well(&facts.hit, facts.record) {
        let evidence = Evidence::new(message).expected("the Authorization header");
        return Check::fires(evidence.actual(facts.hit.place));
    }
    if stood == Place::Unknown { Check::NotEvaluable(Reason::NO_PLACE) } else { Check::Quiet }
}

/// What APIs took for the key of the caller, by API.
fn principals_by_api<'t>(trail: &Trail<'t>) -> BTreeMap<Option<&'t str>, BTreeSet<&'t str>> {
    let mut found: BTreeMap<Option<&str>, BTreeSet<&str>> = BTreeMap::new();
    for step in trail.own_steps() {
        found
            .entry(step.api)
            .or_default()
            .extend(step.principal.map(|principal| one_spelling(trail, principal)));
    }
    found
}

/// Applications write one and the same id with the tenant before it, behind it, or without, and some take `sub` for `oid`:
/// all of a token's own ids are one principal.
fn one_spelling<'t>(trail: &Trail<'t>, principal: &'t str) -> &'t str {
    let tenant = trail.tid.unwrap_or_default();
    let mut ids = [trail.oid, trail.sub].into_iter().flatten();
    let own = ids.clone().any(|id| principal::is_own(principal, tenant, id));
    if own { ids.next().unwrap_or(principal) } else { principal }
}

/// True if no key vouches for the token, and the gateway did not trust one either.
fn is_unproven(step: &Step<'_>) -> bool {
    step.marks.any(Marks::FORGED)
        || (step.marks.any(Marks::UNKNOWN_KEY) && step.outcome == Outcome::DeniedAuthn)
}

/// Many different things from one place in a short time.
struct Burst {
    window: i64,
    least: u64,
    message: &'static str,
    things: &'static str,
    /// Which uses count.
    counts: fn(&Step<'_>) -> bool,
}

/// Reports the tokens of a place that brought many different things in a short time; `thing` is what a token brings.
fn burst<'g, K: Ord + Clone + Display>(
    rule: &Rule,
    group: &Group<'g>,
    what: &Burst,
    thing: impl Fn(&Trail<'g>) -> Option<K>,
    conclusion: &mut Conclusion,
) {
    let counts = |step: &Step<'_>| (what.counts)(step) && step.spot() == group.spot;
    let mut crowd = Crowd::default();
    for trail in group.trails() {
        let Some(thing) = thing(&trail) else {
            trail.count_lacking(Reason::CLAIM_ABSENT, counts, conclusion);
            continue;
        };
        if group.keyless {
            trail.count_lacking(Reason::NO_CLIENT_ADDRESS, counts, conclusion);
            continue;
        }
        trail.count_lacking(Reason::NO_TIME, |step| counts(step) && step.seen().is_none(), conclusion);
        for step in trail.own_steps().filter(|step| counts(step)) {
            crowd.add(&thing, Single, step.spans.as_slice());
        }
    }
    let Some(spot) = group.spot else { return };
    let (most, stretches) = crowd.within(what.window, what.least);
    if stretches.is_empty() {
        return;
    }
    let mut values = BTreeSet::new();
    let in_burst = |step: &Step<'_>| counts(step) && step.falls_into(&stretches);
    for trail in group.trails() {
        if trail.own_steps().any(in_burst) {
            values.extend(thing(&trail));
        }
    }
    let evidence = Evidence::new(what.message)
        .expected(format!("fewer than {} {} from one network", what.least, what.things))
        .actual(format!("{most} {}", what.things))
        .fact("values", listed(&values));
    let subject = format!("ip:{spot}");
    for trail in group.trails().filter(|trail| thing(trail).is_some()) {
        trail.tell(rule, Some(&subject), &evidence, in_burst, conclusion);
    }
}
