//! The verify-once memo: what was found out about a token value is remembered for its next use.

use crate::limits;
use dashmap::DashMap;
use std::collections::VecDeque;
use std::hash::BuildHasher as _;
use std::hash::RandomState;

/// Entries of one bucket. Values that an attacker makes collide (same end, same length) evict each other, and only cost
/// their own verification again.
const BUCKET_ENTRIES_MAX: usize = 8;
/// Bytes at the end of a value that choose its bucket: characters of the signature, which differ between tokens.
const TAIL_BYTES: usize = 16;

/// Remembers a `V` for each token value, shared between threads.
///
/// A lookup compares the whole value and its `at_cut` flag, so a hit is never wrong, and a miss only costs the work
/// again: the presence of the memo cannot be seen in any result. It is bounded: values fall into a fixed number of
/// buckets of eight, and a full bucket drops the value that it has held longest.
#[derive(Debug)]
pub struct Memo<V> {
    /// Secret of this run, so that nobody can choose the bucket of a value.
    secret: RandomState,
    buckets_max: u64,
    buckets: DashMap<u64, VecDeque<Entry<V>>>,
}

struct Entry<V> {
    value: Box<str>,
    at_cut: bool,
    known: V,
}

impl<V> std::fmt::Debug for Entry<V> {
    /// Never the value: it is a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry")
    }
}

impl<V: Clone> Memo<V> {
    /// A memo of at most `tokens_max` values, rounded up to a multiple of eight.
    pub fn new(tokens_max: usize) -> Self {
        let buckets_max = u64::try_from(tokens_max.div_ceil(BUCKET_ENTRIES_MAX)).unwrap_or(u64::MAX).max(1);
        Self { secret: RandomState::new(), buckets_max, buckets: DashMap::new() }
    }

    /// What is known about a value, if it is remembered.
    pub fn get(&self, value: &str, at_cut: bool) -> Option<V> {
        let bucket = self.buckets.get(&self.bucket(value))?;
        bucket.iter().find(|entry| entry.is(value, at_cut)).map(|entry| entry.known.clone())
    }

    /// Remembers a value. What was remembered first stays, so that threads that worked on it at once agree.
    pub fn insert(&self, value: &str, at_cut: bool, known: V) {
        let mut bucket = self.buckets.entry(self.bucket(value)).or_default();
        if bucket.iter().any(|entry| entry.is(value, at_cut)) {
            return;
        }
        if bucket.len() >= BUCKET_ENTRIES_MAX {
            bucket.pop_front();
        }
        bucket.push_back(Entry { value: value.into(), at_cut, known });
    }

    /// Values that are remembered now.
    pub fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.len()).sum()
    }

    /// True if nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    fn bucket(&self, value: &str) -> u64 {
        let tail = value.len().saturating_sub(TAIL_BYTES);
        let tail = value.as_bytes().get(tail..).unwrap_or_default();
        self.secret.hash_one((tail, value.len())) % self.buckets_max
    }
}

impl<V: Clone> Default for Memo<V> {
    fn default() -> Self {
        Self::new(limits::MEMO_TOKENS_MAX)
    }
}

impl<V> Entry<V> {
    fn is(&self, value: &str, at_cut: bool) -> bool {
        self.at_cut == at_cut && *self.value == *value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_value_and_the_cut_count() {
        let memo = Memo::new(64);
        assert!(memo.is_empty());
        let tail = "0123456789abcdef";
        memo.insert(&format!("a{tail}"), false, 1);
        assert_eq!(memo.get(&format!("a{tail}"), false), Some(1));
        assert_eq!(memo.get(&format!("b{tail}"), false), None);
        assert_eq!(memo.get(&format!("a{tail}"), true), None);
        memo.insert(&format!("a{tail}"), false, 2);
        assert_eq!(memo.get(&format!("a{tail}"), false), Some(1));
        assert_eq!(memo.get("", false), None);
    }

    #[test]
    fn it_stays_bounded_and_drops_the_oldest_of_a_bucket() {
        let memo = Memo::new(16);
        for number in 0..1000 {
            memo.insert(&format!("token-{number:04}"), false, number);
        }
        assert!(memo.len() <= 16, "{}", memo.len());
        assert_eq!(memo.get("token-0999", false), Some(999));
        assert_eq!(memo.get("token-0000", false), None);
    }

    #[test]
    fn crafted_collisions_share_one_bucket_of_eight() {
        let memo = Memo::new(1 << 10);
        for number in 0..100 {
            memo.insert(&format!("{number:04}.the-same-sixteen-bytes"), false, number);
        }
        assert_eq!(memo.len(), BUCKET_ENTRIES_MAX);
        assert!(!format!("{memo:?}").contains("sixteen"));
    }

    #[test]
    fn threads_share_it() {
        let memo = Memo::new(1 << 12);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|number| memo.insert(&format!("t{number}"), false, number)));
            }
        });
        assert!(
            (0..500).all(|number| memo.get(&format!("t{number}"), false).is_none_or(|known| known == number))
        );
    }
}
