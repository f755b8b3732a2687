//! `id-token-used`

use super::{answered, id_token_mark, looks_like_access};
use crate::facts::Pairing;
use crate::rules::kit::{Check, Confidence, Evidence, Reason, rule};
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

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(mark) = id_token_mark(claims, pairing.context.policy) else {
        let own = pairing.context.policy.is_some_and(|policy| !policy.clients().own.is_empty());
        let undecided = !own && !looks_like_access(claims);
        return if undecided { Check::NotEvaluable(Reason::NOT_STATED) } else { Check::Quiet };
    };
    let mut evidence = Evidence::new("An ID token was sent in place of an access token.")
        .expected("an access token for this API")
        .fact("claim", mark);
    evidence.actual = claims.audience.column().map(Cow::into_owned);
    if mark == "aud" {
        evidence = evidence.confidence(Confidence::Heuristic);
    }
    Check::fires(answered(evidence, pairing))
}
