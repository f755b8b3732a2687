//! The TOML documents as they are written, before anything is merged. Every key of the policy stands here once; the
//! comments become the descriptions of the JSON Schema.

use super::behaviour::BehaviourTable;
use super::located::Located;
use super::settings::Auth;
use super::settings::IssuerKindName;
use super::settings::Preset;
use super::settings::Stage;
use super::settings::TokenKind;
use super::trial::TrialTable;
use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use serde::Deserialize;
use serde::Deserializer;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A text that remembers where it stands.
pub(super) type Text = Located<String>;
/// A list of texts, itself and each of them with its place.
pub(super) type Texts = Located<Vec<Text>>;

/// A policy of tokentrail, or a file that one includes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Document {
    /// Version of the language; must be 1. Required in the policy file, optional in included ones.
    pub(super) version: Option<Located<i64>>,
    /// Further files, as paths or globs relative to this file; not nested.
    pub(super) include: Option<Texts>,
    pub(super) tenancy: Option<Located<TenancyTable>>,
    pub(super) validation: Option<Located<ValidationTable>>,
    pub(super) clients: Option<Located<ClientsTable>>,
    pub(super) privileged: Option<Located<PrivilegedTable>>,
    pub(super) keys: Option<Located<KeysTable>>,
    /// Named networks; each counts as one place.
    #[serde(default)]
    pub(super) networks: BTreeMap<String, Located<Vec<Text>>>,
    pub(super) watch: Option<Located<WatchTable>>,
    pub(super) behaviour: Option<Located<BehaviourTable>>,
    #[serde(default)]
    pub(super) gateway: Vec<Located<GatewayTable>>,
    /// Settings that entries inherit through `use`.
    #[serde(default)]
    pub(super) profile: BTreeMap<String, Located<ProfileTable>>,
    #[serde(default)]
    pub(super) api: Vec<Located<ApiTable>>,
    #[serde(default)]
    pub(super) accept: Vec<Located<AcceptTable>>,
    /// What `policy test` tries; an audit passes over it.
    #[serde(default)]
    pub(super) test: Vec<Located<TrialTable>>,
}

/// Which tenants exist and what they may do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TenancyTable {
    /// Tenants whose tokens are expected; absent = any.
    pub(super) allowed: Option<Texts>,
    /// Label, domain or id in requests to tenant id, in any letter case.
    #[serde(default)]
    pub(super) aliases: BTreeMap<String, Text>,
    /// Tenants that may touch data of another tenant.
    #[serde(default)]
    pub(super) delegated: Vec<Located<DelegatedTable>>,
    /// Identity providers whose guests are expected.
    #[serde(default)]
    pub(super) partners: Vec<Text>,
}

/// A tenant that may touch data of another one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DelegatedTable {
    /// Tenant of the token.
    pub(super) from: Text,
    /// Tenant of the data.
    pub(super) to: Text,
}

/// What the deployment itself enforces.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ValidationTable {
    /// The validator in front of the APIs; default `dotnet`.
    pub(super) preset: Option<Located<Preset>>,
    /// Clock skew, for example `5m`; overrides that of every preset.
    pub(super) clock_skew: Option<Text>,
    /// Signature algorithms that are expected; default RS256.
    pub(super) algorithms: Option<Texts>,
    /// Longest lifetime of a token, for example `28h`.
    pub(super) max_lifetime: Option<Text>,
    /// Classes of lifetimes: `2h`, or a range `60m..90m`.
    pub(super) lifetimes: Option<Texts>,
    /// Clouds whose issuers are expected: global, us-government, china, germany; absent = any.
    pub(super) clouds: Option<Texts>,
    /// Further issuers than Entra's own forms.
    pub(super) issuers: Option<Texts>,
}

/// Client applications.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ClientsTable {
    /// Client ids of our own applications: an ID token for one of them is no access token.
    #[serde(default)]
    pub(super) own: Vec<Text>,
}

/// Privileged directory roles.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PrivilegedTable {
    /// Role template ids; absent = the built-in list of the rule.
    pub(super) roles: Option<Texts>,
}

/// Signing keys.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct KeysTable {
    /// Keys that were stolen, judged by the time of the request.
    #[serde(default)]
    pub(super) compromised: Vec<Located<CompromisedTable>>,
    /// Applications with signing keys of their own.
    #[serde(default)]
    pub(super) custom_key_apps: Vec<Text>,
}

