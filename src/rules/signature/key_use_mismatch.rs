//! `key-use-mismatch`

use super::VerifyingKey;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The key that verifies the token was not published for signatures.
    ///
    /// Why it matters: a key for encryption has other guards and other holders than a signing key. That it signs tokens
    /// means that it was stolen or that the key set was changed; .NET skips such keys, other validators use them.
    ///
    /// What to do: ask the issuer; let the validator use keys with `use` sig only.
    ///
    /// Known false positives: none.
    "key-use-mismatch", Signature, "H/M", Attack, Proven,
    references: ["RFC 7517 section 4.2", "RFC 7517 section 4.3", "RFC 8725 section 3.12", "CWE-347"],
    needs: [Keys],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let verifying = match VerifyingKey::of(token, context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let key = verifying.key();
    let (expected, actual) = match (&key.usage, &key.key_ops) {
        (Some(usage), _) if usage != "sig" => ("use: sig", format!("use: {usage}")),
        (_, Some(operations)) if !operations.iter().any(|operation| operation == "verify") => {
            ("key_ops with verify", format!("key_ops: {}", operations.join(", ")))
        }
        _ => return Check::Quiet,
    };
    let evidence = Evidence::new("The key that verifies the token was not published for signatures.")
        .expected(expected)
        .actual(actual);
    Check::fires(verifying.describe(evidence, None))
}
