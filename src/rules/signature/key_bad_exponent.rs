//! `key-bad-exponent`

use super::{resolved_keys, unverified};
use crate::facts::{Context, TokenFacts};
use crate::keys::Material;
use crate::redact;
use crate::rules::kit::{Check, Evidence, rule};

/// 3 and 65537, big-endian without leading zeros.
const USUAL: [&[u8]; 2] = [&[3], &[1, 0, 1]];

rule! {
    /// The RSA key of the token has an exponent that no issuer chooses.
    ///
    /// Why it matters: with the exponent 1 every text is its own signature, and even ones give no signature scheme at all.
    /// Whoever can put such a key into a key set signs without a private key. The rule speaks about every token that names
    /// such a key, whether its signature can be verified or not.
    ///
    /// What to do: find out how the key came into the key set or into the archive, and treat the tokens as forged.
    ///
    /// Known false positives: none; issuers use 65537, a few old ones 3.
    "key-bad-exponent", Signature, "H/M", Attack, Proven,
    references: ["RFC 8725 section 3.4", "CWE-327"],
    needs: [Keys],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let mut resolved = resolved_keys(token, context).peekable();
    if resolved.peek().is_none() {
        return unverified(token.signature.verdict);
    }
    let odd = resolved.find_map(|key| match key.prepared.material() {
        Material::Rsa { exponent, .. } if !USUAL.contains(&exponent.as_slice()) => Some((key, exponent)),
        _ => None,
    });
    let Some((key, exponent)) = odd else { return Check::Quiet };
    let even = exponent.last().is_some_and(|last| last % 2 == 0);
    Check::fires(
        Evidence::new("The RSA key of the token has an exponent that no issuer chooses.")
            .expected("65537 or 3")
            .actual(shown(exponent))
            .fact("key_kid", key.kid.clone())
            .fact("even", even),
    )
}

/// In decimal digits where it is small, else in hexadecimal ones.
fn shown(exponent: &[u8]) -> String {
    let value =
        exponent.iter().try_fold(0_u64, |value, byte| Some(value.checked_mul(256)? | u64::from(*byte)));
    value.map_or_else(|| format!("0x{}", redact::hex(exponent)), |value| value.to_string())
}
