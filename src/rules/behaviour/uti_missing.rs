//! `uti-missing`

use crate::entra::IssuerKind;
use crate::facts::{Context, TokenFacts};
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The issuer is one of Entra's, and the token has no identifier.
    ///
    /// Why it matters: Entra writes `uti` into every token, and it is the only thing that joins a request with the sign-in log.
    /// Whoever mints a token himself has no sign-in to point to.
    ///
    /// What to do: look at the signature verdict, and at who can sign tokens of this API.
    ///
    /// Known false positives: tokens of B2C and of issuers other than Entra. They are not judged.
    "uti-missing", Behaviour, "M/L", Leak, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "RFC 9068 section 2.2",
    ],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(iss) = claims.iss else { return Check::NotEvaluable(Reason::CLAIM_ABSENT) };
    let entra = claims.issuer.is_some_and(|issuer| issuer.kind != IssuerKind::B2c);
    if !entra || claim::is_present(claims, "uti") {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The issuer is one of Entra's, and the token has no identifier.")
            .expected("uti")
            .fact("iss", iss),
    )
}
