//! `key-weak-rsa`

use super::{resolved_keys, unverified};
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

/// Shortest RSA modulus that RFC 7518 allows, in bits.
const BITS_MIN: u32 = 2048;
/// Shortest one that Microsoft's .NET libraries verify with.
const DOTNET_BITS_MIN: u32 = 1024;

rule! {
    /// The RSA key of the token is shorter than 2048 bits.
    ///
    /// Why it matters: short keys can be broken with money, and then anybody signs in the issuer's name. The rule speaks
    /// about every token that names such a key, whether its signature can be verified or not.
    ///
    /// What to do: let the issuer replace the key; until then do not accept it.
    ///
    /// Known false positives: none.
    "key-weak-rsa", Signature, "H/M", Attack, Proven,
    references: ["RFC 7518 section 3.3", "RFC 8725 section 3.5", "CWE-326"],
    needs: [Keys],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let mut resolved = resolved_keys(token, context).peekable();
    if resolved.peek().is_none() {
        return unverified(token.signature.verdict);
    }
    let weak = resolved.filter_map(|key| Some((key, key.bits.filter(|bits| *bits < BITS_MIN)?)));
    let Some((key, bits)) = weak.min_by_key(|(_, bits)| *bits) else { return Check::Quiet };
    Check::fires(
        Evidence::new(format!("The RSA key of the token has {bits} bits only."))
            .expected(format!("at least {BITS_MIN} bits"))
            .actual(bits.to_string())
            .fact("key_kid", key.kid.clone())
            .fact("below_dotnet_floor", bits < DOTNET_BITS_MIN),
    )
}
