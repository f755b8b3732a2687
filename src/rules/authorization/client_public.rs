//! `client-public`

use super::client_below;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, rule};
use crate::token::ClientAuth;

rule! {
    /// A public client called an API that asks for a client with a credential.
    ///
    /// Why it matters: everybody can run a public client and call himself by its id. The API asked for clients that prove who
    /// they are.
    ///
    /// What to do: let the API compare `azpacr` or `appidacr`, or lower `client-auth` if browsers and phones may call.
    ///
    /// Known false positives: pages and apps are public by design. APIs that do not ask for `client-auth` are not judged.
    "client-public", Authorization, "M/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "RFC 9700 section 2.5",
        "OWASP API2:2023", "CWE-287", "ATT&CK T1528",
    ],
    needs: [Claims, ClientAuth],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    client_below(pairing, ClientAuth::Public, || {
        Evidence::new("A public client called an API that asks for a client with a credential.")
    })
}
