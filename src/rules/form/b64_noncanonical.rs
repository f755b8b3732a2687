//! `b64-noncanonical`

use super::segments_spelled;
use crate::codec::base64url::Spelling;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// A segment of the token decodes only leniently.
    ///
    /// Why it matters: padding, `+` and `/`, white space or stray bits at the end give one token many spellings. Deny
    /// lists, caches and replay detection that compare the text miss all but one of them.
    ///
    /// What to do: let the gateway refuse what RFC 7515 does not allow, or compare tokens by their decoded bytes. Look for
    /// other uses of the same `uti`.
    ///
    /// Known false positives: proxies that add padding; tokens copied by hand, with white space in them.
    "b64-noncanonical", Form, "M/L", Attack, Proven,
    references: ["RFC 7515 section 2", "RFC 7515 appendix C", "RFC 4648 section 3.5", "CWE-436", "ATT&CK T1036"],
    needs: [],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let segments = segments_spelled(token, Spelling::NonCanonical);
    if segments.is_empty() {
        return Check::Quiet;
    }
    let names = segments.join(", ");
    Check::fires(
        Evidence::new(format!("The token's {names} is spelled in a way that only lenient decoders accept."))
            .expected("the one spelling that RFC 7515 allows")
            .actual(names)
            .fact("segments", segments),
    )
}
