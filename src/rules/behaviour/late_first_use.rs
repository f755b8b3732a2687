//! `late-first-use`

use crate::redact::Fingerprint;
use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, First, Group, Spot, Step, Trail, TrailRule};
use crate::time::{SECOND, UtcMicros};
use std::collections::BTreeMap;

rule! {
    /// A token was first seen when it was nearly over, from a network that its owner was not seen in.
    ///
    /// Why it matters: clients use a token when they get it. One that appears shortly before its end, somewhere else, may
    /// have been carried there.
    ///
    /// What to do: compare with the sign-in log, which knows where the token was issued.
    ///
    /// Known false positives: applications that lie idle, if their owner has moved. Where nothing else of the owner was seen
    /// before, as in a log that begins in the middle of things, there is nothing to compare with (not evaluable). Only lifetimes of 60 to 90 minutes are looked at (Entra dates tokens
    /// back by five more), because managed identities keep theirs for a day.
    "late-first-use", Behaviour, "L/I", Leak, Heuristic,
    references: ["CWE-294", "ATT&CK T1550.001"],
    needs: [],
    judge: Trails(TrailRule { by: By::Identity, check }),
}

/// Lifetimes of user tokens in seconds, back-dating included (rules.md section 8, item 6).
const LIFETIMES: std::ops::RangeInclusive<i64> = 3600..=5700;

/// First uses at a place by two different tokens, so that one of them is not the token that is asked about.
type Firsts = Vec<(i64, Fingerprint)>;

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let mut places: BTreeMap<Spot<'_>, Firsts> = BTreeMap::new();
    // A token alone is compared with nothing.
    for trail in group.trails().filter(|_| group.members.len() > 1) {
        for step in &trail.steps {
            if let Some((place, time)) = step.place.zip(step.first.time()) {
                let firsts = places.entry(place.spot()).or_default();
                match firsts.iter_mut().find(|(_, token)| *token == trail.token) {
                    Some((known, _)) => *known = time.min(*known),
                    None => firsts.push((time, trail.token)),
                }
                firsts.sort_unstable();
                firsts.truncate(2);
            }
        }
    }
    for trail in group.trails() {
        judge(rule, group, &places, &trail, conclusion);
    }
}

fn judge(
    rule: &Rule,
    group: &Group<'_>,
    places: &BTreeMap<Spot<'_>, Firsts>,
    trail: &Trail<'_>,
    conclusion: &mut Conclusion,
) {
    // Steps come in the order of their first use.
    let (Some(first), Some(iat), Some(exp)) = (trail.steps.first(), trail.iat, trail.exp) else { return };
    if first.earlier || !LIFETIMES.contains(&exp.saturating_sub(iat)) {
        return;
    }
    let First { time, .. } = first.first;
    let issued = UtcMicros::from_seconds(iat).0;
    if first.first.time().is_none() {
        return trail.count_lacking(Reason::NO_TIME, |step| step.seen().is_none(), conclusion);
    }
    let age = time.saturating_sub(issued);
    if age <= group.behaviour.late_first_use_after {
        return;
    }
    let Some(spot) = first.spot() else {
        return trail.count_lacking(Reason::NO_CLIENT_ADDRESS, |step| step.place.is_none(), conclusion);
    };
    let others = |firsts: &Firsts| firsts.iter().any(|(seen, token)| *token != trail.token && *seen < time);
    if places.get(&spot).is_some_and(others) {
        return;
    }
    if !places.values().any(others) {
        return trail.count_lacking(Reason::NOTHING_BEFORE, |step| step.spot() == Some(spot), conclusion);
    }
    let evidence =
        Evidence::new("A token was first seen when it was nearly over, in a network new to its owner.")
            .expected(format!(
                "a first use within {} min of iat",
                group.behaviour.late_first_use_after / (60 * SECOND)
            ))
            .actual(format!("{} min", age / (60 * SECOND)))
            .fact("network", spot.to_string());
    trail.tell(rule, None, &evidence, |step: &Step<'_>| step.spot() == Some(spot), conclusion);
}
