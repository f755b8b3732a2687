//! A worker's own view of the memo: the tokens that it met lately, found without a lock, by number.
//!
//! A chunk's records refer to its tokens by slot, so that a use costs no reference count; whole slots are given up only
//! between chunks.

use super::entry::{Entry, Kept};
use super::pairings::{Paired, PairingPlace, Pairings};
use super::plans::Plan;
use super::settled::Settled;
use super::tokens::TokenNumber;
use crate::limits;
use crate::record::TokenHit;
use crate::verify::{Memo, Remembered as _};
use hashbrown::HashTable;
use std::cell::Cell;
use std::sync::Arc;

/// Tokens with the same end and length that are told apart; further ones are verified at each use, so that nobody can
/// make a worker compare thousands of values with one another.
const SAME_INDEX_MAX: usize = 8;

/// See the module.
#[derive(Default)]
pub(super) struct Front {
    /// Slots by the memo's index of the value.
    table: HashTable<(u64, usize)>,
    slots: Vec<Slot>,
    /// Bytes of the values, about.
    bytes: usize,
    /// How often a token was found in a slot.
    found: Cell<usize>,
    /// How many slots were made for tokens that had been met before, here or by another worker.
    met_before: usize,
    /// True while tokens hardly ever come again.
    is_brief: bool,
    /// Where plans are put together.
    scratch: Cell<Plan>,
    /// The memo of the engine that the entries are of.
    memo: Option<Arc<Memo<Arc<Kept>>>>,
}

struct Slot {
    /// None only until the chunk's unknown tokens are verified.
    entry: Option<Box<Entry>>,
    /// The partial that the token was last counted in, and its number there.
    counted: Option<(u64, TokenNumber)>,
    /// True once other workers find it in the memo, or need not.
    shared: bool,
    /// What is known of the token at the APIs that it was used at.
    pairings: Pairings,
}

impl Front {
    /// Begins some records of the engine that the memo belongs to; no slot that was given before is to be used again.
    pub(super) fn begin(&mut self, memo: &Arc<Memo<Arc<Kept>>>) {
        let same_engine = self.memo.as_ref().is_some_and(|mine| Arc::ptr_eq(mine, memo));
        let count = self.slots.len();
        let is_full = count > limits::FRONT_TOKENS_MAX || self.bytes > limits::FRONT_BYTES_MAX;
        // Tokens that do not come again only push others out of the caches.
        let tried = if self.is_brief { limits::TOKENS_AT_ONCE } else { limits::FRONT_TOKENS_TRIED };
        let is_idle = count >= tried && self.found.get() < count / 16;
        if !same_engine || is_full || is_idle {
            self.is_brief = same_engine && self.found.get() + self.met_before < count / 16;
            self.table.clear();
            self.slots.clear();
            self.bytes = 0;
            self.found.set(0);
            self.met_before = 0;
            self.memo = Some(Arc::clone(memo));
        }
    }

    /// The slot of a value. `new` are the hits of the slots from `first_new` on, which may have no entry yet.
    pub(super) fn find(
        &self,
        index: u64,
        hit: &TokenHit<'_>,
        first_new: usize,
        new: &[&TokenHit<'_>],
    ) -> Option<usize> {
        let same = |slot: usize| match self.entry(slot) {
            Some(entry) => entry.kept.is_about(hit.value, hit.at_cut),
            None => new
                .get(slot.wrapping_sub(first_new))
                .is_some_and(|other| other.at_cut == hit.at_cut && other.value == hit.value),
        };
        let (_, slot) = self.table.find(index, |(known, slot)| *known == index && same(*slot))?;
        self.found.set(self.found.get() + 1);
        Some(*slot)
    }

    /// A slot for a value that has none.
    pub(super) fn push(&mut self, index: u64, entry: Option<Box<Entry>>) -> usize {
        let slot = self.slots.len();
        self.met_before += usize::from(entry.is_some());
        self.slots.push(Slot {
            shared: entry.is_some(),
            entry,
            counted: None,
            pairings: Pairings::default(),
        });
        if self.table.iter_hash(index).take(SAME_INDEX_MAX).count() < SAME_INDEX_MAX {
            self.table.insert_unique(index, (index, slot), |(index, _)| *index);
        }
        slot
    }

    /// Fills a slot that waited; `shared` tells whether the memo has it too.
    pub(super) fn fill(&mut self, slot: usize, entry: Box<Entry>, shared: bool) {
        self.bytes += entry.value_bytes();
        self.met_before += usize::from(shared);
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.entry = Some(entry);
            slot.shared = shared;
        }
    }

    /// What to keep of a slot's token that is met again, if it is time to share it with other workers.
    pub(super) fn share(&mut self, slot: usize) -> Option<&Arc<Kept>> {
        let slot = self.slots.get_mut(slot)?;
        let unshared = slot.entry.as_ref().filter(|_| !slot.shared)?;
        slot.shared = true;
        Some(&unshared.kept)
    }

    /// How many slots there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The entry of a slot.
    pub(super) fn entry(&self, slot: usize) -> Option<&Entry> {
        self.slots.get(slot)?.entry.as_deref()
    }

    /// Turns to a slot's token at an API; false if the token was not judged there.
    pub(super) fn turn_to(&self, slot: usize, at: PairingPlace) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.pairings.turn_to(at))
    }

    /// Remembers a slot's token at an API, and turns to it.
    pub(super) fn pair(&mut self, slot: usize, paired: Arc<Paired>) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.pairings.add(paired);
        }
    }

    /// The slot's token at the API that was turned to.
    pub(super) fn paired(&self, slot: usize) -> Option<&Paired> {
        self.slots.get(slot)?.pairings.current()
    }

    /// Where it is remembered what rules say of uses of the slot's token at that API.
    pub(super) fn settled(&self, slot: usize) -> Option<&Cell<Option<Box<Settled>>>> {
        self.slots.get(slot)?.pairings.settled()
    }

    /// Memory for a plan that is put together.
    pub(super) fn scratch(&self) -> &Cell<Plan> {
        &self.scratch
    }

    /// The number of a slot's token in a partial, if it was counted there last.
    pub(super) fn counted(&self, slot: usize, partial: u64) -> Option<TokenNumber> {
        let (of, number) = self.slots.get(slot)?.counted?;
        (of == partial).then_some(number)
    }

    /// Notes the number of a slot's token in a partial.
    pub(super) fn note(&mut self, slot: usize, partial: u64, number: TokenNumber) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.counted = Some((partial, number));
        }
    }
}
