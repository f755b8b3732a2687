//! `app-only-on-delegated`

use super::at_api;
use super::sure;
use crate::facts::Pairing;
use crate::policy::TokenKind;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Kind;

rule! {
    /// An application called on its own where a user is required.
    ///
    /// Why it matters: whatever the API checks of the user is not there to be checked. It often serves such a request with the
    /// rights of nobody in particular, which may be all.
    ///
    /// What to do: let the API refuse tokens without a user (`idtyp` is `app`, or no `scp`). If applications may call, add `app`
    /// to `kinds` and state `roles`.
    ///
    /// Known false positives: tokens without `idtyp`, whose kind is derived from other claims; the finding is heuristic then.
    "app-only-on-delegated", Authorization, "H/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "RFC 9700 section 4.15",
        "OWASP API5:2023", "CWE-863", "ATT&CK T1078.004", "ATT&CK T1550.001",
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
        (Some(kinds), Kind::App { .. }) if !kinds.contains(&TokenKind::App) => Check::fires(
            Evidence::new("An application called on its own where a user is required.")
                .expected("a user's token")
                .actual(claims.kind.name())
                .confidence(sure(claims)),
        ),
        (Some(kinds), Kind::Unknown) if !kinds.contains(&TokenKind::App) => {
            Check::NotEvaluable(Reason::KIND_UNKNOWN)
        }
        _ => Check::Quiet,
    }
}
