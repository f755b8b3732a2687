//! `hdr-nonce`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The token's header carries a `nonce`, as tokens for Microsoft's own APIs do.
    ///
    /// Why it matters: the form marks a token that was made for Microsoft Graph or a similar API. A plain check of its
    /// signature fails; the audit verifies it with the nonce hashed. Whether its use is misuse, `graph-token` says.
    ///
    /// What to do: find out which client sends a token for Microsoft to this gateway.
    ///
    /// Known false positives: shared gateways that such tokens pass on their way to Microsoft.
    "hdr-nonce", Form, "I/I", Attack, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-tokens", "RFC 8725 section 3.9", "CWE-441",
    ],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    if token.header().and_then(|header| header.member("nonce")).is_none() {
        return Check::Quiet;
    }
    // The value stays out: it is a part of the token that nobody needs to read.
    Check::fires(
        Evidence::new("The token's header has the nonce of tokens for Microsoft's own APIs.")
            .expected("no nonce in the header")
            .actual("nonce"),
    )
}
