//! Record, token, verdict and matched policy joined: everything that a rule may look at.

mod place;
mod trust;
mod validator;

pub use place::Place;
pub use trust::{compromised, holds_at, is_doubted};
pub use validator::{Answer, Validator, same_audience};

use crate::entra;
use crate::keys::{KeyHistory, KeyId};
use crate::policy::{self, ApiSettings, Policy, Request, Validation};
use crate::record::{Record, TimeIs, TokenHit};
use crate::time::UtcMicros;
use crate::token::{Claims, Header, Token};
use crate::verify::{Signature, Verdict};
use std::borrow::Cow;

/// What became of a request (contract section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// 101, 2xx or 3xx.
    Accepted,
    /// 401, or a redirect to a sign-in page.
    DeniedAuthn,
    /// 403: the token was taken as authentic.
    DeniedAuthz,
    /// Everything else.
    Unknown,
}

impl Outcome {
    /// Every outcome, in order.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::DeniedAuthn, Self::DeniedAuthz, Self::Unknown];

    /// The text of the `outcome` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::DeniedAuthn => "denied-authn",
            Self::DeniedAuthz => "denied-authz",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome of a record, by its status and, for a redirect, its logged target. A gRPC call is answered with 200 whatever
    /// became of it; where its own status is logged, that decides.
    pub fn of(record: &Record<'_>) -> Self {
        match (record.status, record.grpc_status) {
            (Some(200), Some(code)) => Self::of_call(code),
            (status, _) => Self::of_status(status, record.location),
        }
    }

    /// The outcome of a gRPC call: `UNAUTHENTICATED` stands for 401, `PERMISSION_DENIED` for 403.
    fn of_call(code: u8) -> Self {
        match code {
            0 => Self::Accepted,
            16 => Self::DeniedAuthn,
            7 => Self::DeniedAuthz,
            _ => Self::Unknown,
        }
    }

    fn of_status(status: Option<i32>, location: Option<&str>) -> Self {
        match status {
            Some(300..=399) if location.is_some_and(leads_to_sign_in) => Self::DeniedAuthn,
            Some(101 | 200..=399) => Self::Accepted,
            Some(401) => Self::DeniedAuthn,
            Some(403) => Self::DeniedAuthz,
            _ => Self::Unknown,
        }
    }
}

/// True for the address of a sign-in page: an Entra host, or a path segment that sign-in pages use.
fn leads_to_sign_in(location: &str) -> bool {
    const SEGMENTS: [&str; 8] =
        ["login", "signin", "sign-in", "sign_in", "authorize", "oauth2", "sso", "saml2"];
    if entra::url_host(location).is_some_and(entra::is_entra_host) {
        return true;
    }
    let path = location.split(['?', '#']).next().unwrap_or("").to_ascii_lowercase();
    path.split('/').any(|segment| SEGMENTS.contains(&segment))
}

/// The instant at which a request is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgedTime {
    /// The start of the request, as near as the log allows.
    pub at: UtcMicros,
    /// [`TimeIs::End`] if only the end is known: time findings are one step lower then.
    pub is: TimeIs,
}

impl JudgedTime {
    /// The judged time of a record: the logged start, else end minus duration, else the end.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        let logged = record.time?;
        Some(match (logged.is, record.duration) {
            (TimeIs::End, Some(duration)) => Self { at: logged.at.plus(-duration), is: TimeIs::Start },
            (is, _) => Self { at: logged.at, is },
        })
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position<'a> {
    /// Source of the input; `None` on the batch path without that column.
    pub source: Option<&'a str>,
    /// Line, counted from 1.
    pub line: Option<i64>,
    /// Offset in the decompressed stream, in bytes.
    pub offset: Option<i64>,
}

/// One distinct token with its verdict: judged once, remembered, shared by all its requests.
#[derive(Debug)]
pub struct TokenFacts {
    /// The token, parsed.
    pub token: Token,
    /// What verification found.
    pub signature: Signature,
}

impl TokenFacts {
    /// The header, if it could be read.
    pub fn header(&self) -> Option<&Header<'_>> {
        self.token.header()
    }

    /// The claims, if the value is a token whose parts could all be read; rules that need claims are not evaluable
    /// otherwise (rules.md 2.8).
    pub fn claims(&self) -> Option<&Claims<'_>> {
        match self.signature.verdict {
            Verdict::Opaque | Verdict::Encrypted | Verdict::Malformed => None,
            _ => self.token.claims(),
        }
    }
}

/// Tenant of the data that a request touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataTenant<'a> {
    /// The request names none.
    Absent,
    /// Neither a GUID nor an alias of the policy.
    Unresolved(Cow<'a, str>),
    /// A tenant GUID in lower case.
    Tenant(Cow<'a, str>),
}

impl<'a> DataTenant<'a> {
    /// The tenant of a request's data: where the entry says that it stands, else `logged`, the record's own role.
    pub fn of(
        policy: Option<&'a Policy>,
        api: Option<&ApiSettings>,
        request: Request<'a>,
        logged: Option<&'a str>,
    ) -> Self {
        let Some(policy) = policy else {
            return match logged {
                Some(tenant) if entra::is_guid(tenant) => Self::Tenant(entra::normal_guid(tenant)),
                Some(tenant) => Self::Unresolved(Cow::Borrowed(tenant)),
                None => Self::Absent,
            };
        };
        let raw = match api {
            Some(api) if api.data_tenant != policy::DataTenant::Field => policy.data_tenant_of(api, request),
            _ => logged.map(Cow::Borrowed),
        };
        match raw {
            Some(Cow::Borrowed(raw)) => {
                policy.resolve_tenant(raw).map_or(Self::Unresolved(Cow::Borrowed(raw)), Self::Tenant)
            }
            Some(Cow::Owned(raw)) => match policy.resolve_tenant(&raw).map(Cow::into_owned) {
                Some(tenant) => Self::Tenant(Cow::Owned(tenant)),
                None => Self::Unresolved(Cow::Owned(raw)),
            },
            None => Self::Absent,
        }
    }
}

/// What a run has beside its records.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The policy, if one was given.
    pub policy: Option<&'a Policy>,
    /// The key history, if an archive was given.
    pub keys: Option<&'a KeyHistory>,
    /// True if the run knows what an earlier one kept.
    pub baseline: bool,
}

