//! `hdr-jku`

use super::key_address;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, rule};

rule! {
    /// The token's header names a place to fetch keys from (`jku`).
    ///
    /// Why it matters: a validator that follows `jku` takes the attacker's keys for the issuer's, or fetches an address
    /// of the attacker's choice from inside the network.
    ///
    /// What to do: make sure that the gateway ignores or refuses `jku`; for accepted requests, look for outgoing
    /// connections to the named host.
    ///
    /// Known false positives: none for Entra access tokens, which never carry it.
    "hdr-jku", Form, "H/M", Attack, Proven,
    references: [
        "RFC 7515 section 4.1.2", "RFC 8725 section 3.10", "OWASP API7:2023", "CWE-918", "CWE-345", "ATT&CK T1606",
        "ATT&CK T1190",
    ],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    key_address(token, "jku", "The token's header tells the validator where to fetch its key.", "no jku")
}
