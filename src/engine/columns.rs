//! The large tables' columns, made from numbers: rows come in the order of the table, and lie scattered in memory.

use super::activity::ActivityRow;
use super::names::{Name, Names, unpacked};
use super::tokens::TokenSummary;
use crate::redact::{Fingerprint, push_hex};
use crate::time::UtcMicros;
use arrow::array::{
    ArrayRef, Int64Array, Int64Builder, ListBuilder, StringBuilder, TimestampMicrosecondArray,
    TimestampMicrosecondBuilder,
};
use std::sync::Arc;

/// Bytes that a cell of most text columns has, about.
const TEXT_BYTES: usize = 40;
/// Bytes of a fingerprint as text.
const HEX_BYTES: usize = 64;

type Lists = ListBuilder<StringBuilder>;

/// A row of `tokens`: a token, and the rules that fired for it.
pub(super) type TokenRow<'t> = (&'t TokenSummary, &'t [(Fingerprint, &'static str)]);

/// The columns of `tokens`, in the table's order. The texts of a column are looked up before one of them is copied: they lie
/// scattered, and the processor waits for many at once where nothing else is done meanwhile.
pub(super) fn token_columns(rows: &[TokenRow<'_>], names: &Names) -> Vec<ArrayRef> {
    let text = |name: fn(&TokenSummary) -> Option<Name>| {
        let found: Vec<Option<&str>> = rows.iter().map(|(token, _)| names.optional(name(token))).collect();
        filled(&found)
    };
    let list = |name: fn(&TokenSummary) -> Option<Name>| {
        let mut column = lists(rows.len());
        for (token, _) in rows {
            push_packed(&mut column, name(token), names);
        }
        finished_lists(column)
    };
    let number = |cell: fn(&TokenSummary) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(|(token, _)| cell(token)).collect::<Int64Array>())
    };
    let time = |cell: fn(&TokenSummary) -> Option<UtcMicros>| -> ArrayRef {
        let micros = rows.iter().map(|(token, _)| cell(token).map(|time| time.0));
        Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let (mut hexes, mut hosts, mut rules) = (Hexes::new(rows.len()), lists(rows.len()), lists(rows.len()));
    for (token, fired) in rows {
        hexes.push(token.fingerprint);
        token.hosts.each(|_, host| hosts.values().append_value(names.text(host)));
        hosts.append(true);
        for (_, rule) in *fired {
            rules.values().append_value(rule);
        }
        rules.append(true);
    }
    let verdicts = rows.iter().map(|(token, _)| Some(token.verdict.name()));
    vec![
        hexes.finish(),
        filled(&verdicts.collect::<Vec<_>>()),
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
        number(|token| token.iat.seconds()),
        number(|token| token.nbf.seconds()),
        number(|token| token.exp.seconds()),
        time(|token| token.seen.first()),
        time(|token| token.seen.last()),
        number(|token| Some(token.uses)),
        number(|token| Some(token.accepted)),
        number(|token| Some(token.denied)),
        number(|token| Some(token.client_ips.count())),
        finished_lists(hosts),
        finished_lists(rules),
    ]
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

/// A column of texts that were looked up.
fn filled(cells: &[Option<&str>]) -> ArrayRef {
    let bytes = cells.iter().flatten().map(|cell| cell.len()).sum();
    let mut column = StringBuilder::with_capacity(cells.len(), bytes);
    for cell in cells {
        column.append_option(*cell);
    }
    finished_texts(column)
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
