//! `time-unit`

use super::is_listed;
use crate::codec::json::{Number, Value};
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// A time of the token is not in whole seconds of our age.
    ///
    /// Why it matters: a time in milliseconds lies tens of thousands of years ahead, so a token with such an `exp` never
    /// ends. Negative times, fractions and times before 2010 are no work of Entra, and validators read them in
    /// different ways.
    ///
    /// What to do: look at the signature verdict; tell the issuer, if it is one of yours.
    ///
    /// Known false positives: other issuers. RFC 7519 allows fractions, and some write `nbf` as zero; both are passed over
    /// where the policy lists the issuer.
    "time-unit", Time, "M/L", Overreach, Strong,
    references: ["RFC 7519 section 2 NumericDate", "CWE-20"],
    needs: [Claims],
    judge: Api(check),
}

/// The claims that hold times.
const TIMES: [&str; 4] = ["exp", "iat", "nbf", "auth_time"];
/// Above it a value is in milliseconds: in seconds it would be the year 5138.
const SECONDS_MAX: i64 = 100_000_000_000;
/// 2010-01-01T00:00:00Z: before Entra and JSON web tokens.
const SECONDS_MIN: i64 = 1_262_304_000;

fn check(pairing: &Pairing<'_>) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let listed = is_listed(claims, pairing.validation);
    let mut numbers = TIMES.into_iter().filter_map(|name| match claims.member(name) {
        Some(Value::Number(number)) => Some((name, *number)),
        _ => None,
    });
    let mut looked = false;
    let wrong = numbers.find_map(|(name, number)| {
        looked = true;
        let fault = fault(number)?;
        let allowed = listed && (fault == "fraction" || (name == "nbf" && number == Number::Integer(0)));
        (!allowed).then_some((name, number, fault))
    });
    match wrong {
        Some((name, number, fault)) => Check::fires(
            Evidence::new("A time of the token is not in whole seconds of our age.")
                .expected("whole seconds since 1970, from 2010 on")
                .actual(Value::Number(number).to_json())
                .fact("claim", name)
                .fact("fault", fault),
        ),
        None if looked => Check::Quiet,
        None => Check::NotEvaluable(Reason::CLAIM_ABSENT),
    }
}

/// What is wrong with a time, if something is.
fn fault(number: Number) -> Option<&'static str> {
    match number {
        Number::Large(_) => return Some("milliseconds"),
        Number::Float(float) if float > 1e11 => return Some("milliseconds"),
        Number::Float(float) if float < 0.0 => return Some("negative"),
        Number::Float(float) if float.fract() != 0.0 => return Some("fraction"),
        _ => {}
    }
    match number.seconds() {
        Some(seconds) if seconds < 0 => Some("negative"),
        Some(seconds) if seconds < SECONDS_MIN => Some("before-2010"),
        Some(seconds) if seconds <= SECONDS_MAX => None,
        // Whole numbers beyond what is kept exactly are told apart by their sign.
        None if matches!(number, Number::Integer(whole) if whole < 0) => Some("negative"),
        _ => Some("milliseconds"),
    }
}
