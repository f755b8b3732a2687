//! `sig-variant`

use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, TrailRule};
use crate::verify::Verdict;
use std::collections::BTreeSet;

rule! {
    /// One token was sent with its signature spelled in different ways.
    ///
    /// Why it matters: the last character of a signature has bits that mean nothing, and decoders let padding pass, so that
    /// one token has many spellings. Replay caches and block lists that compare the text are evaded by them.
    ///
    /// What to do: let gateways refuse signatures that are not in their one canonical form, and key caches on the signed
    /// part.
    ///
    /// Known false positives: proxies that encode tokens anew; where one request is logged before and behind such a proxy
    /// under one request id, it counts once.
    "sig-variant", Behaviour, "M/M", Leak, Proven,
    references: ["RFC 7515 section 2", "RFC 4648 section 3.5", "CWE-294", "CWE-436", "ATT&CK T1036"],
    needs: [],
    judge: Trails(TrailRule { by: By::Token, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    for trail in group.trails() {
        if trail.verdict == Verdict::Truncated {
            // Nobody knows how the rest of the signature was spelled.
            trail.count_lacking(Reason::NO_CLAIMS, |_| true, conclusion);
            continue;
        }
        if trail.steps.len() < 2 {
            continue;
        }
        let spellings: BTreeSet<u32> = trail.own_steps().map(|step| step.spelling).collect();
        if spellings.len() < 2 {
            continue;
        }
        let evidence = Evidence::new("One token was sent with its signature spelled in different ways.")
            .expected("one spelling")
            .actual(format!("{} spellings", spellings.len()))
            .fact("canonical", spellings.contains(&0));
        trail.tell(rule, None, &evidence, |_| true, conclusion);
    }
}
