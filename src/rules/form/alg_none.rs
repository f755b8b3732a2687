//! `alg-none`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::Header;
use crate::verify::Verdict;

rule! {
    /// The token is unsigned: `alg` is none, or the signature is empty.
    ///
    /// Why it matters: anybody can write such a token. An API that accepts it believes whatever the sender claims to be.
    ///
    /// What to do: for an accepted request, treat every claim of the token as the sender's own invention, find what the
    /// request changed, and let the gateway allow named algorithms only.
    ///
    /// Known false positives: log redaction that removes the signature and keeps the dot; most leave a mark, and then the
    /// token counts as cut. A token of two segments is cut, not unsigned.
    "alg-none", Form, "C/M", Attack, Proven,
    references: [
        "RFC 7519 section 6", "RFC 7518 section 3.6", "RFC 8725 section 3.1", "RFC 8725 section 3.2",
        "OWASP API2:2023", "CWE-347", "ATT&CK T1606",
    ],
    needs: [],
    judge: Token(check),
}

pub(super) fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let signed_form = !matches!(token.signature.verdict, Verdict::Opaque | Verdict::Encrypted);
    let message = if token.header().is_some_and(Header::is_unsigned) && signed_form {
        "The token's header asks for no signature."
    } else if token.token.form.jws().is_some_and(|jws| jws.signature.range.is_empty()) {
        "The token's signature is empty."
    } else if token.header().is_some() && signed_form {
        return Check::Quiet;
    } else {
        return Check::NotEvaluable(Reason::NO_HEADER);
    };
    let mut evidence = Evidence::new(message).expected("a signature by a key of the issuer");
    if let Some(alg) = token.header().and_then(|header| header.alg) {
        evidence = evidence.actual(alg);
    }
    Check::fires(evidence)
}
