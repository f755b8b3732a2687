//! The policy's values after includes, profiles and operations are merged: what rules read.

use crate::entra;
use crate::time::Period;
use hashbrown::HashMap;
use std::borrow::Cow;

/// `[tenancy]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tenancy {
    /// Tenants whose tokens are expected, GUIDs in lower case; `None` = any.
    pub allowed: Option<Vec<String>>,
    /// Label, domain or id (lower case) -> tenant GUID (lower case).
    pub aliases: HashMap<String, String>,
    /// (from, to): a tid that may touch data of another tenant.
    pub delegated: Vec<(String, String)>,
    /// Identity providers whose guests are expected.
    pub partners: Vec<String>,
}

impl Tenancy {
    /// A tenant GUID in lower case from a GUID or an alias, in any letter case.
    pub fn resolve<'t>(&'t self, text: &'t str) -> Option<Cow<'t, str>> {
        if entra::is_guid(text) {
            return Some(entra::normal_guid(text));
        }
        // Most requests spell an alias in lower case, as it is kept.
        let lower = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
        let alias = if lower { self.aliases.get(text) } else { self.aliases.get(&text.to_lowercase()) };
        alias.map(|tenant| Cow::Borrowed(tenant.as_str()))
    }
}

/// What a deployment enforces itself (rules.md 5.6).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Microsoft.IdentityModel.
    #[default]
    Dotnet,
    /// Envoy `jwt_authn`.
    Envoy,
    /// Azure API Management.
    Apim,
    /// Kong's jwt plugin.
    Kong,
    /// RFC 7519 to the letter.
    Strict,
}

impl Preset {
    /// Every preset, in the order in which findings name them.
    pub const ALL: [Self; 5] = [Self::Dotnet, Self::Envoy, Self::Apim, Self::Kong, Self::Strict];

    /// Name as it is written in a policy.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dotnet => "dotnet",
            Self::Envoy => "envoy",
            Self::Apim => "apim",
            Self::Kong => "kong",
            Self::Strict => "strict",
        }
    }

    /// Clock skew that the validator grants, in microseconds.
    pub fn skew(self) -> i64 {
        match self {
            Self::Dotnet => 300 * crate::time::SECOND,
            Self::Envoy => 60 * crate::time::SECOND,
            Self::Apim | Self::Kong | Self::Strict => 0,
        }
    }

    /// True if the validator refuses at the very instant `exp` + skew, not only after it.
    pub fn refuses_at_boundary(self) -> bool {
        matches!(self, Self::Kong | Self::Strict)
    }
}

/// A class of lifetimes (`exp` - `iat`): shortest and longest, in seconds, tolerance included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Lifetime {
    /// Shortest, inclusive.
    pub least: i64,
    /// Longest, inclusive.
    pub most: i64,
}

impl Lifetime {
    /// The classes without a policy: 60 to 90 min, 2 h, 20 to 28 h (rules.md, rule `lifetime-long`).
    pub const DEFAULT: [Self; 3] =
        [Self::class(3600, 5400), Self::class(7200, 7200), Self::class(20 * 3600, 28 * 3600)];

    /// A class from the documented bounds, in seconds: 10 min are allowed on both sides, and 5 min more above, because
    /// Entra back-dates `iat` by them. A class of one duration is one with equal bounds.
    pub const fn class(least: i64, most: i64) -> Self {
        const TOLERANCE: i64 = 600;
        const BACK_DATING: i64 = 300;
        Self { least: least.saturating_sub(TOLERANCE), most: most.saturating_add(TOLERANCE + BACK_DATING) }
    }

    /// True if a lifetime in seconds belongs to the class.
    pub fn holds(self, lifetime: i64) -> bool {
        (self.least..=self.most).contains(&lifetime)
    }
}

/// `[validation]`, as it applies to the records of one gateway.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validation {
    /// The preset of the gateway, else of the policy, else `dotnet`.
    pub preset: Preset,
    /// `clock-skew` in microseconds, where the policy sets it.
    pub clock_skew: Option<i64>,
    /// `algorithms`, where the policy sets it.
    pub algorithms: Option<Vec<String>>,
    /// `max-lifetime` in seconds.
    pub max_lifetime: Option<i64>,
    /// `lifetimes`
    pub lifetimes: Option<Vec<Lifetime>>,
    /// `clouds`
    pub clouds: Option<Vec<String>>,
    /// `issuers`: further issuers than Entra's own forms.
    pub issuers: Vec<String>,
}

impl Validation {
    /// The skew in force, in microseconds.
    pub fn skew(&self) -> i64 {
        self.clock_skew.unwrap_or_else(|| self.preset.skew())
    }

    /// True if `issuers` lists an issuer: letter for letter, or another path of its host.
    pub fn lists_issuer(&self, iss: &str) -> bool {
        if self.issuers.is_empty() {
            return false;
        }
        let host = entra::url_host(iss);
        self.issuers.iter().any(|issuer| {
            issuer == iss
                || host.is_some_and(|host| {
                    entra::url_host(issuer).is_some_and(|listed| listed.eq_ignore_ascii_case(host))
                })
        })
    }
}

