//! `acr-low`

use super::at_api;
use crate::facts::Pairing;
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::{Kind, Version};

rule! {
    /// The token says that the sign-in did not meet ISO/IEC 29115, on an API that asks for a second factor.
    ///
    /// Why it matters: `acr` 0 in a v1 token is the issuer's own word for a weak sign-in.
    ///
    /// What to do: judge by `amr` and by authentication contexts; the claim is obsolete.
    ///
    /// Known false positives: the claim is obsolete, and 1 is what most sign-ins show. APIs that do not ask for `mfa` are not
    /// judged, nor are v2 tokens and those of applications.
    "acr-low", Authorization, "L/-", Overreach, Strong,
    references: ["https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "CWE-308"],
    needs: [Claims, Mfa],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    if !api.mfa || claims.version != Version::V1 || matches!(claims.kind, Kind::App { .. }) {
        return Check::Quiet;
    }
    match claim::flag(claims, "acr") {
        None if claim::is_present(claims, "acr") => Check::Quiet,
        None => Check::NotEvaluable(Reason::CLAIM_ABSENT),
        Some(true) => Check::Quiet,
        Some(false) => Check::fires(
            Evidence::new(
                "The token says that the sign-in was weak, on an API that asks for a second factor.",
            )
            .expected("acr 1")
            .actual("0"),
        ),
    }
}
