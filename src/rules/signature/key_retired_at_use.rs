//! `key-retired-at-use`

use super::VerifyingKey;
use crate::facts::{Facts, Pairing};
use crate::keys::Presence;
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};
use crate::time::{DAY, HOUR, UtcMicros};

rule! {
    /// The token was used more than a day after its key had been retired.
    ///
    /// Why it matters: validators read the key set at least once a day, so none should know the key any more. A gateway
    /// that accepts it keeps old keys, and would go on accepting what a stolen old key signs.
    ///
    /// What to do: see how long the gateway keeps keys, and how long the token lives.
    ///
    /// Known false positives: tokens of managed identities live up to 28 hours and may outlive their key. A use within 24
    /// hours after the retirement is not counted; retirement takes three captures without the key over a day in every
    /// source that had it.
    "key-retired-at-use", Signature, "M/L", Attack, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/signing-key-rollover", "CWE-324", "CWE-672",
        "ATT&CK T1550.001",
    ],
    needs: [Claims, Keys, Time],
    judge: Timed(quiet, check),
}

fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let Ok(key) = VerifyingKey::of(pairing.token, pairing.context) else { return Quiet::NEVER };
    if let Some(retired_at) = key.keys.retired_at(key.id, key.authority) {
        return Quiet::until(retired_at.plus(DAY));
    }
    let iat = pairing.token.claims().and_then(|claims| claims.iat).map(UtcMicros::from_seconds);
    let covered = iat.and_then(|iat| key.keys.covered_around(key.authority, iat));
    covered.map_or(Quiet::NEVER, |(first, last)| Quiet::from(first).and(Quiet::until(last)))
}

fn check(facts: &Facts<'_>) -> Check {
    let key = match VerifyingKey::of(facts.token, facts.context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let Some(time) = facts.time else { return Check::NotEvaluable(Reason::NO_TIME) };
    let Some(retired_at) = key.keys.retired_at(key.id, key.authority) else {
        let answers = key.keys.answers(key.id, key.authority, time.at);
        return if answers { Check::Quiet } else { Check::NotEvaluable(Reason::NO_COVERAGE) };
    };
    if time.at <= retired_at.plus(DAY) {
        return Check::Quiet;
    }
    let Some(iat) = facts.token.claims().and_then(|claims| claims.iat).map(UtcMicros::from_seconds) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    // Issued outside the published period, `key-retired-at-iat` or `key-before-publish` speaks.
    let standing = key.keys.standing(key.id, key.authority, iat);
    if iat > retired_at.plus(HOUR) || standing.presence == Presence::AbsentBefore {
        return Check::Quiet;
    }
    let evidence = Evidence::new("The token was used more than a day after its key had been retired.")
        .expected(format!("a use up to {}", retired_at.plus(DAY)))
        .actual(time.at.to_string())
        .fact("iat", iat.to_string())
        .fact("retired_at", retired_at.to_string());
    Check::fires(key.describe(evidence, Some(&standing)))
}
