//! Everything of the policy beside its APIs: tables and lists of all files, validated.

use super::documents::Documents;
use super::documents::Notice;
use super::documents::bad_glob;
use super::documents::found;
use super::error::Fault;
use super::error::Place;
use super::error::PolicyError;
use super::folder;
use super::folder::Folder;
use super::folder::PolicyFile;
use super::layers;
use super::layers::Layer;
use super::layers::Origin;
use super::located::Located;
use super::located::TextFile;
use super::network::Network;
use super::raw::AcceptTable;
use super::raw::CompromisedTable;
use super::raw::GatewayTable;
use super::raw::Text;
use super::raw::ValidationTable;
use super::settings::Accept;
use super::settings::ClientPolicy;
use super::settings::CompromisedKey;
use super::settings::Gateway;
use super::settings::KeyPolicy;
use super::settings::Tenancy;
use super::settings::Validation;
use super::values;
use super::watch;
use super::watch::Role;
use super::watch_list::WatchList;
use crate::entra::Cloud;
use globset::GlobMatcher;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Signature algorithms that a policy may name (RFC 7518 section 3.1, RFC 8037).
const ALGORITHMS: [&str; 13] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256",
    "HS384", "HS512",
];
pub(super) const CLOUDS: [Cloud; 4] = [Cloud::Global, Cloud::UsGovernment, Cloud::China, Cloud::Germany];

/// `[tenancy]`
pub(super) fn tenancy(documents: &Documents) -> Result<Tenancy, PolicyError> {
    let Some((file, table)) = documents.table("[tenancy]", |document| document.tenancy.as_ref())? else {
        return Ok(Tenancy::default());
    };
    let table = &table.value;
    let mut tenancy = Tenancy::default();
    let mut first: BTreeMap<String, &Text> = BTreeMap::new();
    for (alias, tenant) in &table.aliases {
        let alias = alias.to_lowercase();
        if let Some(first) = first.insert(alias.clone(), tenant) {
            let fault = Fault::Twice { what: "alias", name: alias, first: file.place(first.start) };
            return Err(file.error(tenant.start, fault));
        }
        tenancy.aliases.insert(alias, values::guid(file, tenant)?);
    }
    if let Some(allowed) = &table.allowed {
        if allowed.value.is_empty() {
            return Err(file.error(allowed.start, Fault::Empty("allowed")));
        }
        tenancy.allowed = Some(layers::tenants(file, &allowed.value, &tenancy)?);
    }
    for pair in &table.delegated {
        let from = layers::tenant(file, &pair.value.from, &tenancy)?;
        let to = layers::tenant(file, &pair.value.to, &tenancy)?;
        tenancy.delegated.push((from, to));
    }
    for partner in &table.partners {
        let partner = values::visible(file, "partners", partner)?;
        tenancy.partners.push(tenancy.resolve(&partner).map(Cow::into_owned).unwrap_or(partner));
    }
    Ok(tenancy)
}

