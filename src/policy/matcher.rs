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
    /// A glob that is a beginning and one star, as nearly all are.
    Beginning(String),
    Glob(GlobMatcher),
}

impl NamePattern {
    pub(super) fn parse(text: &str) -> Result<Self, globset::Error> {
        if !folder::is_glob(text) {
            return Ok(Self::Exact(text.to_owned()));
        }
        let glob = folder::glob(text)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_beginning = text.strip_suffix('*').is_some_and(|stem| stem.bytes().all(is_plain));
        Ok(if is_beginning { Self::Beginning(text.to_owned()) } else { Self::Glob(glob) })
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            // As in every glob of names, the star stays within one segment.
            Self::Beginning(glob) => glob
                .strip_suffix('*')
                .and_then(|stem| name.strip_prefix(stem))
                .is_some_and(|rest| !rest.contains('/')),
            Self::Glob(glob) => glob.is_match(name),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Beginning(text) => text,
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
        let host = self.host_rank(request).ok_or(Miss::Host)?;
        let literal_bytes = self.literal_bytes(request).ok_or(Miss::Path)?;
        let (route, gateway) = self.route_and_gateway(request)?;
        Ok(Rank { host, literal_bytes, route, gateway })
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

    fn literal_bytes(&self, request: &Compared<'_>) -> Option<usize> {
        if self.paths.is_empty() {
            return Some(0);
        }
        let path = request.path.as_deref()?;
        self.paths.iter().filter(|pattern| pattern.matches(path)).map(PathPattern::literal_bytes).max()
    }

    /// Whether route and gateway restrict the entry, where they let the request pass.
    pub(super) fn route_and_gateway(&self, request: &Compared<'_>) -> Result<(bool, bool), Miss> {
        let gateway = !self.gateways.is_empty();
        if gateway {
            let name = request.gateway.ok_or(Miss::Gateway)?;
            if !self.gateways.iter().any(|pattern| pattern.matches(name)) {
                return Err(Miss::Gateway);
            }
        }
        Ok((self.route_listed(request)?, gateway))
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
