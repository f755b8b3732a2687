//! `key-custom`

use super::VerifyingKey;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The token is signed with a key of one application's own.
    ///
    /// Why it matters: applications with claims mapping may have a signing key of their own, whose private half an
    /// administrator of the tenant uploaded. Such tokens prove what that administrator says, and no more.
    ///
    /// What to do: know which applications do so, and list them under `keys.custom-key-apps`.
    ///
    /// Known false positives: it is expected for applications with claims mapping. A key that the tenant's other sources
    /// list too is no custom one.
    "key-custom", Signature, "I/I", Attack, Proven,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/jwt-claims-customization",
        "https://learn.microsoft.com/entra/identity-platform/access-tokens",
    ],
    needs: [Keys],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let key = match VerifyingKey::of(token, context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let apps = key.custom_apps();
    if apps.is_empty() {
        return Check::Quiet;
    }
    let evidence = Evidence::new("The token is signed with a key of one application's own.")
        .expected("a key of the tenant")
        .actual(apps.join(", "));
    Check::fires(key.describe(evidence, None))
}
