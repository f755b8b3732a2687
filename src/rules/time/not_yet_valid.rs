//! `not-yet-valid`

use super::early;
use crate::facts::{Facts, Pairing, Validator};
use crate::policy::Preset;
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};
use crate::time::UtcMicros;

rule! {
    /// The token was used before it became valid.
    ///
    /// Why it matters: Entra dates `nbf` back by about five minutes, so a genuine token is never early. An early one has
    /// invented times, or the log's clock is behind.
    ///
    /// What to do: compare the gateway's clock; if it is right, look at the signature and at who sent the token.
    ///
    /// Known false positives: clocks that run behind.
    "not-yet-valid", Time, "H/I", Overreach, Strong,
    references: [
        "RFC 7519 section 4.1.5", "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference",
        "CWE-345", "ATT&CK T1606",
    ],
    needs: [Claims, Time],
    judge: Timed(quiet, check),
}

fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let nbf = pairing.token.claims().and_then(|claims| claims.nbf);
    nbf.map_or(Quiet::NEVER, |nbf| Quiet::from(UtcMicros::from_seconds(nbf).plus(-pairing.validation.skew())))
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(time) = facts.time else { return Check::NotEvaluable(Reason::NO_TIME) };
    let Some(nbf) = facts.token.claims().and_then(|claims| claims.nbf) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    if !Validator::of(facts.validation).refuses_early(nbf, time.at) {
        return Check::Quiet;
    }
    let refused_by: Vec<&str> = Preset::ALL
        .into_iter()
        .filter(|preset| Validator::preset(*preset).refuses_early(nbf, time.at))
        .map(Preset::name)
        .collect();
    let nbf = UtcMicros::from_seconds(nbf);
    let evidence = Evidence::new("The token was used before it became valid.")
        .fact("nbf", nbf.to_string())
        .fact("refused_by", refused_by);
    Check::fires(early(evidence, nbf, time, facts.validation))
}
