//! `hdr-x5c`

use super::client_assertion_sent;
use crate::codec::json::Value;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Cells, Check, Evidence, rule};

rule! {
    /// The token's header embeds a certificate chain (`x5c`).
    ///
    /// Why it matters: a certificate that comes with the token proves nothing about the issuer. Where the signature verifies
    /// with it, somebody made the token for validators that take the chain at its word.
    ///
    /// What to do: let the gateway take keys from the issuer's document only; treat accepted requests as forged.
    ///
    /// Known false positives: client assertions, which carry `x5c` by design; they are `client-assertion-sent` instead.
    "hdr-x5c", Form, "H/M", Attack, Proven,
    references: ["RFC 7515 section 4.1.6", "RFC 8725 section 3.10", "CWE-345", "CWE-347", "ATT&CK T1606"],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let Some(chain) = token.header().and_then(|header| header.member("x5c")) else { return Check::Quiet };
    if matches!(client_assertion_sent::check(token, context), Check::Fires(_)) {
        return Check::Quiet;
    }
    let actual = match chain {
        Value::Array(certificates) => format!("{} certificates", certificates.len()),
        Value::String(_) => "one text".to_owned(),
        _ => "no chain".to_owned(),
    };
    let verifies = token.signature.embedded.x5c;
    let message = match verifies {
        Some(true) => {
            "The token carries the certificate that verifies it, instead of a signature by its issuer."
        }
        Some(false) => "The token's header carries a certificate, which does not verify its signature.",
        None => "The token's header carries a certificate, which could not be tried.",
    };
    let evidence = Evidence::new(message).expected("no x5c").actual(actual).fact("verifies", verifies);
    Check::fires(if verifies == Some(true) { evidence.cells(Cells::new('C', 'H')) } else { evidence })
}
