//! From what was seen to the APIs of a draft: places that take the same audiences belong together.

use super::observe::{Group, OfAudience, Place};
use super::permissions::Held;
use super::seen::Seen;
use std::collections::{BTreeMap, BTreeSet};

/// Least share of a place's requests, in percent, at which an audience counts as the place's own.
const OWN_PERCENT: u64 = 10;
/// Paths of an API at one host that are listed one by one.
const PATHS_MAX: usize = 20;
/// Hosts below one domain that are listed one by one.
const HOSTS_MAX: usize = 10;
/// Clients that are listed; an API with more is open to many.
pub(super) const CLIENTS_MAX: usize = 50;

/// Values with what was seen of them.
pub type Values = BTreeMap<String, Seen>;

/// What is proposed.
#[derive(Debug, Default)]
pub struct Draft {
    /// New entries, in the order of their hosts.
    pub apis: Vec<Api>,
    /// Of entries that the policy has, by name.
    pub known: BTreeMap<String, Lists>,
    /// Of all APIs.
    pub tenants: Values,
    /// Of all APIs.
    pub algorithms: Values,
    /// Of all APIs; those that are none of Entra's.
    pub issuers: Values,
    /// Places that no entry is proposed for, with what was seen there.
    pub open: Vec<Open>,
}

/// A proposed entry.
#[derive(Debug)]
pub struct Api {
    /// Its name.
    pub name: String,
    /// Its hosts.
    pub hosts: Vec<String>,
    /// Its paths.
    pub paths: Vec<String>,
    /// What its requests brought along.
    pub lists: Lists,
}

/// What requests of an entry brought along.
#[derive(Debug, Default)]
pub struct Lists {
    /// Requests with a genuine token.
    pub seen: Seen,
    /// Audiences.
    pub audiences: Values,
    /// Audiences that belong elsewhere, whatever their number.
    pub foreign: Values,
    /// Clients.
    pub clients: Values,
    /// Those among them that are live by all their accepted requests, at whatever API: an application that is known
    /// everywhere else is no stranger here.
    pub known_clients: BTreeSet<String>,
    /// Scopes and roles.
    pub permissions: Held,
    /// Tenants.
    pub tenants: Values,
    /// Families of Entra's issuers.
    pub kinds: Values,
    /// Accepted requests with a genuine token that says something that no policy can hold.
    pub unusable: u64,
    /// Accepted requests whose token nobody vouches for.
    pub unverified: u64,
    /// Accepted requests without a token.
    pub without_token: u64,
}

/// A place that wants a look.
#[derive(Debug)]
pub struct Open {
    /// Host.
    pub host: String,
    /// Pattern of its paths.
    pub path: String,
    /// Requests with a genuine token.
    pub seen: Seen,
    /// Accepted requests whose token nobody vouches for.
    pub unverified: u64,
    /// Accepted requests without a token.
    pub without_token: u64,
}

/// A place with everything that was seen there.
struct Leaf {
    place: Place,
    seen: Seen,
    unusable: u64,
    unverified: u64,
    without_token: u64,
    audiences: BTreeMap<String, OfAudience>,
}

impl Leaf {
    fn new(place: Place, group: Group) -> Self {
        let Group { seen, audiences, unusable, unverified, without_token } = group;
        Self { place, seen, unusable, unverified, without_token, audiences: audiences.finish().0 }
    }

    /// The audience of most accepted requests; the byte-least of several.
    fn main(&self) -> Option<&str> {
        let accepted = self.audiences.iter().filter(|(_, it)| it.seen.accepted > 0);
        let main = accepted.max_by(|a, b| a.1.seen.accepted.cmp(&b.1.seen.accepted).then(b.0.cmp(a.0)));
        main.map(|(audience, _)| audience.as_str())
    }

    fn owns(&self, audience: &OfAudience) -> bool {
        audience.seen.accepted > 0
            && audience.seen.accepted.saturating_mul(100) >= self.seen.accepted.saturating_mul(OWN_PERCENT)
    }

    fn segments(&self) -> (&str, Option<&str>, Option<&str>) {
        match &self.place {
            Place::Known(name) => (name, None, None),
            Place::At { host, first, second } => (host, first.as_deref(), second.as_deref()),
        }
    }
}

