//! Profiles, the api and its operation laid over each other, remembering where each value comes from.

use super::error::Fault;
use super::error::Place;
use super::error::PolicyError;
use super::located::Located;
use super::located::TextFile;
use super::pattern::PathPattern;
use super::pattern::TenantHost;
use super::raw::ClientAuthName;
use super::raw::SettingsTable;
use super::raw::Text;
use super::raw::Texts;
use super::settings::ApiSettings;
use super::settings::DataTenant;
use super::settings::IssuerKindName;
use super::settings::Tenancy;
use super::values;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Which table stated a value.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "table", content = "name")]
pub enum Layer {
    /// The `[[api]]` itself.
    Api,
    /// `[profile.NAME]`
    Profile(String),
    /// An operation of the api, counted from 1.
    Operation(usize),
    /// `[[gateway]]` of this name.
    Gateway(String),
    /// `[validation]`
    Validation,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    /// The table.
    pub layer: Layer,
    /// The place of the value.
    pub place: Place,
}

/// Fields of a record that an application can use as its authorization key.
const FIELDS: [&str; 11] = [
    "principal",
    "data_tenant",
    "method",
    "scheme",
    "host",
    "path",
    "query",
    "route",
    "client_ip",
    "user_agent",
    "request_id",
];

/// Settings on which layers have been laid, later ones over earlier ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Layered {
    pub(super) settings: ApiSettings,
    pub(super) origins: BTreeMap<&'static str, Origin>,
}

impl Layered {
    /// Without any layer: the defaults of contract section 5 and rules.md 2.11.
    pub(super) fn defaults(name: String) -> Self {
        let settings = ApiSettings {
            name,
            guests: true,
            issuer_kinds: vec![IssuerKindName::Workforce],
            ..ApiSettings::default()
        };
        Self { settings, origins: BTreeMap::new() }
    }

    /// Lays a table over what is there; what it does not state stays.
    pub(super) fn lay(
        &mut self,
        table: &SettingsTable,
        file: &TextFile,
        layer: &Layer,
        tenancy: &Tenancy,
    ) -> Result<(), PolicyError> {
        let mut step = Step { layered: self, file, layer };
        step.lay_entry(table)?;
        step.lay_callers(table, tenancy)?;
        step.lay_permissions(table)?;
        step.lay_data(table)
    }
}

/// One layer being laid.
struct Step<'s> {
    layered: &'s mut Layered,
    file: &'s TextFile,
    layer: &'s Layer,
}

