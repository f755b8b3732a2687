//! `token-many-ua`

use crate::rules::kit::{Cells, Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Spot, Step, TrailRule, is_browser, listed};
use std::collections::BTreeSet;

rule! {
    /// One token was sent by several kinds of client software.
    ///
    /// Why it matters: a token belongs to one client. A second user agent, such as a script beside a browser, is a sign that
    /// the token was copied out of it.
    ///
    /// What to do: ask whoever runs the client whether both are theirs.
    ///
    /// Known false positives: a browser and an SDK in one application on one machine (info, where all uses come from one
    /// place). Families are compared and not versions, so that an update does not count; a request that several hops of a
    /// mesh log under one request id counts once.
    "token-many-ua", Behaviour, "M/L", Leak, Heuristic,
    references: ["RFC 9700 section 4.10", "CWE-294", "ATT&CK T1550.001"],
    needs: [],
    judge: Trails(TrailRule { by: By::Token, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    for trail in group.trails() {
        trail.count_lacking(Reason::NO_USER_AGENT, |step| step.agent.is_none(), conclusion);
        if !trail.has_steps(group.behaviour.token_many_ua_families) {
            continue;
        }
        let families: BTreeSet<&str> = trail.own_steps().filter_map(|step| step.agent).collect();
        let count = u64::try_from(families.len()).unwrap_or(u64::MAX);
        if count < group.behaviour.token_many_ua_families {
            continue;
        }
        let mut evidence = Evidence::new("One token was sent by several kinds of client software.")
            .expected(format!("fewer than {} user agents", group.behaviour.token_many_ua_families))
            .actual(format!("{count} user agents"))
            .fact("user_agents", listed(&families));
        let spots: BTreeSet<Option<Spot<'_>>> = trail.own_steps().map(Step::spot).collect();
        let browsers = families.iter().filter(|family| is_browser(family)).count();
        if spots.len() == 1 && !spots.contains(&None) && browsers == 1 {
            evidence =
                evidence.cells(Cells::new('I', 'I')).fact("reason", "a browser and software beside it");
        }
        trail.tell(rule, None, &evidence, |_| true, conclusion);
    }
}
