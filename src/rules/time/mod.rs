//! Family C: time.

pub(super) mod exp_missing;
pub(super) mod expired_in_skew;
pub(super) mod expired_use;
pub(super) mod not_yet_valid;

use super::kit::Evidence;
use crate::facts::JudgedTime;
use crate::policy::Preset;
use crate::record::TimeIs;
use crate::time::{SECOND, UtcMicros};

/// True if a validator that grants this skew refuses a token at an instant for its `exp` (rules.md 5.6).
fn refuses_expired(preset: Preset, skew: i64, exp: UtcMicros, at: UtcMicros) -> bool {
    let end = exp.plus(skew);
    if preset.refuses_at_boundary() { at >= end } else { at > end }
}

/// Adds `time=end` where only the end of the request is known.
fn stamped(evidence: Evidence, time: JudgedTime) -> Evidence {
    if time.is == TimeIs::End { evidence.fact("time", "end") } else { evidence }
}

/// How far apart two instants are, in the bands of the catalogue.
fn band(micros: i64) -> &'static str {
    let bands = [(60, "<=60"), (300, "<=300"), (3600, "<=3600")];
    bands.into_iter().find(|(seconds, _)| micros <= seconds * SECOND).map_or(">3600", |(_, name)| name)
}
