//! What a run keeps for the next one: trails of tokens that still live, and every tenant that was let in.

use super::row::Row;
use super::store::Known;
use super::{Context, Origin, Trails};
use crate::engine::names::{Name, Names};
use crate::engine::order::At;
use crate::engine::places::index;
use crate::engine::tables::{Held, by_fingerprint};
use crate::engine::tokens::{TokenNumber, TokenSummary, Tokens};
use crate::facts::Outcome;
use crate::findings::{LargeTable, StateCells, StateColumns, StateError, StateRow, Table};
use crate::redact::{Fingerprint, push_hex};
use crate::rules::trails::{Marks, Prefix, Span};
use crate::time::{HOUR, UtcMicros};
use crate::verify::Verdict;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// What an earlier run kept (`state.parquet`): it explains what this run sees, and is never reported by itself.
#[derive(Debug, Default)]
pub struct Earlier {
    pub(super) names: Names,
    pub(super) tokens: Tokens,
    pub(super) trails: Trails,
    tenants: BTreeSet<String>,
}

/// Time after its end in which a token may still matter.
const GRACE: i64 = HOUR;
/// Time after its last use in which a token that lives on may still matter.
const IDLE_MAX: i64 = 48 * HOUR;

/// Which row the table has at a place.
#[derive(Clone, Copy)]
enum Kept {
    /// A tenant by its place.
    Tenant(usize),
    /// A row of a token, by its place among the token's; true for what the earlier run kept.
    Row(bool, TokenNumber, usize),
}

struct StateTable {
    held: Arc<Held>,
    earlier: Option<Arc<Earlier>>,
    tenants: Vec<String>,
    rows: Vec<Kept>,
}

/// What the next run may need of what this one and an earlier one saw; the last record of this one was at `last`.
pub(in crate::engine) fn state_table(
    held: &Arc<Held>,
    earlier: Option<&Arc<Earlier>>,
    last: Option<UtcMicros>,
    verified: bool,
) -> Box<dyn LargeTable> {
    let mut tenants = earlier.map(|earlier| earlier.tenants.clone()).unwrap_or_default();
    let let_in = held.tokens.summaries().filter(|token| token.accepted > 0 && token.is_believed(verified));
    let seen: BTreeSet<Option<Name>> = let_in.map(|token| token.texts.tid).collect();
    tenants.extend(seen.into_iter().filter_map(|tid| held.names.optional(tid)).map(str::to_owned));
    let mut rows: Vec<(Fingerprint, Kept)> = Vec::new();
    let past = earlier.map(|earlier| earlier.known());
    let nights = [Some(known(held)), past].into_iter().flatten();
    let vouched =
        nights.flat_map(|known| known.tokens.summaries()).filter(|token| token.is_believed(verified));
    // One record with a date far off must not make all others look old.
    let end = vouched.filter_map(last_while_alive).max().or(last);
    for known in [Some(known(held)), past].into_iter().flatten() {
        for (token, number) in known.tokens.summaries().zip(0..) {
            if !end.is_some_and(|end| matters(token, end, token.is_believed(verified))) {
                continue;
            }
            let number = TokenNumber(number);
            for (at, ..) in known.trails.rows_of(number, known.names) {
                rows.push((token.fingerprint, Kept::Row(known.earlier, number, at)));
            }
        }
    }
    let order = by_fingerprint(rows.iter().map(|row| row.0), |at| Some(rows.get(index(at))?.0));
    let mut rows: Vec<(Fingerprint, Kept)> =
        order.into_iter().filter_map(|at| rows.get(index(at)).copied()).collect();
    for same in rows.chunk_by_mut(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
        // What both runs saw of a context stays in the order of the runs.
        same.sort_by_cached_key(|(_, kept)| context_hash(*kept, held, earlier));
    }
    let tenants: Vec<String> = tenants.into_iter().collect();
    let rows = (0..tenants.len()).map(Kept::Tenant).chain(rows.into_iter().map(|row| row.1)).collect();
    Box::new(StateTable { held: Arc::clone(held), earlier: earlier.cloned(), tenants, rows })
}

fn context_hash(kept: Kept, held: &Held, earlier: Option<&Arc<Earlier>>) -> Option<u64> {
    let Kept::Row(of_earlier, number, at) = kept else { return None };
    let known = if of_earlier { earlier?.known() } else { known(held) };
    let (row, _) = known.trails.row(number, at)?;
    Some(known.trails.contexts.hash(row.context, known.names))
}

fn known(held: &Held) -> Known<'_> {
    Known { names: &held.names, tokens: &held.tokens, trails: &held.trails, earlier: false }
}

