//! `tenant-first-seen`

use crate::facts::Outcome;
use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Step, Trail, TrailRule};

rule! {
    /// A tenant was let in for the first time.
    ///
    /// Why it matters: a new tenant is a new customer, or somebody who found that the API does not look at the tenant. Only
    /// tokens that a key vouches for count.
    ///
    /// What to do: check that the tenant is meant to be there; if not, list the tenants under `[tenancy] allowed`.
    ///
    /// Known false positives: customers that were just taken on. The first run with a baseline knows the tenants of that run
    /// only.
    "tenant-first-seen", Behaviour, "L/-", Leak, Heuristic,
    references: ["ATT&CK T1199"],
    needs: [Baseline],
    judge: Trails(TrailRule { by: By::Tenant, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let is_let_in = |step: &Step<'_>| step.outcome == Outcome::Accepted && !step.earlier;
    if group.keyless {
        for trail in group.trails() {
            trail.count_lacking(Reason::CLAIM_ABSENT, is_let_in, conclusion);
        }
        return;
    }
    let first = |trail: &Trail<'_>| {
        let first = trail.steps.iter().filter(|step| is_let_in(step)).map(|step| step.first).min()?;
        Some((first.time, first.source.map(str::to_owned), first.line, first.offset, trail.token))
    };
    let mut least = None;
    for (number, trail) in group.members.iter().zip(group.trails()) {
        let first = first(&trail).map(|first| (first, *number));
        least = match (least, first) {
            (Some(known), Some(found)) if found >= known => Some(known),
            (known, found) => found.or(known),
        };
    }
    let Some((_, number)) = least else { return };
    let trail = group.store.trail(number);
    let Some(first) = trail.steps.iter().filter(|step| is_let_in(step)).min_by_key(|step| step.first) else {
        return;
    };
    let evidence = Evidence::new("A tenant was let in for the first time.")
        .expected("a tenant that earlier runs have seen")
        .actual(trail.tid.unwrap_or_default())
        .fact("tokens", group.members.len());
    let is_first =
        |step: &Step<'_>| is_let_in(step) && (step.gateway, step.api) == (first.gateway, first.api);
    trail.tell(rule, None, &evidence, is_first, conclusion);
}
