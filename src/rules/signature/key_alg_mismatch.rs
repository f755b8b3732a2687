//! `key-alg-mismatch`

use super::{resolved_keys, unverified};
use crate::facts::{Context, TokenFacts};
use crate::keys::Key;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token's algorithm is not the one of its key.
    ///
    /// Why it matters: a key is safe with the algorithm that it was made for. A token that uses it with another one, or
    /// with one that its type cannot serve, tries what the validator mixes up.
    ///
    /// What to do: bind each key to its algorithm in the validator.
    ///
    /// Known false positives: Entra's keys name no algorithm, so only their type counts. A MAC with a public key is
    /// `alg-symmetric` or `alg-confusion` and not counted again.
    "key-alg-mismatch", Signature, "H/M", Attack, Proven,
    references: ["RFC 7517 section 4.4", "RFC 8725 section 3.1", "CWE-347"],
    needs: [Header, Keys],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let Some(header) = token.header() else { return Check::NotEvaluable(Reason::NO_HEADER) };
    // Unsigned tokens, those that name no algorithm, and MACs have rules of their own.
    let Some(alg) = header.alg.filter(|_| !header.is_unsigned() && !header.is_symmetric()) else {
        return Check::Quiet;
    };
    let mut mismatches = resolved_keys(token, context).map(|key| (key, mismatch(key, alg))).peekable();
    let Some((key, first)) = mismatches.peek().cloned() else { return unverified(token.signature.verdict) };
    // Several keys of one name must all disagree.
    let (Some(expected), true) = (first, mismatches.all(|(_, mismatch)| mismatch.is_some())) else {
        return Check::Quiet;
    };
    Check::fires(
        Evidence::new("The token's algorithm is not the one of its key.")
            .expected(expected)
            .actual(alg)
            .fact("key_kid", key.kid.clone())
            .fact("kty", key.kty.clone())
            .fact("key_alg", key.alg.clone()),
    )
}

/// What a key is right for, if that is not this algorithm.
fn mismatch(key: &Key, alg: &str) -> Option<String> {
    if let Some(own) = key.alg.as_deref().filter(|own| *own != alg) {
        return Some(own.to_owned());
    }
    let (kty, crv) = match alg {
        "ES256" => ("EC", Some("P-256")),
        "ES384" => ("EC", Some("P-384")),
        "ES512" => ("EC", Some("P-521")),
        "EdDSA" => ("OKP", None),
        _ if alg.starts_with("RS") || alg.starts_with("PS") => ("RSA", None),
        _ => return None,
    };
    let other_type = !key.kty.is_empty() && key.kty != kty;
    let other_curve = crv.is_some_and(|crv| key.crv.as_deref().is_some_and(|own| own != crv));
    let served = key.crv.as_deref().unwrap_or(&key.kty);
    (other_type || other_curve).then(|| format!("an algorithm of {served} keys"))
}
