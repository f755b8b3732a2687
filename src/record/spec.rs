//! The formats file as it is written (formats.md 3.4).

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use toml::Spanned;

/// A formats file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) format: BTreeMap<Spanned<String>, Spanned<Spec>>,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Json,
    Nginx,
    Apache,
    Scan,
}

/// One format. Every role takes a path or a list of paths; ECS and OpenTelemetry names are accepted for roles.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) kind: Option<Kind>,
    pub(super) extends: Option<Spanned<String>>,
    pub(super) description: Option<String>,
    pub(super) template: Option<Spanned<String>>,
    pub(super) from: Option<From>,
    pub(super) token: Option<Paths>,
    #[serde(alias = "@timestamp")]
    pub(super) time: Option<TimeSpec>,
    #[serde(alias = "event.duration")]
    pub(super) duration: Option<DurationSpec>,
    #[serde(alias = "http.response.status_code")]
    pub(super) status: Option<Paths>,
    #[serde(alias = "http.request.method")]
    pub(super) method: Option<Paths>,
    #[serde(alias = "url.scheme")]
    pub(super) scheme: Option<Paths>,
    #[serde(alias = "url.domain", alias = "server.address")]
    pub(super) host: Option<Paths>,
    #[serde(alias = "url.path")]
    pub(super) path: Option<Paths>,
    #[serde(alias = "url.query")]
    pub(super) query: Option<Paths>,
    #[serde(alias = "url.full", alias = "url.original")]
    pub(super) url: Option<Paths>,
    pub(super) request: Option<Paths>,
    #[serde(alias = "http.route")]
    pub(super) route: Option<Paths>,
    #[serde(alias = "client.ip", alias = "client.address", alias = "source.ip")]
    pub(super) client_ip: Option<Paths>,
    #[serde(alias = "user_agent.original")]
    pub(super) user_agent: Option<Paths>,
    #[serde(alias = "http.request.id")]
    pub(super) request_id: Option<Paths>,
    pub(super) principal: Option<Paths>,
    pub(super) data_tenant: Option<Paths>,
    pub(super) location: Option<Paths>,
    pub(super) grpc_status: Option<Paths>,
    /// Accepted because the notation has it; nothing reads it yet.
    pub(super) forwarded_for: Option<Paths>,
    /// Where the gateway sent the request on to.
    pub(super) upstream: Option<Paths>,
    pub(super) skip_if: Option<OneOrMany<SkipSpec>>,
    pub(super) files: Option<OneOrMany<Spanned<String>>>,
    /// Length at which the logger cuts a line, in bytes.
    pub(super) line_limit: Option<usize>,
    /// Length at which the logger cuts a field, in bytes.
    pub(super) field_limit: Option<usize>,
    /// True if eight hexadecimal digits or an empty array in a token's place are a mask.
    pub(super) caddy_masks: Option<bool>,
    /// The one line of gateway configuration that makes it log tokens.
    pub(super) hint: Option<String>,
    /// Any of these lists of paths, `path=value` or `path$=suffix`, all of whose items a record must have.
    pub(super) signature: Option<Vec<Vec<String>>>,
}

/// A log format in a gateway's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    pub(super) file: Spanned<String>,
    pub(super) log_format: Spanned<String>,
}

/// A path or a list of paths, each with its place in the file.
pub(super) type Paths = Spanned<OneOrMany<Spanned<String>>>;

/// `time = "path"` or a table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeTable {
    pub(super) path: Option<Paths>,
    #[serde(rename = "as")]
    pub(super) form: Option<Spanned<String>>,
    pub(super) is: Option<Is>,
    pub(super) zone: Option<Spanned<String>>,
    pub(super) assume_utc: Option<bool>,
}

/// What a time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Is {
    Start,
    End,
}

/// `duration = { path = "…", unit = "ms" }`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DurationTable {
    pub(super) path: Option<Paths>,
    pub(super) unit: Option<Spanned<String>>,
}

/// `skip_if = { path = "…", prefix = "…" }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SkipSpec {
    pub(super) path: Spanned<String>,
    pub(super) equals: Option<String>,
    pub(super) not_equals: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) suffix: Option<String>,
    pub(super) contains: Option<String>,
    #[serde(default)]
    pub(super) absent: bool,
}

/// One value or a list.
#[derive(Clone, Debug)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
    }
}

/// A path alone or a table.
#[derive(Clone, Debug)]
pub(super) enum PathsOr<T> {
    Paths(Paths),
    Table(T),
}

