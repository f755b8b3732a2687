//! `hdr-jwk`

use crate::codec::json::Value;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Cells, Check, Evidence, rule};

rule! {
    /// The token's header brings its own key (`jwk`).
    ///
    /// Why it matters: a validator that trusts the embedded key accepts every token that verifies with itself. Where the
    /// signature does verify with the embedded key, the token was made for that attack.
    ///
    /// What to do: make sure that the gateway takes keys from the issuer alone; treat accepted requests as forged.
    ///
    /// Known false positives: none for access tokens.
    "hdr-jwk", Form, "H/M", Attack, Proven,
    references: ["RFC 7515 section 4.1.3", "RFC 8725 section 3.10", "CWE-345", "CWE-347", "ATT&CK T1606"],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(jwk) = token.header().and_then(|header| header.member("jwk")) else { return Check::Quiet };
    let kind = match jwk {
        Value::Object(key) => key.text("kty").unwrap_or("key without kty"),
        _ => "not an object",
    };
    let verifies = token.signature.embedded.jwk;
    let message = match verifies {
        Some(true) => "The token carries the key that verifies it, instead of a signature by its issuer.",
        Some(false) => "The token's header carries a key, which does not verify its signature.",
        None => "The token's header carries a key, which could not be tried.",
    };
    let evidence = Evidence::new(message).expected("no jwk").actual(kind).fact("verifies", verifies);
    Check::fires(if verifies == Some(true) { evidence.cells(Cells::new('C', 'H')) } else { evidence })
}
