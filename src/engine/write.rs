//! Texts on their way into rows: everything passes the redactor before it is grouped, hashed or sorted.

use super::entry::{self, Entry};
use super::names::{Name, Names};
use super::order::At;
use super::partial::{Detail, Partial};
use super::scan::Scanned;
use crate::facts::{DataTenant, Facts, JudgedTime};
use crate::findings::{OccurrenceRow, finding_id};
use crate::limits;
use crate::redact::{self, Secrets};
use crate::rules::kit::{Evidence, Rule, Severity};
use crate::time::UtcMicros;
use aws_lc_rs::digest;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Where a record's uses are booked, in a partial's numbers.
pub(super) struct Place<'a> {
    pub(super) at: At,
    pub(super) hour: Option<UtcMicros>,
    pub(super) gateway: Option<Name>,
    pub(super) api: Option<Name>,
    pub(super) client_ip: Option<Name>,
    pub(super) host: Option<Name>,
    scanned: &'a Scanned<'a>,
    entries: &'a [Arc<Entry>],
    secrets: OnceCell<Secrets<'a>>,
    record_sha256: OnceCell<Option<String>>,
}

impl<'a> Place<'a> {
    /// The place of a record.
    pub(super) fn new(
        partial: &mut Partial,
        scanned: &'a Scanned<'a>,
        entries: &'a [Arc<Entry>],
        time: Option<JudgedTime>,
        gateway: Option<&str>,
        api: Option<&str>,
    ) -> Self {
        let time = time.map(|time| time.at);
        let at = At { time, source: None, line: scanned.position.line, offset: scanned.position.offset };
        let mut place = Self {
            at,
            hour: time.map(UtcMicros::hour),
            gateway: None,
            api: None,
            client_ip: None,
            host: None,
            scanned,
            entries,
            secrets: OnceCell::new(),
            record_sha256: OnceCell::new(),
        };
        let record = &scanned.record;
        place.at.source = scanned.position.source.map(|source| partial.names.id(source));
        place.gateway = gateway.map(|gateway| match record.gateway {
            Some(logged) if logged == gateway => partial.names.id(&place.cell(gateway)),
            // The policy's own name.
            _ => partial.names.id(gateway),
        });
        place.api = api.map(|api| partial.names.id(api));
        if !entries.is_empty() {
            place.client_ip = record.client_ip.map(|address| match address.parse::<IpAddr>() {
                // Nothing that parses as an address can hold a token.
                Ok(_) => partial.names.id(address),
                Err(_) => partial.names.id(&place.cell(address)),
            });
            place.host = record.host.map(|host| partial.names.id(&place.cell(host)));
        }
        place
    }

    /// The texts of the record's tokens that must not stand in any cell.
    pub(super) fn secrets(&self) -> &Secrets<'a> {
        self.secrets.get_or_init(|| {
            let hits = self.scanned.record.tokens.iter().zip(self.entries);
            Secrets::new(hits.flat_map(|(hit, entry)| entry::secrets(hit.value, &entry.facts)).collect())
        })
    }

    /// A text as it may be written.
    pub(super) fn cell<'t>(&self, text: &'t str) -> Cow<'t, str> {
        // Secrets are at least this long, so a shorter text can hold none.
        if text.len() < limits::REDACTED_BYTES_MIN {
            return redact::cell(text, &[]);
        }
        self.secrets().cell(text)
    }

    fn optional(&self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.cell(text).into_owned())
    }

    /// What a finding says here.
    pub(super) fn detail(&self, evidence: &Evidence, names: &Names) -> Detail {
        let claim =
            evidence.facts.iter().find(|(name, _)| *name == "claim").and_then(|(_, value)| value.as_str());
        Detail {
            message: self.cell(&evidence.message).into_owned(),
            expected: self.optional(evidence.expected.as_deref()),
            actual: self.optional(evidence.actual.as_deref()),
            evidence: self.evidence(evidence),
            client_ip: names.optional(self.client_ip).map(str::to_owned),
            claim: self.optional(claim),
        }
    }

    /// The facts as a JSON object with sorted keys that fits a cell: texts are shortened until it does, so that it stays
    /// JSON.
    fn evidence(&self, evidence: &Evidence) -> String {
        let mut longest = limits::CELL_BYTES_MAX;
        loop {
            let facts: BTreeMap<&str, Value> =
                evidence.facts.iter().map(|(name, value)| (*name, self.value(value, longest))).collect();
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

    fn record_sha256(&self) -> Option<String> {
        let hash = || {
            let raw = self.scanned.raw?;
            Some(redact::hex(digest::digest(&digest::SHA256, raw).as_ref()))
        };
        self.record_sha256.get_or_init(hash).clone()
    }
}

/// The occurrence row of a finding at a request.
pub(super) fn occurrence(
    rule: &Rule,
    severity: Severity,
    facts: &Facts<'_>,
    place: &Place<'_>,
    names: &Names,
) -> OccurrenceRow {
    let record = facts.record;
    let data_tenant = match facts.data_tenant {
        DataTenant::Absent => None,
        DataTenant::Unresolved(raw) => Some(raw.as_ref()),
        DataTenant::Tenant(tenant) => Some(tenant.as_str()),
    };
    let sha256 = Some(facts.token.sha256.as_str());
    let (gateway, api) = (names.optional(place.gateway), names.optional(place.api));
    OccurrenceRow {
        finding_id: finding_id(rule.id, sha256, gateway, api, Some(facts.outcome.name()), None),
        rule: rule.id.to_owned(),
        severity,
        time: place.at.time,
        source: names.optional(place.at.source).map(str::to_owned),
        line: place.at.line,
        offset: place.at.offset,
        record_sha256: place.record_sha256(),
        request_id: place.optional(record.request_id),
        method: place.optional(record.method),
        host: place.optional(record.host),
        path: place.optional(record.path),
        status: record.status,
        client_ip: names.optional(place.client_ip).map(str::to_owned),
        user_agent: place.optional(record.user_agent),
        principal: place.optional(record.principal),
        data_tenant: place.optional(data_tenant),
        token_sha256: sha256.map(str::to_owned),
    }
}
