//! What the operator expects: the policy of contract section 5, merged and validated.
//!
//! ```text
//! TOML files -> raw documents -> layers (profile, api, operation) -> settings that rules read
//!                             -> entries that match requests
//! ```
//!
//! ```
//! use tokentrail::policy::{Policy, Request};
//!
//! let policy = Policy::parse(
//!     r#"
//!     version = 1
//!     [[api]]
//!     name = "orders"
//!     hosts = ["orders.contoso.example"]
//!     paths = ["/v1/**"]
//!     audiences = ["api://orders"]
//!     "#,
//! )?;
//! let request = Request { host: Some("Orders.contoso.example:443"), path: Some("/v1/7"), ..Request::default() };
//! assert_eq!(policy.api_of(request).settings.unwrap().name, "orders");
//! # Ok::<(), tokentrail::policy::PolicyError>(())
//! ```

mod behaviour;
mod csv;
mod documents;
mod entries;
mod error;
mod explain;
mod folder;
mod index;
mod layers;
mod located;
mod matcher;
mod merge;
mod needs;
mod network;
mod pattern;
mod raw;
mod schema;
mod settings;
#[cfg(test)]
mod tests;
mod trial;
mod values;
mod watch;
mod watch_list;

pub use behaviour::Behaviour;
pub use documents::Notice;
pub use error::Fault;
pub use error::Place;
pub use error::PolicyError;
pub use explain::ExplainedEntry;
pub use explain::ExplainedOperation;
pub use explain::ExplainedValue;
pub use explain::Explanation;
pub use folder::PolicyFile;
pub use layers::Layer;
pub use layers::Origin;
pub use needs::KeyNeeds;
pub use network::Network;
pub use pattern::{normal_host, normal_path};
pub use schema::schema;
pub use settings::{
    Accept, ApiSettings, Auth, ClientPolicy, CompromisedKey, DataTenant, Gateway, IssuerKindName, KeyPolicy,
    Lifetime, Preset, Stage, Tenancy, TokenKind, Validation,
};
pub use trial::Trial;
pub use trial::TrialFile;
pub use trial::TrialRequest;
pub use trial::TrialToken;
pub use watch::WatchEntry;
pub use watch_list::WatchList;
pub use watch_list::Watched;

use documents::Documents;
use folder::Folder;
use hashbrown::HashMap;
use index::Matcher;
use matcher::Compared;
use matcher::Entry;
use merge::KnownGateway;
use merge::WatchFiles;
use pattern::PathPattern;
use pattern::TenantHost;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

/// A gateway of the policy, by its place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayId(pub usize);

