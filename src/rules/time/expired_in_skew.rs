//! `expired-in-skew`

use super::{band, stamped};
use crate::facts::{Answer, Facts, Pairing, Validator};
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};
use crate::time::{SECOND, UtcMicros};

rule! {
    /// The token was used after it had expired, within the clock skew that the validator grants.
    ///
    /// Why it matters: it is normal. The count shows how many requests live on the skew, which matters before a gateway
    /// moves to a stricter validator.
    ///
    /// What to do: nothing, unless the gateway is to change.
    ///
    /// Known false positives: normal behaviour of clients that use a token to its very end.
    "expired-in-skew", Time, "I/-", Overreach, Strong,
    references: ["RFC 7519 section 4.1.4"],
    needs: [Claims, Time],
    judge: Timed(quiet, check),
}

fn quiet(pairing: &Pairing<'_>) -> Quiet {
    let exp = pairing.token.claims().and_then(|claims| claims.exp);
    exp.map_or(Quiet::NEVER, |exp| Quiet::until(UtcMicros::from_seconds(exp)))
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(time) = facts.time else { return Check::NotEvaluable(Reason::NO_TIME) };
    let Some(seconds) = facts.token.claims().and_then(|claims| claims.exp) else {
        return Check::NotEvaluable(Reason::CLAIM_ABSENT);
    };
    let exp = UtcMicros::from_seconds(seconds);
    if time.at <= exp || Validator::of(facts.validation).is_past(seconds, time.at) {
        return Check::Quiet;
    }
    let late = time.at.0.saturating_sub(exp.0);
    let evidence = Evidence::new("The token was used after it had expired, within the granted clock skew.")
        .expected(format!("a use up to {exp}"))
        .actual(time.at.to_string())
        .fact("late_by_s", late.div_euclid(SECOND))
        .fact("band", band(late))
        .fact("skew_s", facts.validation.skew().div_euclid(SECOND))
        .answers(Answer::Accepts, Answer::Refuses);
    Check::fires(stamped(evidence, time))
}
