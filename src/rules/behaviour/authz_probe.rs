//! `authz-probe`

use crate::facts::Outcome;
use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Crowd, Group, Single, Step, TrailRule};

rule! {
    /// A caller tried many routes that it has no right to.
    ///
    /// Why it matters: ten routes that answer 403 within ten minutes are somebody who looks for what is open: other people's
    /// records, or functions of administrators.
    ///
    /// What to do: look at what the same caller was allowed to do around that time, and ask the owner of the client.
    ///
    /// Known false positives: a client that lacks a permission and calls one route again and again is one route, and is not
    /// reported; one that starts with many calls is. Tokens of applications are counted together by client.
    "authz-probe", Behaviour, "-/M", Attack, Heuristic,
    references: ["OWASP API5:2023", "OWASP API1:2023", "CWE-862", "ATT&CK T1595", "ATT&CK T1087.004"],
    needs: [],
    judge: Trails(TrailRule { by: By::Actor, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let (window, least) = (group.behaviour.authz_probe_window, group.behaviour.authz_probe_routes);
    let refused = |step: &Step<'_>| step.outcome == Outcome::DeniedAuthz;
    let mut crowd = Crowd::default();
    for trail in group.trails() {
        trail.count_lacking(Reason::NO_TIME, |step| refused(step) && step.seen().is_none(), conclusion);
        trail.count_lacking(Reason::NO_PATH, |step| refused(step) && step.lacks_route(), conclusion);
        for step in trail.own_steps().filter(|step| refused(step)) {
            for (route, span) in step.routes.as_slice() {
                crowd.add(route, Single, &[*span]);
            }
        }
    }
    let (most, stretches) = crowd.within(window, least);
    if stretches.is_empty() {
        return;
    }
    let evidence = Evidence::new("A caller tried many routes that it has no right to.")
        .expected(format!("fewer than {least} routes that answer 403"))
        .actual(format!("{most} routes"))
        .fact("tokens", group.members.len());
    for trail in group.trails() {
        trail.tell(rule, None, &evidence, |step| refused(step) && step.falls_into(&stretches), conclusion);
    }
}
