//! `client-version`

use crate::entra::IssuerKind;
use crate::facts::{Context, TokenFacts};
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Version;

rule! {
    /// The token names its client as tokens of the other version do.
    ///
    /// Why it matters: v1 tokens have `appid` and `appidacr`, v2 tokens `azp` and `azpacr`. A token with the others was put
    /// together by somebody, and an API that reads either name believes what its gateway never looked at.
    ///
    /// What to do: look at the signature verdict and at who can sign tokens of this API; let the API read the name that belongs
    /// to `ver`.
    ///
    /// Known false positives: optional claims that repeat the client under the other name as well; the two agree then, and are
    /// not reported. Tokens of Azure AD B2C say `ver` 1.0 and have `azp`; they are not judged.
    "client-version", Authorization, "M/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "CWE-345", "ATT&CK T1606",
    ],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    // `azp` is everybody's (OpenID Connect Core section 2), and B2C writes it into tokens of version 1.
    if claims.issuer.is_none_or(|issuer| issuer.kind == IssuerKind::B2c) {
        return Check::Quiet;
    }
    let pairs = [("appid", "azp"), ("appidacr", "azpacr")];
    let foreign = pairs
        .map(|(v1, v2)| if claims.version == Version::V1 { (v2, v1) } else { (v1, v2) })
        .into_iter()
        .find(|(foreign, own)| {
            claim::is_present(claims, foreign) && claims.member(foreign) != claims.member(own)
        });
    let Some((foreign, own)) = foreign else { return Check::Quiet };
    Check::fires(
        Evidence::new("The token names its client as tokens of the other version do.")
            .expected(own)
            .actual(foreign)
            .fact("claim", foreign)
            .fact("version", claims.version.name()),
    )
}
