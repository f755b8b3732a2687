//! `kind-conflict`

use crate::facts::{Context, TokenFacts};
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token says both that it is an application's and that it is a user's.
    ///
    /// Why it matters: Entra does not write such tokens. One API will take it for an application, the next for a user, and each
    /// checks only what it looks for.
    ///
    /// What to do: look at the signature and at who can sign tokens of this API; let the API decide by `idtyp` alone.
    ///
    /// Known false positives: claims mapping that writes or removes such claims. A user's token whose `oid` equals its `sub` is
    /// not reported if it names the user.
    "kind-conflict", Authorization, "M/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/optional-claims-reference", "RFC 8725 section 3.12", "CWE-345",
        "ATT&CK T1606",
    ],
    needs: [Claims],
    judge: Token(check),
}

/// Claims that only users have.
const OF_USERS: [&str; 8] =
    ["name", "preferred_username", "upn", "unique_name", "email", "given_name", "family_name", "scp"];

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let evidence = match claims.text("idtyp") {
        Some("app") if claim::is_present(claims, "scp") => {
            Evidence::new("The token says that it is an application's, and carries scopes of a user.")
                .expected("an application's token without scp")
                .fact("claim", "scp")
        }
        Some("user") if is_its_own_subject(claims.oid.as_deref(), claims.sub) && !names_a_user(claims) => {
            Evidence::new("The token says that it is a user's, and is built like an application's.")
                .expected("a user's token that names the user")
                .fact("claim", "sub")
        }
        _ => return Check::Quiet,
    };
    Check::fires(evidence.actual(claims.text("idtyp").unwrap_or_default()))
}

fn is_its_own_subject(oid: Option<&str>, sub: Option<&str>) -> bool {
    oid.zip(sub).is_some_and(|(oid, sub)| oid.eq_ignore_ascii_case(sub))
}

fn names_a_user(claims: &crate::token::Claims<'_>) -> bool {
    OF_USERS.iter().any(|name| claim::is_present(claims, name))
}
