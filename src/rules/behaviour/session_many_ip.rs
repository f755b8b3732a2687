//! `session-many-ip`

use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Crowd, Group, Spot, Step, TrailRule, listed};
use std::collections::BTreeSet;

rule! {
    /// One session was used from several networks at the same time.
    ///
    /// Why it matters: all tokens of a sign-in bear its `sid`. Three address prefixes within five minutes are more than one
    /// device has: somebody else holds the session, for example after a phishing proxy took its cookie.
    ///
    /// What to do: revoke the user's sessions, and look at the sign-in log for where this one began.
    ///
    /// Known false positives: pools of addresses (name them under `[networks]`), phones that change networks quickly. An IPv4
    /// and an IPv6 prefix count as one place, and so does a request that several hops of a mesh log under one request id.
    "session-many-ip", Behaviour, "M/L", Leak, Heuristic,
    references: ["CWE-294", "ATT&CK T1539", "ATT&CK T1557"],
    needs: [],
    judge: Trails(TrailRule { by: By::Session, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let (window, least) = (group.behaviour.session_many_ip_window, group.behaviour.session_many_ip_prefixes);
    if group.keyless {
        let judgeable = |step: &Step<'_>| step.place.is_some() && step.seen().is_some();
        for trail in group.trails() {
            trail.count_lacking(Reason::CLAIM_ABSENT, judgeable, conclusion);
        }
        return;
    }
    let mut crowd = Crowd::default();
    for trail in group.trails() {
        trail.count_lacking(Reason::NO_CLIENT_ADDRESS, |step| step.place.is_none(), conclusion);
        trail.count_lacking(Reason::NO_TIME, |step| step.seen().is_none(), conclusion);
        for step in trail.own_steps() {
            if let Some(spot) = step.spot() {
                crowd.add(&spot, spot.class(), step.spans.as_slice());
            }
        }
    }
    let (most, stretches) = crowd.within(window, least);
    if stretches.is_empty() {
        return;
    }
    // A session may have as many tokens as its owner likes, so that their trails are looked at one by one.
    let mut spots: BTreeSet<Spot<'_>> = BTreeSet::new();
    for trail in group.trails() {
        spots.extend(trail.own_steps().filter(|step| step.falls_into(&stretches)).filter_map(Step::spot));
    }
    let evidence = Evidence::new("One session was used from several networks at the same time.")
        .expected(format!("fewer than {least} networks at the same time"))
        .actual(format!("{most} networks"))
        .fact("networks", listed(&spots))
        .fact("tokens", group.members.len());
    for trail in group.trails() {
        trail.tell(rule, None, &evidence, |step| step.falls_into(&stretches), conclusion);
    }
}
