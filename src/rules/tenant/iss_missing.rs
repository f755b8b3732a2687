//! `iss-missing`

use crate::codec;
use crate::codec::json::Value;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token names no issuer.
    ///
    /// Why it matters: whose keys should verify it? A validator that accepts it takes any key that it knows, and the tenant
    /// of the token is what its sender wrote.
    ///
    /// What to do: let the gateway require and compare `iss`; treat accepted requests as forged.
    ///
    /// Known false positives: none for Entra. Envoy accepts such a token where no issuer is configured.
    "iss-missing", Tenant, "C/M", Attack, Strong,
    references: [
        "RFC 7519 section 4.1.1", "RFC 8725 section 3.8",
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "OWASP API2:2023", "CWE-346",
    ],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let reason = match claims.member("iss") {
        None | Some(Value::Null) => "absent",
        Some(Value::String(iss)) if codec::is_blank(iss) => "blank",
        Some(Value::String(_)) => return Check::Quiet,
        Some(_) => "wrong-type",
    };
    Check::fires(
        Evidence::new("The token names no issuer.").expected("the issuer of a tenant").fact("reason", reason),
    )
}
