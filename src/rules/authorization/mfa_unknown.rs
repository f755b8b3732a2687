//! `mfa-unknown`

use super::at_api;
use crate::facts::Pairing;
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, rule};
use crate::token::Kind;

rule! {
    /// The API asks for a second factor, and the token does not say how the user signed in.
    ///
    /// Why it matters: `mfa-missing` cannot judge the request. Only v1 tokens carry `amr` by default; its absence does not mean
    /// that there was no second factor. The count shows how much of the traffic that rule does not see.
    ///
    /// What to do: let the API ask for an authentication context (`auth-context`), which v2 tokens show in `acrs`.
    ///
    /// Known false positives: none; it states what is not covered. Applications sign in with their credential alone and are not
    /// counted.
    "mfa-unknown", Authorization, "I/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "RFC 9068 section 2.2.1",
    ],
    needs: [Claims, Mfa],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    if !api.mfa || claim::is_present(claims, "amr") || matches!(claims.kind, Kind::App { .. }) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The API asks for a second factor, and the token does not say how the user signed in.")
            .expected("amr"),
    )
}
