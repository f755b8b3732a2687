//! `b64-invalid`

use super::{client_assertion_sent, segments_spelled};
use crate::codec::base64url::Spelling;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// A segment of the token is no base64url.
    ///
    /// Why it matters: no issuer writes such a token, so it was damaged or made by hand; a gateway that accepts it did not
    /// read what it forwarded.
    ///
    /// What to do: for an accepted request, find out whether the gateway validates at all. For denied ones look at the
    /// client: probing tools send such values.
    ///
    /// Known false positives: foreign characters that a log shipper put into long lines. Padding, `+`, `/` and white space
    /// are not counted here but as `b64-noncanonical`.
    "b64-invalid", Form, "H/I", Attack, Proven,
    references: ["RFC 7515 section 2", "RFC 8725 section 3.3", "CWE-20"],
    needs: [],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let segments = segments_spelled(token, Spelling::Invalid);
    if segments.is_empty() || matches!(client_assertion_sent::check(token, context), Check::Fires(_)) {
        return Check::Quiet;
    }
    let names = segments.join(", ");
    Check::fires(
        Evidence::new(format!(
            "The token's {names} is no base64url: a foreign character or an impossible length."
        ))
        .expected("the base64url alphabet, without padding")
        .actual(names)
        .fact("segments", segments),
    )
}
