//! `scope-missing`

use super::at_api;
use super::holds_any;
use super::sure;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, rule};
use crate::token::Kind;

rule! {
    /// The user's token lacks the scope that the API asks for.
    ///
    /// Why it matters: the client was never allowed to do this for the user. An accepted request shows that the API does not
    /// compare scopes, or compares the wrong ones.
    ///
    /// What to do: if the API is to accept other scopes as well, add them to `scopes`; otherwise let it refuse the request.
    ///
    /// Known false positives: a policy whose routes have drifted from the API's. A token with one of the listed `roles` is not
    /// counted, because many APIs take either. Scopes are compared letter for letter.
    "scope-missing", Authorization, "H/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/scenario-protected-web-api-verification-scope-app-roles",
        "RFC 9068 section 4", "RFC 9700 section 2.3", "OWASP API5:2023", "CWE-863", "CWE-862",
    ],
    needs: [Claims, Scopes],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    let Some(scopes) = &api.scopes else { return Check::Quiet };
    let by_role = api.roles.as_ref().is_some_and(|roles| holds_any(claims.roles.as_deref(), roles));
    if matches!(claims.kind, Kind::App { .. }) || by_role || holds_any(claims.scp.as_deref(), scopes) {
        return Check::Quiet;
    }
    let evidence = Evidence::new("The token lacks the scope that the API asks for.")
        .expected(scopes.join(" "))
        .fact("kind", claims.kind.name())
        .confidence(sure(claims));
    Check::fires(match claims.text("scp") {
        Some(scp) => evidence.actual(scp),
        None => evidence,
    })
}
