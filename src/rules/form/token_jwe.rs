//! `token-jwe`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};
use crate::verify::Verdict;

rule! {
    /// The token is encrypted (JWE), so its claims cannot be judged.
    ///
    /// Why it matters: only the API that holds the decryption key can read the token; for this audit the request is a
    /// blind spot, and says so.
    ///
    /// What to do: if the API is configured for token encryption, audit it where the token is decrypted. If it is not,
    /// ask why a client sends a token that was made for somebody else's key.
    ///
    /// Known false positives: APIs configured for encrypted tokens; APIs owned by Microsoft, whose tokens may be encrypted.
    "token-jwe", Form, "I/I", BlindSpot, Strong,
    references: ["RFC 7516 section 3", "https://learn.microsoft.com/entra/identity-platform/access-tokens"],
    needs: [],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    if token.signature.verdict != Verdict::Encrypted {
        return Check::Quiet;
    }
    let mut evidence =
        Evidence::new("The token is encrypted, so its claims and its inner signature cannot be judged.")
            .expected("a signed token (JWS)");
    let text = |name: &str| token.header()?.object.text(name).map(str::to_owned);
    if let Some(alg) = text("alg") {
        evidence = evidence.fact("alg", alg);
    }
    if let Some(enc) = text("enc") {
        evidence = evidence.actual(enc);
    }
    Check::fires(evidence)
}
