//! `alg-symmetric`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Header;

rule! {
    /// The token is authenticated by a shared secret, while its issuer publishes asymmetric keys only.
    ///
    /// Why it matters: the issuer cannot have made it. The classic attack signs with the public key as the secret and
    /// hopes that the validator takes the algorithm from the token (proved, it is `alg-confusion`).
    ///
    /// What to do: bind each key to its algorithm in the validator; never take the algorithm from the token. Treat accepted
    /// requests as forged.
    ///
    /// Known false positives: in-house tokens of another issuer on the same route that name a foreign `iss`.
    "alg-symmetric", Form, "C/M", Attack, Proven,
    references: ["RFC 8725 section 2.1", "RFC 8725 section 3.1", "OWASP API2:2023", "CWE-347", "ATT&CK T1606"],
    needs: [Header, Keys],
    judge: Token(check),
}

pub(super) fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    if !token.header().is_some_and(Header::is_symmetric) || token.signature.confusion.is_some() {
        return Check::Quiet;
    }
    let (Some(keys), Some(authority)) = (context.keys, &token.signature.authority) else {
        return Check::NotEvaluable(Reason::NO_COVERAGE);
    };
    let published = keys
        .keys()
        .map(|(_, key)| key)
        .filter(|key| key.listings.iter().any(|listing| authority.sources.contains(&listing.source)));
    let kinds: Vec<_> = published.map(|key| key.kty.as_str()).collect();
    if kinds.is_empty() {
        return Check::NotEvaluable(Reason::NO_COVERAGE);
    }
    if kinds.contains(&"oct") {
        return Check::Quiet;
    }
    let alg = token.header().and_then(|header| header.alg).unwrap_or_default();
    Check::fires(
        Evidence::new(format!(
            "The token names {alg}, but every key that its issuer published is asymmetric."
        ))
        .expected("an algorithm of the issuer's published keys")
        .actual(alg)
        .fact("published_keys", kinds.len()),
    )
}