/// Audiences of one application, by their representative: those that the same places take.
#[derive(Default)]
struct Applications(BTreeMap<String, String>);

impl Applications {
    fn of(leaves: &[Leaf]) -> Self {
        let mut applications = Self::default();
        for leaf in leaves {
            let Some(main) = leaf.main() else { continue };
            for (audience, _) in leaf.audiences.iter().filter(|(_, it)| leaf.owns(it)) {
                applications.join(main, audience);
            }
        }
        applications
    }

    fn root<'a>(&'a self, audience: &'a str) -> &'a str {
        let mut at = audience;
        while let Some(next) = self.0.get(at) {
            at = next;
        }
        at
    }

    fn join(&mut self, one: &str, other: &str) {
        let (one, other) = (self.root(one).to_owned(), self.root(other).to_owned());
        if one != other {
            // The byte-least represents, so that the order of joining does not matter.
            let (least, greater) = if one < other { (one, other) } else { (other, one) };
            self.0.insert(greater, least);
        }
    }
}

/// What is proposed for the places that were seen; `taken` are names that entries have already.
pub fn draft(places: BTreeMap<Place, Group>, taken: &BTreeSet<String>) -> Draft {
    let leaves: Vec<Leaf> = places.into_iter().map(|(place, group)| Leaf::new(place, group)).collect();
    let applications = Applications::of(&leaves);
    let mains: BTreeSet<String> =
        leaves.iter().filter_map(|leaf| Some(applications.root(leaf.main()?).to_owned())).collect();
    let mut draft = Draft::default();
    let mut of_application: BTreeMap<(String, String), Vec<&Leaf>> = BTreeMap::new();
    for leaf in &leaves {
        match (&leaf.place, leaf.main().filter(|_| leaf.seen.is_live())) {
            (Place::Known(name), main) => {
                let lists = draft.known.entry(name.clone()).or_default();
                lists.add(leaf, main.map(|main| applications.root(main)), &applications, &mains);
            }
            (Place::At { host, .. }, Some(main)) => {
                let application = applications.root(main).to_owned();
                of_application.entry((host.clone(), application)).or_default().push(leaf);
            }
            (Place::At { .. }, None) => draft.open.push(open(leaf)),
        }
    }
    let mut entries: BTreeMap<(String, Vec<String>), (Vec<String>, Lists)> = BTreeMap::new();
    for ((host, application), mine) in &of_application {
        let at_host: Vec<&Leaf> = leaves.iter().filter(|leaf| leaf.segments().0 == host).collect();
        let paths = paths(mine, &at_host);
        let (hosts, lists) = entries.entry((application.clone(), paths)).or_default();
        hosts.push(host.clone());
        for leaf in mine {
            lists.add(leaf, Some(application), &applications, &mains);
        }
    }
    let mut wide: BTreeMap<(Vec<String>, Vec<String>), usize> = BTreeMap::new();
    for ((_, paths), (hosts, _)) in &entries {
        *wide.entry((collapsed(hosts.clone()), paths.clone())).or_default() += 1;
    }
    for ((_, paths), (hosts, lists)) in entries {
        // Two entries below one domain would be the same to every request.
        let key = (collapsed(hosts.clone()), paths);
        let alone = wide.get(&key) == Some(&1);
        let (collapsed, paths) = key;
        draft.apis.push(Api {
            name: String::new(),
            hosts: if alone { collapsed } else { hosts },
            paths,
            lists,
        });
    }
    draft.apis.sort_by(|a, b| (&a.hosts, &a.paths).cmp(&(&b.hosts, &b.paths)));
    name(&mut draft.apis, taken);
    for lists in draft.apis.iter().map(|api| &api.lists).chain(draft.known.values()) {
        merge_values(&mut draft.tenants, &lists.tenants);
    }
    let mut clients = Values::new();
    for lists in draft.apis.iter().map(|api| &api.lists).chain(draft.known.values()) {
        merge_values(&mut clients, &lists.clients);
    }
    for lists in draft.apis.iter_mut().map(|api| &mut api.lists).chain(draft.known.values_mut()) {
        let known = |client: &&String| clients.get(*client).is_some_and(Seen::is_live);
        let accepted = lists.clients.iter().filter(|(_, seen)| seen.accepted > 0);
        lists.known_clients = accepted.map(|(client, _)| client).filter(known).cloned().collect();
        lists.permissions.choose();
    }
    for leaf in leaves.iter().filter(|leaf| leaf.seen.is_live()) {
        for audience in leaf.audiences.values().filter(|audience| audience.seen.is_live()) {
            merge_values(&mut draft.algorithms, &audience.algorithms.clone().finish().0);
            merge_values(&mut draft.issuers, &audience.issuers.clone().finish().0);
        }
    }
    draft
}

