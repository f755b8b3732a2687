//! Log records: what every format fills, whatever gateway wrote it.

mod columns;
mod compile;
mod credential;
mod detect;
mod draft;
mod errors;
mod field_scan;
mod fill;
mod format;
mod json;
mod path;
mod query;
mod repair;
mod scan;
mod set;
mod shape;
mod spec;
mod template;
pub mod wrap;

pub use columns::TokenField;
pub(crate) use credential::is_absent;
pub use detect::{Detection, Framing};
pub use errors::{FormatError, Place, Problem, TemplateProblem};
pub use format::{Format, ReadScratch};
pub use set::{FileDigest, FormatSet};

use crate::time::UtcMicros;

/// Which end of the request a logged time stamps (formats.md, section 0 item 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeIs {
    /// The request began.
    Start,
    /// The response was finished.
    End,
}

/// The logged time of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedTime {
    /// The instant.
    pub at: UtcMicros,
    /// What it stamps.
    pub is: TimeIs,
}

/// The scheme word in front of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// None was logged.
    #[default]
    None,
    /// `Bearer`
    Bearer,
    /// Another one, such as `DPoP` or `PoP`.
    Other,
}

/// A token value found in a record.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenHit<'a> {
    /// The value, without its scheme word.
    pub value: &'a str,
    /// Where it stood, as the format names it (`header:authorization`, `query:access_token@url`, `scan`).
    pub place: &'a str,
    /// The scheme word that stood in front of it.
    pub scheme: Scheme,
    /// True if the value ends where a logger cuts: at the end of a line or field as long as the format's declared limit
    /// or one of the well-known ones.
    pub at_cut: bool,
}

/// What a record says about tokens; the first that holds (contract section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// At least one token value.
    Present,
    /// A mark stands where a token was.
    Masked,
    /// A credential of another scheme than Bearer.
    OtherScheme,
    /// Nothing, an empty text, `null` or `-`.
    #[default]
    Absent,
}

/// One request as a gateway logged it. Every text is UTF-8; `None` where the log has no value (`-`, empty, `null`).
#[derive(Clone, Debug, Default)]
pub struct Record<'a> {
    /// Logged time.
    pub time: Option<LoggedTime>,
    /// Time the request took, in microseconds.
    pub duration: Option<i64>,
    /// HTTP status; `None` for codes that mean "no response".
    pub status: Option<i32>,
    /// Status of a gRPC call, 0 to 16; `None` for what is no such call.
    pub grpc_status: Option<u8>,
    /// HTTP method.
    pub method: Option<&'a str>,
    /// `http` or `https`.
    pub scheme: Option<&'a str>,
    /// Host as logged, with port and case.
    pub host: Option<&'a str>,
    /// Path as logged, without query.
    pub path: Option<&'a str>,
    /// Query as logged, without `?`.
    pub query: Option<&'a str>,
    /// The gateway's own name of the route or API.
    pub route: Option<&'a str>,
    /// Client address, without port.
    pub client_ip: Option<&'a str>,
    /// User agent.
    pub user_agent: Option<&'a str>,
    /// Request id.
    pub request_id: Option<&'a str>,
    /// The key that the application authorised on.
    pub principal: Option<&'a str>,
    /// Tenant that owns the data touched, as logged.
    pub data_tenant: Option<&'a str>,
    /// Target of a redirect.
    pub location: Option<&'a str>,
    /// Address that the gateway sent the request on to, as logged.
    pub upstream: Option<&'a str>,
    /// Gateway named by the record itself (batch path).
    pub gateway: Option<&'a str>,
    /// Every token, each value once.
    pub tokens: &'a [TokenHit<'a>],
    /// What the record says about tokens.
    pub presence: Presence,
    /// True if bytes had to be replaced to read it.
    pub repaired: bool,
}

impl TokenHit<'_> {
    /// True if it stood in what the gateway itself sends on, as API Management logs it: a token that no client chose, unless
    /// it is the client's, passed on.
    pub fn is_of_gateway(&self) -> bool {
        self.place.split('.').any(|part| part.eq_ignore_ascii_case("backendRequestHeaders"))
    }
}

/// What an address names; none of it may be there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Address<'a> {
    /// `http` or `https`.
    pub scheme: Option<&'a str>,
    /// Host, with port.
    pub host: Option<&'a str>,
    /// Path.
    pub path: Option<&'a str>,
    /// Query, without `?`.
    pub query: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// What the gateway sent the request on to.
    pub fn upstream_parts(&self) -> Address<'a> {
        let url = self.upstream.map(query::split_url).unwrap_or_default();
        Address { scheme: url.scheme, host: url.host, path: url.path, query: url.query }
    }

    /// The value of a role that an application may authorise on, by its name.
    pub fn role(&self, name: &str) -> Option<&'a str> {
        match name {
            "principal" => self.principal,
            "client_ip" => self.client_ip,
            "user_agent" => self.user_agent,
            "request_id" => self.request_id,
            "data_tenant" => self.data_tenant,
            _ => None,
        }
    }
}

/// What a unit turned out to be, if it could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A record.
    Record,
    /// Blank, a comment, a header, or a line that the format says to skip.
    Ignored,
}

/// Why a unit gives no record (contract section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// Not JSON.
    Json,
    /// Text that the template does not match.
    NoMatch,
    /// Longer than `--max-line`.
    TooLong,
    /// Cut off by the end of a broken input.
    TruncatedInput,
}

impl Reject {
    /// The text of the `reason` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::NoMatch => "no-match",
            Self::TooLong => "too-long",
            Self::TruncatedInput => "truncated-input",
        }
    }
}
