//! `app-only-public`

use super::sure;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::{ClientAuth, Kind};

rule! {
    /// The token is an application's own, and says that the application showed no credential.
    ///
    /// Why it matters: Entra gives an application a token of its own only for a secret or a certificate. A token that says
    /// otherwise was not made by Entra.
    ///
    /// What to do: look at the signature and at who can sign tokens of this API; treat the caller as an attacker.
    ///
    /// Known false positives: tokens without `idtyp`, whose kind is derived from other claims; the finding is heuristic then.
    /// Managed identities show a certificate.
    "app-only-public", Authorization, "C/M", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "CWE-345", "ATT&CK T1606",
    ],
    needs: [Claims],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Kind::App { .. } = claims.kind else { return Check::Quiet };
    match claims.client_auth {
        None => Check::NotEvaluable(Reason::CLAIM_ABSENT),
        Some(ClientAuth::Public) => Check::fires(
            Evidence::new(
                "The token is an application's own, and says that the application showed no credential.",
            )
            .expected("a secret (1) or a certificate (2)")
            .actual("0")
            .confidence(sure(claims)),
        ),
        Some(_) => Check::Quiet,
    }
}