/// A stolen key: any of kid, x5t, spki, source; all that are given must match.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CompromisedTable {
    /// Key id.
    pub(super) kid: Option<Text>,
    /// Certificate thumbprint.
    pub(super) x5t: Option<Text>,
    /// SHA-256 of the `SubjectPublicKeyInfo`, 64 hexadecimal digits or base64.
    pub(super) spki: Option<Text>,
    /// Source of the key archive.
    pub(super) source: Option<Text>,
    /// First instant, RFC 3339 or a date.
    pub(super) since: Option<Located<TimeText>>,
    /// First instant after, RFC 3339 or a date.
    pub(super) until: Option<Located<TimeText>>,
}

/// Files of watched tokens, identities and addresses.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct WatchTable {
    /// Watch lists: JSON lines or CSV, as paths or globs relative to the policy file.
    #[serde(default)]
    pub(super) files: Vec<Text>,
    /// Revocations, in the same form; `from` is the time of the revocation.
    #[serde(default)]
    pub(super) revocations: Vec<Text>,
}

/// A gateway that writes records. The first whose sources match an input counts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GatewayTable {
    /// Name, as it is written into findings.
    pub(super) name: Text,
    /// Globs over the sources of inputs.
    #[serde(default)]
    pub(super) sources: Vec<Text>,
    /// What the gateway validates.
    pub(super) validation: Option<Located<Preset>>,
    /// What its records must show; unmet, coverage is incomplete.
    pub(super) expect: Option<Located<ExpectTable>>,
    /// Where TLS ends, if before the logger.
    pub(super) tls: Option<Located<Tls>>,
}

/// Where TLS ends.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Tls {
    /// Before the logger, so that cleartext at the logger is no finding.
    Upstream,
}

/// What a gateway's records must show.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ExpectTable {
    /// Longest time without a record, for example `1h`.
    pub(super) every: Option<Text>,
    /// Fewest records.
    pub(super) min_records: Option<Located<u64>>,
    /// Whether tokens must be there.
    pub(super) tokens: Option<Located<ExpectTokens>>,
}

/// Whether tokens must be there.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ExpectTokens {
    /// At least one.
    Present,
}

/// Something known and accepted: still written, marked, not counted for `--fail-on`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AcceptTable {
    /// Id of the rule.
    pub(super) rule: Text,
    /// SHA-256 of a token, as in `token_sha256`.
    pub(super) token: Option<Text>,
    /// Client id.
    pub(super) client: Option<Text>,
    /// Object id.
    pub(super) oid: Option<Text>,
    /// Tenant id or alias.
    pub(super) tid: Option<Text>,
    /// Name of an API of this policy.
    pub(super) api: Option<Text>,
    /// Name of a gateway.
    pub(super) gateway: Option<Text>,
    /// Key id.
    pub(super) kid: Option<Text>,
    /// The judged value.
    pub(super) actual: Option<Text>,
    /// Why it is accepted.
    pub(super) reason: Text,
    /// Who answers for it.
    pub(super) owner: Option<Text>,
    /// Last day or instant on which it holds.
    pub(super) expires: Option<Located<TimeText>>,
}

/// What a client must prove, at least.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ClientAuthName {
    /// Nothing.
    Public,
    /// A secret.
    Secret,
    /// A certificate.
    Certificate,
}

/// A time as text; TOML's own date-times are taken as they are spelled.
#[derive(Clone, Debug)]
pub(super) struct TimeText(pub(super) String);

impl<'de> Deserialize<'de> for TimeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(text) => Ok(Self(text)),
            toml::Value::Datetime(time) => Ok(Self(time.to_string())),
            other => {
                Err(serde::de::Error::custom(format!("invalid type: {}, expected a time", other.type_str())))
            }
        }
    }
}

