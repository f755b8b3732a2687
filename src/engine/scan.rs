//! From a chunk's records to judged uses: look the tokens up, verify the unknown distinct ones in one batch, judge.

use super::entry::{Entry, Kept};
use super::front::Front;
use super::lines::Workspace;
use super::{Engine, Input, Partial, Rows};
use crate::codec::json::Parser;
use crate::facts::Position;
use crate::limits;
use crate::record::{Record, TokenHit};
use crate::token::Token;
use crate::verify::VerifyItem;
use std::sync::Arc;

/// A record with its place.
pub(super) struct Scanned<'a> {
    pub(super) record: Record<'a>,
    pub(super) position: Position<'a>,
    /// The unit's bytes before repair; `None` where the input is columns.
    pub(super) raw: Option<&'a [u8]>,
}

impl Engine {
    /// Judges a chunk's records in their order. All of them have the same source.
    pub(super) fn judge_all(
        &self,
        input: &Input,
        scanned: &[Scanned<'_>],
        workspace: &mut Workspace,
        partial: &mut Partial,
        rows: &mut Rows,
    ) {
        let mut slots = std::mem::take(&mut workspace.slots);
        let source = scanned.first().and_then(|scanned| scanned.position.source);
        let seat = super::write::Seat {
            source: source.map(|source| partial.names.id(source)),
            gateway: input.gateway().map(|gateway| partial.names.id(gateway)),
        };
        let mut left = scanned;
        while !left.is_empty() {
            workspace.front.begin(&self.memo);
            let count = self.find_slots(left, &mut workspace.front, &mut workspace.parser, &mut slots);
            let (window, rest) = left.split_at(count);
            left = rest;
            let mut next = slots.as_slice();
            for scanned in window {
                let (mine, rest) = next.split_at(scanned.record.tokens.len().min(next.len()));
                next = rest;
                self.judge_record(input, scanned, seat, (&mut workspace.front, mine), partial, rows);
            }
        }
        workspace.slots = slots;
    }

    /// One slot a token of the first records, in order, and how many records these are: as many as do not bring too
    /// many unknown tokens. A token is remembered once its verdict is known and it is met again.
    fn find_slots(
        &self,
        scanned: &[Scanned<'_>],
        front: &mut Front,
        parser: &mut Parser,
        slots: &mut Vec<usize>,
    ) -> usize {
        slots.clear();
        let first_new = front.len();
        // The hits of the slots from `first_new` on, one each.
        let mut new: Vec<&TokenHit<'_>> = Vec::with_capacity(limits::TOKENS_AT_ONCE);
        let mut count = 0;
        for scanned in scanned {
            if new.len() >= limits::TOKENS_AT_ONCE {
                break;
            }
            count += 1;
            for hit in scanned.record.tokens {
                let index = self.memo.index(hit.value);
                let known = front.find(index, hit, first_new, &new);
                if let Some(kept) = known.and_then(|slot| front.share(slot)) {
                    self.remember(index, hit, kept);
                }
                slots.push(known.unwrap_or_else(|| {
                    new.push(hit);
                    let kept = self.memo.get(index, hit.value, hit.at_cut);
                    front.push(index, kept.map(|kept| Box::new(Entry::of(kept, parser))))
                }));
            }
        }
        let unknown = new.iter().zip(first_new..).filter(|(_, slot)| front.entry(*slot).is_none());
        let unknown: Vec<(&TokenHit<'_>, usize)> = unknown.map(|(hit, slot)| (*hit, slot)).collect();
        if !unknown.is_empty() {
            self.verify(&unknown, front, parser);
        }
        count
    }

    /// Verifies distinct tokens and remembers them.
    fn verify(&self, unknown: &[(&TokenHit<'_>, usize)], front: &mut Front, parser: &mut Parser) {
        let tokens: Vec<Token> =
            unknown.iter().map(|(hit, _)| Token::parse_with(hit.value, parser)).collect();
        let items: Vec<VerifyItem<'_>> = unknown
            .iter()
            .zip(&tokens)
            .map(|((hit, _), token)| VerifyItem { value: hit.value, token, at_cut: hit.at_cut })
            .collect();
        let signatures = self.verifier().verify_batch(&items);
        for (((hit, slot), token), signature) in unknown.iter().zip(tokens).zip(signatures) {
            let entry = Box::new(Entry::new(self, hit.value, hit.at_cut, token, signature));
            let index = self.memo.index(hit.value);
            let repeated = self.memo.is_repeated(index);
            if repeated {
                self.remember(index, hit, &entry.kept);
            }
            front.fill(*slot, entry, repeated);
        }
    }

    fn remember(&self, index: u64, hit: &TokenHit<'_>, kept: &Arc<Kept>) {
        if hit.value.len() <= limits::MEMO_TOKEN_BYTES_MAX {
            self.memo.insert(index, hit.value, hit.at_cut, Arc::clone(kept));
        }
    }
}
