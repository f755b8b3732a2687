//! Steps by what each of them shows, such as where it came from. Whoever sends a token chooses how many places it has, so
//! that each trail is made once, and a group holds of it only what belongs there: all groups together hold no more steps
//! than there are.

use super::Context;
use super::store::TrailStore;
use crate::rules::trails::{Step, Store, Trail};

/// A step of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    number: u32,
    /// Its place in the trail, by which parts stay in the order of steps.
    at: u16,
    pub(super) row: u16,
    pub(super) earlier: bool,
    pub(super) echo: bool,
}

/// Steps by key; those without one come first.
pub(super) struct Parts<K> {
    list: Vec<(Option<K>, Part)>,
}

impl<K: Ord> Parts<K> {
    /// Takes the steps that `key` gives something for: the key of its group, or none if it cannot be told. Only tokens with
    /// a context that `may` have such a step are looked at.
    pub(super) fn of<'s>(
        store: &'s TrailStore<'_>,
        may: impl Fn(&Context) -> bool,
        key: impl Fn(&Trail<'s>, &Step<'s>) -> Option<Option<K>>,
    ) -> Self {
        let mut list = Vec::new();
        for number in 0..store.count() {
            if !store.contexts(number).any(&may) {
                continue;
            }
            let trail = store.trail(number);
            for (step, at) in trail.steps.iter().zip(0..) {
                if let Some(key) = key(&trail, step) {
                    let Step { row, earlier, echo, .. } = *step;
                    list.push((key, Part { number, at, row, earlier, echo }));
                }
            }
        }
        list.sort_unstable();
        Self { list }
    }

    /// Calls `take` with every key, the steps under it, and whose they are.
    pub(super) fn each(&self, store: &TrailStore<'_>, mut take: impl FnMut(Option<&K>, &dyn Store, &[u32])) {
        let mut members = Vec::new();
        for parts in self.list.chunk_by(|a, b| a.0 == b.0) {
            members.clear();
            members.extend(parts.iter().map(|(_, part)| part.number));
            members.dedup();
            let key = parts.first().and_then(|(key, _)| key.as_ref());
            take(key, &PartStore { store, parts }, &members);
        }
    }
}

/// Trails with the steps of one group only.
struct PartStore<'p, K> {
    store: &'p TrailStore<'p>,
    parts: &'p [(Option<K>, Part)],
}

impl<K> Store for PartStore<'_, K> {
    fn trail(&self, number: u32) -> Trail<'_> {
        let from = self.parts.partition_point(|(_, part)| part.number < number);
        let mine = self.parts.iter().skip(from).map(|(_, part)| *part);
        self.store.trail_of(number, mine.take_while(|part| part.number == number))
    }
}
