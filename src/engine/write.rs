//! Texts on their way into rows: everything passes the redactor before it is grouped, hashed or sorted.

use super::entry::Entry;
use super::front::Front;
use super::names::{Name, Names};
use super::order::At;
use super::partial::{Detail, Partial};
use super::scan::Scanned;
use super::tokens;
use crate::facts::{Answer, DataTenant, Facts, JudgedTime, Validator};
use crate::findings::{OccurrenceRow, OccurrenceTexts};
use crate::limits;
use crate::redact::{self, Secrets};
use crate::rules::kit::{Evidence, PRESET_VERDICT, Rule, STRICT_VERDICT, Severity};
use crate::time::UtcMicros;
use aws_lc_rs::digest;
use hashbrown::HashSet;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What all records of a chunk have in common, in a partial's numbers.
#[derive(Clone, Copy)]
pub(super) struct Seat {
    pub(super) source: Option<Name>,
    pub(super) gateway: Option<Name>,
}

/// Where a record's uses are booked, in a partial's numbers.
pub(super) struct Place<'a> {
    pub(super) at: At,
    pub(super) hour: Option<UtcMicros>,
    pub(super) gateway: Option<Name>,
    pub(super) api: Option<Name>,
    pub(super) client_ip: Option<Name>,
    pub(super) host: Option<Name>,
    scanned: &'a Scanned<'a>,
    tokens: Tokens<'a>,
    /// No shorter text can hold a token of the record.
    pub(super) secret_bytes_min: usize,
    secrets: OnceCell<Secrets<'a>>,
    record_sha256: OnceCell<Option<[u8; 32]>>,
}

/// The tokens of a record: a worker's entries, and which of them they are.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    pub(super) front: &'a Front,
    pub(super) slots: &'a [usize],
}

impl<'a> Tokens<'a> {
    /// Every token with its slot.
    pub(super) fn each(self) -> impl Iterator<Item = (usize, &'a Entry)> {
        self.slots.iter().filter_map(move |slot| Some((*slot, self.front.entry(*slot)?)))
    }
}

/// Texts of the last use of a record's token, which nearly every use repeats: comparing one text is cheaper than looking for
/// it among all.
#[derive(Default)]
struct LastUse {
    api: Option<Name>,
    client_ip: Option<Name>,
    host: Option<Name>,
}

impl LastUse {
    fn of(partial: &Partial, tokens: Tokens<'_>) -> Self {
        let number = tokens.slots.first().and_then(|slot| tokens.front.counted(*slot, partial.id));
        let Some(token) = number.and_then(|number| partial.tokens.get(number)) else {
            return Self::default();
        };
        let row = partial.activity.row(token.last_activity);
        Self { api: row.and_then(|row| row.key.api), client_ip: token.last_ip, host: token.hosts.first() }
    }

    fn api(&self, api: &str, names: &Names) -> Option<Name> {
        self.api.filter(|id| names.text(*id) == api)
    }
}

impl<'a> Place<'a> {
    /// The place of a record, of whose tokens some or all are judged; `api` is its name.
    pub(super) fn new(
        partial: &mut Partial,
        scanned: &'a Scanned<'a>,
        (tokens, all): (Tokens<'a>, Tokens<'a>),
        time: Option<JudgedTime>,
        seat: Seat,
        api: Option<&str>,
    ) -> Self {
        let time = time.map(|time| time.at);
        let record = &scanned.record;
        let last = LastUse::of(partial, tokens);
        let mut place = Self {
            at: At::new(time, seat.source, scanned.position.line, scanned.position.offset),
            hour: time.map(UtcMicros::hour),
            gateway: seat.gateway,
            api: api.map(|api| last.api(api, &partial.names).unwrap_or_else(|| partial.names.id(api))),
            client_ip: None,
            host: None,
            scanned,
            tokens: all,
            secret_bytes_min: all
                .each()
                .map(|(_, entry)| entry.kept.secret_bytes_min)
                .min()
                .unwrap_or(usize::MAX),
            secrets: OnceCell::new(),
            record_sha256: OnceCell::new(),
        };
        if let (None, Some(named)) = (seat.gateway, record.gateway) {
            place.gateway = Some(place.name(named, &mut partial.names));
        }
        if !tokens.slots.is_empty() {
            let names = &mut partial.names;
            place.client_ip = record.client_ip.map(|address| {
                place
                    .repeated(address, last.client_ip, names)
                    .unwrap_or_else(|| place.address(address, names))
            });
            place.host = record.host.map(|host| {
                place.repeated(host, last.host, names).unwrap_or_else(|| place.name(host, names))
            });
        }
        place
    }

