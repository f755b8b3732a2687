//! The record of a rule's case.

use crate::mint;
use serde::Deserialize;
use tokentrail::record::{LoggedTime, Presence, Record, Scheme, TimeIs, TokenHit};
use tokentrail::time::UtcMicros;

/// The record of a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordSpec {
    pub(crate) time: Option<toml::value::Datetime>,
    #[serde(default)]
    pub(crate) time_is_end: bool,
    pub(crate) duration_s: Option<i64>,
    pub(crate) status: Option<i32>,
    pub(crate) location: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) scheme: Option<String>,
    pub(crate) host: Option<String>,
    /// `{token}` stands for the token, here and in the query.
    pub(crate) path: Option<String>,
    pub(crate) query: Option<String>,
    pub(crate) client_ip: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) principal: Option<String>,
    pub(crate) data_tenant: Option<String>,
    pub(crate) gateway: Option<String>,
    /// What the record says about tokens where it has none: `absent`, `masked`, `other-scheme`.
    pub(crate) presence: Option<String>,
    /// Where the token stood; `header:authorization` if it is not said.
    pub(crate) token_place: Option<String>,
    /// The scheme word in front of the token; `Bearer` if it is not said, empty for none.
    pub(crate) token_scheme: Option<String>,
    /// Further values beside the token.
    #[serde(default)]
    pub(crate) beside: Vec<Beside>,
}

/// A further value of a record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Beside {
    pub(crate) place: String,
    /// The value, or how it is made of the token: `cut`, `padded`, `with stray bits`.
    pub(crate) value: String,
}

impl Beside {
    /// The value beside a token.
    pub(crate) fn of(&self, token: &str) -> String {
        match self.value.as_str() {
            "cut" => token[..token.len() - 100].to_owned(),
            "marked as cut" => format!("{}...", &token[..token.len() - 100]),
            "padded" => format!("{token}=="),
            "with stray bits" => {
                let (rest, last) = token.split_at(token.len() - 1);
                format!("{rest}{}", char::from(last.as_bytes()[0] + 1))
            }
            "with another signature" => {
                let (rest, last) = token.split_at(token.len() - 10);
                format!("{rest}{}", last.chars().rev().collect::<String>())
            }
            other => other.to_owned(),
        }
    }
}

impl RecordSpec {
    /// The token value as it was found.
    pub(crate) fn hit<'a>(&'a self, value: &'a str, at_cut: bool) -> TokenHit<'a> {
        let scheme = match self.token_scheme.as_deref() {
            None | Some("Bearer") => Scheme::Bearer,
            Some("") => Scheme::None,
            Some(_) => Scheme::Other,
        };
        TokenHit {
            value,
            place: self.token_place.as_deref().unwrap_or("header:authorization"),
            scheme,
            at_cut,
        }
    }

    /// Path and query with the token in its place.
    pub(crate) fn url_with(&self, token: &str) -> [Option<String>; 2] {
        [&self.path, &self.query].map(|text| Some(text.as_ref()?.replace("{token}", token)))
    }

    /// The record with its token values.
    pub(crate) fn as_record<'a>(
        &'a self,
        [path, query]: &'a [Option<String>; 2],
        hits: &'a [TokenHit<'a>],
    ) -> Record<'a> {
        let is = if self.time_is_end { TimeIs::End } else { TimeIs::Start };
        Record {
            time: self.time.as_ref().map(|at| LoggedTime { at: UtcMicros(mint::micros_of(at)), is }),
            duration: self.duration_s.map(|seconds| seconds * 1_000_000),
            status: self.status,
            location: self.location.as_deref(),
            method: self.method.as_deref(),
            scheme: self.scheme.as_deref(),
            host: self.host.as_deref(),
            path: path.as_deref(),
            query: query.as_deref(),
            client_ip: self.client_ip.as_deref(),
            user_agent: self.user_agent.as_deref(),
            request_id: self.request_id.as_deref(),
            principal: self.principal.as_deref(),
            data_tenant: self.data_tenant.as_deref(),
            gateway: self.gateway.as_deref(),
            tokens: if self.presence.is_some() { &[] } else { hits },
            presence: match self.presence.as_deref() {
                None => Presence::Present,
                Some("masked") => Presence::Masked,
                Some("other-scheme") => Presence::OtherScheme,
                Some(_) => Presence::Absent,
            },
            ..Record::default()
        }
    }
}
