//! `key-source-mismatch`

use crate::facts::Facts;
use crate::rules::archive;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::verify::Verdict;

rule! {
    /// The token was accepted, and only a key of another issuer verifies it.
    ///
    /// Why it matters: somebody signs in the name of an issuer with a genuine key of another one: of another cloud, of
    /// another tenant's application, of another identity provider. A validator that pools the keys of all its issuers
    /// accepts that, and then each of them can speak for all the others.
    ///
    /// What to do: bind each issuer to its own keys in the validator; treat the request as forged, and look at what else
    /// the named key signed.
    ///
    /// Known false positives: an archive whose sources do not say whom they serve; a source that serves the issuer and is
    /// filed under another name. With the right sources the key is the issuer's own and the rule quiet.
    "key-source-mismatch", Signature, "C/H", Attack, Proven,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-tokens", "RFC 8725 section 3.8", "CWE-346",
        "ATT&CK T1606",
    ],
    needs: [Keys],
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(key) = facts.foreign_key else {
        return match facts.verdict {
            Verdict::Valid
            | Verdict::ValidGraphNonce
            | Verdict::Invalid
            | Verdict::Unsigned
            | Verdict::KeyUnknown
            | Verdict::NotCovered => Check::Quiet,
            _ => Check::NotEvaluable(Reason::NOT_VERIFIED),
        };
    };
    let Some(keys) = facts.context.keys else { return Check::Quiet };
    let sources = archive::source_names(keys, keys.key(key).listings.iter());
    let mut evidence = Evidence::new("Only a key of another issuer verifies the token.")
        .expected("a key that the token's issuer published")
        .fact("key_kid", keys.key(key).kid.clone());
    evidence.actual = keys.key_source(key).map(str::to_owned);
    if let Some(iss) = facts.token.claims().and_then(|claims| claims.iss) {
        evidence = evidence.fact("iss", iss);
    }
    Check::fires(evidence.fact("key_sources", sources))
}
