//! `key-no-coverage`

use crate::facts::{Facts, Pairing};
use crate::limits;
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};
use crate::time::UtcMicros;
use crate::token::Claims;

rule! {
    /// The archive holds no capture of the issuer's keys from around the time of the token.
    ///
    /// Why it matters: it is a statement about the archive and no misuse: for this token nobody can say whether its key
    /// was published, so the rules about that are not evaluable.
    ///
    /// What to do: capture the issuer's key sets every day, hourly if possible; add captures that others have of the
    /// missing days.
    ///
    /// Known false positives: none. A capture within seven days before the issue or after the use is enough.
    "key-no-coverage", Signature, "I/I", BlindSpot, Proven,
    references: ["https://learn.microsoft.com/entra/identity-platform/signing-key-rollover"],
    needs: [Claims, Keys],
    judge: Timed(quiet, check),
}

fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let authority = pairing.token.signature.authority.as_deref();
    let issued = pairing.token.claims().and_then(issued);
    match (pairing.context.keys, authority, issued) {
        // A capture near the issue is near every later use too.
        (Some(keys), Some(authority), Some(issued)) if keys.covers(authority, issued) => Quiet::from(issued),
        _ => Quiet::NEVER,
    }
}

/// When a token was issued, as near as it tells.
fn issued(claims: &Claims<'_>) -> Option<UtcMicros> {
    claims.iat.or(claims.nbf).map(UtcMicros::from_seconds)
}

fn check(facts: &Facts<'_>) -> Check {
    let (Some(keys), Some(claims)) = (facts.context.keys, facts.token.claims()) else {
        return Check::NotEvaluable(Reason::NO_CLAIMS);
    };
    let Some(iss) = claims.iss else { return Check::NotEvaluable(Reason::CLAIM_ABSENT) };
    let issued = issued(claims);
    let used = facts.time.map(|time| time.at);
    // Where one of the two is missing the other stands for both.
    let Some((first, last)) = issued.or(used).zip(used.or(issued)) else {
        return Check::NotEvaluable(Reason::NO_TIME);
    };
    let authority = facts.token.signature.authority.as_deref();
    if authority.is_some_and(|authority| keys.covers_between(authority, first, last)) {
        return Check::Quiet;
    }
    let sources: Vec<_> = authority
        .into_iter()
        .flat_map(|authority| &authority.sources)
        .map(|source| keys.source_name(*source).to_owned())
        .take(limits::LISTED_MAX)
        .collect();
    let days = limits::COVERAGE_DAYS;
    let message = if authority.is_some() {
        "No capture of the issuer's keys lies near the time of the token."
    } else {
        "The archive has no source of the issuer's keys."
    };
    Check::fires(
        Evidence::new(message)
            .expected(format!("a capture from {days} days before {first} to {days} days after {last}"))
            .actual(iss)
            .fact("sources", sources),
    )
}
