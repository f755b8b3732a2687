//! `policy coverage`: what no entry of the policy matched, from the results of audits.

use super::super::args::{CoverageArgs, Listing};
use super::super::console;
use super::super::exit::{Failure, Outcome};
use arrow::array::{Array as _, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use tokentrail::findings::Table;
use tokentrail::sink::{Align, EarlierResult, counted, grouped, table, visible};
use tokentrail::time::UtcMicros;

/// Places and hours that a table shows; JSON has all.
const SHOWN: usize = 50;

/// A host and the leading part of a path.
type Spot = (Option<String>, Option<String>);

/// Records, and those among them that no entry matches.
#[derive(Clone, Copy, Default)]
struct Records {
    all: i64,
    uncovered: i64,
}

/// What some results say together.
#[derive(Default)]
struct Coverage {
    total: Records,
    /// By hour and gateway.
    hours: BTreeMap<(Option<UtcMicros>, Option<String>), Records>,
    /// By host and leading path, where uncovered.
    places: BTreeMap<Spot, u64>,
    /// Entries that no record of some result matched.
    unmatched: BTreeSet<String>,
    /// Entries that records matched. A policy may have entries that an earlier night's did not.
    matched: BTreeSet<String>,
    /// Records that only the byte-least name of an entry decided, by entry.
    ambiguous: BTreeMap<String, u64>,
}

/// Prints what the results say.
pub(super) fn run(args: &CoverageArgs) -> Outcome {
    let mut coverage = Coverage::default();
    for path in &args.results {
        coverage.add(path)?;
    }
    match args.listing.format {
        Listing::Json => console::print_json(&coverage.to_json()),
        Listing::Table => console::print(&coverage.to_text()),
    }
}

impl Coverage {
    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        let result = EarlierResult::open(path).map_err(Failure::usage)?;
        let manifest = &result.manifest;
        if manifest["policy"].as_array().is_none_or(Vec::is_empty) {
            let path = path.display();
            return Err(Failure::say(format!(
                "{path}: that audit had no policy, so nothing could match; give it one with --policy"
            )));
        }
        for place in manifest["uncovered_places"].as_array().into_iter().flatten() {
            let text = |name: &str| place[name].as_str().map(str::to_owned);
            let records = place["records"].as_u64().unwrap_or_default();
            *self.places.entry((text("host"), text("path"))).or_default() += records;
        }
        for (api, records) in manifest["ambiguous"].as_object().into_iter().flatten() {
            *self.ambiguous.entry(api.clone()).or_default() += records.as_u64().unwrap_or_default();
        }
        let unmatched = manifest["unmatched_apis"].as_array().into_iter().flatten();
        self.unmatched.extend(unmatched.filter_map(|api| api.as_str()).map(str::to_owned));
        let broken = |error| Failure::usage(result.broken(Table::Coverage, error));
        let reader = result.table(Table::Coverage).map_err(Failure::usage)?.build().map_err(broken)?;
        for batch in reader {
            self.count(&batch.map_err(|error| broken(error.into()))?);
        }
        Ok(())
    }

    fn count(&mut self, batch: &RecordBatch) {
        let column = |name: &str| batch.column_by_name(name);
        let hours = column("hour").and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let gateways = column("gateway").and_then(|column| column.as_string_opt::<i32>());
        let apis = column("api").and_then(|column| column.as_string_opt::<i32>());
        self.matched.extend(apis.into_iter().flatten().flatten().map(str::to_owned));
        let number = |name: &str, row: usize| {
            let column = column(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
            column.map_or(0, |column| column.value(row))
        };
        for row in 0..batch.num_rows() {
            let hour = hours.filter(|hours| hours.is_valid(row)).map(|hours| UtcMicros(hours.value(row)));
            let gateway =
                gateways.filter(|names| names.is_valid(row)).map(|names| names.value(row).to_owned());
            let records = Records { all: number("records", row), uncovered: number("uncovered", row) };
            self.hours.entry((hour, gateway)).or_default().add(records);
            self.total.add(records);
        }
    }

    /// Entries that no record of any result matched.
    fn unmatched(&self) -> impl Iterator<Item = &str> {
        self.unmatched.difference(&self.matched).map(String::as_str)
    }

    /// The places, those with most records first.
    fn ranked(&self) -> Vec<(&Spot, u64)> {
        let mut places: Vec<_> = self.places.iter().map(|(place, records)| (place, *records)).collect();
        places.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        places
    }

    fn to_json(&self) -> Value {
        let places = self.ranked().into_iter();
        let places =
            places.map(|((host, path), records)| json!({ "host": host, "path": path, "records": records }));
        let uncovered = self.hours.iter().filter(|(_, records)| records.uncovered > 0);
        let hours = uncovered.map(|((hour, gateway), records)| {
            json!({
                "hour": hour.map(|hour| hour.to_string()), "gateway": gateway,
                "records": records.all, "uncovered": records.uncovered,
            })
        });
        json!({
            "records": self.total.all,
            "uncovered": self.total.uncovered,
            "places": places.collect::<Vec<_>>(),
            "hours": hours.collect::<Vec<_>>(),
            "unmatched_apis": self.unmatched().collect::<Vec<_>>(),
            "ambiguous": self.ambiguous,
        })
    }

    fn to_text(&self) -> String {
        let Records { all, uncovered } = self.total;
        let mut out = format!("{}, {} of them match no entry\n", records(all), grouped(unsigned(uncovered)));
        let rows = self.ranked();
        if !rows.is_empty() {
            let _ = write!(out, "\n{}", self.places_table(&rows));
        }
        if uncovered > 0 {
            let _ = write!(out, "\n{}", self.gateways_table());
        }
        let unmatched: Vec<&str> = self.unmatched().collect();
        if !unmatched.is_empty() {
            let _ = writeln!(out, "\nEntries that nothing matched: {}", visible(&unmatched.join(", ")));
        }
        for (api, number) in &self.ambiguous {
            let number = counted(*number, "record");
            let api = visible(api);
            let _ = writeln!(
                out,
                "\n{number} went to {api} by the order of names alone; `policy explain` shows what competes"
            );
        }
        out
    }

    fn places_table(&self, places: &[(&Spot, u64)]) -> String {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let rows: Vec<Vec<String>> = places
            .iter()
            .take(SHOWN)
            .map(|((host, path), records)| vec![or_dash(host), or_dash(path), grouped(*records)])
            .collect();
        let headings = [("host", Align::Left), ("path", Align::Left), ("uncovered", Align::Right)];
        let mut out = table(&headings, &rows);
        let shown: u64 = places.iter().take(SHOWN).map(|(_, records)| records).sum();
        let rest = unsigned(self.total.uncovered).saturating_sub(shown);
        if rest > 0 {
            let _ = writeln!(out, "and {} elsewhere", counted(rest, "record"));
        }
        out
    }

    fn gateways_table(&self) -> String {
        type Row = (Records, Option<UtcMicros>, Option<UtcMicros>);
        let mut gateways: BTreeMap<&Option<String>, Row> = BTreeMap::new();
        for ((hour, gateway), records) in &self.hours {
            let (sum, first, last) = gateways.entry(gateway).or_default();
            sum.add(*records);
            if records.uncovered > 0 {
                *first = first.or(*hour);
                *last = hour.or(*last);
            }
        }
        let hour = |hour: Option<UtcMicros>| hour.map_or_else(|| "-".to_owned(), |hour| hour.to_string());
        let rows = gateways.into_iter().filter(|(_, (sum, ..))| sum.uncovered > 0);
        let rows: Vec<Vec<String>> = rows
            .map(|(gateway, (sum, first, last))| {
                let gateway = gateway.clone().unwrap_or_else(|| "-".to_owned());
                let numbers = [sum.all, sum.uncovered].map(|number| grouped(unsigned(number)));
                [gateway].into_iter().chain(numbers).chain([hour(first), hour(last)]).collect()
            })
            .collect();
        let headings = [
            ("gateway", Align::Left),
            ("records", Align::Right),
            ("uncovered", Align::Right),
            ("first hour", Align::Left),
            ("last hour", Align::Left),
        ];
        table(&headings, &rows)
    }
}

impl Records {
    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.uncovered += other.uncovered;
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn records(number: i64) -> String {
    counted(unsigned(number), "record")
}