/// A policy, merged over its files and validated. Immutable; shared by all workers.
#[derive(Debug)]
pub struct Policy {
    files: Vec<PolicyFile>,
    sha256: String,
    watched: WatchFiles,
    notices: Vec<Notice>,
    tenancy: Tenancy,
    validation: Validation,
    validation_origins: BTreeMap<&'static str, Origin>,
    clients: ClientPolicy,
    keys: KeyPolicy,
    networks: Vec<(String, Vec<Network>)>,
    behaviour: Behaviour,
    gateways: Vec<Gateway>,
    known_gateways: Vec<KnownGateway>,
    /// Base settings of `entries`, in the same order.
    apis: Vec<ApiSettings>,
    entries: Vec<Entry>,
    matcher: Matcher,
    tenant_paths: HashMap<String, PathPattern>,
    tenant_hosts: HashMap<String, TenantHost>,
    accepts: Vec<Accept>,
    accept_places: Vec<Place>,
    trials: Vec<Trial>,
}

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
    /// Reads, merges and validates a policy with its includes and watch files.
    ///
    /// # Errors
    /// The first thing that is wrong, with its file, line and column.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| PolicyError::Read { path: name.clone(), source })?;
        Self::build(name, bytes, Folder::Disk(path))
    }

    /// A policy from its text, which can include nothing; the file is called `policy.toml` in messages.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        Self::parse_with(text, &BTreeMap::new())
    }

    /// A policy from its text, whose includes and watch files are the given ones: relative path to content.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn parse_with(text: &str, files: &BTreeMap<String, String>) -> Result<Self, PolicyError> {
        Self::build("policy.toml".to_owned(), text.as_bytes().to_vec(), Folder::Memory(files))
    }

    /// A policy from a text that is about to take the place of a file; its includes lie beside that.
    ///
    /// # Errors
    /// As [`Policy::load`].
    pub fn load_text(path: &Path, text: &str) -> Result<Self, PolicyError> {
        Self::build(path.display().to_string(), text.as_bytes().to_vec(), Folder::Disk(path))
    }

    fn build(name: String, bytes: Vec<u8>, folder: Folder<'_>) -> Result<Self, PolicyError> {
        let mut documents = Documents::read(name, bytes, folder)?;
        let mut notices = std::mem::take(&mut documents.notices);
        let tenancy = merge::tenancy(&documents)?;
        let (validation, validation_origins) = merge::validation(&documents)?;
        let (gateways, known_gateways) = merge::gateways(&documents, &validation)?;
        let entries = entries::entries(&documents, &tenancy, &mut notices)?;
        let apis: Vec<ApiSettings> = entries.iter().map(|entry| entry.layered.settings.clone()).collect();
        let names: Vec<String> = apis.iter().map(|api| api.name.clone()).collect();
        let (accepts, accept_places) = merge::accepts(&documents, &tenancy, &names)?.into_iter().unzip();
        let watched = merge::watched(&documents, folder, &tenancy, &mut notices)?;
        let behaviour = match documents.table("[behaviour]", |document| document.behaviour.as_ref())? {
            Some((file, table)) => table.value.merged(file)?,
            None => Behaviour::default(),
        };
        let trials = trial::trials(&documents)?;
        let (tenant_paths, tenant_hosts) = data_tenants(&entries);
        Ok(Self {
            clients: merge::clients(&documents)?,
            keys: merge::keys(&documents)?,
            networks: merge::networks(&documents)?,
            sha256: folder::combined_sha256(&documents.files),
            files: documents.files,
            matcher: Matcher::new(&entries),
            watched,
            notices,
            tenancy,
            validation,
            validation_origins,
            behaviour,
            gateways,
            known_gateways,
            apis,
            entries,
            tenant_paths,
            tenant_hosts,
            accepts,
            accept_places,
            trials,
        })
    }

    /// The policy file and its includes, in the order in which they were read.
    pub fn files(&self) -> &[PolicyFile] {
        &self.files
    }

    /// One hash over [`Policy::files`], 64 lower-case hexadecimal digits; paths do not enter it.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Watch files, then revocation files.
    pub fn watch_files(&self) -> &[PolicyFile] {
        &self.watched.files
    }

    /// One hash over [`Policy::watch_files`]; `None` if there are none.
    pub fn watch_sha256(&self) -> Option<String> {
        let files = self.watch_files();
        (!files.is_empty()).then(|| folder::combined_sha256(files))
    }

    /// Lines of `[watch] files`.
    pub fn watch(&self) -> &[WatchEntry] {
        self.watch_list().map_or(&[], WatchList::entries)
    }

    /// The same, by what they match; `None` where no file is named.
    pub fn watch_list(&self) -> Option<&WatchList> {
        self.watched.entries.as_ref()
    }

    /// Lines of `[watch] revocations`; the time of each is `period.since`.
    pub fn revocations(&self) -> &[WatchEntry] {
        self.revocation_list().map_or(&[], WatchList::entries)
    }

    /// The same, by what they match; `None` where no file is named.
    pub fn revocation_list(&self) -> Option<&WatchList> {
        self.watched.revocations.as_ref()
    }

    /// What is probably not meant so, but does no harm.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// `[tenancy]`
    pub fn tenancy(&self) -> &Tenancy {
        &self.tenancy
    }

    /// Validation of a gateway's records (the policy's own for `None`).
    pub fn validation(&self, gateway: Option<GatewayId>) -> &Validation {
        let gateway = gateway.and_then(|id| self.gateways.get(id.0));
        gateway.map_or(&self.validation, |gateway| &gateway.validation)
    }

    /// `[clients]` and `[privileged]`
    pub fn clients(&self) -> &ClientPolicy {
        &self.clients
    }

    /// `[keys]`
    pub fn keys(&self) -> &KeyPolicy {
        &self.keys
    }

    /// `[behaviour]`
    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// `[networks]`, by name.
    pub fn networks(&self) -> &[(String, Vec<Network>)] {
        &self.networks
    }

    /// Name of the narrowest network that holds an address; the byte-least of equals.
    pub fn network_of(&self, address: IpAddr) -> Option<&str> {
        let mut best: Option<(u8, &str)> = None;
        for (name, ranges) in &self.networks {
            for range in ranges.iter().filter(|range| range.contains(address)) {
                if best.is_none_or(|(prefix, _)| range.prefix() > prefix) {
                    best = Some((range.prefix(), name));
                }
            }
        }
        best.map(|(_, name)| name)
    }

    /// `[[gateway]]`, in file order.
    pub fn gateways(&self) -> &[Gateway] {
        &self.gateways
    }

    /// The first gateway whose sources match.
    pub fn gateway_of(&self, source: &str) -> Option<GatewayId> {
        let matches = |gateway: &KnownGateway| gateway.sources.iter().any(|glob| glob.is_match(source));
        self.known_gateways.iter().position(matches).map(GatewayId)
    }

    /// The gateway of a name, for records that name theirs.
    pub fn gateway_named(&self, name: &str) -> Option<GatewayId> {
        self.gateways.iter().position(|gateway| gateway.name == name).map(GatewayId)
    }

    /// Every `[[api]]` without operations' overrides, by name.
    pub fn apis(&self) -> &[ApiSettings] {
        &self.apis
    }

    /// An `[[api]]` without operations' overrides.
    pub fn api_named(&self, name: &str) -> Option<&ApiSettings> {
        let found = self.apis.binary_search_by(|api| api.name.as_str().cmp(name)).ok()?;
        self.apis.get(found)
    }

    /// Settings of every entry, each followed by those of its operations.
    pub fn every_settings(&self) -> impl Iterator<Item = &ApiSettings> {
        self.entries.iter().flat_map(|entry| {
            let operations = entry.operations.iter().map(|operation| &operation.layered.settings);
            std::iter::once(&entry.layered.settings).chain(operations)
        })
    }

    /// True if any api or operation states `audiences`.
    pub fn states_audiences(&self) -> bool {
        self.every_settings().any(|settings| settings.audiences.is_some())
    }

    /// True if `tenancy.allowed` is stated, or `tenants` of any api or operation.
    pub fn states_tenants(&self) -> bool {
        self.tenancy.allowed.is_some() || self.every_settings().any(|settings| settings.tenants.is_some())
    }

    /// True if any api or operation states `authorizes-on`.
    pub fn states_authorizes_on(&self) -> bool {
        self.every_settings().any(|settings| settings.authorizes_on.is_some())
    }

    /// True if any api or operation states `max-auth-age`.
    pub fn states_max_auth_age(&self) -> bool {
        self.every_settings().any(|settings| settings.max_auth_age.is_some())
    }

    /// Which entry wins for a request.
    pub fn api_of(&self, request: Request<'_>) -> ApiMatch<'_> {
        let request = Compared::of(&request);
        let winner = self.matcher.winner(&self.entries, &request);
        let entry = winner.and_then(|winner| self.entries.get(winner.entry));
        let settings = entry.map(|entry| {
            let operation = entry.operation(&request).and_then(|index| entry.operations.get(index));
            operation.map_or(&entry.layered.settings, |operation| &operation.layered.settings)
        });
        ApiMatch { settings, ambiguous: winner.is_some_and(|winner| winner.ambiguous) }
    }

    /// A tenant GUID (lower case) from a GUID or an alias, in any letter case.
    pub fn resolve_tenant<'t>(&'t self, text: &'t str) -> Option<Cow<'t, str>> {
        self.tenancy.resolve(text)
    }

    /// The raw data tenant of a request: the decoded segment or label that stands at `{tenant}`; `None` for
    /// [`DataTenant::Field`] and where the pattern does not match.
    pub fn data_tenant_of<'r>(&self, settings: &ApiSettings, request: Request<'r>) -> Option<Cow<'r, str>> {
        match &settings.data_tenant {
            DataTenant::Field => None,
            DataTenant::Path(text) => {
                let pattern = self.tenant_paths.get(text)?;
                captured(normal_path(request.path?), |path| pattern.captured(path))
            }
            DataTenant::Host(text) => {
                let pattern = self.tenant_hosts.get(text)?;
                captured(normal_host(request.host?), |host| pattern.captured(host))
            }
        }
    }

    /// `[[accept]]`, in file order.
    pub fn accepts(&self) -> &[Accept] {
        &self.accepts
    }

    /// `[[test]]`, in file order.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Where an entry of [`Policy::accepts`] stands; rules are a higher floor, so whoever knows their ids names it.
    pub fn accept_place(&self, index: usize) -> Option<&Place> {
        self.accept_places.get(index)
    }
}