/// A token at an API: what all of its requests there have in common, so that it is judged once.
#[derive(Clone, Copy, Debug)]
pub struct Pairing<'a> {
    /// The token.
    pub token: &'a TokenFacts,
    /// The matched API with its operation's overrides; `None` if no entry of the policy matches.
    pub api: Option<&'a ApiSettings>,
    /// What the deployment enforces.
    pub validation: &'a Validation,
    /// Policy and keys.
    pub context: Context<'a>,
}

/// One use of one token: a record that carries it, with everything that was found out about both.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The record.
    pub record: &'a Record<'a>,
    /// Where it stands.
    pub position: Position<'a>,
    /// The token value of the record that this use is about.
    pub hit: TokenHit<'a>,
    /// When it is judged.
    pub time: Option<JudgedTime>,
    /// What became of it.
    pub outcome: Outcome,
    /// Its gateway.
    pub gateway: Option<&'a str>,
    /// The matched API with its operation's overrides; `None` if no entry of the policy matches.
    pub api: Option<&'a ApiSettings>,
    /// What the deployment enforces.
    pub validation: &'a Validation,
    /// The value that the application authorised on, where the API's `authorizes-on` names a role that the record has.
    pub principal: Option<&'a str>,
    /// Tenant of the data.
    pub data_tenant: &'a DataTenant<'a>,
    /// The token.
    pub token: &'a TokenFacts,
    /// The verdict for this request.
    pub verdict: Verdict,
    /// True if whoever stole a key could have signed the token; see [`is_doubted`].
    pub doubted: bool,
    /// A key of another authority than the issuer's that verifies the token; see [`Self::seeks_foreign_key`].
    pub foreign_key: Option<KeyId>,
    /// Policy and keys.
    pub context: Context<'a>,
}

impl<'a> Facts<'a> {
    /// True if a key of another authority is looked for: only where no key of the issuer fits, and only for accepted
    /// requests, because the search is dear and whoever sends tokens could ask for it.
    pub fn seeks_foreign_key(outcome: Outcome, verdict: Verdict) -> bool {
        outcome == Outcome::Accepted && matches!(verdict, Verdict::KeyUnknown | Verdict::NotCovered)
    }

    /// The token at its API, without the request.
    pub fn pairing(&self) -> Pairing<'a> {
        Pairing { token: self.token, api: self.api, validation: self.validation, context: self.context }
    }
}

/// A request without a token value, for rules that judge what is missing.
#[derive(Debug)]
pub struct Tokenless<'a> {
    /// The record; what it says about tokens is its `presence`.
    pub record: &'a Record<'a>,
    /// Where it stands.
    pub position: Position<'a>,
    /// When it is judged.
    pub time: Option<JudgedTime>,
    /// What became of it.
    pub outcome: Outcome,
    /// Its gateway.
    pub gateway: Option<&'a str>,
    /// The matched API with its operation's overrides; `None` if no entry of the policy matches.
    pub api: Option<&'a ApiSettings>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_grpc_is_judged_by_its_own_status() {
        let of = |status, grpc_status| Outcome::of(&Record { status, grpc_status, ..Record::default() });
        for (code, outcome) in [
            (0, Outcome::Accepted),
            (16, Outcome::DeniedAuthn),
            (7, Outcome::DeniedAuthz),
            (5, Outcome::Unknown),
            (2, Outcome::Unknown),
        ] {
            assert_eq!(of(Some(200), Some(code)), outcome, "{code}");
        }
        // A gateway that refuses the call itself may say so in HTTP.
        assert_eq!(of(Some(401), Some(0)), Outcome::DeniedAuthn);
        assert_eq!(of(Some(200), None), Outcome::Accepted);
        assert_eq!(of(None, Some(0)), Outcome::Unknown);
    }

    #[test]
    fn outcomes_follow_the_status() {
        for (status, outcome) in [
            (Some(101), Outcome::Accepted),
            (Some(204), Outcome::Accepted),
            (Some(304), Outcome::Accepted),
            (Some(401), Outcome::DeniedAuthn),
            (Some(403), Outcome::DeniedAuthz),
            (Some(404), Outcome::Unknown),
            (Some(500), Outcome::Unknown),
            (Some(100), Outcome::Unknown),
            (None, Outcome::Unknown),
        ] {
            assert_eq!(Outcome::of_status(status, None), outcome, "{status:?}");
        }
        let sign_in = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?x=1";
        assert_eq!(Outcome::of_status(Some(302), Some(sign_in)), Outcome::DeniedAuthn);
        assert_eq!(Outcome::of_status(Some(302), Some("/account/login?next=%2F")), Outcome::DeniedAuthn);
        assert_eq!(Outcome::of_status(Some(302), Some("/v2/orders")), Outcome::Accepted);
    }
}
