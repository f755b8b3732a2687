//! Which entry a request belongs to (contract section 5, "A record's API").

use super::Request;
use super::error::Place;
use super::folder;
use super::layers::Layered;
use super::layers::Origin;
use super::pattern;
use super::pattern::HostPattern;
use super::pattern::PathPattern;
use globset::GlobMatcher;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

/// A request in the form in which it is compared.
#[derive(Debug)]
pub(super) struct Compared<'a> {
    pub(super) gateway: Option<&'a str>,
    pub(super) host: Option<Cow<'a, str>>,
    pub(super) method: Option<&'a str>,
    pub(super) path: Option<Cow<'a, str>>,
    pub(super) route: Option<&'a str>,
}

impl<'a> Compared<'a> {
    /// Allocates only where a host has upper case, or a path escapes or dot segments.
    pub(super) fn of(request: &Request<'a>) -> Self {
        Self {
            gateway: request.gateway,
            host: request.host.map(pattern::normal_host),
            method: request.method,
            path: request.path.map(pattern::normal_path),
            route: request.route,
        }
    }
}

/// A name, or a glob over names.
#[derive(Clone, Debug)]
pub(super) enum NamePattern {
    Exact(String),
    Glob(GlobMatcher),
}

impl NamePattern {
    pub(super) fn parse(text: &str) -> Result<Self, globset::Error> {
        Ok(if folder::is_glob(text) { Self::Glob(folder::glob(text)?) } else { Self::Exact(text.to_owned()) })
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Glob(glob) => glob.is_match(name),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Exact(exact) => exact,
            Self::Glob(glob) => glob.glob().glob(),
        }
    }
}

/// What restricts an entry; an empty list does not.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) hosts: Vec<HostPattern>,
    pub(super) paths: Vec<PathPattern>,
    pub(super) gateways: Vec<NamePattern>,
    pub(super) routes: Vec<String>,
    /// Where each of the lists comes from.
    pub(super) origins: BTreeMap<&'static str, Origin>,
}

/// An entry, ready to match.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) scope: Scope,
    pub(super) layered: Layered,
    pub(super) operations: Vec<Operation>,
}

/// An operation of an entry, ready to match.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) place: Place,
    pub(super) methods: Vec<String>,
    pub(super) paths: Vec<PathPattern>,
    pub(super) layered: Layered,
}

/// How specific a match is; the parts count in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) host: HostRank,
    pub(super) literal_bytes: usize,
    pub(super) route: bool,
    pub(super) gateway: bool,
}

/// How specific the match of a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostRank {
    /// The entry names no hosts.
    Any,
    /// A wildcard with this many labels after `*.`.
    Below(usize),
    /// The host itself.
    Exact,
}

/// What kept an entry from matching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    Host,
    Path,
    Gateway,
    Route,
}

/// Hosts, paths, routes and gateways of a scope, in their compared forms.
pub(super) type ScopeTexts = (Vec<String>, Vec<String>, Vec<String>, Vec<String>);

impl Scope {
    /// The lists as texts, sorted and without repetition, so that equal ones are equal.
    pub(super) fn texts(&self) -> ScopeTexts {
        fn sorted(texts: impl Iterator<Item = String>) -> Vec<String> {
            let texts: BTreeSet<String> = texts.collect();
            texts.into_iter().collect()
        }
        (
            sorted(self.hosts.iter().map(HostPattern::to_string)),
            sorted(self.paths.iter().map(|path| path.text().to_owned())),
            sorted(self.routes.iter().cloned()),
            sorted(self.gateways.iter().map(|name| name.text().to_owned())),
        )
    }

    /// Whether a request matches, and how specifically.
    pub(super) fn rank(&self, request: &Compared<'_>) -> Result<Rank, Miss> {
        Ok(Rank { host: self.host_rank(request).ok_or(Miss::Host)?, ..self.rank_beside_host(request)? })
    }

    fn host_rank(&self, request: &Compared<'_>) -> Option<HostRank> {
        if self.hosts.is_empty() {
            return Some(HostRank::Any);
        }
        let host = request.host.as_deref()?;
        let ranks = self.hosts.iter().filter_map(|pattern| match pattern {
            HostPattern::Exact(exact) => (exact == host).then_some(HostRank::Exact),
            HostPattern::Below(suffix) => {
                let label = host.strip_suffix(suffix.as_str())?.strip_suffix('.')?;
                (!label.is_empty()).then(|| HostRank::Below(labels(suffix)))
            }
        });
        ranks.max()
    }

