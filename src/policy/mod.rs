//! What the operator expects: the policy of contract section 5, merged and validated.

mod settings;

pub use settings::{
    Accept, ApiSettings, Auth, ClientPolicy, CompromisedKey, DataTenant, Gateway, IssuerKindName, KeyPolicy, Lifetime,
    Preset, Stage, Tenancy, TokenKind, Validation,
};

use std::path::Path;

/// A gateway of the policy, by its place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayId(pub usize);

/// SEAM: signatures only; the policy helper fills them.
#[derive(Debug)]
pub struct Policy {}

/// What of a request decides its API.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// Gateway name.
    pub gateway: Option<&'a str>,
    /// Host as logged.
    pub host: Option<&'a str>,
    /// Method.
    pub method: Option<&'a str>,
    /// Path as logged, without query.
    pub path: Option<&'a str>,
    /// Route id.
    pub route: Option<&'a str>,
}

/// Which entry wins.
#[derive(Clone, Copy, Debug)]
pub struct ApiMatch<'p> {
    /// The entry with its operation's overrides; `None` if none matches.
    pub settings: Option<&'p ApiSettings>,
    /// True if only the byte-least name decided.
    pub ambiguous: bool,
}

impl Policy {
    /// Reads, merges and validates a policy with its includes.
    pub fn load(_path: &Path) -> Result<Self, String> {
        unimplemented!()
    }
    /// `[tenancy]`
    pub fn tenancy(&self) -> &Tenancy {
        unimplemented!()
    }
    /// Validation of a gateway's records (the policy's own for `None`).
    pub fn validation(&self, _gateway: Option<GatewayId>) -> &Validation {
        unimplemented!()
    }
    /// `[clients]` and `[privileged]`
    pub fn clients(&self) -> &ClientPolicy {
        unimplemented!()
    }
    /// `[keys]`
    pub fn keys(&self) -> &KeyPolicy {
        unimplemented!()
    }
    /// `[[gateway]]`, in file order.
    pub fn gateways(&self) -> &[Gateway] {
        unimplemented!()
    }
    /// The first gateway whose sources match.
    pub fn gateway_of(&self, _source: &str) -> Option<GatewayId> {
        unimplemented!()
    }
    /// Every `[[api]]` without operations' overrides, by name.
    pub fn apis(&self) -> &[ApiSettings] {
        unimplemented!()
    }
    /// Which entry wins for a request.
    pub fn api_of(&self, _request: Request<'_>) -> ApiMatch<'_> {
        unimplemented!()
    }
    /// A tenant GUID (lower case) from a GUID or an alias, in any letter case.
    pub fn resolve_tenant(&self, _text: &str) -> Option<String> {
        unimplemented!()
    }
    /// The raw data tenant of a request: the decoded segment or label that stands at `{tenant}`; `None` for
    /// [`DataTenant::Field`] and where the pattern does not match.
    pub fn data_tenant_of(&self, _settings: &ApiSettings, _request: Request<'_>) -> Option<String> {
        unimplemented!()
    }
}
