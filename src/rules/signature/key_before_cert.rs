//! `key-before-cert`

use super::VerifyingKey;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::time::{SECOND, UtcMicros};

/// What clocks may differ by.
const TOLERANCE: i64 = 600 * SECOND;

rule! {
    /// The token was issued before the certificate of its key began to be valid.
    ///
    /// Why it matters: the key did not exist yet, whatever the archive saw of it. Somebody who holds the key chose an
    /// earlier `iat`, for example to get past a list of compromised keys or a deadline.
    ///
    /// What to do: treat the token as forged with a stolen key until its signer is known.
    ///
    /// Known false positives: certificates that were made for custom signing keys after the key itself; keys of
    /// applications under `keys.custom-key-apps` are not judged. Certificates dated back do no harm.
    "key-before-cert", Signature, "C/H", Attack, Proven,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/signing-key-rollover",
        "RFC 7517 section 4.7", "CWE-345", "ATT&CK T1606",
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
    // Of several certificates the earliest decides.
    let Some(not_before) =
        key.key().certificates.iter().filter_map(|certificate| certificate.not_before).min()
    else {
        return Check::NotEvaluable(Reason::NO_CERTIFICATE);
    };
    if iat >= not_before.plus(-TOLERANCE) || key.is_declared_custom(context) {
        return Check::Quiet;
    }
    let evidence = Evidence::new("The token was issued before the certificate of its key began to be valid.")
        .expected(format!("an iat from {}", not_before.plus(-TOLERANCE)))
        .actual(iat.to_string())
        .fact("not_before", not_before.to_string());
    Check::fires(key.describe(evidence, None))
}
