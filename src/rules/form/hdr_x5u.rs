//! `hdr-x5u`

use super::key_address;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, rule};

rule! {
    /// The token's header names a place to fetch a certificate from (`x5u`).
    ///
    /// Why it matters: a validator that follows `x5u` verifies with a certificate of the sender's choice, or can be made to
    /// call any address that it can reach.
    ///
    /// What to do: make sure that the gateway ignores or refuses `x5u`; for accepted requests, look for outgoing
    /// connections to the named host.
    ///
    /// Known false positives: none for Entra access tokens, which never carry it.
    "hdr-x5u", Form, "H/M", Attack, Proven,
    references: [
        "RFC 7515 section 4.1.5", "RFC 8725 section 3.10", "OWASP API7:2023", "CWE-918", "CWE-345", "ATT&CK T1606",
        "ATT&CK T1190",
    ],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    key_address(
        token,
        "x5u",
        "The token's header tells the validator where to fetch its certificate.",
        "no x5u",
    )
}