/// The last time of a token that its own end vouches for.
fn last_while_alive(token: &TokenSummary) -> Option<UtcMicros> {
    let (first, last) = token.seen.first().zip(token.seen.last())?;
    let exp = UtcMicros::from_seconds(token.exp.seconds()?);
    Some(if last <= exp { last } else { first.min(exp) })
}

fn matters(token: &TokenSummary, end: UtcMicros, believed: bool) -> bool {
    let Some(last) = token.seen.last() else { return false };
    let since = |time: UtcMicros| end.0.saturating_sub(time.0);
    if !believed {
        // Whoever forges tokens must not make the state grow from night to night.
        return (-IDLE_MAX..GRACE).contains(&since(last));
    }
    let lives = token.exp.seconds().is_none_or(|exp| since(UtcMicros::from_seconds(exp)) < GRACE);
    lives && since(last) < IDLE_MAX
}

impl fmt::Debug for StateTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateTable").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl LargeTable for StateTable {
    fn table(&self) -> Table {
        Table::State
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn batch(&self, rows: Range<usize>) -> Result<RecordBatch, ArrowError> {
        let end = rows.end.min(self.rows.len());
        let rows = self.rows.get(rows.start.min(end)..end).unwrap_or_default();
        let mut columns = StateColumns::new(rows.len());
        let mut made = Made::default();
        for row in rows {
            self.push(*row, &mut made, &mut columns);
        }
        columns.finish()
    }
}

/// Texts that are made for a row and stand nowhere else.
#[derive(Default)]
struct Made {
    signed: String,
    prefix: String,
}

impl StateTable {
    fn push(&self, kept: Kept, made: &mut Made, columns: &mut StateColumns) {
        match kept {
            Kept::Tenant(at) => {
                let mut row = StateCells::default();
                let [_, _, _, _, tid, ..] = &mut row.texts;
                *tid = self.tenants.get(at).map(String::as_str);
                columns.push(&row);
            }
            Kept::Row(earlier, number, at) => {
                let past = self.earlier.as_ref().filter(|_| earlier);
                let known = past.map_or_else(|| known(&self.held), |earlier| earlier.known());
                if let (Some(token), Some(row)) = (known.tokens.get(number), known.trails.row(number, at)) {
                    push(known, number, token, row, made, columns);
                }
            }
        }
    }
}

/// Adds a row of a token.
fn push(
    known: Known<'_>,
    number: TokenNumber,
    token: &TokenSummary,
    (row, context): (&Row, &Context),
    made: &mut Made,
    columns: &mut StateColumns,
) {
    let Known { names, trails, .. } = known;
    let text = |name: Option<Name>| names.optional(name);
    let of = &token.texts;
    let origin = context.origin;
    let (spans, ids, routes) = (row.spans(), row.ids(), row.routes());
    let spans = spans.as_slice();
    let Made { signed, prefix } = made;
    signed.clear();
    let digest = trails.signed(number).inspect(|digest| push_hex(&digest.to_be_bytes(), signed));
    prefix.clear();
    if let Some(origin) = origin {
        origin.prefix.push(prefix);
    }
    columns.push(&StateCells {
        token_sha256: Some(token.fingerprint),
        texts: [
            digest.map(|_| signed.as_str()),
            Some(token.verdict.name()),
            text(of.iss),
            text(of.aud),
            text(of.tid),
            text(of.oid),
            text(of.sub),
            text(of.client_id),
            text(of.uti),
            text(of.sid),
            text(of.kid),
            text(token.derived.map(|derived| derived.1)),
            text(context.gateway),
            text(context.api),
            Some(context.outcome.name()),
            text(origin.and_then(|origin| origin.network)),
            origin.map(|_| prefix.as_str()),
            text(context.agent),
            text(context.host),
            text(context.principal),
            text(row.first.source),
        ],
        numbers: [
            token.iat.seconds(),
            token.exp.seconds(),
            Some(
                if token.doubted { context.marks.with(Marks::DOUBTED) } else { context.marks }.bits().into(),
            ),
            Some(context.spelling.into()),
            Some(row.count),
            row.first.line(),
            row.first.offset(),
        ],
        times: [row.first.time().map(|time| time.0), spans.last().map(|span| span.1)],
        spans,
        request_ids: ids.as_slice(),
        routes: routes.as_slice(),
    });
}

impl Earlier {
    /// What an earlier run kept, from the batches of its table `state`.
    ///
    /// # Errors
    ///
    /// If it is the table of another version.
    pub fn read(batches: impl IntoIterator<Item = RecordBatch>) -> Result<Self, StateError> {
        let mut earlier = Self::default();
        for batch in batches {
            for row in StateRow::read(&batch)? {
                earlier.add(row)?;
            }
        }
        Ok(earlier)
    }