/// `[validation]`, with the origins of the values that gateways may change.
pub(super) fn validation(
    documents: &Documents,
) -> Result<(Validation, BTreeMap<&'static str, Origin>), PolicyError> {
    let Some((file, table)) = documents.table("[validation]", |document| document.validation.as_ref())?
    else {
        return Ok((Validation::default(), BTreeMap::new()));
    };
    let table = &table.value;
    let list = |key, texts: &Located<Vec<Text>>, known: &[&str]| {
        if texts.value.is_empty() {
            return Err(file.error(texts.start, Fault::Empty(key)));
        }
        texts.value.iter().map(|text| one_of(file, text, known)).collect::<Result<Vec<_>, _>>()
    };
    let validation = Validation {
        preset: table.preset.as_ref().map(|preset| preset.value).unwrap_or_default(),
        clock_skew: table.clock_skew.as_ref().map(|text| values::duration(file, text)).transpose()?,
        algorithms: table
            .algorithms
            .as_ref()
            .map(|texts| list("algorithms", texts, &ALGORITHMS))
            .transpose()?,
        max_lifetime: table.max_lifetime.as_ref().map(|text| values::seconds(file, text)).transpose()?,
        lifetimes: match &table.lifetimes {
            Some(texts) if texts.value.is_empty() => {
                return Err(file.error(texts.start, Fault::Empty("lifetimes")));
            }
            Some(texts) => Some(
                texts.value.iter().map(|text| values::lifetime(file, text)).collect::<Result<Vec<_>, _>>()?,
            ),
            None => None,
        },
        clouds: table
            .clouds
            .as_ref()
            .map(|texts| list("clouds", texts, &CLOUDS.map(Cloud::name)))
            .transpose()?,
        issuers: match &table.issuers {
            Some(texts) => texts
                .value
                .iter()
                .map(|text| values::visible(file, "issuers", text))
                .collect::<Result<Vec<_>, _>>()?,
            None => Vec::new(),
        },
    };
    Ok((validation, validation_origins(file, table)))
}

fn validation_origins(file: &TextFile, table: &ValidationTable) -> BTreeMap<&'static str, Origin> {
    let starts = [
        ("preset", table.preset.as_ref().map(|preset| preset.start)),
        ("clock-skew", table.clock_skew.as_ref().map(|text| text.start)),
    ];
    let stated = starts.into_iter().filter_map(|(key, start)| Some((key, start?)));
    stated.map(|(key, start)| (key, Origin { layer: Layer::Validation, place: file.place(start) })).collect()
}

fn one_of(file: &TextFile, text: &Text, known: &[&str]) -> Result<String, PolicyError> {
    if known.contains(&text.value.as_str()) {
        return Ok(text.value.clone());
    }
    let known = known.iter().map(|name| (*name).to_owned()).collect();
    Err(file.error(text.start, Fault::UnknownValue { value: text.value.clone(), known }))
}

/// `[clients]` and `[privileged]`
pub(super) fn clients(documents: &Documents) -> Result<ClientPolicy, PolicyError> {
    let mut clients = ClientPolicy::default();
    if let Some((file, table)) = documents.table("[clients]", |document| document.clients.as_ref())? {
        clients.own = values::ids(file, "own", &table.value.own)?;
    }
    if let Some((file, table)) = documents.table("[privileged]", |document| document.privileged.as_ref())? {
        let roles = table.value.roles.as_ref();
        clients.privileged_roles = roles.map(|roles| values::ids(file, "roles", &roles.value)).transpose()?;
    }
    Ok(clients)
}

/// `[keys]`
pub(super) fn keys(documents: &Documents) -> Result<KeyPolicy, PolicyError> {
    let Some((file, table)) = documents.table("[keys]", |document| document.keys.as_ref())? else {
        return Ok(KeyPolicy::default());
    };
    let compromised =
        table.value.compromised.iter().map(|key| compromised(file, key)).collect::<Result<_, _>>()?;
    Ok(KeyPolicy {
        compromised,
        custom_key_apps: values::ids(file, "custom-key-apps", &table.value.custom_key_apps)?,
    })
}

fn compromised(file: &TextFile, table: &Located<CompromisedTable>) -> Result<CompromisedKey, PolicyError> {
    let CompromisedTable { kid, x5t, spki, source, since, until } = &table.value;
    if [kid, x5t, spki, source].iter().all(|matcher| matcher.is_none()) {
        let fault = Fault::Unrestricted { what: "a compromised key", keys: "kid, x5t, spki, source" };
        return Err(file.error(table.start, fault));
    }
    let text =
        |key, text: &Option<Text>| text.as_ref().map(|text| values::visible(file, key, text)).transpose();
    Ok(CompromisedKey {
        kid: text("kid", kid)?,
        x5t: text("x5t", x5t)?,
        spki: spki.as_ref().map(|text| values::sha256(file, text)).transpose()?,
        source: text("source", source)?,
        period: values::period(file, since.as_ref(), until.as_ref())?,
    })
}

