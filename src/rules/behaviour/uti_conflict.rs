//! `uti-conflict`

use crate::entra;
use crate::rules::kit::{Evidence, Reason, Rule, rule};
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Trail, TrailRule};
use std::collections::BTreeSet;

rule! {
    /// Two tokens with different content bear the same `uti`.
    ///
    /// Why it matters: `uti` is unique: Entra never gives it twice. A second content under it was made by somebody who
    /// changed a token, or who signs with the issuer's key.
    ///
    /// What to do: where the signature is valid, treat the key as stolen and tell the issuer. Otherwise the API that
    /// accepted the token does not check signatures.
    ///
    /// Known false positives: none. A token that a key vouches for is accused only by another one that a key vouches for, so
    /// that nobody can discredit it by a forgery.
    "uti-conflict", Behaviour, "C/H", Attack, Proven,
    references: [
        "RFC 7519 section 4.1.7", "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference",
        "CWE-345", "ATT&CK T1606",
    ],
    needs: [],
    judge: Trails(TrailRule { by: By::Uti, check }),
}

fn check(rule: &Rule, group: &Group<'_>, conclusion: &mut Conclusion) {
    if group.members.len() < 2 && !group.keyless {
        return;
    }
    let is_entra = |trail: &Trail<'_>| trail.iss.is_some_and(|iss| entra::parse_issuer(iss).is_some());
    let trails = || group.trails().filter(|trail| is_entra(trail));
    if group.keyless {
        trails().for_each(|trail| trail.count_lacking(Reason::CLAIM_ABSENT, |_| true, conclusion));
        return;
    }
    let (mut all, mut vouched) = (BTreeSet::new(), BTreeSet::new());
    for trail in trails() {
        all.extend(trail.signed);
        vouched.extend(trail.signed.filter(|_| trail.verdict.is_valid()));
    }
    for trail in trails() {
        let accusing = if trail.verdict.is_valid() { &vouched } else { &all };
        if accusing.len() < 2 {
            continue;
        }
        let evidence = Evidence::new("Tokens with different content bear the same uti.")
            .expected("one content under a uti")
            .actual(trail.uti.unwrap_or_default())
            .fact("contents", accusing.len())
            .fact("valid_contents", vouched.len());
        trail.tell(rule, None, &evidence, |_| true, conclusion);
    }
}
