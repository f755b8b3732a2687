//! `role-missing`

use super::at_api;
use super::holds_any;
use super::sure;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, rule};
use crate::token::Kind;

rule! {
    /// The token lacks the role that the API asks for.
    ///
    /// Why it matters: for an application, a role is what an administrator granted; for a user, what somebody assigned. An
    /// accepted request shows that the API does not compare roles, or compares the wrong ones.
    ///
    /// What to do: if the API is to accept other roles as well, add them to `roles`; otherwise let it refuse the request.
    ///
    /// Known false positives: a policy whose routes have drifted from the API's. Where the policy states `scopes` beside `roles`,
    /// users are judged by scopes and only applications by roles. Roles are compared letter for letter.
    "role-missing", Authorization, "H/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/scenario-protected-web-api-verification-scope-app-roles",
        "OWASP API5:2023", "CWE-863",
    ],
    needs: [Claims, Roles],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    let Some(roles) = &api.roles else { return Check::Quiet };
    let by_scope = api.scopes.is_some() && !matches!(claims.kind, Kind::App { .. });
    if by_scope || holds_any(claims.roles.as_deref(), roles) {
        return Check::Quiet;
    }
    let evidence = Evidence::new("The token lacks the role that the API asks for.")
        .expected(roles.join(", "))
        .fact("kind", claims.kind.name());
    // Whoever is asked for roles alone is asked whatever the token's kind.
    let evidence = if api.scopes.is_some() { evidence.confidence(sure(claims)) } else { evidence };
    Check::fires(match &claims.roles {
        Some(held) => evidence.actual(held.join(", ")),
        None => evidence,
    })
}
