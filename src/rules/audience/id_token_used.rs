//! `id-token-used`

use super::answered;
use crate::codec::json::Value;
use crate::entra;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Confidence, Evidence, Reason, rule};
use crate::token::Claims;
use std::borrow::Cow;

rule! {
    /// An ID token was sent in place of an access token.
    ///
    /// Why it matters: an ID token tells a client who signed in. It grants nothing, carries no scopes, and every client of
    /// the user gets one; an API that accepts it lets each of them in.
    ///
    /// What to do: let the client ask for an access token of the API, and let the API require a scope or a role.
    ///
    /// Known false positives: an application that is client and API under one id. Its access tokens carry scopes and are
    /// not counted; let the API check them.
    "id-token-used", Audience, "H/L", Overreach, Strong,
    references: [
        "RFC 8725 section 2.8", "RFC 8725 section 3.11", "RFC 8725 section 3.12", "RFC 9068 section 4",
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "OWASP API2:2023", "CWE-345", "CWE-287",
        "ATT&CK T1550.001",
    ],
    needs: [Claims],
    judge: Api(check),
}

/// Claims that bind an ID token to the sign-in that it answers (OpenID Connect Core section 3).
const OF_ID_TOKENS: [&str; 3] = ["nonce", "c_hash", "at_hash"];
/// Claims of which an access token has at least one.
const OF_ACCESS_TOKENS: [&str; 5] = ["scp", "roles", "azp", "appid", "idtyp"];

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let mut evidence = Evidence::new("An ID token was sent in place of an access token.")
        .expected("an access token for this API");
    evidence.actual = claims.audience.column().map(Cow::into_owned);
    if let Some(mark) = OF_ID_TOKENS.into_iter().find(|name| is_present(claims, name)) {
        return Check::fires(answered(evidence.fact("claim", mark), pairing));
    }
    if OF_ACCESS_TOKENS.iter().any(|name| is_present(claims, name)) {
        return Check::Quiet;
    }
    let own = pairing.context.policy.map_or(&[][..], |policy| policy.clients().own.as_slice());
    if own.is_empty() {
        return Check::NotEvaluable(Reason::NOT_STATED);
    }
    if !claims.audience.stated().any(|aud| own.iter().any(|own| entra::normal_guid(own) == aud)) {
        return Check::Quiet;
    }
    evidence = evidence.fact("claim", "aud");
    evidence.confidence = Some(Confidence::Heuristic);
    Check::fires(answered(evidence, pairing))
}

fn is_present(claims: &Claims<'_>, name: &str) -> bool {
    !matches!(claims.member(name), None | Some(Value::Null))
}
