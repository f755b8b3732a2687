//! The invented organisation: its tenants, its APIs, its period.

use super::dice::Dice;
use super::plan::{LogFormat, Plan, Signing};

/// Start of the traffic: 2026-11-02T00:00:00Z, in seconds since the epoch.
pub(super) const TRAFFIC_START: i64 = 1_793_577_600;
/// Seconds after which a user is revoked, and the next one.
pub(super) const STRETCH: i64 = 1800;
/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;
/// Name under which the whole organisation's hosts stand.
const DOMAIN: &str = "contoso.example";
/// Names of the first APIs; further ones are numbered.
const API_NAMES: [&str; 20] = [
    "orders",
    "approvals",
    "records",
    "ledger",
    "catalog",
    "invoices",
    "payroll",
    "archives",
    "billing",
    "search",
    "shipping",
    "contracts",
    "documents",
    "reports",
    "pricing",
    "returns",
    "consents",
    "exports",
    "metering",
    "notices",
];

/// A tenant.
pub(super) struct Tenant {
    /// GUID.
    pub id: String,
    /// Label in host names and domains.
    pub label: String,
}

/// What is special about an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A host of its own, nothing more.
    Plain,
    /// The application logs the key that it authorises on.
    Principal,
    /// The tenant of the data stands in the path.
    TenantPath,
    /// The tenant of the data stands in the host.
    TenantHost,
    /// Shares its host with others, and admits some of the tenants only.
    Narrow,
}

/// An API.
pub(super) struct Api {
    /// Name in the policy.
    pub name: String,
    /// Application id: the audience of v2 tokens.
    pub app_id: String,
    /// Application ID URI: the audience of v1 tokens.
    pub uri: String,
    /// What is special about it.
    pub style: Style,
    /// Whether its tokens are of version 1.
    pub v1: bool,
}

impl Api {
    fn new(seed: u64, index: usize) -> Self {
        let name =
            API_NAMES.get(index).map_or_else(|| format!("service-{index:03}"), |name| (*name).to_owned());
        let style = match index % 5 {
            0 => Style::Plain,
            1 => Style::Principal,
            2 => Style::TenantPath,
            3 => Style::TenantHost,
            _ => Style::Narrow,
        };
        Self {
            app_id: Dice::new(seed, "api", u64::try_from(index).unwrap_or(0)).guid(),
            uri: format!("api://{name}.{DOMAIN}"),
            name,
            style,
            v1: index % 4 == 3,
        }
    }

    /// Pattern of the hosts, as the policy states it.
    pub(super) fn host_pattern(&self) -> String {
        match self.style {
            Style::TenantHost => format!("*.{}.{DOMAIN}", self.name),
            Style::Narrow => format!("api.{DOMAIN}"),
            _ => format!("{}.{DOMAIN}", self.name),
        }
    }

    /// Pattern of the paths, as the policy states it.
    pub(super) fn path_pattern(&self) -> String {
        match self.style {
            Style::Narrow => format!("/{}/v1/**", self.name),
            _ => "/v1/**".to_owned(),
        }
    }

    /// Where the tenant of the data stands, as the policy states it.
    pub(super) fn data_tenant(&self) -> Option<String> {
        match self.style {
            Style::TenantPath => Some("path:/v1/tenants/{tenant}/**".to_owned()),
            Style::TenantHost => Some(format!("host:{{tenant}}.{}.{DOMAIN}", self.name)),
            _ => None,
        }
    }

    /// Host of a request for a tenant's data.
    pub(super) fn host(&self, tenant: &Tenant) -> String {
        match self.style {
            Style::TenantHost => format!("{}.{}.{DOMAIN}", tenant.label, self.name),
            _ => self.host_pattern(),
        }
    }

    /// Start of the path of a request for a tenant's data.
    pub(super) fn path(&self, tenant: &Tenant) -> String {
        match self.style {
            Style::TenantPath => format!("/v1/tenants/{}/records", tenant.id),
            Style::Narrow => format!("/{}/v1/items", self.name),
            _ => "/v1/items".to_owned(),
        }
    }
}

