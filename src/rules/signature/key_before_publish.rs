//! `key-before-publish`

use super::VerifyingKey;
use crate::facts::{Facts, Pairing};
use crate::keys::Presence;
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};
use crate::time::UtcMicros;

rule! {
    /// The token was issued and used before its key was published.
    ///
    /// Why it matters: no validator could have known the key then. Either the request was accepted without verification,
    /// or somebody held the key before the world did, or the clock of the log is wrong.
    ///
    /// What to do: compare the gateway's clock first; then find out how the gateway could accept an unknown key.
    ///
    /// Known false positives: the key endpoint gives different answers from moment to moment, and captures of one region
    /// may miss a key; the rule therefore waits for two complete captures without the key, six hours apart.
    "key-before-publish", Signature, "H/M", Attack, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/signing-key-rollover", "CWE-347", "ATT&CK T1606",
    ],
    needs: [Claims, Keys, Time],
    judge: Timed(quiet, check),
}

fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let iat = pairing.token.claims().and_then(|claims| claims.iat).map(UtcMicros::from_seconds);
    let (Ok(key), Some(iat)) = (VerifyingKey::of(pairing.token, pairing.context), iat) else {
        return Quiet::NEVER;
    };
    Quiet::always_if(!is_doubtful(key.keys.presence(key.id, key.authority, iat)))
}

/// True if a token that was issued then may have been issued before its key was published.
fn is_doubtful(at_issue: Presence) -> bool {
    matches!(at_issue, Presence::AbsentBefore | Presence::NoCoverage)
}

fn check(facts: &Facts<'_>) -> Check {
    let key = match VerifyingKey::of(facts.token, facts.context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let Some(time) = facts.time else { return Check::NotEvaluable(Reason::NO_TIME) };
    let Some(iat) = facts.token.claims().and_then(|claims| claims.iat) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    let iat = UtcMicros::from_seconds(iat);
    let at_issue = key.keys.presence(key.id, key.authority, iat);
    if !is_doubtful(at_issue) {
        return Check::Quiet;
    }
    let at_use = key.keys.standing(key.id, key.authority, time.at);
    match (at_use.presence, at_issue) {
        (Presence::AbsentBefore, Presence::AbsentBefore) => {}
        (Presence::NoCoverage, Presence::NoCoverage | Presence::AbsentBefore)
        | (Presence::AbsentBefore, Presence::NoCoverage) => return Check::NotEvaluable(Reason::NO_COVERAGE),
        _ => return Check::Quiet,
    }
    let until = at_use.absent_before_until.unwrap_or(at_use.first_seen);
    let evidence = Evidence::new("The token was issued and used before its key was published.")
        .expected(format!("a use after {until}"))
        .actual(time.at.to_string())
        .fact("iat", iat.to_string());
    Check::fires(key.describe(evidence, Some(&at_use)))
}
