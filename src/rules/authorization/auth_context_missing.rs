//! `auth-context-missing`

use super::at_api;
use super::sure;
use crate::facts::Pairing;
use crate::rules::claim;
use crate::rules::kit::{Check, Evidence, rule};
use crate::token::Kind;

rule! {
    /// The token lacks the authentication context that the API asks for.
    ///
    /// Why it matters: the context stands for what Conditional Access demanded of the sign-in: a second factor, a managed
    /// device, a place. Without it nobody demanded anything.
    ///
    /// What to do: let the API answer with a claims challenge until `acrs` holds one of the contexts.
    ///
    /// Known false positives: `acrs` appears only after a challenge. Parts of the API that do not challenge need an operation
    /// of their own, with `auth-context = []`. Applications have no sign-in and are not counted where `idtyp` says `app`.
    "auth-context-missing", Authorization, "H/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/developer-guide-conditional-access-authentication-context",
        "OWASP API2:2023", "CWE-287", "CWE-308",
    ],
    needs: [Claims, AuthContext],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    let Some(contexts) = &api.auth_context else { return Check::Quiet };
    let met = claim::texts(claims, "acrs").any(|held| contexts.iter().any(|context| context == held));
    if met || claims.kind == (Kind::App { certain: true }) {
        return Check::Quiet;
    }
    let held: Vec<&str> = claim::texts(claims, "acrs").collect();
    let evidence = Evidence::new("The token lacks the authentication context that the API asks for.")
        .expected(contexts.join(", "))
        .confidence(match claims.kind {
            Kind::App { .. } => sure(claims),
            _ => RULE.confidence,
        });
    Check::fires(if held.is_empty() { evidence } else { evidence.actual(held.join(", ")) })
}
