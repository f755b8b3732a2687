//! `token-truncated`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};
use crate::token::{Cut, Form};
use crate::verify::Verdict;

rule! {
    /// The logger cut the token.
    ///
    /// Why it matters: without its end the signature cannot be verified, and without its payload nothing can be judged;
    /// a forgery would look the same. Claims that are still whole are judged, signature rules are silent.
    ///
    /// What to do: raise the field limit of the gateway's log format, or log the Authorization header into a field of its
    /// own.
    ///
    /// Known false positives: samples copied from documentation, whose signatures are shortened. A short signature without
    /// any sign of a cut is `sig-invalid` instead, so that a cut cannot whitewash a forgery.
    "token-truncated", Form, "I/I", BlindSpot, Strong,
    references: ["RFC 7515 section 3.1", "https://learn.microsoft.com/entra/identity-platform/access-tokens"],
    needs: [],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    if token.signature.verdict != Verdict::Truncated {
        return Check::Quiet;
    }
    let (actual, message) = match &token.token.form {
        Form::Truncated { cut: Cut::Mark, .. } => {
            ("cut mark", "The logged token ends in a mark that says it was cut.")
        }
        Form::Truncated { cut: Cut::Segments, payload: None, .. } => {
            ("one segment", "The logged token ends inside or after its header.")
        }
        Form::Truncated { cut: Cut::Segments, .. } => {
            ("two segments", "The logged token ends inside or after its payload.")
        }
        _ => ("short signature", "The logged token ends inside its signature."),
    };
    let mut evidence = Evidence::new(message)
        .expected("header, payload and a whole signature")
        .actual(actual)
        .fact("claims_readable", token.claims().is_some());
    if let Some(bytes) = token.token.form.jws().and_then(|jws| jws.signature_bytes()) {
        evidence = evidence.fact("signature_bytes", bytes.len());
    }
    let bits = token.signature.named.iter().filter_map(|key| context.keys?.key(*key).bits);
    if let Some(bits) = bits.max() {
        evidence = evidence.fact("signature_bytes_expected", bits.div_ceil(8));
    }
    Check::fires(evidence)
}
