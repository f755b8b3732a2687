//! `tid-missing`

use crate::codec::json::Value;
use crate::entra::IssuerKind;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The issuer is one of Entra's, and the token names no tenant.
    ///
    /// Why it matters: an API that compares `tid` with the owner of the data has nothing to compare. Entra writes `tid`
    /// into every token of a work or school tenant.
    ///
    /// What to do: look at the signature verdict; let the API refuse tokens without `tid`, as .NET's check of the key's
    /// issuer does.
    ///
    /// Known false positives: none for work and school tenants. Tokens of B2C may lack `tid`; they are not judged.
    "tid-missing", Tenant, "M/I", Overreach, Strong,
    references: ["https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "CWE-345"],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(iss) = claims.iss else { return Check::NotEvaluable(Reason::CLAIM_ABSENT) };
    let entra = claims.issuer.is_some_and(|issuer| issuer.kind != IssuerKind::B2c);
    if !entra || !matches!(claims.member("tid"), None | Some(Value::Null)) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The issuer is one of Entra's, and the token names no tenant.")
            .expected("tid, the id of a tenant")
            .fact("iss", iss),
    )
}
