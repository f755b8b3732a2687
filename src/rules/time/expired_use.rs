//! `expired-use`

use super::{band, stamped};
use crate::facts::{Answer, Facts, Pairing, Validator};
use crate::policy::Preset;
use crate::rules::kit::{Cells, Check, Evidence, Quiet, Reason, rule};
use crate::time::{HOUR, SECOND, UtcMicros};

rule! {
    /// The token was used after it had expired.
    ///
    /// Why it matters: a validator that accepts expired tokens lets stolen ones work for ever, and does not look at the
    /// other limits of a token either. The boundary is the one of the deployment's own validator (`validation.preset`,
    /// `clock-skew`); the evidence names every preset that would have refused.
    ///
    /// What to do: for accepted requests, check whether the gateway validates the lifetime, caches a result, or leaves the
    /// check to an API that does not make it.
    ///
    /// Known false positives: logs that stamp the end of a long request without its duration (one step lower); streaming
    /// and WebSocket connections, which are checked once; gateway clocks that run ahead; cached decisions.
    "expired-use", Time, "H/I", Overreach, Strong,
    references: [
        "RFC 7519 section 4.1.4", "RFC 9068 section 4",
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "OWASP API2:2023",
        "CWE-613", "CWE-672", "ATT&CK T1550.001",
    ],
    needs: [Claims, Time],
    judge: Timed(quiet, check),
}

fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let exp = pairing.token.claims().and_then(|claims| claims.exp).map(UtcMicros::from_seconds);
    // Presets differ at the boundary.
    exp.map_or(Quiet::NEVER, |exp| Quiet::until(exp.plus(pairing.validation.skew()).plus(-1)))
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(time) = facts.time else { return Check::NotEvaluable(Reason::NO_TIME) };
    let Some(seconds) = facts.token.claims().and_then(|claims| claims.exp) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    let exp = UtcMicros::from_seconds(seconds);
    let (validator, skew) = (Validator::of(facts.validation), facts.validation.skew());
    if !validator.is_past(seconds, time.at) {
        return Check::Quiet;
    }
    let late = time.at.0.saturating_sub(exp.0);
    let refused_by: Vec<&str> = Preset::ALL
        .into_iter()
        .filter(|preset| Validator::preset(*preset).refuses_expired(seconds, time.at))
        .map(Preset::name)
        .collect();
    let own = if validator.refuses_expired(seconds, time.at) { Answer::Refuses } else { Answer::Accepts };
    let mut evidence = Evidence::new("The token was used after it had expired.")
        .expected(format!("a use up to {}", exp.plus(skew)))
        .actual(time.at.to_string())
        .fact("exp", exp.to_string())
        .fact("late_by_s", late.div_euclid(SECOND))
        .fact("band", band(late))
        .fact("preset", facts.validation.preset.name())
        .fact("skew_s", skew.div_euclid(SECOND))
        .fact("refused_by", refused_by)
        .answers(own, Answer::Refuses);
    if seconds == 0 {
        evidence = evidence.fact("envoy_never_expires", true);
    }
    if late > HOUR {
        evidence = evidence.cells(Cells::new('C', 'I'));
    }
    Check::fires(stamped(evidence, time))
}
