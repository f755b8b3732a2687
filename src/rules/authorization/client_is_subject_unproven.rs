//! `client-is-subject-unproven`

use crate::facts::{Facts, TokenFacts};
use crate::rules::kit::{Check, Confidence, Evidence, rule};
use crate::rules::principal::{self, Bond};
use crate::token::Kind;

rule! {
    /// The application authorised the client alone, and the token is a user's.
    ///
    /// Why it matters: the id of a client stands in every token that it obtains for any user. Whoever signs in to that client
    /// is taken for the client itself, with all that it may do.
    ///
    /// What to do: authorise on the client id only where `idtyp` says `app`, or compare `oid` with the id of the client's
    /// service principal.
    ///
    /// Known false positives: applications whose tokens lack `idtyp`. Where neither it nor a scope tells whose the token is,
    /// the finding is heuristic; a token that looks like an application's is not reported.
    "client-is-subject-unproven", Authorization, "H/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "CWE-863", "ATT&CK T1550.001",
    ],
    needs: [Claims, AuthorizesOn],
    judge: Use(check),
}

fn is_application(token: &TokenFacts) -> bool {
    token.claims().is_some_and(|claims| matches!(claims.kind, Kind::App { .. }))
}

fn check(facts: &Facts<'_>) -> Check {
    if is_application(facts.token) {
        return Check::Quiet;
    }
    let (claims, principal) = match principal::of(facts) {
        Ok(both) => both,
        Err(check) => return check,
    };
    if principal::bond(principal, claims) != Bond::Client {
        return Check::Quiet;
    }
    let sure = if claims.kind == Kind::Delegated { Confidence::Strong } else { Confidence::Heuristic };
    Check::fires(
        Evidence::new("The application authorised the client alone, and the token is a user's.")
            .expected("an application's own token, or tid with oid or sub")
            .actual(principal)
            .fact("kind", claims.kind.name())
            .confidence(sure),
    )
}
