//! Which entry wins a request and why, and where each effective value comes from.

use super::ApiSettings;
use super::DataTenant;
use super::GatewayId;
use super::Policy;
use super::Request;
use super::error::Place;
use super::layers::Layer;
use super::layers::Origin;
use super::matcher::Compared;
use super::matcher::Entry;
use super::matcher::HostRank;
use super::matcher::Miss;
use super::matcher::Rank;
use crate::time::SECOND;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

/// Everything that `policy explain` says about one request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Name of the winning entry; `None` if none matches.
    pub api: Option<String>,
    /// True if only the byte-least name decided.
    pub ambiguous: bool,
    /// One sentence: why the winner won, or why there is none.
    pub why: String,
    /// The operation whose keys override the entry's.
    pub operation: Option<ExplainedOperation>,
    /// Every entry: matching ones first, most specific first, then the others by name.
    pub entries: Vec<ExplainedEntry>,
    /// Effective values of the winner and of the gateway's validation.
    pub values: Vec<ExplainedValue>,
}

/// How one entry fared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedEntry {
    /// Name.
    pub api: String,
    /// Where it stands.
    pub place: Place,
    /// True if the request matches.
    pub matched: bool,
    /// How specific the match is, or what kept it from matching.
    pub why: String,
}

/// The operation that matched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedOperation {
    /// Counted from 1.
    pub number: usize,
    /// Where it stands.
    pub place: Place,
}

/// One effective value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainedValue {
    /// Key as it is written in a policy.
    pub key: String,
    /// The value in force; null where there is none.
    pub value: Value,
    /// Where it comes from; `None` for the default.
    pub origin: Option<Origin>,
}

impl ExplainedValue {
    /// Key, value and origin as the cells of a table.
    pub fn row(&self) -> [String; 3] {
        let origin = self.origin.as_ref().map_or_else(|| "default".to_owned(), Origin::text);
        let value = if self.value.is_null() { "-".to_owned() } else { self.value.to_string() };
        [self.key.clone(), value, origin]
    }
}

impl ExplainedEntry {
    /// Name, place and reason as the cells of a table.
    pub fn row(&self) -> [String; 3] {
        [self.api.clone(), self.place.to_string(), self.why.clone()]
    }
}

impl Origin {
    /// Table and place in words.
    fn text(&self) -> String {
        let table = match &self.layer {
            Layer::Api => "api".to_owned(),
            Layer::Profile(name) => format!("profile {name}"),
            Layer::Operation(number) => format!("operation {number}"),
            Layer::Gateway(name) => format!("gateway {name}"),
            Layer::Validation => "validation".to_owned(),
        };
        format!("{table} ({})", self.place)
    }
}

impl Policy {
    /// Which entry wins a request and why, and where its values come from.
    pub fn explain(&self, request: Request<'_>) -> Explanation {
        let compared = Compared::of(&request);
        let mut ranked: Vec<(&Entry, Result<Rank, Miss>)> =
            self.entries.iter().map(|entry| (entry, entry.scope.rank(&compared))).collect();
        // Stable, so that equals stay in byte order of their names.
        ranked.sort_by(|(_, left), (_, right)| right.as_ref().ok().cmp(&left.as_ref().ok()));
        let matching: Vec<(&Entry, Rank)> =
            ranked.iter().filter_map(|(entry, rank)| Some((*entry, *rank.as_ref().ok()?))).collect();
        let entries = ranked.iter().map(|(entry, rank)| explained_entry(entry, rank)).collect();
        let winner = self.matcher.winner(&self.entries, &compared);
        let entry = winner.and_then(|winner| self.entries.get(winner.entry));
        let operation = entry.and_then(|entry| entry.operation(&compared));
        let mut values = Vec::new();
        if let Some(entry) = entry {
            let stated = operation.and_then(|index| entry.operations.get(index));
            let layered = stated.map_or(&entry.layered, |operation| &operation.layered);
            for (key, value) in scope_values(entry).into_iter().chain(settings_values(&layered.settings)) {
                let origin = layered.origins.get(key).or_else(|| entry.scope.origins.get(key)).cloned();
                values.push(ExplainedValue { key: key.to_owned(), value, origin });
            }
        }
        values.extend(self.validation_values(request.gateway.and_then(|name| self.gateway_named(name))));
        Explanation {
            api: entry.map(|entry| entry.layered.settings.name.clone()),
            ambiguous: winner.is_some_and(|winner| winner.ambiguous),
            why: why(&matching),
            operation: operation.and_then(|index| {
                let place = entry?.operations.get(index)?.place.clone();
                Some(ExplainedOperation { number: index + 1, place })
            }),
            entries,
            values,
        }
    }

