//! `kid-mislabelled`

use super::VerifyingKey;
use crate::facts::{Pairing, Validator};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The named key does not exist, and yet another key of the issuer verifies the signature.
    ///
    /// Why it matters: the signer had a genuine key and named a wrong one. Validators that fall back to all known keys
    /// accept that, .NET does by default; others refuse. The label may also be meant for whatever looks keys up by it.
    ///
    /// What to do: find out who signed the token. Turn off the fallback to all keys in the validator.
    ///
    /// Known false positives: none expected; an issuer knows the names of its keys.
    "kid-mislabelled", Signature, "H/M", Attack, Proven,
    references: ["RFC 7515 section 4.1.4", "RFC 8725 section 3.8", "CWE-345"],
    needs: [Header, Keys],
    judge: Api(check),
}

fn check(pairing: &Pairing<'_>) -> Check {
    let token = pairing.token;
    let key = match VerifyingKey::of(token, pairing.context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let kid = token.header().and_then(|header| header.kid).unwrap_or_default();
    // A token that names no key is `kid-missing`.
    if kid.is_empty() || !token.signature.named.is_empty() {
        return Check::Quiet;
    }
    let evidence =
        Evidence::new("The token names a key that does not exist; another key of its issuer verifies it.")
            .expected(key.key().kid.as_deref().unwrap_or("a key without kid"))
            .actual(kid)
            .answers(
                Validator::of(pairing.validation).signature(token, token.signature.verdict),
                Validator::STRICT.signature(token, token.signature.verdict),
            );
    Check::fires(key.describe(evidence, None))
}