impl Step<'_> {
    /// Sets one value, if the table states it.
    fn set<T>(
        &mut self,
        key: &'static str,
        given: Option<&Located<T>>,
        set: impl FnOnce(&mut ApiSettings, &TextFile, &Located<T>) -> Result<(), PolicyError>,
    ) -> Result<(), PolicyError> {
        let Some(given) = given else { return Ok(()) };
        set(&mut self.layered.settings, self.file, given)?;
        let origin = Origin { layer: self.layer.clone(), place: self.file.place(given.start) };
        self.layered.origins.insert(key, origin);
        Ok(())
    }

    /// Sets a plain value.
    fn put<T: Copy>(
        &mut self,
        key: &'static str,
        given: Option<&Located<T>>,
        field: impl FnOnce(&mut ApiSettings) -> &mut T,
    ) -> Result<(), PolicyError> {
        self.set(key, given, |settings, _, given| {
            *field(settings) = given.value;
            Ok(())
        })
    }

    /// Sets a list of which a token needs any: an empty one lifts the requirement.
    fn require(
        &mut self,
        key: &'static str,
        given: Option<&Texts>,
        field: impl FnOnce(&mut ApiSettings) -> &mut Option<Vec<String>>,
    ) -> Result<(), PolicyError> {
        self.set(key, given, |settings, file, given| {
            let ids = values::ids(file, key, &given.value)?;
            *field(settings) = (!ids.is_empty()).then_some(ids);
            Ok(())
        })
    }

    /// Sets a list of what is allowed: an empty one would refuse everything.
    fn allow(
        &mut self,
        key: &'static str,
        given: Option<&Texts>,
        field: impl FnOnce(&mut ApiSettings) -> &mut Option<Vec<String>>,
    ) -> Result<(), PolicyError> {
        self.set(key, given, |settings, file, given| {
            *field(settings) = Some(values::ids(file, key, filled(file, key, given)?)?);
            Ok(())
        })
    }

    fn lay_entry(&mut self, table: &SettingsTable) -> Result<(), PolicyError> {
        self.set("owner", table.owner.as_ref(), |settings, file, text| {
            settings.owner = Some(values::visible(file, "owner", text)?);
            Ok(())
        })?;
        self.put("stage", table.stage.as_ref(), |settings| &mut settings.stage)?;
        self.put("auth", table.auth.as_ref(), |settings| &mut settings.auth)?;
        self.put("multi-tenant", table.multi_tenant.as_ref(), |settings| &mut settings.multi_tenant)
    }

    fn lay_callers(&mut self, table: &SettingsTable, tenancy: &Tenancy) -> Result<(), PolicyError> {
        self.allow("audiences", table.audiences.as_ref(), |settings| &mut settings.audiences)?;
        self.set("tenants", table.tenants.as_ref(), |settings, file, given| {
            settings.tenants = Some(tenants(file, filled(file, "tenants", given)?, tenancy)?);
            Ok(())
        })?;
        self.set("kinds", table.kinds.as_ref(), |settings, file, given| {
            settings.kinds = Some(plain(filled(file, "kinds", given)?));
            Ok(())
        })?;
        self.allow("clients", table.clients.as_ref(), |settings| &mut settings.clients)?;
        self.set("client-auth", table.client_auth.as_ref(), |settings, _, given| {
            settings.client_auth = match given.value {
                ClientAuthName::Public => 0,
                ClientAuthName::Secret => 1,
                ClientAuthName::Certificate => 2,
            };
            Ok(())
        })?;
        self.put("personal-accounts", table.personal_accounts.as_ref(), |settings| {
            &mut settings.personal_accounts
        })?;
        self.put("guests", table.guests.as_ref(), |settings| &mut settings.guests)?;
        self.set("issuer-kinds", table.issuer_kinds.as_ref(), |settings, file, given| {
            settings.issuer_kinds = plain(filled(file, "issuer-kinds", given)?);
            Ok(())
        })
    }

    fn lay_permissions(&mut self, table: &SettingsTable) -> Result<(), PolicyError> {
        self.require("scopes", table.scopes.as_ref(), |settings| &mut settings.scopes)?;
        self.require("roles", table.roles.as_ref(), |settings| &mut settings.roles)?;
        self.require("groups", table.groups.as_ref(), |settings| &mut settings.groups)?;
        self.require("auth-context", table.auth_context.as_ref(), |settings| &mut settings.auth_context)?;
        // An API that defines no scope at all can say so.
        self.set("defined-scopes", table.defined_scopes.as_ref(), |settings, file, given| {
            settings.defined_scopes = Some(values::ids(file, "defined-scopes", &given.value)?);
            Ok(())
        })?;
        self.set("defined-roles", table.defined_roles.as_ref(), |settings, file, given| {
            settings.defined_roles = Some(values::ids(file, "defined-roles", &given.value)?);
            Ok(())
        })?;
        self.put("mfa", table.mfa.as_ref(), |settings| &mut settings.mfa)?;
        self.set("max-auth-age", table.max_auth_age.as_ref(), |settings, file, text| {
            settings.max_auth_age = Some(values::seconds(file, text)?);
            Ok(())
        })
    }

    fn lay_data(&mut self, table: &SettingsTable) -> Result<(), PolicyError> {
        self.set("authorizes-on", table.authorizes_on.as_ref(), |settings, file, text| {
            if !FIELDS.contains(&text.value.as_str()) {
                let known = FIELDS.iter().map(|name| (*name).to_owned()).collect();
                let fault = Fault::Unresolved { what: "field of a record", name: text.value.clone(), known };
                return Err(file.error(text.start, fault));
            }
            settings.authorizes_on = Some(text.value.clone());
            Ok(())
        })?;
        self.set("data-tenant", table.data_tenant.as_ref(), |settings, file, text| {
            settings.data_tenant = data_tenant(file, text)?;
            Ok(())
        })
    }
}

/// The values of a list that must not be empty.
fn filled<'l, T>(
    file: &TextFile,
    key: &'static str,
    list: &'l Located<Vec<T>>,
) -> Result<&'l [T], PolicyError> {
    if list.value.is_empty() {
        return Err(file.error(list.start, Fault::Empty(key)));
    }
    Ok(&list.value)
}

fn plain<T: Copy>(list: &[Located<T>]) -> Vec<T> {
    list.iter().map(|item| item.value).collect()
}

/// Tenant ids or aliases.
pub(super) fn tenants(
    file: &TextFile,
    texts: &[Text],
    tenancy: &Tenancy,
) -> Result<Vec<String>, PolicyError> {
    texts.iter().map(|text| tenant(file, text, tenancy)).collect()
}

/// A tenant id or alias.
pub(super) fn tenant(file: &TextFile, text: &Text, tenancy: &Tenancy) -> Result<String, PolicyError> {
    tenancy.resolve(&text.value).map(Cow::into_owned).ok_or_else(|| {
        let mut known: Vec<String> = tenancy.aliases.keys().cloned().collect();
        known.sort_unstable();
        file.error(
            text.start,
            Fault::Unresolved { what: "tenant (a GUID or an alias)", name: text.value.clone(), known },
        )
    })
}

fn data_tenant(file: &TextFile, text: &Text) -> Result<DataTenant, PolicyError> {
    let fault = |what, why| file.error(text.start, Fault::Pattern { what, pattern: text.value.clone(), why });
    match text.value.split_once(':') {
        Some(("path", path)) => match PathPattern::parse(path) {
            Ok(pattern) if pattern.tenants() == 1 => Ok(DataTenant::Path(path.to_owned())),
            Ok(_) => Err(fault("path", "it needs exactly one `{tenant}`".to_owned())),
            Err(why) => Err(fault("path", why)),
        },
        Some(("host", host)) => match TenantHost::parse(host) {
            Ok(_) => Ok(DataTenant::Host(host.to_owned())),
            Err(why) => Err(fault("host", why)),
        },
        Some(("field", "data_tenant")) => Ok(DataTenant::Field),
        _ => {
            let expected = "a place of the data's tenant; write `path:/v1/{tenant}/**`, \
                            `host:{tenant}.api.contoso.example` or `field:data_tenant`";
            Err(file.error(text.start, Fault::Value { text: text.value.clone(), expected }))
        }
    }
}
