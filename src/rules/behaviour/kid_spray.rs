//! `kid-spray`

use super::{Burst, burst};
use crate::rules::kit::{Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, TrailRule};

rule! {
    /// Tokens under many unknown keys came from one network.
    ///
    /// Why it matters: five key ids in ten minutes that the issuer never published are somebody who looks for a validator that
    /// takes a key from anywhere.
    ///
    /// What to do: block the network, and look at whether any of its requests was accepted.
    ///
    /// Known false positives: a shared way out (name it under `[networks]`) behind which several issuers are used whose keys
    /// the archive lacks.
    "kid-spray", Behaviour, "H/M", Attack, Heuristic,
    references: ["OWASP API2:2023", "CWE-307", "ATT&CK T1595.002"],
    needs: [Keys],
    judge: Trails(TrailRule { by: By::Place, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let what = Burst {
        window: group.behaviour.spray_window,
        least: group.behaviour.spray_values,
        message: "Tokens under many unknown keys came from one network.",
        things: "key ids",
        counts: |step| step.marks.any(Marks::UNKNOWN_KEY),
    };
    burst(rule, group, &what, |trail| trail.kid, conclusion);
}