    /// [`Scope::rank`] where the host is known to match.
    fn rank_beside_host(&self, request: &Compared<'_>) -> Result<Rank, Miss> {
        let literal_bytes = if self.paths.is_empty() {
            0
        } else {
            let path = request.path.as_deref().ok_or(Miss::Path)?;
            let matching = self.paths.iter().filter(|pattern| pattern.matches(path));
            matching.map(PathPattern::literal_bytes).max().ok_or(Miss::Path)?
        };
        let gateway = !self.gateways.is_empty();
        if gateway {
            let name = request.gateway.ok_or(Miss::Gateway)?;
            if !self.gateways.iter().any(|pattern| pattern.matches(name)) {
                return Err(Miss::Gateway);
            }
        }
        Ok(Rank { host: HostRank::Any, literal_bytes, route: self.route_listed(request)?, gateway })
    }

    fn route_listed(&self, request: &Compared<'_>) -> Result<bool, Miss> {
        if self.routes.is_empty() {
            return Ok(false);
        }
        match request.route {
            Some(route) if self.routes.iter().any(|listed| listed == route) => Ok(true),
            Some(_) => Err(Miss::Route),
            None if self.hosts.is_empty() && self.paths.is_empty() && self.gateways.is_empty() => {
                Err(Miss::Route)
            }
            None => Ok(false),
        }
    }
}

fn labels(suffix: &str) -> usize {
    suffix.split('.').count()
}

impl Operation {
    /// Whether a request belongs to the operation.
    pub(super) fn matches(&self, request: &Compared<'_>) -> bool {
        let method = self.methods.is_empty()
            || request.method.is_some_and(|method| self.methods.iter().any(|listed| listed == method));
        let path = || {
            self.paths.is_empty()
                || request
                    .path
                    .as_deref()
                    .is_some_and(|path| self.paths.iter().any(|pattern| pattern.matches(path)))
        };
        method && path()
    }
}

impl Entry {
    /// The first operation that a request belongs to.
    pub(super) fn operation(&self, request: &Compared<'_>) -> Option<usize> {
        self.operations.iter().position(|operation| operation.matches(request))
    }
}

/// Entries by what their hosts are, so that a request looks only at those that can match.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    exact: HashMap<String, Vec<usize>>,
    below: HashMap<String, Vec<usize>>,
    any: Vec<usize>,
}

/// The winner of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Winner {
    pub(super) entry: usize,
    pub(super) ambiguous: bool,
}

impl Matcher {
    /// For entries in byte order of their names.
    pub(super) fn new(entries: &[Entry]) -> Self {
        let mut matcher = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            if entry.scope.hosts.is_empty() {
                matcher.any.push(index);
            }
            for host in &entry.scope.hosts {
                let list = match host {
                    HostPattern::Exact(host) => matcher.exact.entry(host.clone()).or_default(),
                    HostPattern::Below(suffix) => matcher.below.entry(suffix.clone()).or_default(),
                };
                if list.last() != Some(&index) {
                    list.push(index);
                }
            }
        }
        matcher
    }

    /// The most specific entry: exact hosts first, then wildcards from the longest on, then entries without hosts.
    pub(super) fn winner(&self, entries: &[Entry], request: &Compared<'_>) -> Option<Winner> {
        if let Some(host) = request.host.as_deref() {
            if let Some(winner) = self.exact.get(host).and_then(|list| best(list, entries, request)) {
                return Some(winner);
            }
            if !self.below.is_empty() {
                let dots = memchr::memchr_iter(b'.', host.as_bytes());
                // A leading dot would leave no label for the wildcard.
                let suffixes = dots.filter(|dot| *dot > 0).filter_map(|dot| host.get(dot + 1..));
                for suffix in suffixes {
                    if let Some(winner) = self.below.get(suffix).and_then(|list| best(list, entries, request))
                    {
                        return Some(winner);
                    }
                }
            }
        }
        best(&self.any, entries, request)
    }
}

/// The best of some entries; of equals the first, which has the byte-least name.
fn best(list: &[usize], entries: &[Entry], request: &Compared<'_>) -> Option<Winner> {
    let mut best: Option<(Rank, Winner)> = None;
    for index in list {
        let Some(entry) = entries.get(*index) else { continue };
        let Ok(rank) = entry.scope.rank_beside_host(request) else { continue };
        match &mut best {
            Some((least, winner)) if *least == rank => winner.ambiguous = true,
            Some((least, _)) if *least > rank => {}
            _ => best = Some((rank, Winner { entry: *index, ambiguous: false })),
        }
    }
    best.map(|(_, winner)| winner)
}