/// `[clients]` and `[privileged]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientPolicy {
    /// `own`
    pub own: Vec<String>,
    /// `roles` of `[privileged]`
    pub privileged_roles: Option<Vec<String>>,
}

/// An entry of `[keys] compromised`. At least one of the first four is given; all given must match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompromisedKey {
    /// `kid`
    pub kid: Option<String>,
    /// `x5t`
    pub x5t: Option<String>,
    /// `spki`: SHA-256 of the `SubjectPublicKeyInfo`, 64 lower-case hexadecimal digits however it was spelled.
    pub spki: Option<String>,
    /// `source`
    pub source: Option<String>,
    /// Period of the request in which the key counts as compromised.
    pub period: Period,
}

/// `[keys]`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyPolicy {
    /// `compromised`
    pub compromised: Vec<CompromisedKey>,
    /// `custom-key-apps`
    pub custom_key_apps: Vec<String>,
}

/// `[[gateway]]`
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// `name`
    pub name: String,
    /// `sources`: globs over inputs' sources.
    pub sources: Vec<String>,
    /// Validation of its records.
    pub validation: Validation,
    /// `expect.every` in microseconds.
    pub expect_every: Option<i64>,
    /// `expect.min-records`
    pub expect_min_records: Option<u64>,
    /// `expect.tokens = "present"`
    pub expect_tokens: bool,
    /// `tls = "upstream"`
    pub tls_upstream: bool,
}

/// `auth` of an API.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// A token must be there.
    #[default]
    Required,
    /// A token may be there.
    Optional,
    /// Public: time, audience and authorization rules are silent.
    None,
}

/// `stage` of an API.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Findings count for `--fail-on`.
    #[default]
    Enforce,
    /// Findings are reported only.
    Observe,
}

impl Stage {
    /// The text of the `stage` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

/// `kinds` of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// `delegated`
    Delegated,
    /// `app`
    App,
}

/// `issuer-kinds` of an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerKindName {
    /// `workforce`
    Workforce,
    /// `b2c`
    B2c,
    /// `ciam`
    Ciam,
}

/// Where the tenant of the data stands in a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum DataTenant {
    /// `field:data_tenant`, the default: the record's role of that name.
    #[default]
    Field,
    /// `path:/v1/tenants/{tenant}/**`
    Path(String),
    /// `host:{tenant}.api.contoso.example`
    Host(String),
}

/// One `[[api]]` (and one of its operations, where one matched) after everything is merged.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the policy of that name")]
pub struct ApiSettings {
    /// `name`
    pub name: String,
    /// `owner`
    pub owner: Option<String>,
    /// `stage`
    pub stage: Stage,
    /// `auth`
    pub auth: Auth,
    /// `audiences`; `None` = not stated.
    pub audiences: Option<Vec<String>>,
    /// `tenants`, GUIDs in lower case; aliases are resolved.
    pub tenants: Option<Vec<String>>,
    /// `kinds`
    pub kinds: Option<Vec<TokenKind>>,
    /// `scopes`
    pub scopes: Option<Vec<String>>,
    /// `roles`
    pub roles: Option<Vec<String>>,
    /// `groups`
    pub groups: Option<Vec<String>>,
    /// `defined-scopes`
    pub defined_scopes: Option<Vec<String>>,
    /// `defined-roles`
    pub defined_roles: Option<Vec<String>>,
    /// `clients`
    pub clients: Option<Vec<String>>,
    /// `client-auth`: 0 public, 1 secret, 2 certificate.
    pub client_auth: u8,
    /// `mfa`
    pub mfa: bool,
    /// `auth-context`
    pub auth_context: Option<Vec<String>>,
    /// `max-auth-age` in seconds.
    pub max_auth_age: Option<i64>,
    /// `personal-accounts`, default false.
    pub personal_accounts: bool,
    /// `guests`, default true.
    pub guests: bool,
    /// `issuer-kinds`, default workforce.
    pub issuer_kinds: Vec<IssuerKindName>,
    /// `authorizes-on`: the role that the application authorised on.
    pub authorizes_on: Option<String>,
    /// `data-tenant`
    pub data_tenant: DataTenant,
    /// `multi-tenant`
    pub multi_tenant: bool,
}

/// `[[accept]]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    /// `rule`
    pub rule: String,
    /// `token`
    pub token: Option<String>,
    /// `client`
    pub client: Option<String>,
    /// `oid`
    pub oid: Option<String>,
    /// `tid`
    pub tid: Option<String>,
    /// `api`
    pub api: Option<String>,
    /// `gateway`
    pub gateway: Option<String>,
    /// `kid`
    pub kid: Option<String>,
    /// `actual`
    pub actual: Option<String>,
    /// `reason`
    pub reason: String,
    /// `owner`
    pub owner: Option<String>,
    /// End of the last day on which it holds (exclusive), from `expires`.
    pub until: Option<crate::time::UtcMicros>,
}
