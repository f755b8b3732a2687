//! `tenant-spray`

use super::{Burst, burst, is_unproven};
use crate::rules::kit::{Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, TrailRule};

rule! {
    /// Tokens of many tenants that are not expected came from one network.
    ///
    /// Why it matters: everybody can have tenants. Five of them in ten minutes are somebody who tries whether the API tells
    /// them apart.
    ///
    /// What to do: block the network, and look at whether any of its requests was accepted.
    ///
    /// Known false positives: a shared way out of several customers is not reported: only tokens count whose tenant the policy
    /// does not list, or that no key vouches for.
    "tenant-spray", Behaviour, "H/M", Attack, Heuristic,
    references: ["OWASP API2:2023", "CWE-307", "ATT&CK T1595.002", "ATT&CK T1078.004"],
    needs: [],
    judge: Trails(TrailRule { by: By::Place, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let what = Burst {
        window: group.behaviour.spray_window,
        least: group.behaviour.spray_values,
        message: "Tokens of many tenants that are not expected came from one network.",
        things: "tenants",
        counts: |step| step.marks.any(Marks::FOREIGN_TENANT) || is_unproven(step),
    };
    burst(rule, group, &what, |trail| trail.tid, conclusion);
}
