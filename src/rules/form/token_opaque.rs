//! `token-opaque`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};
use crate::token::Form;
use crate::verify::Verdict;

rule! {
    /// The bearer value is no JWT.
    ///
    /// Why it matters: an opaque value cannot be audited offline: neither its audience, nor its life, nor its signature
    /// is visible, so every rule that needs claims is blind for these requests.
    ///
    /// What to do: find out which client sends it. A session id or API key belongs into a header of its own; a token of
    /// another issuer needs that issuer's introspection log.
    ///
    /// Known false positives: API keys and session ids that share the Authorization header by design; access tokens of
    /// personal Microsoft accounts, which are opaque to everyone but Microsoft.
    "token-opaque", Form, "L/I", BlindSpot, Strong,
    references: ["RFC 9068 section 1", "OWASP API2:2023", "CWE-1390"],
    needs: [],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    // A refresh token is more than opaque: `refresh-token-sent`.
    if token.signature.verdict != Verdict::Opaque || token.token.refresh.is_some() {
        return Check::Quiet;
    }
    let (actual, message) = match token.token.form {
        Form::FiveParts { .. } => {
            ("five parts without enc", "The bearer value has five parts but names no encryption.")
        }
        _ => ("opaque value", "The bearer value is no JWT, so nothing about it can be judged."),
    };
    Check::fires(Evidence::new(message).expected("three parts that begin like a JWT").actual(actual))
}
