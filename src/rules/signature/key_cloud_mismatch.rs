//! `key-cloud-mismatch`

use super::VerifyingKey;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The key that verifies the token belongs to another cloud than its issuer.
    ///
    /// Why it matters: the clouds of Entra are separate so that a key stolen in one does not open the others. A key names
    /// its cloud (`cloud_instance_name`); validators check it only if they are told to.
    ///
    /// What to do: treat the token as forged with a genuine key. Turn on the check of the key's cloud in the validator.
    ///
    /// Known false positives: old captures lack the property, and then nothing is said. The worldwide key set holds keys
    /// with certificates of the US government cloud; certificates are not looked at.
    "key-cloud-mismatch", Signature, "H/M", Attack, Proven,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-tokens",
        "RFC 8725 section 3.8", "CWE-346", "ATT&CK T1606",
    ],
    needs: [Claims, Keys],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let key = match VerifyingKey::of(token, context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let of_sources = || {
        let sources = key.authority.sources.iter().map(|source| key.keys.source(*source));
        sources.flat_map(|source| &source.clouds).map(String::as_str)
    };
    // What the metadata says counts; the issuer tells where there is none.
    let by_issuer = of_sources().next().is_none();
    let clouds = claims.issuer.filter(|_| by_issuer).map(|issuer| issuer.clouds).unwrap_or_default();
    let right = || of_sources().chain(clouds.iter().map(|cloud| cloud.instance_name()));
    let stated = &key.key().clouds;
    if stated.is_empty() || right().next().is_none() {
        return Check::NotEvaluable(Reason::NO_KEY_CLOUD);
    }
    if stated.iter().any(|cloud| right().any(|right| right.eq_ignore_ascii_case(cloud))) {
        return Check::Quiet;
    }
    let mut right: Vec<&str> = right().collect();
    right.sort_unstable();
    right.dedup();
    let evidence = Evidence::new("The key that verifies the token belongs to another cloud than its issuer.")
        .expected(right.join(", "))
        .actual(stated.join(", "));
    Check::fires(key.describe(evidence, None))
}
