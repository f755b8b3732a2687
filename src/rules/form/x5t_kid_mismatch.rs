//! `x5t-kid-mismatch`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token's header names two different keys, one as `kid` and one as `x5t`.
    ///
    /// Why it matters: Entra writes the same value into both. Where they differ, a validator that follows the one and a
    /// gateway that follows the other verify with different keys, or the header was put together by hand.
    ///
    /// What to do: find the signer; for accepted requests look at the verdict on the signature.
    ///
    /// Known false positives: none for v1 tokens of Entra. Other issuers may choose a `kid` that is no thumbprint.
    "x5t-kid-mismatch", Form, "M/L", Attack, Proven,
    references: [
        "RFC 7515 section 4.1.7", "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference",
        "CWE-345", "ATT&CK T1606",
    ],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(header) = token.header() else { return Check::NotEvaluable(Reason::NO_HEADER) };
    let (Some(kid), Some(x5t)) = (header.kid, header.x5t) else { return Check::Quiet };
    if kid == x5t {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The token's header names one key as kid and another one as x5t.")
            .expected(kid)
            .actual(x5t)
            .fact("kid", kid),
    )
}
