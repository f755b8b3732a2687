//! How often something was seen, with whom and when: what makes it more than an exception.

use super::bounded::{Least, digest_of};
use crate::sink::{counted, grouped};
use crate::time::{DAY, UtcMicros};
use crate::token::Claims;

/// Identities and days that are told apart.
const IDENTITIES_MAX: usize = 64;
const DAYS_MAX: usize = 32;
/// What makes a value more than an exception.
const IDENTITIES_MIN: usize = 5;
const DAYS_MIN: usize = 2;

/// How often something was seen, and with whom.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Accepted requests.
    pub accepted: u64,
    /// Other requests.
    pub others: u64,
    /// Of accepted requests.
    identities: Least<IDENTITIES_MAX>,
    /// Of accepted requests.
    days: Least<DAYS_MAX>,
}

/// One request of somebody.
#[derive(Clone, Copy)]
pub(super) struct Sighting {
    accepted: bool,
    identity: u64,
    /// Days since the epoch.
    day: Option<u64>,
}

impl Sighting {
    pub(super) fn of(claims: &Claims<'_>, at: Option<UtcMicros>, accepted: bool) -> Self {
        let tenant = claims.tid.as_deref().unwrap_or_default();
        // `sub` is another one for each application (rules.md 1.4).
        let identity = match (claims.oid.as_deref(), claims.sub) {
            (Some(oid), _) => format!("{tenant}/{oid}"),
            (None, sub) => {
                let aud = claims.audience.column().unwrap_or_default();
                format!("{tenant}/{}/{aud}", sub.unwrap_or_default())
            }
        };
        let day = at.and_then(|at| u64::try_from(at.0.div_euclid(DAY)).ok());
        Self { accepted, identity: digest_of(&identity), day }
    }
}

#[cfg(test)]
impl Sighting {
    /// An accepted request of somebody, for tests.
    pub(super) fn by(identity: u64) -> Self {
        Self { accepted: true, identity, day: None }
    }
}

impl Seen {
    /// Adds a request.
    pub(super) fn add(&mut self, sighting: Sighting) {
        if !sighting.accepted {
            self.others += 1;
            return;
        }
        self.accepted += 1;
        self.identities.add(sighting.identity);
        if let Some(day) = sighting.day {
            self.days.add(day);
        }
    }

    /// Adds what was seen elsewhere.
    pub(super) fn merge(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.others += other.others;
        self.identities.merge(&other.identities);
        self.days.merge(&other.days);
    }

    /// True if it may stand in a policy without being looked at one by one.
    pub fn is_live(&self) -> bool {
        self.identities.len() >= IDENTITIES_MIN || self.days.len() >= DAYS_MIN
    }

    /// What a comment says.
    pub fn told(&self) -> String {
        let requests = counted(self.accepted, "accepted request");
        let others =
            if self.others > 0 { format!(" and {} more", grouped(self.others)) } else { String::new() };
        let identities = self.identities.told("identity", "identities");
        format!("{requests}{others}, {identities}, {}", self.days.told("day", "days"))
    }
}
