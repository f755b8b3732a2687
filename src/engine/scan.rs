//! From a chunk's records to judged uses: look the tokens up, verify the unknown distinct ones in one batch, judge.

use super::entry::Entry;
use super::{Engine, Input, Partial, Rows};
use crate::facts::Position;
use crate::limits;
use crate::record::{Record, TokenHit};
use crate::token::Token;
use crate::verify::VerifyItem;
use std::collections::HashMap;
use std::sync::Arc;

/// A record with its place.
pub(super) struct Scanned<'a> {
    pub(super) record: Record<'a>,
    pub(super) position: Position<'a>,
    /// The unit's bytes before repair; `None` where the input is columns.
    pub(super) raw: Option<&'a [u8]>,
}

impl Engine {
    /// Judges a chunk's records in their order.
    pub(super) fn judge_all(
        &self,
        input: &Input,
        scanned: &[Scanned<'_>],
        partial: &mut Partial,
        rows: &mut Rows,
    ) {
        let entries = self.entries(scanned);
        let mut next = entries.as_slice();
        for scanned in scanned {
            let (mine, rest) = next.split_at(scanned.record.tokens.len().min(next.len()));
            next = rest;
            self.judge(input, scanned, mine, partial, rows);
        }
    }

    /// One entry a token of the records, in order. A token is remembered only once its verdict is known.
    fn entries(&self, scanned: &[Scanned<'_>]) -> Vec<Arc<Entry>> {
        let hits = || scanned.iter().flat_map(|scanned| scanned.record.tokens);
        let known: Vec<Option<Arc<Entry>>> = hits().map(|hit| self.memo.get(hit.value, hit.at_cut)).collect();
        let mut unknown: Vec<&TokenHit<'_>> = Vec::new();
        let mut places: HashMap<(&str, bool), usize> = HashMap::new();
        for (hit, known) in hits().zip(&known) {
            if known.is_none() {
                places.entry((hit.value, hit.at_cut)).or_insert_with(|| {
                    unknown.push(hit);
                    unknown.len() - 1
                });
            }
        }
        let made = self.verified(&unknown);
        let found = |hit: &TokenHit<'_>| {
            places.get(&(hit.value, hit.at_cut)).and_then(|place| made.get(*place)).cloned()
        };
        hits().zip(known).filter_map(|(hit, known)| known.or_else(|| found(hit))).collect()
    }

    /// Verifies distinct tokens and remembers them.
    fn verified(&self, unknown: &[&TokenHit<'_>]) -> Vec<Arc<Entry>> {
        let tokens: Vec<Token> = unknown.iter().map(|hit| Token::parse(hit.value)).collect();
        let items: Vec<VerifyItem<'_>> = unknown
            .iter()
            .zip(&tokens)
            .map(|(hit, token)| VerifyItem { value: hit.value, token, at_cut: hit.at_cut })
            .collect();
        let signatures = self.verifier().verify_batch(&items);
        let made = unknown.iter().zip(tokens).zip(signatures);
        made.map(|((hit, token), signature)| {
            let entry = Arc::new(Entry::new(self, hit.value, token, signature));
            if hit.value.len() <= limits::MEMO_TOKEN_BYTES_MAX {
                self.memo.insert(hit.value, hit.at_cut, Arc::clone(&entry));
            }
            entry
        })
        .collect()
    }
}
