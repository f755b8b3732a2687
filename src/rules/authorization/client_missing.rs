//! `client-missing`

use crate::entra::IssuerKind;
use crate::facts::{Context, TokenFacts};
use crate::rules::audience::id_token_mark;
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Version;

rule! {
    /// The token does not name the client that obtained it.
    ///
    /// Why it matters: Entra always names it (`appid` in v1, `azp` in v2). Without it no list of clients can be compared, and
    /// nobody can tell which application leaked the token.
    ///
    /// What to do: look at the signature verdict; let the API refuse tokens without the claim of their version.
    ///
    /// Known false positives: tokens of B2C, and ID tokens, of which `id-token-used` speaks. They are not judged, nor are tokens
    /// of issuers other than Entra. Of a client that is named as in the other version `client-version` speaks.
    "client-missing", Authorization, "M/I", Overreach, Strong,
    references: ["https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "CWE-345"],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    if claims.iss.is_none() {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    }
    let entra = claims.issuer.is_some_and(|issuer| issuer.kind != IssuerKind::B2c);
    let name = if claims.version == Version::V1 { "appid" } else { "azp" };
    let named = ["appid", "azp"].into_iter().any(|name| claim::is_present(claims, name));
    if !entra || named || id_token_mark(claims, context.policy).is_some() {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The token does not name the client that obtained it.")
            .expected(name)
            .fact("version", claims.version.name()),
    )
}
