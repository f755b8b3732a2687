//! The verify-once memo: what was found out about a token value is remembered for its next use.

use crate::limits;
use dashmap::DashMap;
use hashbrown::DefaultHashBuilder;
use std::collections::VecDeque;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Entries of one bucket. Values that an attacker makes collide (same end, same length) evict each other, and only cost
/// their own verification again.
const BUCKET_ENTRIES_MAX: usize = 8;
/// Bytes at the end of a value that choose its bucket: characters of the signature, which differ between tokens.
const TAIL_BYTES: usize = 16;

/// Bits of the marks of values that were met once; a quarter of them set means that the marks begin anew.
const MARKS: usize = 1 << 22;

/// What a [`Memo`] remembers: it knows which value it is about, so that the value is held once.
pub trait Remembered: Clone {
    /// True if it was found out about exactly this value, cut or not.
    fn is_about(&self, value: &str, at_cut: bool) -> bool;
}

/// Remembers a `V` for each token value, shared between threads.
///
/// A lookup compares the whole value and its `at_cut` flag, so a hit is never wrong, and a miss only costs the work
/// again: the presence of the memo cannot be seen in any result. It is bounded: values fall into a fixed number of
/// buckets of eight, and a full bucket drops the value that it has held longest. A value is worth its memory from its second
/// use on: at the first only a mark of one bit is left ([`Memo::is_repeated`]), for in many a log most tokens have no second.
pub struct Memo<V> {
    /// Secret of this run, so that nobody can choose the bucket of a value.
    secret: DefaultHashBuilder,
    buckets_max: u64,
    buckets: DashMap<u64, VecDeque<V>, DefaultHashBuilder>,
    marks: Box<[AtomicU64]>,
    marked: AtomicUsize,
}

impl<V> std::fmt::Debug for Memo<V> {
    /// Never a value: it is a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memo").field("buckets_max", &self.buckets_max).finish_non_exhaustive()
    }
}

impl<V: Remembered> Memo<V> {
    /// A memo of at most `tokens_max` values, rounded up to a multiple of eight.
    pub fn new(tokens_max: usize) -> Self {
        let buckets_max = u64::try_from(tokens_max.div_ceil(BUCKET_ENTRIES_MAX)).unwrap_or(u64::MAX).max(1);
        Self {
            secret: DefaultHashBuilder::default(),
            buckets_max,
            buckets: DashMap::default(),
            marks: (0..MARKS / 64).map(|_| AtomicU64::new(0)).collect(),
            marked: AtomicUsize::new(0),
        }
    }

    /// A number that the end and the length of a value decide, together with the secret of this run. Values with the
    /// same number are told apart by comparing them.
    pub fn index(&self, value: &str) -> u64 {
        let tail = value.len().saturating_sub(TAIL_BYTES);
        let tail = value.as_bytes().get(tail..).unwrap_or_default();
        self.secret.hash_one((tail, value.len()))
    }

    /// True if a value with this index was marked before; marks it. Now and then a value is taken for repeated that is not,
    /// which costs its memory and nothing else.
    pub fn is_repeated(&self, index: u64) -> bool {
        let bit = index % u64::try_from(MARKS).unwrap_or(u64::MAX);
        let word = usize::try_from(bit / 64).ok().and_then(|word| self.marks.get(word));
        let before = word.map_or(0, |word| word.fetch_or(1 << (bit % 64), Ordering::Relaxed));
        if before >> (bit % 64) & 1 == 1 {
            return true;
        }
        if self.marked.fetch_add(1, Ordering::Relaxed) >= MARKS / 4 {
            self.marked.store(0, Ordering::Relaxed);
            self.marks.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        }
        false
    }

    /// What is known about a value, if it is remembered. `index` is the value's [`Self::index`].
    pub fn get(&self, index: u64, value: &str, at_cut: bool) -> Option<V> {
        let bucket = self.buckets.get(&(index % self.buckets_max))?;
        bucket.iter().find(|known| known.is_about(value, at_cut)).cloned()
    }

    /// Remembers a value. What was remembered first stays, so that threads that worked on it at once agree.
    pub fn insert(&self, index: u64, value: &str, at_cut: bool, known: V) {
        let mut bucket = self.buckets.entry(index % self.buckets_max).or_default();
        if bucket.iter().any(|known| known.is_about(value, at_cut)) {
            return;
        }
        if bucket.len() >= BUCKET_ENTRIES_MAX {
            bucket.pop_front();
        }
        bucket.push_back(known);
    }

    /// Values that are remembered now.
    pub fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.len()).sum()
    }

    /// True if nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

impl<V: Remembered> Default for Memo<V> {
    fn default() -> Self {
        Self::new(limits::MEMO_TOKENS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone)]
    struct Known(Arc<str>, bool, u32);

    impl Remembered for Known {
        fn is_about(&self, value: &str, at_cut: bool) -> bool {
            self.1 == at_cut && *self.0 == *value
        }
    }

    fn insert(memo: &Memo<Known>, value: &str, number: u32) {
        memo.insert(memo.index(value), value, false, Known(value.into(), false, number));
    }

    fn get(memo: &Memo<Known>, value: &str, at_cut: bool) -> Option<u32> {
        memo.get(memo.index(value), value, at_cut).map(|known| known.2)
    }

    #[test]
    fn the_whole_value_and_the_cut_count() {
        let memo = Memo::new(64);
        assert!(memo.is_empty());
        let tail = "0123456789abcdef";
        insert(&memo, &format!("a{tail}"), 1);
        assert_eq!(get(&memo, &format!("a{tail}"), false), Some(1));
        assert_eq!(get(&memo, &format!("b{tail}"), false), None);
        assert_eq!(get(&memo, &format!("a{tail}"), true), None);
        insert(&memo, &format!("a{tail}"), 2);
        assert_eq!(get(&memo, &format!("a{tail}"), false), Some(1));
        assert_eq!(get(&memo, "", false), None);
    }

    #[test]
    fn it_stays_bounded_and_drops_the_oldest_of_a_bucket() {
        let memo = Memo::new(16);
        for number in 0..1000 {
            insert(&memo, &format!("token-{number:04}"), number);
        }
        assert!(memo.len() <= 16, "{}", memo.len());
        assert_eq!(get(&memo, "token-0999", false), Some(999));
        assert_eq!(get(&memo, "token-0000", false), None);
    }

    #[test]
    fn crafted_collisions_share_one_bucket_of_eight() {
        let memo = Memo::new(1 << 10);
        for number in 0..100 {
            insert(&memo, &format!("{number:04}.the-same-sixteen-bytes"), number);
        }
        assert_eq!(memo.len(), BUCKET_ENTRIES_MAX);
        assert!(!format!("{memo:?}").contains("sixteen"));
    }

    #[test]
    fn a_value_is_repeated_from_its_second_time_on() {
        let memo: Memo<Known> = Memo::new(16);
        assert!(!memo.is_repeated(7) && memo.is_repeated(7) && !memo.is_repeated(8));
        (100..9_000_000).for_each(|index| {
            memo.is_repeated(index);
        });
        assert!(memo.marked.load(Ordering::Relaxed) <= MARKS / 4);
    }

    #[test]
    fn threads_share_it() {
        let memo = Memo::new(1 << 12);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..500).for_each(|number| insert(&memo, &format!("t{number}"), number)));
            }
        });
        assert!(
            (0..500)
                .all(|number| get(&memo, &format!("t{number}"), false).is_none_or(|known| known == number))
        );
    }
}
