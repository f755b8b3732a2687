//! The claims of a token, typed once (RFC 7519 section 4, Entra's access token claims).

use crate::codec;
use crate::codec::json::{Object, Value};
use crate::entra::{self, EntraIssuer};
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

    /// The values that say something: those that are not blank.
    pub fn stated(&self) -> impl Iterator<Item = &str> {
        self.values().iter().map(|aud| &**aud).filter(|aud| !codec::is_blank(aud))
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
    /// `ipaddr`
    pub ipaddr: Option<&'t str>,
    /// True if `cnf` is there: the token is bound to a key of its holder.
    pub is_bound: bool,
    /// Derived version.
    pub version: Version,
    /// Derived kind.
    pub kind: Kind,
    /// `iss` taken apart, if it is one of Entra's.
    pub issuer: Option<EntraIssuer<'t>>,
    /// Tenant by `tid`, else by the GUID in `iss`.
    tenant: Option<Cow<'t, str>>,
    /// Every member in order.
    pub object: Object<'t>,
}

/// The last value of each claim that is typed, found in one pass over the members.
#[derive(Default)]
struct Members<'o, 't> {
    iss: Option<&'o Value<'t>>,
    aud: Option<&'o Value<'t>>,
    tid: Option<&'o Value<'t>>,
    oid: Option<&'o Value<'t>>,
    sub: Option<&'o Value<'t>>,
    azp: Option<&'o Value<'t>>,
    appid: Option<&'o Value<'t>>,
    azpacr: Option<&'o Value<'t>>,
    appidacr: Option<&'o Value<'t>>,
    uti: Option<&'o Value<'t>>,
    sid: Option<&'o Value<'t>>,
    scp: Option<&'o Value<'t>>,
    roles: Option<&'o Value<'t>>,
    iat: Option<&'o Value<'t>>,
    nbf: Option<&'o Value<'t>>,
    exp: Option<&'o Value<'t>>,
    ver: Option<&'o Value<'t>>,
    idtyp: Option<&'o Value<'t>>,
    ipaddr: Option<&'o Value<'t>>,
    cnf: Option<&'o Value<'t>>,
    /// True if a claim names a person.
    named: bool,
}

impl<'o, 't> Members<'o, 't> {
    fn of(object: &'o Object<'t>) -> Self {
        let mut found = Self::default();
        for (name, value) in object.members() {
            // As bytes, so that the length is looked at first.
            let place = match name.as_bytes() {
                b"iss" => &mut found.iss,
                b"aud" => &mut found.aud,
                b"tid" => &mut found.tid,
                b"oid" => &mut found.oid,
                b"sub" => &mut found.sub,
                b"azp" => &mut found.azp,
                b"appid" => &mut found.appid,
                b"azpacr" => &mut found.azpacr,
                b"appidacr" => &mut found.appidacr,
                b"uti" => &mut found.uti,
                b"sid" => &mut found.sid,
                b"scp" => &mut found.scp,
                b"roles" => &mut found.roles,
                b"iat" => &mut found.iat,
                b"nbf" => &mut found.nbf,
                b"exp" => &mut found.exp,
                b"ver" => &mut found.ver,
                b"idtyp" => &mut found.idtyp,
                b"ipaddr" => &mut found.ipaddr,
                b"cnf" => &mut found.cnf,
                b"name" | b"upn" | b"preferred_username" => {
                    found.named = true;
                    continue;
                }
                _ => continue,
            };
            *place = Some(value);
        }
        found
    }

    fn version(&self) -> Version {
        match text(self.ver) {
            Some("2.0") => Version::V2,
            None if text(self.iss).is_some_and(|iss| iss.trim_end_matches('/').ends_with("/v2.0")) => {
                Version::V2
            }
            Some(_) | None => Version::V1,
        }
    }

    fn kind(&self) -> Kind {
        if text(self.idtyp) == Some("app") {
            return Kind::App { certain: true };
        }
        if self.scp.is_some() {
            return Kind::Delegated;
        }
        if let (Some(oid), Some(sub)) = (text(self.oid), text(self.sub))
            && oid == sub
        {
            return Kind::App { certain: false };
        }
        if self.roles.is_some() && !self.named {
            return Kind::App { certain: false };
        }
        Kind::Unknown
    }
}

impl<'t> Claims<'t> {
    pub(super) fn new(object: Object<'t>) -> Self {
        let found = Members::of(&object);
        let id = |value| text(value).map(entra::normal_guid);
        let (iss, tid) = (text(found.iss), id(found.tid));
        let issuer = iss.and_then(entra::parse_issuer);
        Self {
            audience: audience(found.aud),
            tenant: tid.clone().or_else(|| tenant_of(issuer?)),
            issuer,
            oid: id(found.oid),
            sub: text(found.sub),
            client_id: id(found.azp).or_else(|| id(found.appid)),
            client_auth: client_auth(found.azpacr).or_else(|| client_auth(found.appidacr)),
            uti: text(found.uti),
            sid: text(found.sid),
            scp: text(found.scp).map(|scp| scp.split(' ').filter(|scope| !scope.is_empty()).collect()),
            roles: found.roles.and_then(texts),
            iat: date(found.iat),
            nbf: date(found.nbf),
            exp: date(found.exp),
            ipaddr: text(found.ipaddr),
            is_bound: !matches!(found.cnf, None | Some(Value::Null)),
            version: found.version(),
            kind: found.kind(),
            iss,
            tid,
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

fn tenant_of(issuer: EntraIssuer<'_>) -> Option<Cow<'_, str>> {
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

fn text<'t>(value: Option<&Value<'t>>) -> Option<&'t str> {
    value.and_then(Value::as_text)
}

fn date(value: Option<&Value<'_>>) -> Option<i64> {
    match value {
        Some(Value::Number(number)) => number.seconds(),
        _ => None,
    }
}

fn client_auth(value: Option<&Value<'_>>) -> Option<ClientAuth> {
    let of = |text: &str| match text {
        "0" => Some(ClientAuth::Public),
        "1" => Some(ClientAuth::Secret),
        "2" => Some(ClientAuth::Certificate),
        _ => None,
    };
    match value? {
        Value::String(text) => of(text),
        other => of(&other.to_json()),
    }
}