    /// The number of a text that may be the one of the token's last use.
    fn repeated(&self, text: &str, last: Option<Name>, names: &Names) -> Option<Name> {
        last.filter(|id| text.len() < self.secret_bytes_min && names.is_of_clean(*id, text))
    }

    fn address(&self, address: &str, names: &mut Names) -> Name {
        if address.len() < self.secret_bytes_min
            && let Some(id) = names.clean_id(address)
        {
            return id;
        }
        // Nothing that parses as an address can hold a token.
        if address.parse::<IpAddr>().is_ok() { names.id_of_clean(address) } else { self.name(address, names) }
    }

    /// The number of a text as it may be written.
    pub(super) fn name(&self, text: &str, names: &mut Names) -> Name {
        tokens::written(text, self.secret_bytes_min, || self.secrets(), names)
    }

    /// True if the record has another token beside the one that is judged.
    pub(super) fn has_several_tokens(&self) -> bool {
        self.tokens.slots.len() > 1
    }

    /// The texts of the record's tokens that must not stand in any cell.
    pub(super) fn secrets(&self) -> &Secrets<'a> {
        self.secrets
            .get_or_init(|| Secrets::new(self.tokens.each().flat_map(|(_, entry)| entry.secrets()).collect()))
    }

    /// A text as it may be written.
    pub(super) fn cell<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.len() < self.secret_bytes_min {
            return redact::cell(text, &[]);
        }
        self.secrets().cell(text)
    }

    fn optional(&self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.cell(text).into_owned())
    }

    /// What a finding says here. Where the deployment's validator and a strict one part over the token, it says what each
    /// answers: whether the gateway was entitled to accept it (rules.md 5.6).
    pub(super) fn detail(&self, evidence: &Evidence, facts: &Facts<'_>, names: &Names) -> Detail {
        let claim =
            evidence.facts.iter().find(|(name, _)| *name == "claim").and_then(|(_, value)| value.as_str());
        Detail {
            message: self.cell(&evidence.message).into_owned(),
            expected: self.optional(evidence.expected.as_deref()),
            actual: self.optional(evidence.actual.as_deref()),
            evidence: self.evidence(evidence, entitled(evidence, facts)),
            client_ip: names.optional(self.client_ip).map(str::to_owned),
            claim: self.optional(claim),
        }
    }

    /// The facts as a JSON object with sorted keys that fits a cell: texts are shortened until it does, so that it stays
    /// JSON.
    fn evidence(&self, evidence: &Evidence, entitled: Option<[Answer; 2]>) -> String {
        let mut longest = limits::CELL_BYTES_MAX;
        loop {
            let mut facts: BTreeMap<&str, Value> =
                evidence.facts.iter().map(|(name, value)| (*name, self.value(value, longest))).collect();
            if let Some([preset, strict]) = entitled {
                facts.insert(PRESET_VERDICT, preset.name().into());
                facts.insert(STRICT_VERDICT, strict.name().into());
            }
            let text = serde_json::to_string(&facts).unwrap_or_default();
            if text.len() <= limits::CELL_BYTES_MAX || longest < 16 {
                return text;
            }
            longest /= 2;
        }
    }

    fn value(&self, value: &Value, longest: usize) -> Value {
        match value {
            Value::String(text) => Value::from(redact::cut(&self.cell(text), longest)),
            Value::Array(items) => {
                let few = items.len().min(longest / 8);
                items.iter().take(few).map(|item| self.value(item, longest)).collect()
            }
            Value::Object(members) => {
                let cleaned = members
                    .iter()
                    .map(|(name, value)| (self.cell(name).into_owned(), self.value(value, longest)));
                cleaned.collect()
            }
            other => other.clone(),
        }
    }

    fn record_sha256(&self) -> Option<[u8; 32]> {
        let hash = || digest::digest(&digest::SHA256, self.scanned.raw?).as_ref().try_into().ok();
        *self.record_sha256.get_or_init(hash)
    }
}

