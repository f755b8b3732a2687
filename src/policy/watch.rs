//! Watch lists and revocations: files of tokens, sessions, identities, keys and addresses.

use super::csv;
use super::error::Fault;
use super::error::Place;
use super::error::PolicyError;
use super::located::Located;
use super::located::TextFile;
use super::network::Network;
use super::raw::Text;
use super::raw::TimeText;
use super::settings::Tenancy;
use super::values;
use crate::time::Period;
use std::borrow::Cow;

/// A line of a watch file: at least one of its matchers is given, and all that are given must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEntry {
    /// Fingerprint of a token, 64 lower-case hexadecimal digits.
    pub token_sha256: Option<String>,
    /// `uti`, without the padding that some exports add.
    pub uti: Option<String>,
    /// `sid`
    pub sid: Option<String>,
    /// `oid`, lower case where it is a GUID.
    pub oid: Option<String>,
    /// Client id, lower case where it is a GUID.
    pub client: Option<String>,
    /// `kid`
    pub kid: Option<String>,
    /// `tid`: a tenant GUID, from an id or an alias; any other text as it is.
    pub tid: Option<String>,
    /// Address or network of the client.
    pub ip: Option<Network>,
    /// `[from, to)`; the time of a revocation is `since`.
    pub period: Period,
    /// `reason`
    pub reason: Option<String>,
    /// Where it stands.
    pub place: Place,
}

const NAMES: [&str; 11] =
    ["token_sha256", "uti", "sid", "oid", "client", "kid", "tid", "ip", "from", "to", "reason"];
const MATCHERS: &str = "token_sha256, uti, sid, oid, client, kid, tid, ip";

/// What the lines of a file stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Watch,
    Revocation,
}

/// Every entry of a file, in its order: JSON lines if it begins with `{`, else CSV.
pub(super) fn entries(
    file: &TextFile,
    role: Role,
    tenancy: &Tenancy,
) -> Result<Vec<WatchEntry>, PolicyError> {
    let is_json = file.text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
    if is_json { json_lines(file, role, tenancy) } else { csv_rows(file, role, tenancy) }
}

fn json_lines(file: &TextFile, role: Role, tenancy: &Tenancy) -> Result<Vec<WatchEntry>, PolicyError> {
    let mut entries = Vec::new();
    let mut start = 0;
    for line in file.text.split_inclusive('\n') {
        let text = line.trim_start_matches('\u{feff}').trim();
        if !text.is_empty() {
            let members: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(text).map_err(|error| {
                    file.error(start + error.column().saturating_sub(1), watch_fault(error.classify()))
                })?;
            let mut fields = Fields::new(file, start);
            for (name, value) in members {
                match value {
                    serde_json::Value::Null => {}
                    serde_json::Value::String(value) => fields.add(&name, Located { value, start })?,
                    _ => return Err(file.error(start, Fault::Watch(format!("`{name}` is not a string")))),
                }
            }
            entries.push(fields.entry(role, tenancy)?);
        }
        start += line.len();
    }
    Ok(entries)
}

/// serde's own message may repeat the value, which may be a token.
fn watch_fault(category: serde_json::error::Category) -> Fault {
    Fault::Watch(match category {
        serde_json::error::Category::Data => "a line holds one JSON object".to_owned(),
        serde_json::error::Category::Eof => "the JSON object is cut off".to_owned(),
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "no JSON here".to_owned(),
    })
}

fn csv_rows(file: &TextFile, role: Role, tenancy: &Tenancy) -> Result<Vec<WatchEntry>, PolicyError> {
    let rows = csv::rows(&file.text)
        .map_err(|csv::OpenQuote(at)| file.error(at, Fault::Watch("a quote is never closed".to_owned())))?;
    let mut rows = rows.into_iter();
    let Some(header) = rows.next() else { return Ok(Vec::new()) };
    let mut entries = Vec::new();
    let names: Vec<&str> =
        header.iter().map(|cell| cell.text.trim_start_matches('\u{feff}').trim()).collect();
    for (name, cell) in names.iter().zip(&header) {
        check_name(file, name, cell.start)?;
    }
    for row in rows {
        let start = row.first().map_or(0, |cell| cell.start);
        if row.len() != names.len() {
            let text = format!("the row has {} cells, the header {}", row.len(), names.len());
            return Err(file.error(start, Fault::Watch(text)));
        }
        let mut fields = Fields::new(file, start);
        for (name, cell) in names.iter().zip(row) {
            let value = cell.text.trim().to_owned();
            if !value.is_empty() {
                fields.add(name, Located { value, start: cell.start })?;
            }
        }
        entries.push(fields.entry(role, tenancy)?);
    }
    Ok(entries)
}

