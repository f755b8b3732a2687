//! `key-retired-at-iat`

use super::VerifyingKey;
use crate::facts::{Context, TokenFacts};
use crate::keys::Presence;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::time::{HOUR, UtcMicros};

rule! {
    /// The token was issued after its key had been retired.
    ///
    /// Why it matters: the issuer signs with published keys only. A token that is younger than the retirement of its key
    /// was signed by somebody who kept the private key, or its `iat` is invented.
    ///
    /// What to do: treat the token as forged with a stolen key until the issuer says otherwise; list the key under
    /// `keys.compromised`, and see which other tokens it verifies.
    ///
    /// Known false positives: the key endpoint gives different answers from moment to moment, or one endpoint withdraws a
    /// key early. The rule waits for three complete captures without the key over a day in every source that had it, and
    /// grants one hour more.
    "key-retired-at-iat", Signature, "C/H", Attack, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/signing-key-rollover", "CWE-324", "ATT&CK T1606",
    ],
    needs: [Claims, Keys],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let key = match VerifyingKey::of(token, context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let Some(iat) = token.claims().and_then(|claims| claims.iat) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    let iat = UtcMicros::from_seconds(iat);
    let standing = key.keys.standing(key.id, key.authority, iat);
    let Some(retired_at) = standing.retired_at else {
        return match standing.presence {
            Presence::NoCoverage => Check::NotEvaluable(Reason::NO_COVERAGE),
            _ => Check::Quiet,
        };
    };
    if iat <= retired_at.plus(HOUR) {
        return Check::Quiet;
    }
    let evidence = Evidence::new("The token was issued after its key had been retired.")
        .expected(format!("an iat up to {}", retired_at.plus(HOUR)))
        .actual(iat.to_string())
        .fact("retired_at", retired_at.to_string());
    Check::fires(key.describe(evidence, Some(&standing)))
}
