//! `kid-missing`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token does not name its key.
    ///
    /// Why it matters: Entra names the signing key in every token. Without `kid` a validator tries all its keys or the
    /// first one, which widens what a forger may hit.
    ///
    /// What to do: find the issuer of these tokens; let the gateway demand `kid` where all issuers are Entra's.
    ///
    /// Known false positives: other issuers that use a single key.
    "kid-missing", Form, "M/L", Attack, Proven,
    references: [
        "RFC 7515 section 4.1.4", "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference",
        "CWE-345",
    ],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(header) = token.header() else { return Check::NotEvaluable(Reason::NO_HEADER) };
    let reason = match (&header.kid, header.member("kid")) {
        (Some(kid), _) if !kid.is_empty() => return Check::Quiet,
        (Some(_), _) => "empty",
        (None, Some(_)) => "wrong-type",
        (None, None) => "absent",
    };
    let evidence =
        Evidence::new("The token's header does not name the key that signed it.").expected("a key id (kid)");
    Check::fires(evidence.fact("reason", reason))
}