pub(super) type TimeSpec = PathsOr<TimeTable>;
pub(super) type DurationSpec = PathsOr<DurationTable>;

// Written by hand rather than as untagged enums, because those lose the place and the text of an error.

impl<'de> Deserialize<'de> for OneOrMany<Spanned<String>> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMany<Spanned<String>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany::One(Spanned::new(0..0, text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany::Many)
            }
        }
        from.deserialize_any(Texts)
    }
}

impl<'de> Deserialize<'de> for OneOrMany<SkipSpec> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Tables;
        impl<'de> Visitor<'de> for Tables {
            type Value = OneOrMany<SkipSpec>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table or a list of tables")
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
                SkipSpec::deserialize(MapAccessDeserializer::new(table)).map(OneOrMany::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany::Many)
            }
        }
        from.deserialize_any(Tables)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PathsOr<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = PathsOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, a list of paths or a table")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                let one = OneOrMany::One(Spanned::new(0..0, text.to_owned()));
                Ok(PathsOr::Paths(Spanned::new(0..0, one)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                let many = Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany::Many)?;
                Ok(PathsOr::Paths(Spanned::new(0..0, many)))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(table)).map(PathsOr::Table)
            }
        }
        from.deserialize_any(Either(PhantomData))
    }
}

impl TimeSpec {
    /// The table, whichever way it was written.
    pub(super) fn table(&self) -> TimeTable {
        match self {
            Self::Paths(paths) => TimeTable { path: Some(paths.clone()), ..TimeTable::default() },
            Self::Table(table) => table.clone(),
        }
    }
}

impl DurationSpec {
    /// The table, whichever way it was written.
    pub(super) fn table(&self) -> DurationTable {
        match self {
            Self::Paths(paths) => DurationTable { path: Some(paths.clone()), ..DurationTable::default() },
            Self::Table(table) => table.clone(),
        }
    }
}

impl Spec {
    /// This format on top of another: what it has replaces what the base has, lists as a whole.
    pub(super) fn over(self, base: Self) -> Self {
        let time = match (&self.time, &base.time) {
            (Some(own), Some(inherited)) => Some(TimeSpec::Table(own.table().over(inherited.table()))),
            (own, inherited) => own.clone().or_else(|| inherited.clone()),
        };
        let duration = match (&self.duration, &base.duration) {
            (Some(own), Some(inherited)) => {
                let (own, inherited) = (own.table(), inherited.table());
                let (path, unit) = (own.path.or(inherited.path), own.unit.or(inherited.unit));
                Some(DurationSpec::Table(DurationTable { path, unit }))
            }
            (own, inherited) => own.clone().or_else(|| inherited.clone()),
        };
        Self {
            kind: self.kind.or(base.kind),
            extends: self.extends,
            description: self.description.or(base.description),
            template: self.template.or(base.template),
            from: self.from.or(base.from),
            token: self.token.or(base.token),
            time,
            duration,
            status: self.status.or(base.status),
            method: self.method.or(base.method),
            scheme: self.scheme.or(base.scheme),
            host: self.host.or(base.host),
            path: self.path.or(base.path),
            query: self.query.or(base.query),
            url: self.url.or(base.url),
            request: self.request.or(base.request),
            route: self.route.or(base.route),
            client_ip: self.client_ip.or(base.client_ip),
            user_agent: self.user_agent.or(base.user_agent),
            request_id: self.request_id.or(base.request_id),
            principal: self.principal.or(base.principal),
            data_tenant: self.data_tenant.or(base.data_tenant),
            location: self.location.or(base.location),
            grpc_status: self.grpc_status.or(base.grpc_status),
            forwarded_for: self.forwarded_for.or(base.forwarded_for),
            upstream: self.upstream.or(base.upstream),
            skip_if: self.skip_if.or(base.skip_if),
            files: self.files,
            line_limit: self.line_limit.or(base.line_limit),
            field_limit: self.field_limit.or(base.field_limit),
            caddy_masks: self.caddy_masks.or(base.caddy_masks),
            hint: self.hint.or(base.hint),
            signature: self.signature,
        }
    }
}

impl TimeTable {
    fn over(self, base: Self) -> Self {
        let other_path = self.path.is_some() && self.form.is_none();
        Self {
            path: self.path.or(base.path),
            // Another field is not written as the preset's is.
            form: if other_path { None } else { self.form.or(base.form) },
            is: self.is.or(base.is),
            zone: self.zone.or(base.zone),
            assume_utc: self.assume_utc.or(base.assume_utc),
        }
    }
}
