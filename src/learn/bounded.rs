//! Maps and sets that stay small whatever a log holds, and are the same however it was cut: beyond the bound the entries
//! with the least digests stay.

use aws_lc_rs::digest;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// The first 8 bytes of a text's SHA-256.
pub(super) fn digest_of(text: &str) -> u64 {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().first_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// Values by text. Those that are kept have seen everything that was added to them.
#[derive(Clone, Debug)]
pub(super) struct Bounded<V> {
    values: BTreeMap<String, V>,
    most: usize,
    /// Greatest digest that may still be among the least.
    greatest: Option<u64>,
}

impl<V: Default> Bounded<V> {
    pub(super) fn new(most: usize) -> Self {
        Self { values: BTreeMap::new(), most, greatest: None }
    }

    /// The value of a text; `None` if the text is not among the least.
    pub(super) fn entry(&mut self, text: &str) -> Option<&mut V> {
        if !self.values.contains_key(text) {
            if self.greatest.is_some_and(|greatest| digest_of(text) > greatest) {
                return None;
            }
            if self.values.len() >= self.most.saturating_mul(2) {
                self.keep_least();
            }
            self.values.insert(text.to_owned(), V::default());
        }
        self.values.get_mut(text)
    }

    /// Takes in what another part has seen.
    pub(super) fn merge(&mut self, other: Self, mut merge: impl FnMut(&mut V, V)) {
        for (text, value) in other.values {
            if let Some(mine) = self.entry(&text) {
                merge(mine, value);
            }
        }
        self.greatest = [self.greatest, other.greatest].into_iter().flatten().min();
    }

    fn keep_least(&mut self) {
        if self.values.len() <= self.most {
            return;
        }
        let mut digests: Vec<u64> = self.values.keys().map(|text| digest_of(text)).collect();
        digests.sort_unstable();
        let greatest = digests.get(self.most.saturating_sub(1)).copied().unwrap_or(u64::MAX);
        self.values.retain(|text, _| digest_of(text) <= greatest);
        self.greatest = Some(greatest);
    }

    /// What is kept, by text; true if something was dropped.
    pub(super) fn finish(mut self) -> (BTreeMap<String, V>, bool) {
        self.keep_least();
        if let Some(greatest) = self.greatest {
            self.values.retain(|text, _| digest_of(text) <= greatest);
        }
        (self.values, self.greatest.is_some())
    }
}

/// The least of some numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Least<const MOST: usize>(BTreeSet<u64>);

impl<const MOST: usize> Least<MOST> {
    pub(super) fn add(&mut self, number: u64) {
        self.0.insert(number);
        if self.0.len() > MOST {
            self.0.pop_last();
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|number| self.add(*number));
    }

    /// How many there are; at the bound there may be more.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// As [`Self::len`], for people.
    pub(super) fn told(&self, one: &str, several: &str) -> String {
        match self.0.len() {
            1 => format!("1 {one}"),
            number if number == MOST => format!("{number} {several} or more"),
            number => format!("{number} {several}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_kept_in_any_order() {
        let fill = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut bounded: Bounded<u32> = Bounded::new(10);
            for number in numbers {
                if let Some(count) = bounded.entry(&number.to_string()) {
                    *count += 1;
                }
            }
            bounded
        };
        let whole = fill(&mut (0..200).chain(0..200)).finish();
        assert_eq!((whole.0.len(), whole.1), (10, true));
        assert!(whole.0.values().all(|count| *count == 2));
        assert_eq!(fill(&mut (0..200).rev().chain((0..200).rev())).finish(), whole);
        let mut merged = fill(&mut (0..200).filter(|number| number % 3 == 0));
        merged.merge(fill(&mut (0..200).filter(|number| number % 3 != 0)), |mine, theirs| *mine += theirs);
        merged.merge(fill(&mut (0..200)), |mine, theirs| *mine += theirs);
        assert_eq!(merged.finish(), whole);
    }

    #[test]
    fn numbers_are_counted_up_to_the_bound() {
        let mut least = Least::<3>::default();
        for number in [5, 5, 4] {
            least.add(number);
        }
        assert_eq!(least.told("day", "days"), "2 days");
        let mut other = Least::default();
        other.add(1);
        other.add(9);
        least.merge(&other);
        assert_eq!((least.len(), least.told("day", "days").as_str()), (3, "3 days or more"));
    }
}
