//! Counts distinct addresses: exactly up to a limit, then by the k least hash values (KMV), which give the same
//! estimate for any order of merging.

use crate::limits::DISTINCT_EXACT_MAX;
use aws_lc_rs::digest;
use std::collections::BTreeSet;

/// A set of hash values of which at most [`DISTINCT_EXACT_MAX`] least ones are kept. Most tokens have one address.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) enum Distinct {
    /// No value yet.
    #[default]
    None,
    /// One value.
    One(u64),
    /// Several.
    Several(Box<Several>),
}

/// The least of several values.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Several {
    least: BTreeSet<u64>,
    overflown: bool,
}

impl Distinct {
    /// Adds a value by its [`hash`].
    pub(super) fn add(&mut self, hash: u64) {
        match self {
            Self::None => *self = Self::One(hash),
            Self::One(known) if *known == hash => {}
            Self::One(known) => {
                let least = BTreeSet::from([*known, hash]);
                *self = Self::Several(Box::new(Several { least, overflown: false }));
            }
            Self::Several(several) => several.add(hash),
        }
    }

    /// Adds everything that another set has seen. Both may have dropped values, but none that belongs to the least of all.
    pub(super) fn merge(&mut self, other: &Self) {
        match other {
            Self::None => {}
            Self::One(hash) => self.add(*hash),
            Self::Several(theirs) => {
                theirs.least.iter().for_each(|hash| self.add(*hash));
                if let Self::Several(mine) = self {
                    mine.overflown |= theirs.overflown;
                }
            }
        }
    }

    /// How many distinct values were added.
    pub(super) fn count(&self) -> i64 {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Several(several) => several.count(),
        }
    }
}

impl Several {
    fn add(&mut self, hash: u64) {
        let full = self.least.len() >= DISTINCT_EXACT_MAX;
        if full && self.least.last().is_some_and(|greatest| hash > *greatest) {
            self.overflown = true;
            return;
        }
        self.least.insert(hash);
        if self.least.len() > DISTINCT_EXACT_MAX {
            self.least.pop_last();
            self.overflown = true;
        }
    }

    fn count(&self) -> i64 {
        let held = u128::try_from(self.least.len()).unwrap_or(0);
        let estimate = match self.least.last() {
            Some(greatest) if self.overflown => (held.saturating_sub(1) << 64) / u128::from(*greatest).max(1),
            _ => held,
        };
        i64::try_from(estimate).unwrap_or(i64::MAX)
    }
}

/// A hash that is the same on every machine and in every run.
pub(super) fn hash(text: &str) -> u64 {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: std::ops::Range<u32>) -> Distinct {
        let mut set = Distinct::default();
        range.for_each(|at| set.add(hash(&at.to_string())));
        set
    }

    #[test]
    fn it_is_exact_up_to_the_limit_and_close_beyond() {
        assert_eq!(of(0..0).count(), 0);
        assert_eq!(of(0..1024).count(), 1024);
        let estimate = of(0..20_000).count();
        assert!((18_000..22_000).contains(&estimate), "{estimate}");
    }

    #[test]
    fn merging_in_any_order_gives_the_same() {
        let parts = [of(0..700), of(500..1400), of(1300..1500), of(0..10)];
        let merged = |order: &[usize]| {
            let mut all = Distinct::default();
            for at in order {
                all.merge(&parts[*at]);
            }
            all
        };
        assert_eq!(merged(&[0, 1, 2, 3]), merged(&[3, 1, 0, 2]));
        assert_eq!(merged(&[0, 1, 2, 3]), of(0..1500));
    }

    #[test]
    fn a_few_values_and_a_sketch_merge_alike_from_both_sides() {
        let (few, sketch) = (of(0..3), of(10..20_000));
        let (mut a, mut b) = (few.clone(), sketch.clone());
        a.merge(&sketch);
        b.merge(&few);
        assert_eq!(a, b);
        let mut all = of(0..3);
        (10..20_000).for_each(|at| all.add(hash(&at.to_string())));
        assert_eq!(a, all);
    }
}
