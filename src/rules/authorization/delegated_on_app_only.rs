//! `delegated-on-app-only`

use super::at_api;
use crate::facts::Pairing;
use crate::policy::TokenKind;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Kind;

rule! {
    /// A user called where only applications are expected.
    ///
    /// Why it matters: an API that is meant for daemons trusts its callers with everything that a daemon may do, and does not
    /// look at the user.
    ///
    /// What to do: let the API require `idtyp` to be `app`, and a role. If users may call, add `delegated` to `kinds` and
    /// state `scopes`.
    ///
    /// Known false positives: APIs that take both; say so in `kinds`.
    "delegated-on-app-only", Authorization, "H/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "OWASP API5:2023", "CWE-863",
    ],
    needs: [Claims, Kinds],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    match (&api.kinds, claims.kind) {
        (Some(kinds), Kind::Delegated) if !kinds.contains(&TokenKind::Delegated) => Check::fires(
            Evidence::new("A user called where only applications are expected.")
                .expected("an application's own token")
                .actual(claims.kind.name()),
        ),
        (Some(kinds), Kind::Unknown) if !kinds.contains(&TokenKind::Delegated) => {
            Check::NotEvaluable(Reason::KIND_UNKNOWN)
        }
        _ => Check::Quiet,
    }
}
