//! `iat-future`

use super::early;
use crate::facts::{Facts, Pairing};
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};
use crate::time::UtcMicros;

rule! {
    /// The token was used before it was issued.
    ///
    /// Why it matters: no request can carry a token that does not exist yet. Hardly any validator compares `iat`, so that
    /// whoever invents times is not caught by it, and whoever holds a stolen key may date tokens ahead.
    ///
    /// What to do: compare the gateway's clock with others; if it is right, look at the signature, at the key, and at who
    /// sent the token.
    ///
    /// Known false positives: a clock that runs behind. `clock-drift` finds it and lowers these findings.
    "iat-future", Time, "H/L", Overreach, Strong,
    references: [
        "RFC 7519 section 4.1.6", "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference",
        "CWE-345", "ATT&CK T1606",
    ],
    needs: [Claims, Time],
    judge: Timed(quiet, check),
}

fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let iat = pairing.token.claims().and_then(|claims| claims.iat);
    iat.map_or(Quiet::NEVER, |iat| Quiet::from(UtcMicros::from_seconds(iat).plus(-pairing.validation.skew())))
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(time) = facts.time else { return Check::NotEvaluable(Reason::NO_TIME) };
    let Some(iat) = facts.token.claims().and_then(|claims| claims.iat) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    let iat = UtcMicros::from_seconds(iat);
    if time.at >= iat.plus(-facts.validation.skew()) {
        return Check::Quiet;
    }
    let evidence = Evidence::new("The token was used before it was issued.").fact("iat", iat.to_string());
    Check::fires(early(evidence, iat, time, facts.validation))
}
