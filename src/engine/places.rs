//! Where things stand in a list, found by their keyed hash: the index of every list of a partial that grows with the log.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher as _, Hash};

/// Places of a list by hash; the list itself lies elsewhere. The hash is kept, so that the index grows without a look at
/// the list, which may be far larger than any cache.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Of this process, so that nobody can choose texts that fall together.
    secret: DefaultHashBuilder,
    table: HashTable<(u32, u32)>,
}

impl Places {
    /// The hash of a key.
    pub(super) fn hash<K: Hash + ?Sized>(&self, key: &K) -> u32 {
        let [a, b, c, d, ..] = self.secret.hash_one(key).to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// The place with this hash for which `same` is true.
    pub(super) fn find(&self, hash: u32, same: impl Fn(usize) -> bool) -> Option<u32> {
        let found = self.table.find(spread(hash), |(known, place)| *known == hash && same(index(*place)));
        found.map(|(_, place)| *place)
    }

    /// Adds a place that is not there yet.
    pub(super) fn insert(&mut self, hash: u32, place: u32) {
        self.table.insert_unique(spread(hash), (hash, place), |(hash, _)| spread(*hash));
    }
}

/// The table chooses by the low bits and tells apart by the high ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A place as an index of its list.
pub(super) fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
