//! What the rules over the key history share: subjects, and whose keys a source serves.

use crate::entra::Cloud;
use crate::keys::{EntraSource, Key, KeyHistory, Listing, SourceId, SourceKind};
use crate::limits;
use crate::rules::kit::{Evidence, Statement};
use std::collections::BTreeMap;

/// Whoever answers for the keys of a source: two sources of one authority may not contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SourceAuthority<'h> {
    /// The clouds of an Entra endpoint, and the application whose own keys it lists.
    Entra(Vec<&'static str>, Option<&'h str>),
    /// Any other host.
    Host(&'h str),
    /// A label without a host.
    Label(&'h str),
}

impl<'h> SourceAuthority<'h> {
    pub(super) fn of(keys: &'h KeyHistory, source: SourceId) -> Self {
        let source = keys.source(source);
        match &source.kind {
            SourceKind::Entra(EntraSource { clouds, appid, .. }) => {
                Self::Entra(clouds.iter().map(|cloud| Cloud::name(*cloud)).collect(), appid.as_deref())
            }
            SourceKind::Host { host } => Self::Host(host),
            SourceKind::Label => Self::Label(&source.name),
        }
    }
}

/// The Entra endpoint that a source is.
pub(super) fn entra(keys: &KeyHistory, source: SourceId) -> Option<&EntraSource> {
    match &keys.source(source).kind {
        SourceKind::Entra(source) => Some(source),
        _ => None,
    }
}

/// Statements about those keys that something was found out about; those with one id are one statement, about the first.
pub(super) fn about_keys(keys: &KeyHistory, judge: impl Fn(&Key) -> Option<Evidence>) -> Vec<Statement> {
    let mut found: BTreeMap<String, Evidence> = BTreeMap::new();
    for (_, key) in keys.keys() {
        if let Some(evidence) = judge(key) {
            let evidence = evidence.fact("sources", source_names(keys, key.listings.iter()));
            found.entry(subject(keys, key)).or_insert(evidence);
        }
    }
    found.into_iter().map(|(subject, evidence)| Statement { subject, evidence }).collect()
}

/// `kid:…`, or the byte-least source of a key without an id.
fn subject(keys: &KeyHistory, key: &Key) -> String {
    let source = || key.listings.first().map(|listing| keys.source_name(listing.source)).unwrap_or_default();
    key.kid.as_ref().map_or_else(|| format!("source:{}", source()), |kid| format!("kid:{kid}"))
}

/// Statements about key ids.
pub(super) fn about_kids(found: BTreeMap<&str, Evidence>) -> Vec<Statement> {
    let statement = |(kid, evidence)| Statement { subject: format!("kid:{kid}"), evidence };
    found.into_iter().map(statement).collect()
}

/// The sources of some listings, as many as are written.
pub(super) fn source_names<'h>(
    keys: &KeyHistory,
    listings: impl Iterator<Item = &'h Listing>,
) -> Vec<String> {
    let names = listings.map(|listing| keys.source_name(listing.source).to_owned());
    names.take(limits::LISTED_MAX).collect()
}
