//! `forged-burst`

use super::{Burst, burst, is_unproven};
use crate::rules::kit::{Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, TrailRule};

rule! {
    /// Many forged tokens came from one network.
    ///
    /// Why it matters: ten tokens in ten minutes that no key signed are no accident: somebody tries out what the validator
    /// takes.
    ///
    /// What to do: block the network, and look at whether any of its requests was accepted.
    ///
    /// Known false positives: scanners under contract (accept the finding for their time). Tokens under an unknown key count
    /// only where they were refused: a key that the archive missed looks the same, and the gateway trusts it.
    "forged-burst", Behaviour, "C/H", Attack, Heuristic,
    references: [
        "RFC 8725 section 2.1", "OWASP API2:2023", "CWE-307", "CWE-347", "ATT&CK T1606", "ATT&CK T1110",
        "ATT&CK T1595.002",
    ],
    needs: [],
    judge: Trails(TrailRule { by: By::Place, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    let what = Burst {
        window: group.behaviour.forged_burst_window,
        least: group.behaviour.forged_burst_tokens,
        message: "Many forged tokens came from one network.",
        things: "forged tokens",
        counts: is_unproven,
    };
    burst(rule, group, &what, |trail| Some(trail.token.hex()), conclusion);
}