impl Api {
    /// True if something in it would check audiences; without that it would let everything pass in silence.
    pub fn is_live(&self) -> bool {
        self.lists.audiences.values().any(Seen::is_live)
    }
}

impl Lists {
    /// Adds what was seen at a place of an application.
    fn add(
        &mut self,
        leaf: &Leaf,
        application: Option<&str>,
        applications: &Applications,
        mains: &BTreeSet<String>,
    ) {
        self.seen.merge(&leaf.seen);
        self.unusable += leaf.unusable;
        self.unverified += leaf.unverified;
        self.without_token += leaf.without_token;
        for (audience, of_audience) in &leaf.audiences {
            let root = applications.root(audience);
            // A token for another API that this one accepted now and then is what an audit is to find.
            let elsewhere = Some(root) != application && mains.contains(root) && !leaf.owns(of_audience);
            let values = if elsewhere { &mut self.foreign } else { &mut self.audiences };
            values.entry(audience.clone()).or_default().merge(&of_audience.seen);
            if elsewhere || !of_audience.seen.is_live() {
                continue;
            }
            self.permissions.add(&of_audience.permissions);
            for (mine, theirs) in [
                (&mut self.clients, &of_audience.clients),
                (&mut self.tenants, &of_audience.tenants),
                (&mut self.kinds, &of_audience.kinds),
            ] {
                merge_values(mine, &theirs.clone().finish().0);
            }
        }
    }
}

pub(super) fn merge_values(mine: &mut Values, theirs: &Values) {
    for (text, seen) in theirs {
        mine.entry(text.clone()).or_default().merge(seen);
    }
}

fn open(leaf: &Leaf) -> Open {
    let (host, first, second) = leaf.segments();
    let path = [first, second].into_iter().flatten().fold(String::new(), |path, part| path + "/" + part);
    Open {
        host: host.to_owned(),
        path: path + "/**",
        seen: leaf.seen.clone(),
        unverified: leaf.unverified,
        without_token: leaf.without_token,
    }
}

/// Patterns that hold the places of an application at a host, and nothing of what else was seen there, as far as two
/// segments tell it.
fn paths(mine: &[&Leaf], at_host: &[&Leaf]) -> Vec<String> {
    let is_mine = |leaf: &&&Leaf| mine.iter().any(|own| own.place == leaf.place);
    let alone = |first: Option<&str>| {
        at_host.iter().filter(|leaf| first.is_none() || leaf.segments().1 == first).all(|leaf| is_mine(&leaf))
    };
    let firsts: BTreeSet<Option<&str>> = mine.iter().map(|leaf| leaf.segments().1).collect();
    if firsts.contains(&None) || (firsts.len() > PATHS_MAX && alone(None)) {
        return vec!["/**".to_owned()];
    }
    let mut paths = BTreeSet::new();
    for leaf in mine {
        match leaf.segments() {
            (_, Some(first), Some(second)) if !alone(Some(first)) => {
                paths.insert(format!("/{first}/{second}/**"));
            }
            (_, Some(first), _) => {
                paths.insert(format!("/{first}/**"));
            }
            (_, None, _) => {}
        }
    }
    // What a wider pattern holds needs none of its own.
    let wider = |path: &String| {
        let first = path.split('/').nth(1).unwrap_or_default();
        let wide = format!("/{first}/**");
        *path != wide && paths.contains(&wide)
    };
    paths.iter().filter(|path| !wider(path)).cloned().collect()
}

