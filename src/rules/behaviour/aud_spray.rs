//! `aud-spray`

use super::{Burst, burst, is_unproven};
use crate::rules::kit::{Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, TrailRule};

rule! {
    /// Tokens for many audiences that do not fit came from one network.
    ///
    /// Why it matters: five audiences in ten minutes are somebody who tries every token that he has, or makes them up, until
    /// one fits.
    ///
    /// What to do: block the network, and look at whether any of its requests was accepted.
    ///
    /// Known false positives: a shared way out, behind which many people use many APIs, is not reported: only tokens count
    /// whose audience is none of the API's, or that no key vouches for.
    "aud-spray", Behaviour, "H/M", Attack, Heuristic,
    references: ["OWASP API2:2023", "CWE-307", "ATT&CK T1595.002", "ATT&CK T1078.004"],
    needs: [],
    judge: Trails(TrailRule { by: By::Place, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let what = Burst {
        window: group.behaviour.spray_window,
        least: group.behaviour.spray_values,
        message: "Tokens for many audiences that do not fit came from one network.",
        things: "audiences",
        counts: |step| step.marks.any(Marks::WRONG_AUDIENCE) || is_unproven(step),
    };
    burst(rule, group, &what, |trail| trail.aud, conclusion);
}
