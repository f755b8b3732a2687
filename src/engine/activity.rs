//! The rows of the activity table so far: one a combination, found by the token that was used.

use super::names::{Name, Translation};
use super::order::Seen;
use super::places::{Places, index};
use super::segments::Segments;
use super::tokens::{TokenNumber, TokenSummary};
use crate::facts::Outcome;
use crate::time::UtcMicros;

/// A combination of the activity table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub(super) struct ActivityKey {
    /// Start of the hour; no time is `i64::MIN`, which sorts first like a null.
    hour: i64,
    pub(super) token: TokenNumber,
    pub(super) gateway: Option<Name>,
    pub(super) api: Option<Name>,
    pub(super) client_ip: Option<Name>,
    pub(super) outcome: Outcome,
}

impl ActivityKey {
    pub(super) fn new(
        hour: Option<UtcMicros>,
        token: TokenNumber,
        [gateway, api, client_ip]: [Option<Name>; 3],
        outcome: Outcome,
    ) -> Self {
        Self { hour: hour.map_or(i64::MIN, |hour| hour.0), token, gateway, api, client_ip, outcome }
    }

    /// A number in the order of the hours, in which none comes first.
    pub(super) fn hour_rank(&self) -> u64 {
        self.hour.cast_unsigned() ^ (1 << 63)
    }

    /// Start of the hour, if there is one.
    pub(super) fn hour(&self) -> Option<UtcMicros> {
        (self.hour != i64::MIN).then_some(UtcMicros(self.hour))
    }
}

/// A row so far.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct ActivityRow {
    pub(super) key: ActivityKey,
    pub(super) count: i64,
    pub(super) seen: Seen,
}

/// All rows, and their places by key.
#[derive(Debug, Default)]
pub(super) struct Activity {
    places: Places,
    rows: Segments<ActivityRow>,
}

impl Activity {
    /// Counts a use of a token. Its last row is tried first: most uses repeat the one before.
    pub(super) fn count(&mut self, key: ActivityKey, time: Option<UtcMicros>, token: &mut TokenSummary) {
        let seen = Seen::at(time);
        if let Some(row) = self.row_mut(token.last_activity)
            && row.key == key
        {
            row.count += 1;
            row.seen.merge(seen);
            return;
        }
        token.last_activity = self.add(ActivityRow { key, count: 1, seen });
    }

    /// Adds to a row; gives its place.
    fn add(&mut self, row: ActivityRow) -> u32 {
        let hash = self.places.hash(&row.key);
        let same = |at: usize| self.rows.get(at).is_some_and(|known| known.key == row.key);
        if let Some(place) = self.places.find(hash, same) {
            if let Some(known) = self.row_mut(place) {
                known.count += row.count;
                known.seen.merge(row.seen);
            }
            return place;
        }
        let place = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.places.insert(hash, place);
        self.rows.push(row);
        place
    }

    fn row_mut(&mut self, place: u32) -> Option<&mut ActivityRow> {
        self.rows.get_mut(index(place))
    }

    /// All rows in the order in which they were first seen.
    pub(super) fn rows(&self) -> impl Iterator<Item = &ActivityRow> {
        self.rows.iter()
    }

    /// A row by its place among all.
    pub(super) fn row(&self, place: u32) -> Option<&ActivityRow> {
        self.rows.get(index(place))
    }

    /// Takes in another part's rows, whose tokens and names have other numbers.
    pub(super) fn absorb(&mut self, other: &Self, tokens: &[TokenNumber], names: &Translation) {
        for row in other.rows.iter() {
            let key = ActivityKey {
                token: tokens.get(row.key.token.at()).copied().unwrap_or(row.key.token),
                gateway: names.optional(row.key.gateway),
                api: names.optional(row.key.api),
                client_ip: names.optional(row.key.client_ip),
                ..row.key
            };
            self.add(ActivityRow { key, ..*row });
        }
    }

    /// Rows that were saved.
    pub(super) fn restore(&mut self, rows: Vec<ActivityRow>) {
        for row in rows {
            self.add(row);
        }
    }
}
