//! `hdr-nested`

use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The token says that it wraps another token (`cty` is JWT).
    ///
    /// Why it matters: the claims that count would be those of the inner token, which a gateway that looks at the outer one
    /// never checks. Signed access tokens are not nested.
    ///
    /// What to do: find the signer, and see what the API makes of the payload.
    ///
    /// Known false positives: none. Encrypted tokens, which wrap a signed one as a rule, are not judged.
    "hdr-nested", Form, "L/L", Attack, Strong,
    references: ["RFC 7519 section 5.2"],
    needs: [Header],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let content = token.header().and_then(|header| header.object.text("cty"));
    match content {
        // RFC 7519 recommends capitals and leaves the case open.
        Some(content) if content.eq_ignore_ascii_case("JWT") => Check::fires(
            Evidence::new("The token says that its payload is another token.")
                .expected("no cty, or that of claims")
                .actual(content),
        ),
        _ => Check::Quiet,
    }
}