/// `[networks]` of all files, by name.
pub(super) fn networks(documents: &Documents) -> Result<Vec<(String, Vec<Network>)>, PolicyError> {
    let mut networks = Vec::new();
    let mut places = Places::new("network");
    for parsed in &documents.parsed {
        for (name, ranges) in &parsed.document.networks {
            places.add(&parsed.file, name, ranges.start)?;
            if ranges.value.is_empty() {
                return Err(parsed.file.error(ranges.start, Fault::Empty("networks")));
            }
            let ranges =
                ranges.value.iter().map(|text| network(&parsed.file, text)).collect::<Result<_, _>>()?;
            networks.push((name.clone(), ranges));
        }
    }
    networks.sort();
    Ok(networks)
}

fn network(file: &TextFile, text: &Text) -> Result<Network, PolicyError> {
    let expected =
        "a network; write an address or CIDR such as `203.0.113.0/24`, without bits beyond the prefix";
    Network::parse(&text.value)
        .ok_or_else(|| file.error(text.start, Fault::Value { text: text.value.clone(), expected }))
}

/// Places of names that must be unique over all files.
pub(super) struct Places {
    what: &'static str,
    first: BTreeMap<String, Place>,
}

impl Places {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, first: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, file: &TextFile, name: &str, start: usize) -> Result<(), PolicyError> {
        match self.first.insert(name.to_owned(), file.place(start)) {
            Some(first) => {
                Err(file.error(start, Fault::Twice { what: self.what, name: name.to_owned(), first }))
            }
            None => Ok(()),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.first.keys().cloned().collect()
    }
}

/// A gateway with its sources ready to match and the place of its own preset.
#[derive(Debug)]
pub(super) struct KnownGateway {
    pub(super) sources: Vec<GlobMatcher>,
    pub(super) preset_place: Option<Place>,
}

/// `[[gateway]]` of all files, in their order.
pub(super) fn gateways(
    documents: &Documents,
    validation: &Validation,
) -> Result<(Vec<Gateway>, Vec<KnownGateway>), PolicyError> {
    let mut gateways = Vec::new();
    let mut known = Vec::new();
    let mut places = Places::new("gateway");
    for parsed in &documents.parsed {
        for table in &parsed.document.gateway {
            places.add(&parsed.file, &table.value.name.value, table.value.name.start)?;
            gateways.push(gateway(&parsed.file, &table.value, validation)?);
            let globs = table.value.sources.iter();
            let globs = globs
                .map(|text| folder::glob(&text.value).map_err(|error| bad_glob(&parsed.file, text, &error)));
            let preset = table.value.validation.as_ref();
            known.push(KnownGateway {
                sources: globs.collect::<Result<_, _>>()?,
                preset_place: preset.map(|preset| parsed.file.place(preset.start)),
            });
        }
    }
    Ok((gateways, known))
}

fn gateway(file: &TextFile, table: &GatewayTable, validation: &Validation) -> Result<Gateway, PolicyError> {
    let expect = table.expect.as_ref().map(|expect| &expect.value);
    let every = expect.and_then(|expect| expect.every.as_ref());
    let own = table.validation.as_ref().map(|preset| preset.value);
    Ok(Gateway {
        name: values::name(file, &table.name)?,
        sources: table.sources.iter().map(|text| text.value.clone()).collect(),
        validation: Validation { preset: own.unwrap_or(validation.preset), ..validation.clone() },
        expect_every: every.map(|text| values::duration(file, text)).transpose()?,
        expect_min_records: expect
            .and_then(|expect| expect.min_records.as_ref())
            .map(|records| records.value),
        expect_tokens: expect.is_some_and(|expect| expect.tokens.is_some()),
        tls_upstream: table.tls.is_some(),
    })
}

