//! The large tables' columns, filled row by row: rows come in the order of the table and lie scattered in memory, so that each
//! is looked at once, and its texts, which lie beside one another, with it.

use super::activity::ActivityRow;
use super::names::{Name, Names, unpacked};
use super::tokens::TokenSummary;
use crate::redact::{Fingerprint, push_hex};
use crate::time::UtcMicros;
use arrow::array::{ArrayRef, Int64Builder, ListBuilder, StringBuilder, TimestampMicrosecondBuilder};
use std::sync::Arc;

/// Bytes that a cell of most text columns has, about.
const TEXT_BYTES: usize = 40;
/// Bytes of a fingerprint as text.
const HEX_BYTES: usize = 64;

type Lists = ListBuilder<StringBuilder>;

/// Columns of `tokens`.
pub(super) struct TokenColumns {
    fingerprint: Hexes,
    verdict: StringBuilder,
    /// `key_source` to `sid`
    texts: [StringBuilder; 12],
    scp: Lists,
    roles: Lists,
    /// `token_version`, `token_kind`
    derived: [StringBuilder; 2],
    /// `iat`, `nbf`, `exp`
    dates: [Int64Builder; 3],
    seen: [TimestampMicrosecondBuilder; 2],
    /// `uses` to `distinct_ips`
    counts: [Int64Builder; 4],
    hosts: Lists,
    rules: Lists,
}

impl TokenColumns {
    /// Empty, with room for so many rows.
    pub(super) fn new(rows: usize) -> Self {
        Self {
            fingerprint: Hexes::new(rows),
            verdict: texts(rows),
            texts: std::array::from_fn(|_| texts(rows)),
            scp: lists(rows),
            roles: lists(rows),
            derived: std::array::from_fn(|_| texts(rows)),
            dates: std::array::from_fn(|_| Int64Builder::with_capacity(rows)),
            seen: std::array::from_fn(|_| times(rows)),
            counts: std::array::from_fn(|_| Int64Builder::with_capacity(rows)),
            hosts: lists(rows),
            rules: lists(rows),
        }
    }