/// User agents that are remembered; then they are looked at anew.
const AGENTS_MAX: usize = 1 << 10;
/// Longest user agent that is remembered, in bytes; a browser's has some 120.
const AGENT_BYTES_MAX: usize = 256;

/// User agents that the redactor left as they are: there are far fewer than requests, and in a browser's nearly every word begins
/// like a token. Nothing depends on it.
#[derive(Default)]
pub(super) struct CleanAgents(HashSet<Box<str>>);

impl CleanAgents {
    /// A user agent as it may be written.
    fn cell<'t>(&mut self, agent: &'t str, place: &Place<'_>) -> Cow<'t, str> {
        // What is too short to hold a token of the record is written as it was for others.
        let is_short = agent.len() < place.secret_bytes_min && agent.len() <= AGENT_BYTES_MAX;
        if is_short && self.0.contains(agent) {
            return Cow::Borrowed(agent);
        }
        let cell = place.cell(agent);
        if is_short && *cell == *agent {
            if self.0.len() >= AGENTS_MAX {
                self.0.clear();
            }
            self.0.insert(agent.into());
        }
        cell
    }
}

/// The occurrence row of a finding at a request.
pub(super) fn occurrence(
    finding_id: &str,
    (rule, severity): (&Rule, Severity),
    facts: &Facts<'_>,
    (place, names): (&Place<'_>, &Names),
    agents: &mut CleanAgents,
) -> OccurrenceRow {
    let record = facts.record;
    let data_tenant = match facts.data_tenant {
        DataTenant::Absent => None,
        DataTenant::Unresolved(raw) => Some(raw.as_ref()),
        DataTenant::Tenant(tenant) => Some(tenant.as_ref()),
    };
    let cells = [record.request_id, record.method, record.path, record.principal, data_tenant];
    let cells = cells.map(|text| text.map(|text| place.cell(text)));
    let [request_id, method, path, principal, data_tenant] = cells.each_ref().map(Option::as_deref);
    let user_agent = record.user_agent.map(|agent| agents.cell(agent, place));
    let texts = OccurrenceTexts {
        finding_id,
        rule: rule.id,
        source: names.optional(place.at.source),
        request_id,
        method,
        host: names.optional(place.host),
        path,
        client_ip: names.optional(place.client_ip),
        user_agent: user_agent.as_deref(),
        principal,
        data_tenant,
    };
    let mut row = OccurrenceRow::new(severity, facts.token.token.fingerprint, &texts);
    row.time = place.at.time();
    row.line = place.at.line();
    row.offset = place.at.offset();
    row.record_sha256 = place.record_sha256();
    row.status = record.status;
    row
}

/// The answers of the deployment's own validator and of a strict one to the whole token, where they differ and the rule does
/// not say what they answer to its part.
fn entitled(evidence: &Evidence, facts: &Facts<'_>) -> Option<[Answer; 2]> {
    if evidence.facts.iter().any(|(name, _)| *name == PRESET_VERDICT) {
        return None;
    }
    let answers =
        [Validator::of(facts.validation), Validator::STRICT].map(|validator| validator.answer(facts));
    (answers[0] != answers[1]).then_some(answers)
}
