//! What a compiled format knows beside the places of its values.

use super::TimeIs;
use crate::time::Zone;
use crate::time::parse::EpochUnit;

/// A token source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The text of the format that names it: [`super::TokenHit::place`].
    pub(super) label: String,
    pub(super) how: How,
}

/// How a value holds a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// The value, with or without a scheme word.
    Value,
    /// A header of a list of names and values, or of a raw header block.
    Header(String),
    /// A cookie of a `Cookie` header.
    Cookie(String),
    /// A parameter of a URL or query.
    Query(String),
    /// Anywhere in the text.
    Scan,
}

/// A condition of `skip_if`.
#[derive(Clone, Debug, Default)]
pub(super) struct Condition {
    pub(super) equals: Option<String>,
    pub(super) not_equals: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) suffix: Option<String>,
    pub(super) contains: Option<String>,
    pub(super) absent: bool,
}

impl Condition {
    /// True if all its tests hold for a value that is there.
    pub(super) fn is_met_by(&self, value: &str) -> bool {
        !self.absent
            && self.equals.as_ref().is_none_or(|text| value == text)
            && self.not_equals.as_ref().is_none_or(|text| value != text)
            && self.prefix.as_ref().is_none_or(|text| value.starts_with(text))
            && self.suffix.as_ref().is_none_or(|text| value.ends_with(text))
            && self.contains.as_ref().is_none_or(|text| value.contains(text))
    }
}

/// How the time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimeForm {
    Auto,
    Epoch(EpochUnit),
    Rfc3339,
    Clf,
    Strftime(String),
}

impl TimeForm {
    /// The form that `as` names; log4j's comma is RFC 3339 with another fraction mark, HAProxy's time is CLF without zone.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "epoch" | "epoch_s" => Self::Epoch(EpochUnit::Seconds),
            "epoch_ms" => Self::Epoch(EpochUnit::Millis),
            "epoch_us" => Self::Epoch(EpochUnit::Micros),
            "epoch_ns" => Self::Epoch(EpochUnit::Nanos),
            "rfc3339" | "log4j" => Self::Rfc3339,
            "clf" | "haproxy" => Self::Clf,
            _ => Self::Strftime(name.strip_prefix("strftime:")?.to_owned()),
        })
    }
}

/// How the time is read.
#[derive(Clone, Debug)]
pub(super) struct TimeRule {
    pub(super) form: TimeForm,
    pub(super) is: TimeIs,
    pub(super) zone: Zone,
}

/// Unit of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DurationUnit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl DurationUnit {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "s" => Self::Seconds,
            "ms" => Self::Millis,
            "us" => Self::Micros,
            "ns" => Self::Nanos,
            _ => return None,
        })
    }

    /// Microseconds of this unit.
    pub(super) fn micros(self) -> f64 {
        match self {
            Self::Seconds => 1e6,
            Self::Millis => 1e3,
            Self::Micros => 1.0,
            Self::Nanos => 1e-3,
        }
    }
}

/// The part of a format that does not depend on its kind.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) sources: Vec<Source>,
    pub(super) conditions: Vec<Condition>,
    pub(super) time: TimeRule,
    pub(super) duration: DurationUnit,
    /// Length at which the logger cuts a line, in bytes.
    pub(super) line_limit: Option<usize>,
    /// Length at which the logger cuts a field, in bytes.
    pub(super) field_limit: Option<usize>,
    /// True if eight hexadecimal digits in a token's place are a mask (Caddy's `hash` filter).
    pub(super) hashes_are_masks: bool,
}
