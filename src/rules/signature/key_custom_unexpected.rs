//! `key-custom-unexpected`

use super::VerifyingKey;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The token is signed with the own key of an application that is not expected to have one.
    ///
    /// Why it matters: an administrator of the tenant holds the private key and can write any claim for any user, without
    /// a sign-in and without a trace at Entra. Uploading such a key is a way to stay in a tenant.
    ///
    /// What to do: find out who uploaded the key and when. If the application is meant to have one, list it under
    /// `keys.custom-key-apps`.
    ///
    /// Known false positives: a list that is not kept up to date.
    "key-custom-unexpected", Signature, "H/M", Attack, Proven,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/jwt-claims-customization", "RFC 8725 section 3.8",
        "CWE-269", "ATT&CK T1606", "ATT&CK T1556",
    ],
    needs: [Keys, CustomKeyApps],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let key = match VerifyingKey::of(token, context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let apps = key.custom_apps();
    if apps.is_empty() || key.is_declared_custom(context) {
        return Check::Quiet;
    }
    let expected = context.policy.map(|policy| policy.keys().custom_key_apps.join(", ")).unwrap_or_default();
    let evidence = Evidence::new(
        "The token is signed with the own key of an application that is not expected to have one.",
    )
    .expected(expected)
    .actual(apps.join(", "));
    Check::fires(key.describe(evidence, None))
}
