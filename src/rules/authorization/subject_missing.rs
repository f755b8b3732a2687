//! `subject-missing`

use crate::entra::IssuerKind;
use crate::facts::{Context, TokenFacts};
use crate::rules::audience::id_token_mark;
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token does not say for whom it stands.
    ///
    /// Why it matters: access tokens of Entra carry `oid`, and Application Gateway answers 403 where it is missing. An API that
    /// accepts one without falls back to claims that can change.
    ///
    /// What to do: look at the signature verdict; let the API refuse tokens without `oid`.
    ///
    /// Known false positives: tokens of B2C, and ID tokens, which have `oid` only where the scope `profile` was asked for. They
    /// are judged by `sub` alone, as are tokens of issuers other than Entra.
    "subject-missing", Authorization, "M/I", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/azure/application-gateway/json-web-token-overview",
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "RFC 9068 section 2.2",
    ],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    if claim::is_present(claims, "oid") {
        return Check::Quiet;
    }
    let entra = claims.issuer.is_some_and(|issuer| issuer.kind != IssuerKind::B2c);
    let has_oid = entra && id_token_mark(claims, context.policy).is_none();
    if claim::is_present(claims, "sub") && !has_oid {
        return Check::Quiet;
    }
    let evidence = Evidence::new("The token does not say for whom it stands.");
    let evidence = if has_oid { evidence.expected("oid") } else { evidence.expected("oid or sub") };
    Check::fires(evidence.fact("sub", claim::is_present(claims, "sub")))
}
