//! The two tables of the equal loop: counted in hash maps, written with arrow and parquet.

use crate::Failure;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;
use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// The claims that have a column.
const CLAIMS: [&str; 10] = ["iss", "aud", "tid", "oid", "sub", "azp", "uti", "sid", "scp", "roles"];
/// The dates that have a column.
const DATES: [&str; 3] = ["iat", "nbf", "exp"];

/// A request with a token.
#[derive(Clone, Copy)]
pub(crate) struct Use {
    /// In milliseconds since the epoch.
    pub at: i64,
    /// HTTP status.
    pub status: u16,
}

/// What became of a request.
pub(crate) fn outcome(status: u16) -> &'static str {
    match status {
        101 | 200..=399 => "accepted",
        401 => "denied-authn",
        403 => "denied-authz",
        _ => "unknown",
    }
}

/// A combination of the activity table.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Activity {
    pub hour: i64,
    pub sha256: [u8; 32],
    pub api: Option<usize>,
    pub client_ip: Option<IpAddr>,
    pub outcome: &'static str,
}

/// Uses of a token.
#[derive(Default)]
pub(crate) struct Uses {
    count: i64,
    accepted: i64,
    denied: i64,
    seen: Option<(i64, i64)>,
}

impl Uses {
    pub(crate) fn add(&mut self, used: Use) {
        let one = Self {
            count: 1,
            accepted: i64::from(outcome(used.status) == "accepted"),
            denied: i64::from(outcome(used.status).starts_with("denied")),
            seen: Some((used.at, used.at)),
        };
        self.merge(&one);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.accepted += other.accepted;
        self.denied += other.denied;
        self.seen = match (self.seen, other.seen) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }
}

/// A row of the token table.
pub(crate) struct TokenRow {
    texts: [Option<String>; CLAIMS.len()],
    dates: [Option<i64>; DATES.len()],
    pub uses: Uses,
}

impl TokenRow {
    pub(crate) fn new(claims: Option<&Map<String, Value>>) -> Self {
        let claim = |name: &str| claims.and_then(|claims| claims.get(name));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self {
            texts: CLAIMS.map(|name| claim(name).map(text)),
            dates: DATES.map(|name| claim(name).and_then(Value::as_i64)),
            uses: Uses::default(),
        }
    }
}

/// What a thread counted.
#[derive(Default)]
pub(crate) struct Tables {
    pub lines: u64,
    pub tokens_used: u64,
    pub valid: u64,
    pub unfit: u64,
    pub activity: HashMap<Activity, Uses>,
    pub tokens: HashMap<[u8; 32], TokenRow>,
}

impl Tables {
    pub(crate) fn merged(mut self, other: Self) -> Self {
        self.lines += other.lines;
        self.tokens_used += other.tokens_used;
        self.valid += other.valid;
        self.unfit += other.unfit;
        for (key, uses) in other.activity {
            self.activity.entry(key).or_default().merge(&uses);
        }
        for (key, row) in other.tokens {
            match self.tokens.entry(key) {
                Entry::Vacant(vacant) => {
                    vacant.insert(row);
                }
                Entry::Occupied(mut known) => known.get_mut().uses.merge(&row.uses),
            }
        }
        self
    }

    /// Writes both tables to a folder.
    pub(crate) fn write(&self, out: &Path, apis: &[&str]) -> Result<(), Failure> {
        let tokens: Vec<_> = self.tokens.iter().collect();
        let mut columns = vec![("token_sha256", texts(tokens.iter().map(|(sha256, _)| Some(hex(sha256)))))];
        for (at, name) in CLAIMS.into_iter().enumerate() {
            columns.push((name, texts(tokens.iter().map(|(_, row)| row.texts[at].as_deref()))));
        }
        for (at, name) in DATES.into_iter().enumerate() {
            columns.push((name, times(tokens.iter().map(|(_, row)| row.dates[at].map(|date| date * 1000)))));
        }
        columns.extend(counts(tokens.iter().map(|(_, row)| &row.uses)));
        write(&out.join("tokens.parquet"), columns)?;
        let rows: Vec<_> = self.activity.iter().collect();
        let api = |at: Option<usize>| at.and_then(|at| apis.get(at).copied());
        let mut columns = vec![
            ("hour", times(rows.iter().map(|(key, _)| Some(key.hour * 3_600_000)))),
            ("token_sha256", texts(rows.iter().map(|(key, _)| Some(hex(&key.sha256))))),
            ("api", texts(rows.iter().map(|(key, _)| api(key.api)))),
            (
                "client_ip",
                texts(rows.iter().map(|(key, _)| key.client_ip.map(|address| address.to_string()))),
            ),
            ("outcome", texts(rows.iter().map(|(key, _)| Some(key.outcome)))),
        ];
        columns.extend(counts(rows.iter().map(|(_, uses)| *uses)));
        write(&out.join("activity.parquet"), columns)
    }
}

fn counts<'u>(uses: impl Iterator<Item = &'u Uses> + Clone) -> [(&'static str, ArrayRef); 5] {
    let number =
        |of: fn(&Uses) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(uses.clone().map(of))) };
    [
        ("count", number(|uses| uses.count)),
        ("accepted", number(|uses| uses.accepted)),
        ("denied", number(|uses| uses.denied)),
        ("first_seen", times(uses.clone().map(|uses| Some(uses.seen?.0)))),
        ("last_seen", times(uses.clone().map(|uses| Some(uses.seen?.1)))),
    ]
}

fn texts<T: AsRef<str>>(cells: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(cells.collect::<StringArray>())
}

fn times(cells: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(cells.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) -> Result<(), Failure> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )?;
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}
