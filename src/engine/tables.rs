//! The tables that have a row a token or more. Their rows are put in order by number, and become columns only when they are
//! written: ten million of them as structs would not fit.

use super::Partial;
use super::activity::{Activity, ActivityRow};
use super::names::{Name, Names, unpacked};
use super::tokens::{Date, TokenNumber, TokenSummary, Tokens};
use crate::findings::{FindingRow, LargeTable, Table, schema_of};
use crate::redact::{Fingerprint, push_hex};
use crate::time::UtcMicros;
use arrow::array::{
    ArrayRef, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::error::ArrowError;
use hashbrown::HashMap;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// What a run that has ended knows of its tokens.
struct Held {
    names: Names,
    tokens: Tokens,
    activity: Activity,
}

/// Both tables of a run that has ended, in their order.
pub(super) fn large(partial: Partial, findings: &[FindingRow]) -> (Box<dyn LargeTable>, Box<dyn LargeTable>) {
    let Partial { names, tokens, activity, .. } = partial;
    let held = Held { names, tokens, activity };
    let mut order: Vec<TokenNumber> =
        (0..held.tokens.len()).filter_map(|at| u32::try_from(at).ok()).map(TokenNumber).collect();
    let fingerprint = |number: &TokenNumber| held.tokens.get(*number).map(|token| token.fingerprint);
    order.sort_unstable_by_key(fingerprint);
    let rows = activity_order(&held, &order);
    let mut rules: HashMap<Fingerprint, Vec<&'static str>> = HashMap::new();
    for finding in findings {
        if let Some(token) = finding.token_sha256 {
            rules.entry(token).or_default().push(finding.rule);
        }
    }
    for fired in rules.values_mut() {
        fired.sort_unstable();
        fired.dedup();
    }
    let held = Arc::new(held);
    let activity = ActivityTable { held: Arc::clone(&held), order: rows };
    (Box::new(TokenTable { held, order, rules }), Box::new(activity))
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
    let mut order: Vec<(Option<UtcMicros>, u32, u32)> = (0..)
        .zip(held.activity.rows())
        .map(|(at, row)| (row.key.hour(), ranks.get(row.key.token.at()).copied().unwrap_or_default(), at))
        .collect();
    let rest = |at: u32| {
        let row = usize::try_from(at).ok().and_then(|at| held.activity.rows().get(at))?;
        let texts = [row.key.gateway, row.key.api, row.key.client_ip].map(|name| names.optional(name));
        Some((texts, row.key.outcome))
    };
    order.sort_unstable_by(|a, b| match (a.0, a.1).cmp(&(b.0, b.1)) {
        Ordering::Equal => rest(a.2).cmp(&rest(b.2)),
        decided => decided,
    });
    order.into_iter().map(|(_, _, at)| at).collect()
}

struct TokenTable {
    held: Arc<Held>,
    order: Vec<TokenNumber>,
    /// Rules that fired, sorted.
    rules: HashMap<Fingerprint, Vec<&'static str>>,
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
        let tokens: Vec<&TokenSummary> =
            numbers.iter().filter_map(|number| self.held.tokens.get(*number)).collect();
        let names = &self.held.names;
        let text = |of: fn(&TokenSummary) -> Option<Name>| texts(names, tokens.iter().map(|token| of(token)));
        let long = |of: fn(&TokenSummary) -> i64| longs(tokens.iter().map(|token| Some(of(token))));
        let date = |of: fn(&TokenSummary) -> Date| longs(tokens.iter().map(|token| of(token).seconds()));
        let list = |of: fn(&TokenSummary) -> Option<Name>| {
            lists(tokens.iter().map(|token| names.optional(of(token)).map(|text| unpacked(text).map(Some))))
        };
        let hosts = tokens.iter().map(|token| Some(token.hosts.texts(names).into_iter().map(Some)));
        let rules = tokens.iter().map(|token| {
            Some(self.rules.get(&token.fingerprint).into_iter().flatten().map(|rule| Some(*rule)))
        });
        let columns = vec![
            hexes(tokens.iter().map(|token| token.fingerprint)),
            Arc::new(StringArray::from_iter_values(tokens.iter().map(|token| token.verdict.name()))),
            text(|token| token.key_source),
            text(|token| token.texts.alg),
            text(|token| token.texts.kid),
            text(|token| token.texts.typ),
            text(|token| token.texts.iss),
            text(|token| token.texts.aud),
            text(|token| token.texts.tid),
            text(|token| token.texts.oid),
            text(|token| token.texts.sub),
            text(|token| token.texts.client_id),
            text(|token| token.texts.uti),
            text(|token| token.texts.sid),
            list(|token| token.texts.scp),
            list(|token| token.texts.roles),
            text(|token| token.derived.map(|derived| derived.0)),
            text(|token| token.derived.map(|derived| derived.1)),
            date(|token| token.iat),
            date(|token| token.nbf),
            date(|token| token.exp),
            times(tokens.iter().map(|token| token.seen.first())),
            times(tokens.iter().map(|token| token.seen.last())),
            long(|token| token.uses),
            long(|token| token.accepted),
            long(|token| token.denied),
            long(|token| token.client_ips.count()),
            lists(hosts),
            lists(rules),
        ];
        RecordBatch::try_new(schema_of(Table::Tokens), columns)
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
        let all = self.held.activity.rows();
        let places = clamped(&self.order, rows).iter().filter_map(|at| usize::try_from(*at).ok());
        let rows: Vec<&ActivityRow> = places.filter_map(|at| all.get(at)).collect();
        let names = &self.held.names;
        let text = |of: fn(&ActivityRow) -> Option<Name>| texts(names, rows.iter().map(|row| of(row)));
        let fingerprints = rows.iter().filter_map(|row| self.held.tokens.get(row.key.token));
        let columns = vec![
            times(rows.iter().map(|row| row.key.hour())),
            hexes(fingerprints.map(|token| token.fingerprint)),
            text(|row| row.key.gateway),
            text(|row| row.key.api),
            text(|row| row.key.client_ip),
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.key.outcome.name()))),
            longs(rows.iter().map(|row| Some(row.count))),
            times(rows.iter().map(|row| row.seen.first())),
            times(rows.iter().map(|row| row.seen.last())),
        ];
        RecordBatch::try_new(schema_of(Table::Activity), columns)
    }
}

fn clamped<T>(all: &[T], rows: Range<usize>) -> &[T] {
    let end = rows.end.min(all.len());
    all.get(rows.start.min(end)..end).unwrap_or_default()
}

fn texts(names: &Names, cells: impl Iterator<Item = Option<Name>>) -> ArrayRef {
    Arc::new(cells.map(|cell| names.optional(cell)).collect::<StringArray>())
}

fn longs(cells: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(cells.collect::<Int64Array>())
}

fn times(cells: impl Iterator<Item = Option<UtcMicros>>) -> ArrayRef {
    let micros = cells.map(|cell| cell.map(|time| time.0));
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn hexes(fingerprints: impl Iterator<Item = Fingerprint>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    let mut text = String::with_capacity(64);
    for fingerprint in fingerprints {
        text.clear();
        push_hex(&fingerprint.0, &mut text);
        builder.append_value(&text);
    }
    Arc::new(builder.finish())
}

fn lists<'t, L: Iterator<Item = Option<&'t str>>>(cells: impl Iterator<Item = Option<L>>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for cell in cells {
        builder.append_option(cell);
    }
    Arc::new(builder.finish())
}
