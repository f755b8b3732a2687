//! `identity-many-principals`

use super::one_spelling;
use crate::redact::Fingerprint;
use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, Span, Step, TrailRule, listed};
use std::collections::{BTreeMap, BTreeSet};

rule! {
    /// One user or application acted as several principals of an API.
    ///
    /// Why it matters: whoever appears under other people's keys reads other people's data. The identity is taken from `tid`
    /// and `oid` of tokens that a key vouches for.
    ///
    /// What to do: find out where the application takes the key from, and bind it to `tid` and `oid`.
    ///
    /// Known false positives: a rename, where the old value ends before the new one begins and no token has both, is not
    /// reported; linked accounts are (raise `identity-many-principals`). Each API is looked at by itself.
    "identity-many-principals", Behaviour, "H/L", Leak, Strong,
    references: ["OWASP API1:2023", "CWE-639"],
    needs: [AuthorizesOn],
    judge: Trails(TrailRule { by: By::Identity, check }),
}

/// When a principal was seen, and which tokens bore it.
#[derive(Default)]
struct Seen {
    times: Option<Span>,
    untimed: bool,
    tokens: BTreeSet<Fingerprint>,
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let mut apis: BTreeMap<Option<&str>, BTreeMap<&str, Seen>> = BTreeMap::new();
    let mut subject = String::new();
    for trail in group.trails() {
        let lacks = |step: &Step<'_>| step.principal.is_none() && step.marks.any(Marks::AUTHORIZES);
        trail.count_lacking(Reason::NO_PRINCIPAL, lacks, conclusion);
        for step in trail.steps.iter().filter(|step| !step.echo) {
            let Some(principal) = step.principal else { continue };
            let principal = one_spelling(&trail, principal);
            let seen = apis.entry(step.api).or_default().entry(principal).or_default();
            seen.tokens.insert(trail.token);
            seen.untimed |= step.seen().is_none();
            seen.times = match (seen.times, step.seen()) {
                (Some(mine), Some(theirs)) => Some((mine.0.min(theirs.0), mine.1.max(theirs.1))),
                (mine, theirs) => mine.or(theirs),
            };
        }
    }
    apis.retain(|_, principals| {
        let count = u64::try_from(principals.len()).unwrap_or(u64::MAX);
        count >= group.behaviour.identity_many_principals && !is_rename(principals)
    });
    if apis.is_empty() {
        return;
    }
    for trail in group.trails() {
        if subject.is_empty() {
            let (tid, id) = trail.identity().unwrap_or_default();
            subject = format!("identity:{tid}/{id}");
        }
        for (api, principals) in &apis {
            let names: BTreeSet<&str> = principals.keys().copied().collect();
            let evidence = Evidence::new("One identity acted as several principals.")
                .expected("one principal")
                .actual(format!("{} principals", names.len()))
                .fact("principals", listed(&names));
            let picks = |step: &Step<'_>| step.api == *api && step.principal.is_some();
            trail.tell(rule, Some(&subject), &evidence, picks, conclusion);
        }
    }
}

/// True if one of two values ended before the other began, and no token bore both.
fn is_rename(principals: &BTreeMap<&str, Seen>) -> bool {
    let mut seen = principals.values();
    let (Some(a), Some(b), None) = (seen.next(), seen.next(), seen.next()) else { return false };
    let (Some(mine), Some(theirs)) = (a.times, b.times) else { return false };
    let in_turn = mine.1 < theirs.0 || theirs.1 < mine.0;
    in_turn && !a.untimed && !b.untimed && a.tokens.is_disjoint(&b.tokens)
}
