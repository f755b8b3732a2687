//! `token-many-ip`

use crate::facts::Outcome;
use crate::policy::Behaviour;
use crate::rules::kit::{Cells, Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Crowd, Group, Span, Spot, Step, TrailRule, are_near, count_spots, listed};
use std::collections::{BTreeMap, BTreeSet};

rule! {
    /// One token was used from several networks.
    ///
    /// Why it matters: an access token is a bearer token: whoever copies it is its owner until it ends. Use from three
    /// address prefixes (/24 or /56), or from two within five minutes and with different user agents, is how a copy shows.
    ///
    /// What to do: ask the user or the owner of the client where it ran. If it was stolen, revoke the sessions and look the
    /// token up in the `activity` table.
    ///
    /// Known false positives: a pool of addresses behind which a company goes out (name it under `[networks]`, it counts as
    /// one place then); a phone that moves on, one place after the other and with one user agent, is reported as info;
    /// server farms that share an application's token have the higher threshold `token-many-ip-app-prefixes`. An IPv4 and an
    /// IPv6 prefix of one token count as one place, and so does a request that several hops of a mesh log under one request
    /// id.
    "token-many-ip", Behaviour, "H/M", Leak, Heuristic,
    references: [
        "RFC 9700 section 2.2.1", "RFC 9700 section 4.10", "OWASP API2:2023", "CWE-294", "ATT&CK T1550.001",
        "ATT&CK T1528", "ATT&CK T1539",
    ],
    needs: [],
    judge: Trails(TrailRule { by: By::Token, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    for trail in group.trails() {
        trail.count_lacking(Reason::NO_CLIENT_ADDRESS, |step| step.place.is_none(), conclusion);
        if trail.steps.len() < 2 {
            continue;
        }
        // What was refused shows a copy as well, but says nothing of whom the API let in.
        for accepted in [true, false] {
            let is_mine = |step: &Step<'_>| (step.outcome == Outcome::Accepted) == accepted;
            let steps: Vec<&Step<'_>> =
                trail.own_steps().filter(|step| is_mine(step) && step.place.is_some()).collect();
            if let Some(evidence) = judge(&steps, trail.app, group.behaviour) {
                trail.tell(rule, None, &evidence, is_mine, conclusion);
            }
        }
    }
}

fn judge(steps: &[&Step<'_>], app: bool, behaviour: &Behaviour) -> Option<Evidence> {
    if steps.len() < 2 {
        return None;
    }
    let spots: BTreeSet<Spot<'_>> = steps.iter().filter_map(|step| step.spot()).collect();
    let places = count_spots(&spots);
    let least = if app { behaviour.token_many_ip_app_prefixes } else { behaviour.token_many_ip_prefixes };
    let evidence = |message: &str| {
        Evidence::new(message)
            .expected(format!("uses from fewer than {least} networks"))
            .actual(format!("{places} networks"))
            .fact("networks", listed(&spots))
    };
    if places >= least {
        let evidence = evidence("One token was used from many networks.");
        let moves = is_moving(steps, least, behaviour);
        return Some(if moves {
            evidence.cells(Cells::new('I', 'I')).fact("reason", "one place after the other")
        } else {
            evidence
        });
    }
    let window = behaviour.token_many_ip_overlap;
    let at_once = places >= 2
        && !app
        && steps.iter().enumerate().any(|(at, a)| {
            steps
                .iter()
                .skip(at + 1)
                .any(|b| differ(a, b) && are_near(a.spans.as_slice(), b.spans.as_slice(), window))
        });
    at_once.then(|| evidence("One token was used from two networks at once, with different user agents."))
}

/// True for two places that are not two sides of one, with different user agents.
fn differ(a: &Step<'_>, b: &Step<'_>) -> bool {
    let places = a.spot().zip(b.spot()).is_some_and(|(a, b)| a != b && !a.pairs_with(&b));
    places && a.agent.zip(b.agent).is_some_and(|(a, b)| a != b)
}

/// True for what a device in motion looks like: one user agent, one place after the other, and no crowd of places.
fn is_moving(steps: &[&Step<'_>], least: u64, behaviour: &Behaviour) -> bool {
    let agents: BTreeSet<Option<&str>> = steps.iter().map(|step| step.agent).collect();
    let mut crowd = Crowd::default();
    let mut stays: BTreeMap<Spot<'_>, Span> = BTreeMap::new();
    for step in steps {
        let (Some(spot), Some(seen)) = (step.spot(), step.seen()) else { return false };
        crowd.add(&spot, spot.class(), step.spans.as_slice());
        let stay = stays.entry(spot).or_insert(seen);
        *stay = (stay.0.min(seen.0), stay.1.max(seen.1));
    }
    let mut stays: Vec<Span> = stays.into_values().collect();
    stays.sort_unstable();
    let in_turn = stays.iter().zip(stays.iter().skip(1)).all(|(stay, next)| stay.1 < next.0);
    let (at_once, _) = crowd.within(behaviour.token_many_ip_overlap, least);
    agents.len() == 1 && in_turn && at_once < least
}
