//! `hdr-typ`

use crate::codec::json::Value;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, rule};

rule! {
    /// The token's type (`typ`) is not JWT.
    ///
    /// Why it matters: Entra writes `JWT` into every access token. Another type shows another issuer, or a token of another
    /// purpose that is used as an access token.
    ///
    /// What to do: find the issuer; if it types its tokens, let the gateway demand the type that access tokens have there.
    ///
    /// Known false positives: other issuers that follow RFC 9068 write `at+jwt` or leave the member out; that is right for them and
    /// not reported.
    "hdr-typ", Form, "L/I", Attack, Strong,
    references: [
        "RFC 7519 section 5.1", "RFC 9068 section 2.1", "RFC 8725 section 3.11",
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference",
    ],
    needs: [Header],
    judge: Token(check),
}

/// Spellings of the type that mean the same; media types know no letter case (RFC 2045 section 5.1).
const PLAIN: [&str; 2] = ["JWT", "application/jwt"];
/// Types of RFC 9068.
const ACCESS_TOKEN: [&str; 2] = ["at+jwt", "application/at+jwt"];

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let typ = token.header().and_then(|header| header.member("typ"));
    let text = typ.and_then(Value::as_text);
    let is_one_of =
        |types: &[&str]| text.is_some_and(|text| types.iter().any(|known| known.eq_ignore_ascii_case(text)));
    if is_one_of(&PLAIN) {
        return Check::Quiet;
    }
    let foreign = token.claims().is_some_and(|claims| claims.iss.is_some() && claims.issuer.is_none());
    if foreign && (typ.is_none() || is_one_of(&ACCESS_TOKEN)) {
        return Check::Quiet;
    }
    let evidence = Evidence::new("The token is not typed as Entra types access tokens.").expected("JWT");
    Check::fires(match (text, typ) {
        (Some(text), _) => evidence.actual(text),
        (None, Some(_)) => evidence.fact("reason", "wrong-type"),
        (None, None) => evidence.fact("reason", "absent"),
    })
}