/// `[[accept]]` of all files, in their order, each with its place.
pub(super) fn accepts(
    documents: &Documents,
    tenancy: &Tenancy,
    apis: &[String],
) -> Result<Vec<(Accept, Place)>, PolicyError> {
    let mut accepts = Vec::new();
    for parsed in &documents.parsed {
        for table in &parsed.document.accept {
            let accept = accept(&parsed.file, table, tenancy, apis)?;
            accepts.push((accept, parsed.file.place(table.value.rule.start)));
        }
    }
    Ok(accepts)
}

fn accept(
    file: &TextFile,
    table: &Located<AcceptTable>,
    tenancy: &Tenancy,
    apis: &[String],
) -> Result<Accept, PolicyError> {
    let start = table.start;
    let table = &table.value;
    let text =
        |key, text: &Option<Text>| text.as_ref().map(|text| values::visible(file, key, text)).transpose();
    let id = |key, text: &Option<Text>| text.as_ref().map(|text| values::id(file, key, text)).transpose();
    if let Some(api) = &table.api
        && !apis.contains(&api.value)
    {
        let fault = Fault::Unresolved { what: "[[api]]", name: api.value.clone(), known: apis.to_vec() };
        return Err(file.error(api.start, fault));
    }
    let matchers = [
        &table.token,
        &table.client,
        &table.oid,
        &table.tid,
        &table.api,
        &table.gateway,
        &table.kid,
        &table.actual,
    ];
    if matchers.iter().all(|matcher| matcher.is_none()) {
        let keys = "token, client, oid, tid, api, gateway, kid, actual";
        return Err(file.error(start, Fault::Unrestricted { what: "an exception", keys }));
    }
    Ok(Accept {
        rule: values::visible(file, "rule", &table.rule)?,
        token: table.token.as_ref().map(|text| values::fingerprint(file, text)).transpose()?,
        client: id("client", &table.client)?,
        oid: id("oid", &table.oid)?,
        tid: id("tid", &table.tid)?.map(|tid| tenancy.resolve(&tid).map(Cow::into_owned).unwrap_or(tid)),
        api: text("api", &table.api)?,
        gateway: text("gateway", &table.gateway)?,
        kid: text("kid", &table.kid)?,
        actual: table.actual.as_ref().map(|text| values::told_apart(file, text)).transpose()?,
        reason: values::visible(file, "reason", &table.reason)?,
        owner: text("owner", &table.owner)?,
        until: table.expires.as_ref().map(|text| values::end_inclusive(file, text)).transpose()?,
    })
}

/// What `[watch]` names.
#[derive(Debug, Default)]
pub(super) struct WatchFiles {
    /// `None` where no file is named.
    pub(super) entries: Option<WatchList>,
    pub(super) revocations: Option<WatchList>,
    pub(super) files: Vec<PolicyFile>,
}

/// `[watch]`, with its files read.
pub(super) fn watched(
    documents: &Documents,
    folder: Folder<'_>,
    tenancy: &Tenancy,
    notices: &mut Vec<Notice>,
) -> Result<WatchFiles, PolicyError> {
    let mut watched = WatchFiles::default();
    let Some((file, table)) = documents.table("[watch]", |document| document.watch.as_ref())? else {
        return Ok(watched);
    };
    for (patterns, role) in [(&table.value.files, Role::Watch), (&table.value.revocations, Role::Revocation)]
    {
        let mut entries = Vec::new();
        for path in found(file, patterns, folder, notices)? {
            let name = path.display().to_string();
            let bytes = folder.read(&path)?;
            watched.files.push(PolicyFile::new(name.clone(), &bytes));
            entries.extend(watch::entries(&TextFile::new(name, bytes)?, role, tenancy)?);
        }
        let list = (!patterns.is_empty()).then(|| WatchList::new(entries));
        match role {
            Role::Watch => watched.entries = list,
            Role::Revocation => watched.revocations = list,
        }
    }
    Ok(watched)
}
