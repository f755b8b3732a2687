//! `kid-unknown`

use crate::facts::Facts;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::verify::Verdict;

rule! {
    /// The named key was never published by the issuer, although the archive covers the time.
    ///
    /// Why it matters: a key that the issuer never showed to the world is most likely the forger's own.
    ///
    /// What to do: check that the archive holds every source of this issuer; custom signing keys of one application are
    /// published under its `appid=` source only. If nothing is missing, treat accepted requests as forged.
    ///
    /// Known false positives: a key that is newer than the last capture (capture again and repeat the audit), a custom
    /// signing key without its source, a missing source of an External ID tenant.
    "kid-unknown", Signature, "H/M", Attack, Strong,
    references: [
        "RFC 7515 section 4.1.4", "OWASP API2:2023", "CWE-345", "ATT&CK T1606",
        "https://learn.microsoft.com/entra/identity-platform/signing-key-rollover",
    ],
    needs: [Header, Keys],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    match facts.verdict {
        Verdict::KeyUnknown => {}
        Verdict::Valid | Verdict::ValidGraphNonce | Verdict::Invalid | Verdict::Unsigned => {
            return Check::Quiet;
        }
        Verdict::NotCovered => return Check::NotEvaluable(Reason::NO_COVERAGE),
        _ => return Check::NotEvaluable(Reason::NOT_VERIFIED),
    }
    let kid = facts.token.header().and_then(|header| header.kid).unwrap_or_default();
    // A token that names no key is `kid-missing`; one that another issuer's key verifies is `key-source-mismatch`.
    if kid.is_empty() || !facts.token.signature.named.is_empty() || facts.foreign_key.is_some() {
        return Check::Quiet;
    }
    let mut evidence =
        Evidence::new("The issuer never published the named key, and the archive covers the time.")
            .expected("a key id that the issuer published")
            .actual(kid);
    if let (Some(keys), Some(authority)) = (facts.context.keys, &facts.token.signature.authority) {
        let sources: Vec<_> =
            authority.sources.iter().map(|source| keys.source_name(*source).to_owned()).collect();
        evidence = evidence.fact("sources_searched", sources);
    }
    Check::fires(evidence)
}