    /// Adds a token and the rules that fired for it.
    pub(super) fn push(
        &mut self,
        token: &TokenSummary,
        names: &Names,
        rules: &[(Fingerprint, &'static str)],
    ) {
        self.fingerprint.push(token.fingerprint);
        self.verdict.append_value(token.verdict.name());
        let of = &token.texts;
        let claims = [of.iss, of.aud, of.tid, of.oid, of.sub, of.client_id, of.uti, of.sid];
        let header = [token.key_source, of.alg, of.kid, of.typ];
        push_texts(&mut self.texts, header.into_iter().chain(claims), names);
        push_packed(&mut self.scp, of.scp, names);
        push_packed(&mut self.roles, of.roles, names);
        let derived = [token.derived.map(|derived| derived.0), token.derived.map(|derived| derived.1)];
        push_texts(&mut self.derived, derived, names);
        for (column, date) in self.dates.iter_mut().zip([token.iat, token.nbf, token.exp]) {
            column.append_option(date.seconds());
        }
        push_times(&mut self.seen, [token.seen.first(), token.seen.last()]);
        let counts = [token.uses, token.accepted, token.denied, token.client_ips.count()];
        for (column, count) in self.counts.iter_mut().zip(counts) {
            column.append_value(count);
        }
        token.hosts.each(|_, host| self.hosts.values().append_value(names.text(host)));
        self.hosts.append(true);
        for (_, rule) in rules {
            self.rules.values().append_value(rule);
        }
        self.rules.append(true);
    }

    /// The columns in the table's order.
    pub(super) fn finish(self) -> Vec<ArrayRef> {
        let Self { fingerprint, verdict, texts, scp, roles, derived, dates, seen, counts, hosts, rules } =
            self;
        let mut columns = vec![fingerprint.finish(), finished_texts(verdict)];
        columns.extend(texts.map(finished_texts));
        columns.extend([scp, roles].map(finished_lists));
        columns.extend(derived.map(finished_texts));
        columns.extend(dates.map(finished_numbers));
        columns.extend(seen.map(finished_times));
        columns.extend(counts.map(finished_numbers));
        columns.extend([hosts, rules].map(finished_lists));
        columns
    }
}

/// Columns of `activity`.
pub(super) struct ActivityColumns {
    hour: TimestampMicrosecondBuilder,
    fingerprint: Hexes,
    /// `gateway`, `api`, `client_ip`
    places: [StringBuilder; 3],
    outcome: StringBuilder,
    count: Int64Builder,
    seen: [TimestampMicrosecondBuilder; 2],
}

impl ActivityColumns {
    /// Empty, with room for so many rows.
    pub(super) fn new(rows: usize) -> Self {
        Self {
            hour: times(rows),
            fingerprint: Hexes::new(rows),
            places: std::array::from_fn(|_| texts(rows)),
            outcome: texts(rows),
            count: Int64Builder::with_capacity(rows),
            seen: std::array::from_fn(|_| times(rows)),
        }
    }

    /// Adds a row of the token that has this fingerprint.
    pub(super) fn push(&mut self, row: &ActivityRow, fingerprint: Fingerprint, names: &Names) {
        let key = &row.key;
        self.hour.append_option(key.hour().map(|hour| hour.0));
        self.fingerprint.push(fingerprint);
        push_texts(&mut self.places, [key.gateway, key.api, key.client_ip], names);
        self.outcome.append_value(key.outcome.name());
        self.count.append_value(row.count);
        push_times(&mut self.seen, [row.seen.first(), row.seen.last()]);
    }

    /// The columns in the table's order.
    pub(super) fn finish(self) -> Vec<ArrayRef> {
        let Self { hour, fingerprint, places, outcome, count, seen } = self;
        let mut columns = vec![finished_times(hour), fingerprint.finish()];
        columns.extend(places.map(finished_texts));
        columns.extend([finished_texts(outcome), finished_numbers(count)]);
        columns.extend(seen.map(finished_times));
        columns
    }
}

/// A column of fingerprints.
struct Hexes {
    column: StringBuilder,
    text: String,
}

impl Hexes {
    fn new(rows: usize) -> Self {
        let column = StringBuilder::with_capacity(rows, rows * HEX_BYTES);
        Self { column, text: String::with_capacity(HEX_BYTES) }
    }

    fn push(&mut self, fingerprint: Fingerprint) {
        self.text.clear();
        push_hex(&fingerprint.0, &mut self.text);
        self.column.append_value(&self.text);
    }

    fn finish(mut self) -> ArrayRef {
        Arc::new(self.column.finish())
    }
}

fn texts(rows: usize) -> StringBuilder {
    StringBuilder::with_capacity(rows, rows * TEXT_BYTES)
}

fn lists(rows: usize) -> Lists {
    ListBuilder::with_capacity(texts(rows), rows)
}

fn times(rows: usize) -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::with_capacity(rows).with_timezone("UTC")
}

fn push_texts(columns: &mut [StringBuilder], cells: impl IntoIterator<Item = Option<Name>>, names: &Names) {
    for (column, cell) in columns.iter_mut().zip(cells) {
        column.append_option(names.optional(cell));
    }
}

fn push_packed(column: &mut Lists, cell: Option<Name>, names: &Names) {
    let packed = names.optional(cell);
    for text in packed.into_iter().flat_map(unpacked) {
        column.values().append_value(text);
    }
    column.append(packed.is_some());
}

fn push_times(columns: &mut [TimestampMicrosecondBuilder], cells: [Option<UtcMicros>; 2]) {
    for (column, cell) in columns.iter_mut().zip(cells) {
        column.append_option(cell.map(|time| time.0));
    }
}

fn finished_texts(mut column: StringBuilder) -> ArrayRef {
    Arc::new(column.finish())
}

fn finished_lists(mut column: Lists) -> ArrayRef {
    Arc::new(column.finish())
}

fn finished_numbers(mut column: Int64Builder) -> ArrayRef {
    Arc::new(column.finish())
}

fn finished_times(mut column: TimestampMicrosecondBuilder) -> ArrayRef {
    Arc::new(column.finish())
}
