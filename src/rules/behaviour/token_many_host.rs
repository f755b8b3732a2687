//! `token-many-host`

use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, Step, TrailRule, listed};
use std::collections::BTreeSet;

rule! {
    /// One token was sent to several APIs.
    ///
    /// Why it matters: a token is made for one API. An API that gets it can use it at every other one that takes it, and a
    /// thief tries it wherever he can.
    ///
    /// What to do: let the client ask for a token for each API, and let each API check `aud`.
    ///
    /// Known false positives: aliases and blue and green hosts of one API (list them in its `hosts`); APIs that share an
    /// audience of the token are not reported. A request that several hops of a mesh log under one request id counts once.
    "token-many-host", Behaviour, "M/M", Leak, Heuristic,
    references: [
        "RFC 9700 section 4.9", "https://learn.microsoft.com/entra/identity-platform/access-tokens", "CWE-441",
        "ATT&CK T1550.001",
    ],
    needs: [Policy],
    judge: Trails(TrailRule { by: By::Token, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    for trail in group.trails() {
        trail.count_lacking(Reason::NO_API, |step| step.api.is_none(), conclusion);
        if !trail.has_steps(group.behaviour.token_many_host_apis) {
            continue;
        }
        let covered: Vec<&Step<'_>> = trail.own_steps().filter(|step| step.api.is_some()).collect();
        let apis: BTreeSet<&str> = covered.iter().filter_map(|step| step.api).collect();
        let count = u64::try_from(apis.len()).unwrap_or(u64::MAX);
        let shared = covered.iter().all(|step| step.marks.any(Marks::OWN_AUDIENCE));
        if count < group.behaviour.token_many_host_apis || shared {
            continue;
        }
        let hosts: BTreeSet<&str> = covered.iter().filter_map(|step| step.host).collect();
        let evidence = Evidence::new("One token was sent to several APIs.")
            .expected("requests to the API that it was made for")
            .actual(format!("{count} APIs"))
            .fact("apis", listed(&apis))
            .fact("hosts", listed(&hosts));
        trail.tell(rule, None, &evidence, |step| step.api.is_some(), conclusion);
    }
}