    fn validation_values(&self, gateway: Option<GatewayId>) -> Vec<ExplainedValue> {
        let validation = self.validation(gateway);
        let own = gateway.and_then(|id| {
            let place = self.known_gateways.get(id.0)?.preset_place.clone()?;
            Some(Origin { layer: Layer::Gateway(self.gateways.get(id.0)?.name.clone()), place })
        });
        let preset = own.or_else(|| self.validation_origins.get("preset").cloned());
        // Without a skew of its own the preset decides, so its origin is the skew's.
        let skew = self.validation_origins.get("clock-skew").cloned().or_else(|| preset.clone());
        vec![
            ExplainedValue {
                key: "validation.preset".to_owned(),
                value: json!(validation.preset.name()),
                origin: preset,
            },
            ExplainedValue {
                key: "validation.clock-skew".to_owned(),
                value: json!(format!("{}s", validation.skew() / SECOND)),
                origin: skew,
            },
        ]
    }
}

fn explained_entry(entry: &Entry, rank: &Result<Rank, Miss>) -> ExplainedEntry {
    ExplainedEntry {
        api: entry.layered.settings.name.clone(),
        place: entry.place.clone(),
        matched: rank.is_ok(),
        why: match rank {
            Ok(rank) => rank_text(*rank),
            Err(Miss::Host) => "no host of it matches".to_owned(),
            Err(Miss::Path) => "no path of it matches".to_owned(),
            Err(Miss::Gateway) => "no gateway of it matches".to_owned(),
            Err(Miss::Route) => "it does not list the route".to_owned(),
        },
    }
}

fn rank_text(rank: Rank) -> String {
    let host = match rank.host {
        HostRank::Exact => "exact host".to_owned(),
        HostRank::Below(labels) => format!("wildcard host of {labels} labels"),
        HostRank::Any => "any host".to_owned(),
    };
    let path = match rank.literal_bytes {
        0 => "any path".to_owned(),
        usize::MAX => "exact path".to_owned(),
        bytes => format!("path with {bytes} literal bytes"),
    };
    let route = if rank.route { ", listed route" } else { "" };
    let gateway = if rank.gateway { ", listed gateway" } else { "" };
    format!("{host}, {path}{route}{gateway}")
}

/// The first criterion in which the winner is ahead of the next.
fn why(matching: &[(&Entry, Rank)]) -> String {
    let Some((winner, best)) = matching.first() else {
        return "no entry matches: the record is uncovered, and rules that need its API are not evaluable"
            .to_owned();
    };
    let name = &winner.layered.settings.name;
    let Some((second, next)) = matching.get(1) else {
        return format!("`{name}` is the only entry that matches");
    };
    let other = &second.layered.settings.name;
    let ahead = if best.host != next.host {
        "a more specific host"
    } else if best.literal_bytes != next.literal_bytes {
        "a more specific path"
    } else if best.route != next.route {
        "a listed route"
    } else if best.gateway != next.gateway {
        "a listed gateway"
    } else {
        return format!("`{name}` and `{other}` match equally; the byte-least name wins, which is ambiguous");
    };
    format!("`{name}` wins over `{other}` by {ahead}")
}

fn scope_values(entry: &Entry) -> Vec<(&'static str, Value)> {
    let (hosts, paths, routes, gateways) = entry.scope.texts();
    let list = |texts: Vec<String>| if texts.is_empty() { Value::Null } else { json!(texts) };
    vec![
        ("hosts", list(hosts)),
        ("paths", list(paths)),
        ("gateways", list(gateways)),
        ("routes", list(routes)),
    ]
}

fn settings_values(settings: &ApiSettings) -> Vec<(&'static str, Value)> {
    let client_auth = match settings.client_auth {
        0 => "public",
        1 => "secret",
        _ => "certificate",
    };
    let data_tenant = match &settings.data_tenant {
        DataTenant::Field => "field:data_tenant".to_owned(),
        DataTenant::Path(path) => format!("path:{path}"),
        DataTenant::Host(host) => format!("host:{host}"),
    };
    vec![
        ("owner", json!(settings.owner)),
        ("stage", json!(settings.stage)),
        ("auth", json!(settings.auth)),
        ("audiences", json!(settings.audiences)),
        ("tenants", json!(settings.tenants)),
        ("kinds", json!(settings.kinds)),
        ("scopes", json!(settings.scopes)),
        ("roles", json!(settings.roles)),
        ("groups", json!(settings.groups)),
        ("defined-scopes", json!(settings.defined_scopes)),
        ("defined-roles", json!(settings.defined_roles)),
        ("clients", json!(settings.clients)),
        ("client-auth", json!(client_auth)),
        ("mfa", json!(settings.mfa)),
        ("auth-context", json!(settings.auth_context)),
        ("max-auth-age", json!(settings.max_auth_age.map(|seconds| format!("{seconds}s")))),
        ("personal-accounts", json!(settings.personal_accounts)),
        ("guests", json!(settings.guests)),
        ("issuer-kinds", json!(settings.issuer_kinds)),
        ("authorizes-on", json!(settings.authorizes_on)),
        ("data-tenant", json!(data_tenant)),
        ("multi-tenant", json!(settings.multi_tenant)),
    ]
}
