//! `hdr-unknown`

use crate::facts::{Context, TokenFacts};
use crate::limits;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// A token that claims to be Entra's has header members that Entra does not write.
    ///
    /// Why it matters: Entra's headers hold `typ`, `alg`, `kid`, and in some tokens `x5t` or `nonce`. Anything else was written by
    /// another signer.
    ///
    /// What to do: look at the verdict on the signature. If it is valid, Entra's format has changed: tell us.
    ///
    /// Known false positives: members that Entra may add in future.
    "hdr-unknown", Form, "L/I", Attack, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "CWE-345",
    ],
    needs: [Header, Claims],
    judge: Token(check),
}

/// What Entra writes.
const KNOWN: [&str; 5] = ["typ", "alg", "kid", "x5t", "nonce"];

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let (Some(header), Some(claims)) = (token.header(), token.claims()) else {
        return Check::NotEvaluable(Reason::NO_HEADER);
    };
    if claims.issuer.is_none() {
        return Check::Quiet;
    }
    let members = header.object.members().iter().map(|(name, _)| *name);
    let mut unknown = members.filter(|name| !KNOWN.contains(name)).peekable();
    if unknown.peek().is_none() {
        return Check::Quiet;
    }
    let unknown: Vec<&str> = unknown.take(limits::LISTED_MAX).collect();
    Check::fires(
        Evidence::new("The token's header has members that Entra does not write.")
            .expected(KNOWN.join(", "))
            .actual(unknown.join(", ")),
    )
}
