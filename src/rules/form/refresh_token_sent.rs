//! `refresh-token-sent`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};
use crate::token::RefreshShape;

rule! {
    /// The bearer value has the shape of a refresh token.
    ///
    /// Why it matters: a refresh token lives for months and buys access tokens for every API that its client may call. It
    /// belongs to the token endpoint alone; here it stands in a log.
    ///
    /// What to do: fix the client, and revoke the sessions of the user whose token it is.
    ///
    /// Known false positives: other opaque credentials that happen to begin alike; the shapes are observed, not documented.
    "refresh-token-sent", Form, "H/H", Leak, Heuristic,
    references: [
        "RFC 9700 section 4.14", "OWASP API2:2023", "CWE-522", "ATT&CK T1528",
        "https://learn.microsoft.com/entra/identity-platform/refresh-tokens",
    ],
    needs: [],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let actual = match token.token.refresh {
        None => return Check::Quiet,
        Some(RefreshShape::Entra) => "work or school account",
        Some(RefreshShape::Personal) => "personal account",
    };
    Check::fires(
        Evidence::new("The bearer value has the shape of a refresh token.")
            .expected("an access token")
            .actual(actual)
            .fact("bytes", token.token.value_bytes),
    )
}
