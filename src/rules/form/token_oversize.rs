//! `token-oversize`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The token is far longer than access tokens are.
    ///
    /// Why it matters: long tokens exhaust header buffers and parsers, and gateways cut or refuse them. Microsoft's .NET
    /// handler refuses more than 256,000 characters.
    ///
    /// What to do: see which claims make it long. Users in many groups need app roles or the groups overage; anything beyond
    /// that is no genuine token.
    ///
    /// Known false positives: users near the limit of 200 groups; up to 16 KiB nothing is reported.
    "token-oversize", Form, "L/L", Attack, Heuristic,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "OWASP API4:2023",
        "CWE-400", "ATT&CK T1499.003",
    ],
    needs: [],
    judge: Token(check),
}

/// Longest token that nobody wonders about, in bytes.
const USUAL_BYTES_MAX: usize = 16 << 10;
/// Longest token that the .NET handler reads, in characters.
const DOTNET_CHARACTERS_MAX: usize = 256_000;

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let bytes = token.token.value_bytes;
    if bytes <= USUAL_BYTES_MAX {
        return Check::Quiet;
    }
    let refused = bytes > DOTNET_CHARACTERS_MAX;
    Check::fires(
        Evidence::new("The token is far longer than access tokens are.")
            .expected(format!("up to {USUAL_BYTES_MAX} bytes"))
            .actual(bytes.to_string())
            .fact("beyond_dotnet_limit", refused),
    )
}