fn check_name(file: &TextFile, name: &str, start: usize) -> Result<(), PolicyError> {
    if NAMES.contains(&name) {
        return Ok(());
    }
    let known = NAMES.iter().map(|name| (*name).to_owned()).collect();
    Err(file.error(start, Fault::UnknownKey { key: name.to_owned(), known }))
}

/// The fields of one line, not yet judged.
struct Fields<'f> {
    file: &'f TextFile,
    start: usize,
    given: Vec<(String, Text)>,
}

impl<'f> Fields<'f> {
    fn new(file: &'f TextFile, start: usize) -> Self {
        Self { file, start, given: Vec::new() }
    }

    fn add(&mut self, name: &str, text: Text) -> Result<(), PolicyError> {
        check_name(self.file, name, text.start)?;
        if self.given.iter().any(|(given, _)| given == name) {
            return Err(self.file.error(text.start, Fault::Watch(format!("`{name}` is given twice"))));
        }
        self.given.push((name.to_owned(), text));
        Ok(())
    }

    fn of(&self, name: &str) -> Option<&Text> {
        self.given.iter().find(|(given, _)| given == name).map(|(_, text)| text)
    }

    fn id(&self, name: &'static str) -> Result<Option<String>, PolicyError> {
        self.of(name).map(|text| values::id(self.file, name, text)).transpose()
    }

    /// A value that is compared exactly.
    fn exact(&self, name: &'static str) -> Result<Option<String>, PolicyError> {
        self.of(name).map(|text| values::visible(self.file, name, text)).transpose()
    }

    fn time(&self, name: &str) -> Option<Located<TimeText>> {
        self.of(name).map(|text| Located { value: TimeText(text.value.clone()), start: text.start })
    }

    fn network(&self, text: &Text) -> Result<Network, PolicyError> {
        let expected = "an address or network; write `203.0.113.7` or `203.0.113.0/24`";
        let fault = || Fault::Value { text: text.value.clone(), expected };
        Network::parse(&text.value).ok_or_else(|| self.file.error(text.start, fault()))
    }

    fn entry(&self, role: Role, tenancy: &Tenancy) -> Result<WatchEntry, PolicyError> {
        let (from, to) = (self.time("from"), self.time("to"));
        if role == Role::Revocation && from.is_none() {
            return Err(self.file.error(self.start, Fault::Missing("from".to_owned())));
        }
        let uti = self.exact("uti")?;
        let tid = self.id("tid")?;
        let fingerprint = self.of("token_sha256").map(|text| values::fingerprint(self.file, text));
        let entry = WatchEntry {
            token_sha256: fingerprint.transpose()?,
            uti: uti.map(|uti| uti.trim_end_matches('=').to_owned()),
            sid: self.exact("sid")?,
            oid: self.id("oid")?,
            client: self.id("client")?,
            kid: self.exact("kid")?,
            tid: tid.map(|tid| tenancy.resolve(&tid).map(Cow::into_owned).unwrap_or(tid)),
            ip: self.of("ip").map(|text| self.network(text)).transpose()?,
            period: values::period(self.file, from.as_ref(), to.as_ref())?,
            reason: self.of("reason").map(|text| text.value.clone()),
            place: self.file.place(self.start),
        };
        let restricts = |name: &str| !["from", "to", "reason"].contains(&name);
        if !self.given.iter().any(|(name, _)| restricts(name)) {
            let fault = Fault::Unrestricted { what: "the line", keys: MATCHERS };
            return Err(self.file.error(self.start, fault));
        }
        Ok(entry)
    }
}
