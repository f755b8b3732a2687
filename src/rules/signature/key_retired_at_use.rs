//! `key-retired-at-use`

use super::VerifyingKey;
use crate::facts::Facts;
use crate::keys::Presence;
use crate::rules::kit::{Check, Evidence, Reason, rule};
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
    judge: Use(check),
}

fn check(facts: &Facts<'_>) -> Check {
    let key = match VerifyingKey::of(facts.token, facts.context) {
        Ok(key) => key,
        Err(check) => return check,
    };
    let Some(time) = facts.time else { return Check::NotEvaluable(Reason::NO_TIME) };
    let Some(retired_at) = key.keys.retired_at(key.id, key.authority) else {
        return match key.keys.presence(key.id, key.authority, time.at) {
            Presence::NoCoverage => Check::NotEvaluable(Reason::NO_COVERAGE),
            _ => Check::Quiet,
        };
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
