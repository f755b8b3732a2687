//! "First" always means least by (time, source, line, offset), an absent time last (contract section 7).

use super::names::{Name, Names, Translation};
use crate::findings::first_order;
use crate::limits::LISTED_MAX;
use crate::time::UtcMicros;
use std::cmp::Ordering;

/// Where a request stands in the order in which "first" is least.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct At {
    pub(super) time: Option<UtcMicros>,
    pub(super) source: Option<Name>,
    pub(super) line: Option<i64>,
    pub(super) offset: Option<i64>,
}

impl At {
    /// Compares two requests; sources are compared by their text.
    pub(super) fn order(&self, other: &Self, names: &Names) -> Ordering {
        first_order(self.time, other.time)
            .then_with(|| {
                if self.source == other.source {
                    return Ordering::Equal;
                }
                names.optional(self.source).cmp(&names.optional(other.source))
            })
            .then_with(|| self.line.cmp(&other.line))
            .then_with(|| self.offset.cmp(&other.offset))
    }

    /// The same place in another partial's numbers.
    pub(super) fn translated(self, translation: &Translation) -> Self {
        Self { source: translation.optional(self.source), ..self }
    }
}

/// The first ten distinct values, each with its first place.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct FirstTen(Vec<(At, Name)>);

impl FirstTen {
    /// Takes a value into account. Dropping all but the ten first at every step is exact: a value that is dropped has
    /// ten others before it, and these can only move forward.
    pub(super) fn add(&mut self, at: At, value: Name, names: &Names) {
        if let Some(known) = self.0.iter().position(|(_, known)| *known == value) {
            match self.0.get(known) {
                Some((first, _)) if at.order(first, names).is_lt() => drop(self.0.remove(known)),
                _ => return,
            }
        }
        let place = self.0.partition_point(|(other, known)| {
            other.order(&at, names).then_with(|| names.text(*known).cmp(names.text(value))).is_lt()
        });
        if place < LISTED_MAX {
            self.0.insert(place, (at, value));
            self.0.truncate(LISTED_MAX);
        }
    }

    /// Takes in values with the same numbers.
    pub(super) fn take(&mut self, other: &Self, names: &Names) {
        for (at, value) in &other.0 {
            self.add(*at, *value, names);
        }
    }

    /// Takes in another partial's values.
    pub(super) fn merge(&mut self, other: &Self, translation: &Translation, names: &Names) {
        for (at, value) in &other.0 {
            self.add(at.translated(translation), translation.of(*value), names);
        }
    }

    /// The values in order.
    pub(super) fn texts(&self, names: &Names) -> Vec<String> {
        self.0.iter().map(|(_, value)| names.text(*value).to_owned()).collect()
    }
}

/// Least and greatest judged time.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Seen {
    pub(super) first: Option<UtcMicros>,
    pub(super) last: Option<UtcMicros>,
}

impl Seen {
    /// Takes an instant into account.
    pub(super) fn add(&mut self, time: Option<UtcMicros>) {
        self.merge(Self { first: time, last: time });
    }

    /// Takes in another period.
    pub(super) fn merge(&mut self, other: Self) {
        self.first = super::counts::least(self.first, other.first);
        self.last = super::counts::greatest(self.last, other.last);
    }
}
