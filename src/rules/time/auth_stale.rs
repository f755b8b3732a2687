//! `auth-stale`

use super::stamped;
use crate::codec::json::Value;
use crate::facts::{Facts, Pairing};
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};
use crate::time::{SECOND, UtcMicros};
use crate::token::Claims;

rule! {
    /// The user signed in longer ago than the API allows.
    ///
    /// Why it matters: refresh tokens keep a session alive for months. Where an API asks for a recent sign-in, an old one
    /// may belong to a machine that somebody else sits at by now.
    ///
    /// What to do: let the API answer with a challenge that asks for a fresh sign-in, or set a sign-in frequency in
    /// Conditional Access.
    ///
    /// Known false positives: none where `auth_time` is there. It is optional; a token without it cannot be judged.
    "auth-stale", Time, "M/-", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity/conditional-access/concept-session-lifetime",
        "RFC 9068 section 2.2.1", "CWE-613",
    ],
    needs: [Claims, Time, MaxAuthAge],
    judge: Timed(quiet, check),
}

fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let most = pairing.api.and_then(|api| api.max_auth_age);
    let signed_in = pairing.token.claims().and_then(signed_in);
    signed_in.zip(most).map_or(Quiet::NEVER, |(at, most)| Quiet::until(at.plus(most.saturating_mul(SECOND))))
}

/// When the user signed in.
fn signed_in(claims: &Claims<'_>) -> Option<UtcMicros> {
    match claims.member("auth_time") {
        Some(Value::Number(number)) => number.seconds().map(UtcMicros::from_seconds),
        _ => None,
    }
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(api) = facts.api else { return Check::NotEvaluable(Reason::NO_API) };
    let Some(most) = api.max_auth_age else { return Check::NotEvaluable(Reason::NOT_STATED) };
    let Some(time) = facts.time else { return Check::NotEvaluable(Reason::NO_TIME) };
    let Some(signed_in) = facts.token.claims().and_then(signed_in) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    let age = time.at.0.saturating_sub(signed_in.0);
    if age <= most.saturating_mul(SECOND) {
        return Check::Quiet;
    }
    let evidence = Evidence::new("The user signed in longer ago than the API allows.")
        .expected(format!("a sign-in from {}", time.at.plus(-most.saturating_mul(SECOND))))
        .actual(signed_in.to_string())
        .fact("age_s", age.div_euclid(SECOND))
        .fact("max_auth_age_s", most);
    Check::fires(stamped(evidence, time))
}
