//! `aud-multiple`

use crate::codec::json::Value;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token names several audiences.
    ///
    /// Why it matters: Entra issues a token for one. A token for many works at each of them, so that every API can use it
    /// at all the others.
    ///
    /// What to do: look at the signature verdict; list the issuer under `validation.issuers` if it is another identity
    /// provider that you trust.
    ///
    /// Known false positives: other issuers, to whom RFC 7519 leaves it free. Listed ones are not judged.
    "aud-multiple", Audience, "M/L", Overreach, Strong,
    references: ["RFC 7519 section 4.1.3", "CWE-441"],
    needs: [Claims],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let several = match claims.member("aud") {
        None | Some(Value::Null) => return Check::NotEvaluable(Reason::CLAIM_ABSENT),
        Some(Value::Array(items)) if items.len() > 1 => items.len(),
        Some(_) => return Check::Quiet,
    };
    if claims.iss.is_some_and(|iss| pairing.validation.lists_issuer(iss)) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The token names several audiences.")
            .expected("one audience")
            .actual(claims.audience.column().unwrap_or_default())
            .fact("audiences", several),
    )
}
