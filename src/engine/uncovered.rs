//! Where the records lead that no entry of the policy matches: hosts and leading path segments with their records. Senders
//! choose both, so only some are kept: those with the least digests, whose counts are exact in any order of merging.

use super::write::Place;
use crate::limits;
use crate::policy;
use crate::record::Record;
use aws_lc_rs::digest;
use hashbrown::{Equivalent, HashMap};

/// A host and the first segment of a path, as entries of the policy are compared with them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
struct Spot {
    host: Option<Box<str>>,
    segment: Option<Box<str>>,
}

/// A [`Spot`] that is looked for. The hashes of both are the same, because those of their texts are.
#[derive(Hash)]
struct Wanted<'t> {
    host: Option<&'t str>,
    segment: Option<&'t str>,
}

impl Equivalent<Spot> for Wanted<'_> {
    fn equivalent(&self, spot: &Spot) -> bool {
        self.host == spot.host.as_deref() && self.segment == spot.segment.as_deref()
    }
}

/// What is known of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Known {
    digest: u64,
    records: u64,
}

/// Uncovered records by place.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(into = "Saved", from = "Saved")]
pub(super) struct Uncovered {
    spots: HashMap<Spot, Known>,
    /// Greatest digest that may still be among the least; none before the first were dropped.
    greatest: Option<u64>,
}

/// The saved form, in order.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    spots: Vec<(Spot, Known)>,
    greatest: Option<u64>,
}

/// A place that no entry of the policy matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncoveredPlace {
    /// Host, as entries are compared with it; `None` where the log has none.
    pub host: Option<String>,
    /// The first segment of the path behind a slash; `None` where the log has none.
    pub path: Option<String>,
    /// Records.
    pub records: u64,
}

impl Uncovered {
    /// Counts a record.
    pub(super) fn count(&mut self, record: &Record<'_>, place: &Place<'_>) {
        let host = record.host.map(policy::normal_host);
        let path = record.path.map(policy::normal_path);
        let segment = path.as_deref().map(|path| path.strip_prefix('/').unwrap_or(path));
        let segment = segment.and_then(|path| path.split('/').next()).map(|segment| place.cell(segment));
        let host = host.as_deref().map(|host| place.cell(host));
        self.add(&Wanted { host: host.as_deref(), segment: segment.as_deref() }, 1);
    }

    fn add(&mut self, wanted: &Wanted<'_>, records: u64) {
        if let Some(known) = self.spots.get_mut(wanted) {
            known.records += records;
            return;
        }
        let digest = digest_of(wanted);
        if self.greatest.is_some_and(|greatest| digest > greatest) {
            return;
        }
        let spot = Spot { host: wanted.host.map(Into::into), segment: wanted.segment.map(Into::into) };
        self.spots.insert(spot, Known { digest, records });
        if self.spots.len() >= 2 * limits::UNCOVERED_PLACES_MAX {
            self.keep_least();
        }
    }

    /// Takes in what another part counted. Neither has dropped a place that is among the least of both.
    pub(super) fn merge(&mut self, other: &Self) {
        for (spot, known) in &other.spots {
            let wanted = Wanted { host: spot.host.as_deref(), segment: spot.segment.as_deref() };
            self.add(&wanted, known.records);
        }
        self.greatest = [self.greatest, other.greatest].into_iter().flatten().min();
        self.keep_least();
    }

    /// Drops all but the least.
    fn keep_least(&mut self) {
        if self.spots.len() <= limits::UNCOVERED_PLACES_MAX {
            return;
        }
        let mut digests: Vec<u64> = self.spots.values().map(|known| known.digest).collect();
        digests.sort_unstable();
        let greatest = digests.get(limits::UNCOVERED_PLACES_MAX - 1).copied().unwrap_or(u64::MAX);
        self.spots.retain(|_, known| known.digest <= greatest);
        self.greatest = Some(greatest);
    }

    /// The places that were kept, those with most records first.
    pub(super) fn places(&self) -> Vec<UncoveredPlace> {
        let mut least = self.clone();
        least.keep_least();
        let place = |(spot, known): (Spot, Known)| UncoveredPlace {
            host: spot.host.map(Into::into),
            path: spot.segment.map(|segment| format!("/{segment}")),
            records: known.records,
        };
        let mut places: Vec<UncoveredPlace> = least.spots.into_iter().map(place).collect();
        places.sort_by(|a, b| {
            b.records.cmp(&a.records).then_with(|| (&a.host, &a.path).cmp(&(&b.host, &b.path)))
        });
        places
    }
}

fn digest_of(wanted: &Wanted<'_>) -> u64 {
    let mut context = digest::Context::new(&digest::SHA256);
    for text in [wanted.host, wanted.segment] {
        context.update(text.unwrap_or_default().as_bytes());
        context.update(&[u8::from(text.is_some())]);
    }
    let digest = context.finish();
    digest.as_ref().first_chunk().copied().map_or(0, u64::from_be_bytes)
}

impl From<Uncovered> for Saved {
    fn from(uncovered: Uncovered) -> Self {
        let mut spots: Vec<(Spot, Known)> = uncovered.spots.into_iter().collect();
        spots.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self { spots, greatest: uncovered.greatest }
    }
}

impl From<Saved> for Uncovered {
    fn from(saved: Saved) -> Self {
        Self { spots: saved.spots.into_iter().collect(), greatest: saved.greatest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(hosts: impl Iterator<Item = usize>) -> Uncovered {
        let mut uncovered = Uncovered::default();
        for host in hosts {
            let host = format!("h{host}.example");
            uncovered.add(&Wanted { host: Some(&host), segment: Some("v1") }, 1);
        }
        uncovered
    }

    #[test]
    fn the_same_places_are_kept_in_any_order() {
        let all = 0..5 * limits::UNCOVERED_PLACES_MAX;
        let twice = || all.clone().chain(all.clone());
        let whole = counted(twice()).places();
        assert_eq!(whole.len(), limits::UNCOVERED_PLACES_MAX);
        assert!(whole.iter().all(|place| place.records == 2), "counts are exact");
        assert_eq!(counted(twice().rev()).places(), whole);
        for parts in [2, 3, 7] {
            let mut merged = Uncovered::default();
            for part in 0..parts {
                let mine =
                    counted(twice().enumerate().filter(|(at, _)| at % parts == part).map(|(_, host)| host));
                let text = serde_json::to_string(&mine).unwrap();
                merged.merge(&serde_json::from_str(&text).unwrap());
            }
            assert_eq!(merged.places(), whole, "{parts}");
        }
    }

    #[test]
    fn most_records_come_first_and_absent_is_a_place_of_its_own() {
        let mut uncovered = counted([1, 2, 2].into_iter());
        uncovered.add(&Wanted { host: None, segment: None }, 5);
        uncovered.add(&Wanted { host: Some(""), segment: None }, 5);
        let places = uncovered.places();
        let told: Vec<_> =
            places.iter().map(|it| (it.host.as_deref(), it.path.as_deref(), it.records)).collect();
        assert_eq!(
            told,
            [
                (None, None, 5),
                (Some(""), None, 5),
                (Some("h2.example"), Some("/v1"), 2),
                (Some("h1.example"), Some("/v1"), 1)
            ]
        );
    }
}
