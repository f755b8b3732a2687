//! `client-secret-weak`

use super::client_below;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, rule};
use crate::token::ClientAuth;

rule! {
    /// The client proved itself with a secret where the API asks for a certificate.
    ///
    /// Why it matters: secrets are copied into configuration, mails and repositories; the key of a certificate can stay where
    /// it was made.
    ///
    /// What to do: move the client to a certificate or a managed identity, or lower `client-auth`.
    ///
    /// Known false positives: none where `azpacr` or `appidacr` is there.
    "client-secret-weak", Authorization, "L/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "RFC 9700 section 2.5",
        "CWE-1390",
    ],
    needs: [Claims, ClientAuth],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    client_below(pairing, ClientAuth::Secret, || {
        Evidence::new("The client proved itself with a secret where the API asks for a certificate.")
    })
}