/// A part of a text; of its own only where the text is.
fn captured<'r>(
    text: Cow<'r, str>,
    part: impl for<'t> Fn(&'t str) -> Option<&'t str>,
) -> Option<Cow<'r, str>> {
    match text {
        Cow::Borrowed(text) => part(text).map(Cow::Borrowed),
        Cow::Owned(text) => part(&text).map(|found| Cow::Owned(found.to_owned())),
    }
}

/// Every `data-tenant` pattern, ready to match, by its text. They were checked when they were laid.
fn data_tenants(entries: &[Entry]) -> (HashMap<String, PathPattern>, HashMap<String, TenantHost>) {
    let mut paths = HashMap::new();
    let mut hosts = HashMap::new();
    for entry in entries {
        let operations = entry.operations.iter().map(|operation| &operation.layered);
        for layered in std::iter::once(&entry.layered).chain(operations) {
            match &layered.settings.data_tenant {
                DataTenant::Field => {}
                DataTenant::Path(text) => {
                    PathPattern::parse(text).ok().and_then(|pattern| paths.insert(text.clone(), pattern));
                }
                DataTenant::Host(text) => {
                    TenantHost::parse(text).ok().and_then(|pattern| hosts.insert(text.clone(), pattern));
                }
            }
        }
    }
    (paths, hosts)
}