impl JsonSchema for TimeText {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Time")
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// Makes a table out of keys of its own and the settings that entries, profiles and operations share. (serde's
/// `flatten` would lose both the places of values and the check for unknown keys.)
macro_rules! table_with_settings {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[$attribute:meta])* $key:ident : $type:ty,)* }) => {
        table_with_settings! { @shared [$(#[doc = $doc])+ $name { $($(#[$attribute])* $key: $type,)* }]
            /// Who answers for it.
            owner: Text,
            /// `observe`: reported, and never counts for `--fail-on`; default `enforce`.
            stage: Located<Stage>,
            /// Whether a token is required; `none` = public.
            auth: Located<Auth>,
            /// Audiences that the API accepts.
            audiences: Texts,
            /// Tenants that may call it, ids or aliases; narrower than `tenancy.allowed`.
            tenants: Texts,
            /// Token kinds that may call it.
            kinds: Located<Vec<Located<TokenKind>>>,
            /// Delegated tokens need any of these.
            scopes: Texts,
            /// App-only tokens need any of these.
            roles: Texts,
            /// Any of these groups is needed.
            groups: Texts,
            /// Every scope that the API defines.
            defined_scopes: Texts,
            /// Every role that the API defines.
            defined_roles: Texts,
            /// Client ids that may call it; absent = any.
            clients: Texts,
            /// What clients must prove, at least; default `public`.
            client_auth: Located<ClientAuthName>,
            /// Multi-factor authentication is required.
            mfa: Located<bool>,
            /// Authentication contexts (acrs), any of these.
            auth_context: Texts,
            /// Longest time since the user signed in, for example `12h`.
            max_auth_age: Text,
            /// Personal Microsoft accounts may call it; default false.
            personal_accounts: Located<bool>,
            /// Guests may call it; default true.
            guests: Located<bool>,
            /// Families of issuers; default workforce.
            issuer_kinds: Located<Vec<Located<IssuerKindName>>>,
            /// The record's field that the application used as its authorization key, for example `principal`.
            authorizes_on: Text,
            /// Where the tenant of the data stands: `path:/v1/{tenant}/**`, `host:{tenant}.api.contoso.example`, or
            /// `field:data_tenant`.
            data_tenant: Text,
            /// The API serves several tenants.
            multi_tenant: Located<bool>,
        }
    };
    (@shared [$(#[doc = $doc:literal])+ $name:ident { $($(#[$attribute:meta])* $key:ident : $type:ty,)* }]
        $($(#[doc = $shared_doc:literal])+ $shared:ident : $shared_type:ty,)*) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub(super) struct $name {
            $($(#[$attribute])* pub(super) $key: $type,)*
            $($(#[doc = $shared_doc])+ pub(super) $shared: Option<$shared_type>,)*
        }

        impl From<&$name> for SettingsTable {
            /// The keys that entries, profiles and operations share.
            fn from(table: &$name) -> Self {
                Self { $($shared: table.$shared.clone(),)* }
            }
        }
    };
}

table_with_settings! {
    /// The keys that entries, profiles and operations share.
    SettingsTable {}
}

table_with_settings! {
    /// Settings that entries inherit through `use`.
    ProfileTable {
        /// Hosts, or `*.` and a domain.
        hosts: Option<Texts>,
        /// Paths; `*` within one segment, `**` for any segments, `{tenant}` for one.
        paths: Option<Texts>,
        /// Names of gateways, with globs.
        gateways: Option<Texts>,
        /// The gateway's own route or API ids.
        routes: Option<Texts>,
        /// Overrides for some methods and paths; the first that matches counts.
        operations: Option<Located<Vec<Located<OperationTable>>>>,
    }
}

table_with_settings! {
    /// An API: which requests belong to it and what it may accept.
    ApiTable {
        /// Name, as it is written into findings.
        name: Text,
        /// Profiles, merged left to right; the api wins, lists replace.
        #[serde(rename = "use", default)]
        profiles: Vec<Text>,
        /// Hosts, or `*.` and a domain.
        hosts: Option<Texts>,
        /// Paths; `*` within one segment, `**` for any segments, `{tenant}` for one.
        paths: Option<Texts>,
        /// Names of gateways, with globs.
        gateways: Option<Texts>,
        /// The gateway's own route or API ids.
        routes: Option<Texts>,
        /// Overrides for some methods and paths; the first that matches counts.
        operations: Option<Located<Vec<Located<OperationTable>>>>,
    }
}

table_with_settings! {
    /// Overrides for some methods and paths of an API.
    OperationTable {
        /// Methods, in upper case.
        methods: Option<Texts>,
        /// Paths, from the root.
        paths: Option<Texts>,
    }
}
