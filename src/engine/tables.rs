//! The tables that have a row a token or more. Their rows are put in order by number, and become columns only when they are
//! written: ten million of them as structs would not fit.

use super::activity::{Activity, ActivityRow};
use super::columns::{ActivityColumns, TokenRow, token_columns};
use super::names::Names;
use super::tokens::{TokenNumber, TokenSummary, Tokens};
use super::trails::{Trails, state_table};
use super::{Engine, Partial};
use crate::findings::{FindingRow, LargeTable, Table, schema_of};
use crate::redact::Fingerprint;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// What a run that has ended knows of its tokens.
pub(super) struct Held {
    pub(super) names: Names,
    pub(super) tokens: Tokens,
    pub(super) trails: Trails,
    activity: Activity,
}

/// Tokens, activity and state of a run that has ended, in their order.
pub(super) fn large(engine: &Engine, partial: Partial, findings: &[FindingRow]) -> [Box<dyn LargeTable>; 3] {
    let Partial { names, tokens, activity, trails, counts, .. } = partial;
    let held = Held { names, tokens, trails, activity };
    let order = token_order(&held.tokens);
    let rows = activity_order(&held, &order);
    let of_token = |finding: &FindingRow| Some((finding.token_sha256?, finding.rule));
    let mut rules: Vec<(Fingerprint, &'static str)> = findings.iter().filter_map(of_token).collect();
    rules.sort_unstable();
    rules.dedup();
    let held = Arc::new(held);
    let activity = ActivityTable { held: Arc::clone(&held), order: rows };
    let state = state_table(&held, engine.earlier.as_ref(), counts.last_time, engine.keys.is_some());
    [Box::new(TokenTable { held, order, rules }), Box::new(activity), state]
}

/// By fingerprint.
fn token_order(tokens: &Tokens) -> Vec<TokenNumber> {
    let fingerprints = tokens.summaries().map(|token| token.fingerprint);
    by_fingerprint(fingerprints, |at| Some(tokens.get(TokenNumber(at))?.fingerprint))
        .into_iter()
        .map(TokenNumber)
        .collect()
}

/// The places of some fingerprints in the order of these; the same ones stay as they came. Beginning and place are sorted as
/// one number, so that what a place holds is looked at only where beginnings are the same.
pub(super) fn by_fingerprint(
    fingerprints: impl Iterator<Item = Fingerprint>,
    at: impl Fn(u32) -> Option<Fingerprint>,
) -> Vec<u32> {
    let mut order: Vec<u128> = fingerprints
        .zip(0_u32..)
        .map(|(fingerprint, place)| {
            let beginning = fingerprint.0.first_chunk().copied().unwrap_or_default();
            u128::from(u64::from_be_bytes(beginning)) << 32 | u128::from(place)
        })
        .collect();
    order.sort_unstable();
    for same in order.chunk_by_mut(|a, b| *a >> 32 == *b >> 32).filter(|same| same.len() > 1) {
        same.sort_by_key(|packed| at(low(*packed)));
    }
    order.into_iter().map(low).collect()
}

/// The place that a packed number ends with.
fn low(packed: u128) -> u32 {
    u32::try_from(packed & u128::from(u32::MAX)).unwrap_or_default()
}

/// hour, token, gateway, api, address, outcome; nulls first.
fn activity_order(held: &Held, tokens: &[TokenNumber]) -> Vec<u32> {
    let mut ranks = vec![0_u32; tokens.len()];
    for (rank, number) in (0..).zip(tokens) {
        if let Some(place) = ranks.get_mut(number.at()) {
            *place = rank;
        }
    }
    let names = &held.names;
    let mut order: Vec<u128> = (0_u32..)
        .zip(held.activity.rows())
        .map(|(at, row)| {
            let rank = ranks.get(row.key.token.at()).copied().unwrap_or_default();
            u128::from(row.key.hour_rank()) << 64 | u128::from(rank) << 32 | u128::from(at)
        })
        .collect();
    order.sort_unstable();
    for same in order.chunk_by_mut(|a, b| *a >> 32 == *b >> 32).filter(|same| same.len() > 1) {
        same.sort_by_cached_key(|packed| {
            let row = held.activity.row(low(*packed))?;
            let texts = [row.key.gateway, row.key.api, row.key.client_ip].map(|name| names.optional(name));
            Some((texts, row.key.outcome))
        });
    }
    order.into_iter().map(low).collect()
}

struct TokenTable {
    held: Arc<Held>,
    order: Vec<TokenNumber>,
    /// Tokens and rules that fired for them, sorted.
    rules: Vec<(Fingerprint, &'static str)>,
}

struct ActivityTable {
    held: Arc<Held>,
    order: Vec<u32>,
}

impl fmt::Debug for TokenTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenTable").field("rows", &self.rows()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ActivityTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityTable").field("rows", &self.rows()).finish_non_exhaustive()
    }
}

impl LargeTable for TokenTable {
    fn table(&self) -> Table {
        Table::Tokens
    }

    fn rows(&self) -> usize {
        self.order.len()
    }

    fn batch(&self, rows: Range<usize>) -> Result<RecordBatch, ArrowError> {
        let numbers = clamped(&self.order, rows);
        // Looked up first, as below.
        let found: Vec<(&TokenSummary, Fingerprint)> = numbers
            .iter()
            .filter_map(|number| self.held.tokens.get(*number))
            .map(|token| (token, token.fingerprint))
            .collect();
        let first = found.first().map(|(_, fingerprint)| *fingerprint);
        let passed = self.rules.partition_point(|(token, _)| Some(*token) < first);
        let mut rules = self.rules.get(passed..).unwrap_or_default();
        let with_rules = |(token, fingerprint)| -> TokenRow<'_> {
            // Both are in the order of fingerprints.
            let passed = rules.iter().take_while(|(token, _)| *token < fingerprint).count();
            rules = rules.get(passed..).unwrap_or_default();
            let fired = rules.iter().take_while(|(token, _)| *token == fingerprint).count();
            let (mine, others) = rules.split_at_checked(fired).unwrap_or_default();
            rules = others;
            (token, mine)
        };
        let rows: Vec<TokenRow<'_>> = found.into_iter().map(with_rules).collect();
        RecordBatch::try_new(schema_of(Table::Tokens), token_columns(&rows, &self.held.names))
    }
}

impl LargeTable for ActivityTable {
    fn table(&self) -> Table {
        Table::Activity
    }

    fn rows(&self) -> usize {
        self.order.len()
    }

    fn batch(&self, rows: Range<usize>) -> Result<RecordBatch, ArrowError> {
        let places = clamped(&self.order, rows);
        let mut columns = ActivityColumns::new(places.len());
        // Copied first, and nothing else done meanwhile: the processor waits for several at once then.
        let found: Vec<(ActivityRow, Fingerprint)> = places
            .iter()
            .filter_map(|at| {
                let row = self.held.activity.row(*at)?;
                Some((*row, self.held.tokens.get(row.key.token)?.fingerprint))
            })
            .collect();
        for (row, fingerprint) in &found {
            columns.push(row, *fingerprint, &self.held.names);
        }
        RecordBatch::try_new(schema_of(Table::Activity), columns.finish())
    }
}

fn clamped<T>(all: &[T], rows: Range<usize>) -> &[T] {
    let end = rows.end.min(all.len());
    all.get(rows.start.min(end)..end).unwrap_or_default()
}