/// Hosts, where very many lie below one domain as that.
fn collapsed(hosts: Vec<String>) -> Vec<String> {
    let parent = |host: &str| host.split_once('.').map(|(_, parent)| parent.to_owned());
    let mut below: BTreeMap<String, usize> = BTreeMap::new();
    for parent in hosts.iter().filter_map(|host| parent(host)) {
        *below.entry(parent).or_default() += 1;
    }
    let many = |host: &String| {
        let parent = parent(host)?;
        (parent.contains('.') && below.get(&parent).is_some_and(|number| *number > HOSTS_MAX))
            .then(|| format!("*.{parent}"))
    };
    let hosts: BTreeSet<String> = hosts.into_iter().map(|host| many(&host).unwrap_or(host)).collect();
    hosts.into_iter().collect()
}

/// Names from hosts, and from paths where several entries share a host.
fn name(apis: &mut [Api], taken: &BTreeSet<String>) {
    let mut shared: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for api in apis.iter() {
        *shared.entry(api.hosts.clone()).or_default() += 1;
    }
    let mut used = taken.clone();
    for api in apis {
        let of_host = stem(&api.hosts);
        let alone = shared.get(&api.hosts) == Some(&1);
        let base = match api.paths.first().and_then(|path| telling(path)) {
            Some(segment) if !alone => format!("{of_host}-{}", slug(segment)),
            _ => of_host,
        };
        let mut name = base.clone();
        let mut number = 2;
        while !used.insert(name.clone()) {
            name = format!("{base}-{number}");
            number += 1;
        }
        api.name = name;
    }
}

/// The first label of a host, or of what several have in common.
fn stem(hosts: &[String]) -> String {
    let first = hosts.first().map(String::as_str).unwrap_or_default();
    let bare = first.strip_prefix("*.").unwrap_or(first);
    let rest = bare.split_once('.').map(|(_, rest)| rest).unwrap_or_default();
    let common = hosts.len() > 1 && rest.contains('.') && hosts.iter().all(|host| host.ends_with(rest));
    let label = if common { rest } else { bare };
    let slug = slug(label.split('.').next().unwrap_or_default());
    if slug.is_empty() { "api".to_owned() } else { slug }
}

/// The first segment of a pattern that is neither a version nor a wildcard.
fn telling(path: &str) -> Option<&str> {
    let is_version = |segment: &str| {
        segment.len() <= 4
            && segment.starts_with(['v', 'V'])
            && segment.bytes().skip(1).all(|it| it.is_ascii_digit())
    };
    path.split('/').find(|segment| !segment.is_empty() && !segment.contains('*') && !is_version(segment))
}

fn slug(text: &str) -> String {
    let letters = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    letters.collect::<String>().trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_names() {
        let many: Vec<String> = (0..20).map(|tenant| format!("t{tenant}.records.contoso.example")).collect();
        assert_eq!(collapsed(many), ["*.records.contoso.example"]);
        let few = ["a.x.example".to_owned(), "b.x.example".to_owned()];
        assert_eq!(collapsed(few.to_vec()), few);
        assert_eq!(stem(&["orders.contoso.example".to_owned()]), "orders");
        assert_eq!(stem(&["*.records.contoso.example".to_owned()]), "records");
        assert_eq!(
            stem(&["a.records.contoso.example".to_owned(), "b.records.contoso.example".to_owned()]),
            "records"
        );
        assert_eq!(telling("/v1/orders/**"), Some("orders"));
        assert_eq!(telling("/v1/**"), None);
        let mut apis = [["api.x.example", "/v1/a/**"], ["api.x.example", "/v1/b/**"], ["o.x.example", "/**"]]
            .map(|[host, path]| Api {
                name: String::new(),
                hosts: vec![host.to_owned()],
                paths: vec![path.to_owned()],
                lists: Lists::default(),
            });
        name(&mut apis, &BTreeSet::from(["o".to_owned()]));
        assert_eq!(apis.map(|api| api.name), ["api-a", "api-b", "o-2"]);
    }
}
