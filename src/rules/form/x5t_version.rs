//! `x5t-version`

use crate::entra::IssuerKind;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Version;

rule! {
    /// The token's `x5t` does not go with its version.
    ///
    /// Why it matters: Entra names the certificate in the header of v1 tokens and leaves it out of v2 tokens. A token
    /// of the other shape may have been put together by hand; alone it proves nothing.
    ///
    /// What to do: nothing while it is alone. Read it together with what the signature rules say of the same token.
    ///
    /// Known false positives: the shape is documented and no promise. Tokens of B2C, External ID and other issuers are
    /// not judged.
    "x5t-version", Form, "I/I", Attack, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference",
        "https://learn.microsoft.com/entra/identity-platform/access-tokens",
    ],
    needs: [Header, Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let (Some(header), Some(claims)) = (token.header(), token.claims()) else {
        return Check::NotEvaluable(Reason::NO_CLAIMS);
    };
    if claims.issuer.is_none_or(|issuer| issuer.kind != IssuerKind::Workforce) {
        return Check::Quiet;
    }
    let (message, expected, actual) = match (claims.version, header.member("x5t")) {
        (Version::V2, Some(_)) => ("A v2 token names a certificate (x5t).", "no x5t", "x5t"),
        (Version::V1, None) => ("A v1 token names no certificate (x5t).", "x5t", "no x5t"),
        _ => return Check::Quiet,
    };
    let evidence = Evidence::new(message).expected(expected).actual(actual);
    Check::fires(evidence.fact("version", claims.version.name()))
}