    /// True if a token of the tenant was accepted.
    pub(super) fn knows(&self, tenant: &str) -> bool {
        self.tenants.contains(tenant)
    }

    pub(super) fn known(&self) -> Known<'_> {
        let Self { names, tokens, trails, .. } = self;
        Known { names, tokens, trails, earlier: true }
    }

    fn add(&mut self, row: StateRow) -> Result<(), StateError> {
        let StateRow { token_sha256, texts, numbers, times, lists } = row;
        let Some(token) = token_sha256 else {
            let [_, _, _, _, tid, ..] = texts;
            self.tenants.extend(tid);
            return Ok(());
        };
        let [iat, exp, marks, spelling, count, line, offset] = numbers;
        let names = &mut self.names;
        let mut name = |text: &Option<String>| text.as_deref().map(|text| names.id(text));
        let [signed, verdict, iss, aud, tid, oid, sub, client_id, uti, sid, kid, token_kind, place @ ..] =
            &texts;
        let [gateway, api, outcome, network, prefix, agent, host, principal, source] = place;
        let verdict = parsed(verdict.as_deref(), "signature", |text| {
            Verdict::ALL.into_iter().find(|verdict| verdict.name() == text)
        })?;
        let outcome = parsed(outcome.as_deref(), "outcome", |text| {
            Outcome::ALL.into_iter().find(|outcome| outcome.name() == text)
        })?;
        let prefix =
            prefix.as_ref().map(|prefix| Prefix::parse(prefix).ok_or(StateError { column: "prefix" }));
        let marks = Marks::from_bits(marks.and_then(|bits| u16::try_from(bits).ok()).unwrap_or_default());
        let origin = prefix.transpose()?.map(|prefix| Origin { network: name(network), prefix });
        let context = Context {
            gateway: name(gateway),
            api: name(api),
            host: name(host),
            agent: name(agent),
            principal: name(principal),
            origin,
            spelling: spelling.and_then(|number| u32::try_from(number).ok()).unwrap_or_default(),
            marks: marks.without(Marks::DOUBTED),
            outcome,
        };
        let [first, _] = times.map(|time| time.map(UtcMicros));
        let first = At::new(first, name(source), line, offset);
        let [spans, ids, routes] = lists;
        let spans: Vec<Span> = pairs(&spans, "spans")?;
        let ids = pairs(&ids, "request_ids")?;
        let routes = triples(&routes)?;
        let texts = [iss, aud, tid, oid, sub, client_id, uti, sid, kid].map(&mut name);
        let derived = name(token_kind).map(|kind| (kind, kind));
        let number = self.tokens.number(token).unwrap_or_else(|| {
            self.tokens.push(TokenSummary::restored(token, texts, derived, [iat, exp], verdict))
        });
        if let Some(summary) = self.tokens.get_mut(number) {
            summary.doubted |= marks.any(Marks::DOUBTED);
            summary.seen.add(first.time());
            spans.last().into_iter().for_each(|span| summary.seen.add(Some(UtcMicros(span.1))));
        }
        let number_of = self.trails.contexts.number(context);
        let probes = outcome == Outcome::DeniedAuthz;
        let row = Row::restored(number_of, probes, (count.unwrap_or_default(), first), spans, ids, routes);
        let signed = signed.as_deref().and_then(|digits| u64::from_str_radix(digits, 16).ok());
        self.trails.restore_row(number, signed.unwrap_or_default(), row, &self.names);
        Ok(())
    }
}

fn parsed<T>(
    text: Option<&str>,
    column: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, StateError> {
    text.and_then(parse).ok_or(StateError { column })
}

/// Texts such as `7/9`.
fn pairs<T: std::str::FromStr>(texts: &[String], column: &'static str) -> Result<Vec<(T, i64)>, StateError> {
    let pair = |text: &String| {
        let (first, second) = text.split_once('/')?;
        Some((first.parse().ok()?, second.parse().ok()?))
    };
    texts.iter().map(|text| pair(text).ok_or(StateError { column })).collect()
}

/// Texts such as `7/9/11`.
fn triples(texts: &[String]) -> Result<Vec<(u32, Span)>, StateError> {
    let triple = |text: &String| {
        let (hash, rest) = text.split_once('/')?;
        let (first, last) = rest.split_once('/')?;
        Some((hash.parse().ok()?, (first.parse().ok()?, last.parse().ok()?)))
    };
    texts.iter().map(|text| triple(text).ok_or(StateError { column: "routes" })).collect()
}
