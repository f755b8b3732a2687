//! `iat-missing`

use super::missing;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The token does not say when it was issued.
    ///
    /// Why it matters: Entra always writes `iat`. Without it neither the lifetime of the token nor the key that was in
    /// force can be judged.
    ///
    /// What to do: look at the signature verdict; list the issuer under `validation.issuers` if it is another identity
    /// provider that you trust.
    ///
    /// Known false positives: other issuers, to whom RFC 7519 leaves the claim free. Listed ones are not judged.
    "iat-missing", Time, "L/I", Overreach, Strong,
    references: [
        "RFC 9068 section 2.2", "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference",
    ],
    needs: [Claims],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    missing(pairing, "iat", || {
        Evidence::new("The token does not say when it was issued.").expected("iat, a time in seconds")
    })
}
