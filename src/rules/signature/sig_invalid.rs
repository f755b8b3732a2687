//! `sig-invalid`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::verify::Verdict;

rule! {
    /// The signature does not verify with any key that the issuer ever published under the named id.
    ///
    /// Why it matters: the token was forged or changed. If the request was accepted, the API acted on claims that nobody
    /// vouches for.
    ///
    /// What to do: find out which component should have verified the signature and did not; treat the claims as the
    /// sender's own, and look at all requests of the same address.
    ///
    /// Known false positives: log shippers that change the token's text (then `b64-noncanonical` or `token-truncated`
    /// usually fires too). Tokens for Microsoft Graph are tried with their nonce transform before they count as invalid.
    "sig-invalid", Signature, "C/M", Attack, Proven,
    references: [
        "RFC 7515 section 5.2", "RFC 8725 section 3.3", "OWASP API2:2023", "CWE-347", "ATT&CK T1606",
        "https://learn.microsoft.com/entra/identity-platform/access-tokens",
    ],
    needs: [Keys],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    match token.signature.verdict {
        Verdict::Invalid => {}
        Verdict::Valid | Verdict::ValidGraphNonce | Verdict::Unsigned => return Check::Quiet,
        Verdict::NotCovered => return Check::NotEvaluable(Reason::NO_COVERAGE),
        _ => return Check::NotEvaluable(Reason::NOT_VERIFIED),
    }
    let header = token.header();
    let mut evidence =
        Evidence::new("The signature does not verify with any key that the issuer published under its id.")
            .expected("a signature by the named key")
            .fact("keys_tried", token.signature.named.len())
            .fact("graph_nonce_tried", header.is_some_and(|header| header.nonce.is_some()));
    if let Some(kid) = header.and_then(|header| header.kid.or(header.x5t)) {
        evidence = evidence.actual(kid);
    }
    Check::fires(evidence)
}
