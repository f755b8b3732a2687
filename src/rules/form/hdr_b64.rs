//! `hdr-b64`

use crate::codec::json::Value;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The token's header says that its payload is not encoded (`b64` is false).
    ///
    /// Why it matters: validators that know the option verify other bytes than those that do not, so one token means two
    /// things. No access token uses it.
    ///
    /// What to do: let the gateway refuse `b64`, and find out who signs such tokens.
    ///
    /// Known false positives: none.
    "hdr-b64", Form, "M/L", Attack, Proven,
    references: ["RFC 7797 section 3", "CWE-436"],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    match token.header().and_then(|header| header.member("b64")) {
        Some(Value::Bool(false)) => Check::fires(
            Evidence::new("The token's header says that the payload is signed without base64url.")
                .expected("no b64")
                .actual("false"),
        ),
        _ => Check::Quiet,
    }
}
