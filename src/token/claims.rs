//! The claims of a token, typed once (RFC 7519 section 4, Entra's access token claims).

use crate::codec::json::{Object, Value};
use crate::entra;
use std::borrow::Cow;

/// `aud` as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience<'t> {
    /// No `aud`, or one that is neither a string nor an array of strings.
    Absent,
    /// One string.
    One(Cow<'t, str>),
    /// An array of strings, possibly empty; values of other types are left out.
    Many(Vec<Cow<'t, str>>),
}

impl<'t> Audience<'t> {
    /// The values, GUIDs in lower case.
    pub fn values(&self) -> &[Cow<'t, str>] {
        match self {
            Self::Absent => &[],
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    /// The text of the `aud` column: the value, or an array as JSON text.
    pub fn column(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Absent => None,
            Self::One(value) => Some(Cow::Borrowed(value)),
            Self::Many(values) => {
                let values: Vec<&str> = values.iter().map(|value| &**value).collect();
                Some(Cow::Owned(serde_json::Value::from(values).to_string()))
            }
        }
    }
}

/// Version of the token format (rules.md 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `1.0`
    V1,
    /// `2.0`
    V2,
}

impl Version {
    /// The text of the `token_version` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }
}

/// Whom the token stands for (rules.md 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An application of its own; `certain` if `idtyp` says so.
    App {
        /// False where the kind was derived from other claims.
        certain: bool,
    },
    /// An application on behalf of a user.
    Delegated,
    /// The claims do not tell.
    Unknown,
}

impl Kind {
    /// The text of the `token_kind` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::App { .. } => "app",
            Self::Delegated => "delegated",
            Self::Unknown => "unknown",
        }
    }
}

/// How the client proved who it is: `azpacr` or `appidacr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientAuth {
    /// `0`
    Public,
    /// `1`
    Secret,
    /// `2`
    Certificate,
}

/// The claims that rules and tables use, and all members beside them. Claims of the wrong type are `None`.
#[derive(Debug)]
pub struct Claims<'t> {
    /// `iss`
    pub iss: Option<&'t str>,
    /// `aud`
    pub audience: Audience<'t>,
    /// `tid`, lower-cased if it is a GUID.
    pub tid: Option<Cow<'t, str>>,
    /// `oid`, lower-cased if it is a GUID.
    pub oid: Option<Cow<'t, str>>,
    /// `sub`, as written.
    pub sub: Option<&'t str>,
    /// `azp`, else `appid`; lower-cased if it is a GUID.
    pub client_id: Option<Cow<'t, str>>,
    /// `azpacr`, else `appidacr`.
    pub client_auth: Option<ClientAuth>,
    /// `uti`, as written.
    pub uti: Option<&'t str>,
    /// `sid`, as written.
    pub sid: Option<&'t str>,
    /// `scp`, split at spaces.
    pub scp: Option<Vec<&'t str>>,
    /// `roles`
    pub roles: Option<Vec<&'t str>>,
    /// `iat`, whole seconds rounded down.
    pub iat: Option<i64>,
    /// `nbf`, whole seconds rounded down.
    pub nbf: Option<i64>,
    /// `exp`, whole seconds rounded down.
    pub exp: Option<i64>,
    /// Derived version.
    pub version: Version,
    /// Derived kind.
    pub kind: Kind,
    /// Tenant by `tid`, else by the GUID in `iss`.
    tenant: Option<Cow<'t, str>>,
    /// Every member in order.
    pub object: Object<'t>,
}

impl<'t> Claims<'t> {
    pub(super) fn new(object: Object<'t>) -> Self {
        let text = |name: &str| object.text(name);
        let id = |name: &str| object.text(name).map(entra::normal_guid);
        let date = |name: &str| match object.last(name) {
            Some(Value::Number(number)) => number.seconds(),
            _ => None,
        };
        let iss = text("iss");
        let tid = id("tid");
        Self {
            audience: audience(object.last("aud")),
            tenant: tid.clone().or_else(|| tenant_of(iss?)),
            tid,
            oid: id("oid"),
            sub: text("sub"),
            client_id: id("azp").or_else(|| id("appid")),
            client_auth: client_auth(&object, "azpacr").or_else(|| client_auth(&object, "appidacr")),
            uti: text("uti"),
            sid: text("sid"),
            scp: object.text("scp").map(|scp| scp.split(' ').filter(|scope| !scope.is_empty()).collect()),
            roles: object.last("roles").and_then(texts),
            iat: date("iat"),
            nbf: date("nbf"),
            exp: date("exp"),
            version: version(&object, iss),
            kind: kind(&object),
            iss,
            object,
        }
    }

    /// `tid`, else the GUID in `iss` (tokens of B2C may lack `tid`), in lower case.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The last value of any claim.
    pub fn member(&self, name: &str) -> Option<&Value<'t>> {
        self.object.last(name)
    }

    /// The last value of any claim if it is a string.
    pub fn text(&self, name: &str) -> Option<&'t str> {
        self.object.text(name)
    }
}

fn tenant_of(iss: &str) -> Option<Cow<'_, str>> {
    let issuer = entra::parse_issuer(iss)?;
    entra::is_guid(issuer.tenant).then(|| entra::normal_guid(issuer.tenant))
}

fn audience<'t>(value: Option<&Value<'t>>) -> Audience<'t> {
    match value {
        Some(Value::String(text)) => Audience::One(entra::normal_guid(text)),
        Some(Value::Array(items)) => {
            Audience::Many(items.iter().filter_map(Value::as_text).map(entra::normal_guid).collect())
        }
        _ => Audience::Absent,
    }
}

/// The strings of an array; `None` if it is no array.
fn texts<'t>(value: &Value<'t>) -> Option<Vec<&'t str>> {
    match value {
        Value::Array(items) => Some(items.iter().filter_map(Value::as_text).collect()),
        _ => None,
    }
}

fn client_auth(object: &Object<'_>, name: &str) -> Option<ClientAuth> {
    let of = |text: &str| match text {
        "0" => Some(ClientAuth::Public),
        "1" => Some(ClientAuth::Secret),
        "2" => Some(ClientAuth::Certificate),
        _ => None,
    };
    match object.last(name)? {
        Value::String(text) => of(text),
        other => of(&other.to_json()),
    }
}

fn version(object: &Object<'_>, iss: Option<&str>) -> Version {
    match object.text("ver") {
        Some("2.0") => Version::V2,
        None if iss.is_some_and(|iss| iss.trim_end_matches('/').ends_with("/v2.0")) => Version::V2,
        Some(_) | None => Version::V1,
    }
}

fn kind(object: &Object<'_>) -> Kind {
    let has = |name: &str| object.last(name).is_some();
    if object.text("idtyp") == Some("app") {
        return Kind::App { certain: true };
    }
    if has("scp") {
        return Kind::Delegated;
    }
    if let (Some(oid), Some(sub)) = (object.text("oid"), object.text("sub"))
        && oid == sub
    {
        return Kind::App { certain: false };
    }
    if has("roles") && !["name", "upn", "preferred_username"].into_iter().any(has) {
        return Kind::App { certain: false };
    }
    Kind::Unknown
}