/// Everything that does not change from token to token.
pub(super) struct World {
    /// Seed of the plan.
    pub seed: u64,
    /// Format of the logs.
    pub format: LogFormat,
    /// Algorithm of the issuer.
    pub alg: Signing,
    /// Length of the traffic in seconds.
    pub seconds: i64,
    /// Networks that the tokens come from, if they are many.
    pub addresses: Option<u32>,
    /// Tenants that the policy allows.
    pub tenants: Vec<Tenant>,
    /// A tenant that it does not.
    pub stranger: Tenant,
    /// A tenant of the cloud of the US government; the policy allows it.
    pub government: Tenant,
    /// A tenant that the policy allows already, and that comes in a night that follows.
    pub newcomer: Tenant,
    /// Id of a tenant that no token is of.
    pub bystander: String,
    /// Group of those who may work in [`super::corner::Corner::Clerks`].
    pub clerks: String,
    /// Object id that stands on the watch list.
    pub watched: String,
    /// Application that has a signing key of its own, as the policy says: the first API.
    pub custom_app: String,
    /// Application that has one though the policy does not say so.
    pub unexpected_app: String,
    /// APIs, at least one.
    pub apis: Vec<Api>,
    /// Client applications.
    pub clients: Vec<String>,
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        let tenant = |index: u32, label: String| Tenant {
            id: Dice::new(plan.seed, "tenant", u64::from(index)).guid(),
            label,
        };
        let mut clients = Dice::new(plan.seed, "clients", 0);
        let mut others = Dice::new(plan.seed, "others", 0);
        let apis: Vec<Api> =
            (0..usize::try_from(plan.apis).unwrap_or(1)).map(|index| Api::new(plan.seed, index)).collect();
        Self {
            seed: plan.seed,
            format: plan.format,
            alg: plan.alg,
            seconds: plan.seconds(),
            addresses: plan.addresses,
            tenants: (0..plan.tenants).map(|index| tenant(index, format!("tenant-{index:03}"))).collect(),
            stranger: tenant(u32::MAX, "stranger".to_owned()),
            government: tenant(u32::MAX - 1, "government".to_owned()),
            newcomer: tenant(u32::MAX - 2, "newcomer".to_owned()),
            bystander: others.guid(),
            custom_app: apis.first().map(|api| api.app_id.clone()).unwrap_or_default(),
            unexpected_app: others.guid(),
            clerks: others.guid(),
            watched: others.guid(),
            apis,
            clients: (0..12).map(|_| clients.guid()).collect(),
        }
    }

    /// Number of the tenants that a [`Style::Narrow`] API admits: the first half, at least one.
    pub(super) fn narrow_tenants(&self) -> usize {
        self.tenants.len().div_ceil(2)
    }

    /// Number of the tenants that an API admits.
    pub(super) fn tenants_of(&self, api: &Api) -> usize {
        if api.style == Style::Narrow { self.narrow_tenants() } else { self.tenants.len() }
    }

    /// A tenant by number, or one of those that have a name instead.
    pub(super) fn tenant(&self, index: usize) -> &Tenant {
        match index {
            Self::GOVERNMENT => &self.government,
            Self::NEWCOMER => &self.newcomer,
            _ => self.tenants.get(index).unwrap_or(&self.stranger),
        }
    }

    /// Object id of the user who is revoked at the end of a stretch of the traffic.
    pub(super) fn leaver(&self, stretch: i64) -> String {
        Dice::new(self.seed, "leaver", stretch.unsigned_abs()).guid()
    }

    /// Number of the tenant that is not allowed.
    pub(super) const STRANGER: usize = usize::MAX;

    /// Number of the tenant in the cloud of the US government.
    pub(super) const GOVERNMENT: usize = usize::MAX - 1;

    /// Number of the tenant that comes later.
    pub(super) const NEWCOMER: usize = usize::MAX - 2;
}
