//! Family C: time.

pub(super) mod auth_stale;
pub(super) mod clock_drift;
pub(super) mod exp_missing;
pub(super) mod expired_in_skew;
pub(super) mod expired_use;
pub(super) mod iat_future;
pub(super) mod iat_missing;
pub(super) mod lifetime_cae_unclaimed;
pub(super) mod lifetime_long;
pub(super) mod lifetime_short;
pub(super) mod nbf_missing;
pub(super) mod not_yet_valid;
pub(super) mod time_order;
pub(super) mod time_unit;

use super::kit::{Check, Evidence, Reason};
use crate::codec::json::Value;
use crate::facts::{JudgedTime, Pairing};
use crate::policy::{Lifetime, Validation};
use crate::record::TimeIs;
use crate::time::{SECOND, UtcMicros};
use crate::token::Claims;

/// Adds `time=end` where only the end of the request is known.
fn stamped(evidence: Evidence, time: JudgedTime) -> Evidence {
    if time.is == TimeIs::End { evidence.fact("time", "end") } else { evidence }
}

/// How far apart two instants are, in the bands of the catalogue.
fn band(micros: i64) -> &'static str {
    let bands = [(60, "<=60"), (300, "<=300"), (3600, "<=3600")];
    bands.into_iter().find(|(seconds, _)| micros <= seconds * SECOND).map_or(">3600", |(_, name)| name)
}

/// What a use that lies before a time of its token shows: how early it is, and by which skew it was judged.
fn early(evidence: Evidence, from: UtcMicros, time: JudgedTime, validation: &Validation) -> Evidence {
    let (early, skew) = (from.0.saturating_sub(time.at.0), validation.skew());
    let evidence = evidence
        .expected(format!("a use from {}", from.plus(-skew)))
        .actual(time.at.to_string())
        .fact("early_by_s", early.div_euclid(SECOND))
        .fact("band", band(early))
        .fact("preset", validation.preset.name())
        .fact("skew_s", skew.div_euclid(SECOND));
    stamped(evidence, time)
}

/// True if a claim is not there; a null says nothing either.
fn is_absent(claims: &Claims<'_>, name: &str) -> bool {
    matches!(claims.member(name), None | Some(Value::Null))
}

/// Fires where a token lacks a time that Entra always writes. Issuers that the policy lists may leave it out (RFC 7519
/// section 4.1).
fn missing(pairing: &Pairing<'_>, name: &'static str, evidence: impl FnOnce() -> Evidence) -> Check {
    match pairing.token.claims() {
        None => Check::NotEvaluable(Reason::NO_CLAIMS),
        Some(claims) if !is_absent(claims, name) || is_listed(claims, pairing.validation) => Check::Quiet,
        Some(_) => Check::fires(evidence().fact("claim", name)),
    }
}

/// True if the token comes from one of the further issuers of the policy, to which Entra's habits do not apply.
fn is_listed(claims: &Claims<'_>, validation: &Validation) -> bool {
    claims.iss.is_some_and(|iss| validation.lists_issuer(iss))
}

/// `exp` - `iat`, in seconds. A token that ends before it begins has none: `time-order` speaks about it.
fn lifetime(claims: &Claims<'_>) -> Result<Option<i64>, Reason> {
    let (Some(exp), Some(iat)) = (claims.exp, claims.iat) else { return Err(Reason::CLAIM_ABSENT) };
    Ok(Some(exp.saturating_sub(iat)).filter(|lifetime| *lifetime > 0))
}

/// The classes of lifetimes in force.
fn classes(validation: &Validation) -> &[Lifetime] {
    validation.lifetimes.as_deref().unwrap_or(&Lifetime::DEFAULT)
}

/// The longest lifetime in force, in seconds: the lesser of what the policy states, else the longest default class.
fn longest(validation: &Validation) -> i64 {
    let of_classes = |classes: &[Lifetime]| classes.iter().map(|class| class.most).max();
    let stated = validation.max_lifetime.map(|most| Lifetime::class(most, most).most);
    let listed = validation.lifetimes.as_deref().and_then(of_classes);
    [stated, listed]
        .into_iter()
        .flatten()
        .min()
        .or_else(|| of_classes(&Lifetime::DEFAULT))
        .unwrap_or(i64::MAX)
}

/// Classes as a text, tolerance included: `3000..6300 s`.
fn shown(classes: &[Lifetime]) -> String {
    let texts: Vec<String> = classes.iter().map(|class| format!("{}..{}", class.least, class.most)).collect();
    format!("{} s", texts.join(", "))
}
