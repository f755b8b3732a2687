//! "First" always means least by (time, source, line, offset), an absent time last (contract section 7).

use super::names::{Name, Names, Translation};
use crate::limits::LISTED_MAX;
use crate::time::UtcMicros;
use std::cmp::Ordering;

/// An absent time, behind all others.
const NO_TIME: i64 = i64::MAX;
/// An absent line or offset, before all others.
const NO_PLACE: i64 = i64::MIN;

/// Where a request stands in the order in which "first" is least. Absent values are numbers that no log holds, because
/// there is one of these a token.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct At {
    time: i64,
    line: i64,
    offset: i64,
    pub(super) source: Option<Name>,
}

impl At {
    pub(super) fn new(
        time: Option<UtcMicros>,
        source: Option<Name>,
        line: Option<i64>,
        offset: Option<i64>,
    ) -> Self {
        Self {
            time: time.map_or(NO_TIME, |time| time.0),
            source,
            line: line.unwrap_or(NO_PLACE),
            offset: offset.unwrap_or(NO_PLACE),
        }
    }

    /// Judged time.
    pub(super) fn time(&self) -> Option<UtcMicros> {
        (self.time != NO_TIME).then_some(UtcMicros(self.time))
    }

    /// Line, counted from 1.
    pub(super) fn line(&self) -> Option<i64> {
        (self.line != NO_PLACE).then_some(self.line)
    }

    /// Offset of the unit's first byte.
    pub(super) fn offset(&self) -> Option<i64> {
        (self.offset != NO_PLACE).then_some(self.offset)
    }

    /// Compares two requests; sources are compared by their text.
    pub(super) fn order(&self, other: &Self, names: &Names) -> Ordering {
        self.time
            .cmp(&other.time)
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

/// The first ten distinct values, each with its first place. Nearly all have one.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) enum FirstTen {
    /// No value yet.
    #[default]
    None,
    /// One value.
    One(At, Name),
    /// Several, in order.
    Several(Vec<(At, Name)>),
}

impl FirstTen {
    /// One value at most.
    pub(super) fn of(at: At, value: Option<Name>) -> Self {
        value.map_or(Self::None, |value| Self::One(at, value))
    }

    /// Takes a value into account. Dropping all but the ten first at every step is exact: a value that is dropped has
    /// ten others before it, and these can only move forward.
    pub(super) fn add(&mut self, at: At, value: Name, names: &Names) {
        match self {
            Self::None => *self = Self::One(at, value),
            Self::One(first, known) if *known == value => {
                if at.order(first, names).is_lt() {
                    *first = at;
                }
            }
            Self::One(first, known) => {
                let mut several = vec![(*first, *known)];
                insert(&mut several, at, value, names);
                *self = Self::Several(several);
            }
            Self::Several(several) => insert(several, at, value, names),
        }
    }

    /// Takes in values with the same numbers.
    pub(super) fn take(&mut self, other: &Self, names: &Names) {
        other.each(|at, value| self.add(at, value, names));
    }

    /// Takes in another partial's values.
    pub(super) fn merge(&mut self, other: &Self, translation: &Translation, names: &Names) {
        other.each(|at, value| self.add(at.translated(translation), translation.of(value), names));
    }

    /// Hands out the values in order, each with its first place.
    pub(super) fn each(&self, mut take: impl FnMut(At, Name)) {
        match self {
            Self::None => {}
            Self::One(at, value) => take(*at, *value),
            Self::Several(several) => several.iter().for_each(|(at, value)| take(*at, *value)),
        }
    }

    /// The first value.
    pub(super) fn first(&self) -> Option<Name> {
        match self {
            Self::None => None,
            Self::One(_, value) => Some(*value),
            Self::Several(several) => several.first().map(|(_, value)| *value),
        }
    }

    /// The values in order.
    pub(super) fn texts<'n>(&self, names: &'n Names) -> Vec<&'n str> {
        let mut texts = Vec::new();
        self.each(|_, value| texts.push(names.text(value)));
        texts
    }
}

fn insert(values: &mut Vec<(At, Name)>, at: At, value: Name, names: &Names) {
    if let Some(known) = values.iter().position(|(_, known)| *known == value) {
        match values.get(known) {
            Some((first, _)) if at.order(first, names).is_lt() => drop(values.remove(known)),
            _ => return,
        }
    }
    let place = values.partition_point(|(other, known)| {
        other.order(&at, names).then_with(|| names.text(*known).cmp(names.text(value))).is_lt()
    });
    if place < LISTED_MAX {
        values.insert(place, (at, value));
        values.truncate(LISTED_MAX);
    }
}

/// Least and greatest judged time; none yet where the least is beyond the greatest.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Seen {
    least: i64,
    greatest: i64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { least: i64::MAX, greatest: i64::MIN }
    }
}

impl Seen {
    /// One instant, or none.
    pub(super) fn at(time: Option<UtcMicros>) -> Self {
        let mut seen = Self::default();
        seen.add(time);
        seen
    }

    /// Takes an instant into account.
    pub(super) fn add(&mut self, time: Option<UtcMicros>) {
        if let Some(UtcMicros(time)) = time {
            self.merge(Self { least: time, greatest: time });
        }
    }

    /// Takes in another period.
    pub(super) fn merge(&mut self, other: Self) {
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }

    /// The least instant.
    pub(super) fn first(&self) -> Option<UtcMicros> {
        (self.least <= self.greatest).then_some(UtcMicros(self.least))
    }

    /// The greatest instant.
    pub(super) fn last(&self) -> Option<UtcMicros> {
        (self.least <= self.greatest).then_some(UtcMicros(self.greatest))
    }
}
