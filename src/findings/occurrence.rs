//! A row of `occurrences`: one a request and rule that fires, so all of its texts lie in one allocation.

use crate::redact::Fingerprint;
use crate::rules::Severity;
use crate::time::UtcMicros;
use std::fmt;

/// How many texts a row has.
pub(super) const TEXTS: usize = 11;
/// The end of a text that is absent.
const ABSENT: u32 = u32::MAX;

/// A row of `occurrences`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct OccurrenceRow {
    /// Severity at this request.
    pub severity: Severity,
    /// Judged time.
    pub time: Option<UtcMicros>,
    /// Line, counted from 1.
    pub line: Option<i64>,
    /// Offset of the unit's first byte.
    pub offset: Option<i64>,
    /// SHA-256 of the unit's bytes, written as 64 hexadecimal digits; `None` where the input is columns.
    pub record_sha256: Option<[u8; 32]>,
    /// Status.
    pub status: Option<i32>,
    /// Sort key behind the rule; not a column of this table.
    pub token: Fingerprint,
    texts: Packed,
}

/// The texts of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OccurrenceTexts<'t> {
    /// Finding that it belongs to.
    pub finding_id: &'t str,
    /// Rule id.
    pub rule: &'t str,
    /// Source of the input.
    pub source: Option<&'t str>,
    /// Request id.
    pub request_id: Option<&'t str>,
    /// Method.
    pub method: Option<&'t str>,
    /// Host.
    pub host: Option<&'t str>,
    /// Path without query.
    pub path: Option<&'t str>,
    /// Client address.
    pub client_ip: Option<&'t str>,
    /// User agent.
    pub user_agent: Option<&'t str>,
    /// Principal.
    pub principal: Option<&'t str>,
    /// Tenant of the data: resolved GUID, else the raw value.
    pub data_tenant: Option<&'t str>,
}

impl OccurrenceRow {
    /// A row of these texts, about a token; everything else is absent.
    pub fn new(severity: Severity, token: Fingerprint, texts: &OccurrenceTexts<'_>) -> Self {
        Self {
            severity,
            time: None,
            line: None,
            offset: None,
            record_sha256: None,
            status: None,
            token,
            texts: Packed::new(texts),
        }
    }

    /// Its texts.
    pub fn texts(&self) -> OccurrenceTexts<'_> {
        self.texts.unpacked()
    }

    /// Its texts in the order of the table.
    pub(super) fn cells(&self) -> [Option<&str>; TEXTS] {
        self.texts.cells()
    }

    /// Bytes of its texts.
    pub fn text_bytes(&self) -> usize {
        self.texts.text.len()
    }
}

impl<'t> OccurrenceTexts<'t> {
    /// The cells in the order of the table.
    pub(super) fn cells(&self) -> [Option<&'t str>; TEXTS] {
        [
            Some(self.finding_id),
            Some(self.rule),
            self.source,
            self.request_id,
            self.method,
            self.host,
            self.path,
            self.client_ip,
            self.user_agent,
            self.principal,
            self.data_tenant,
        ]
    }
}

/// The texts of a row one behind the other, in the order of the table.
#[derive(Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Packed {
    text: Box<str>,
    /// Where each of them ends, or [`ABSENT`].
    ends: [u32; TEXTS],
}

impl Packed {
    fn new(texts: &OccurrenceTexts<'_>) -> Self {
        let cells = texts.cells();
        // Of the right size at once: shrinking it would copy everything.
        let mut text = String::with_capacity(cells.iter().flatten().map(|cell| cell.len()).sum());
        let mut ends = [ABSENT; TEXTS];
        for (end, cell) in ends.iter_mut().zip(cells) {
            if let Some(cell) = cell {
                text.push_str(cell);
                *end = u32::try_from(text.len()).unwrap_or(ABSENT);
            }
        }
        Self { text: text.into_boxed_str(), ends }
    }

    fn cells(&self) -> [Option<&str>; TEXTS] {
        let mut start = 0;
        self.ends.map(|end| {
            let end = usize::try_from(end).ok().filter(|_| end != ABSENT)?;
            let cell = self.text.get(start..end);
            start = end;
            cell
        })
    }

    fn unpacked(&self) -> OccurrenceTexts<'_> {
        let [finding_id, rule, source, request_id, method, host, rest @ ..] = self.cells();
        let [path, client_ip, user_agent, principal, data_tenant] = rest;
        OccurrenceTexts {
            finding_id: finding_id.unwrap_or_default(),
            rule: rule.unwrap_or_default(),
            source,
            request_id,
            method,
            host,
            path,
            client_ip,
            user_agent,
            principal,
            data_tenant,
        }
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unpacked().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        let texts = OccurrenceTexts {
            finding_id: "0a",
            rule: "wrong-aud",
            source: Some(""),
            path: Some("/\u{e9}"),
            data_tenant: Some("contoso"),
            ..OccurrenceTexts::default()
        };
        let row = OccurrenceRow::new(Severity::High, Fingerprint([7; 32]), &texts);
        assert_eq!((row.texts(), row.text_bytes()), (texts, 21));
        let saved = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<OccurrenceRow>(&saved).unwrap(), row);
    }
}
