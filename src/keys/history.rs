//! All captures of an archive joined into keys and their time lines, frozen after load.

use super::Authority;
use super::KeyId;
use super::Presence;
use super::SourceId;
use super::Standing;
use super::archive::Archive;
use super::archive::Tampering;
use super::authorities::Authorities;
use super::capture::Capture;
use super::capture::Metadata;
use super::error::KeysError;
use super::key::Key;
use super::key::Listing;
use super::numbered;
use super::numbered::KeyNumbers;
use super::numbered::address;
use super::source::Issuer;
use super::source::SourceKind;
use super::timeline;
use super::timeline::SourceStanding;
use super::when::CaptureTime;
use crate::limits;
use crate::time::DAY;
use crate::time::UtcMicros;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// A source of the archive with its captures.
#[derive(Debug)]
pub struct Source {
    /// Name: a URL, or a directory of the archive.
    pub name: String,
    /// Whose keys it serves.
    pub kind: SourceKind,
    /// Issuers that metadata of the source names, in byte order.
    pub issuers: Vec<String>,
    /// `cloud_instance_name`s of its metadata, in byte order.
    pub clouds: Vec<String>,
    /// Captures in the order of time.
    pub captures: Vec<Sighting>,
}

/// What one capture of a source held.
#[derive(Debug)]
pub struct Sighting {
    /// When it was made.
    pub time: CaptureTime,
    /// False for a failed fetch and for an answer that may lack keys.
    pub complete: bool,
    /// The keys, sorted, each once.
    pub keys: Vec<KeyId>,
    /// The document, relative to the archive; `None` for a failed fetch.
    pub file: Option<String>,
}

/// All captures of an archive, frozen after load.
#[derive(Debug)]
pub struct KeyHistory {
    pub(super) keys: Vec<Key>,
    pub(super) sources: Vec<Source>,
    pub(super) by_kid: HashMap<String, Vec<KeyId>>,
    pub(super) by_x5t: HashMap<String, Vec<KeyId>>,
    sha256: String,
    notices: Vec<String>,
    tampering: Vec<Tampering>,
    authorities: Authorities,
}

impl KeyHistory {
    /// Reads an archive: a directory, or a packed file.
    ///
    /// # Errors
    ///
    /// See [`KeysError`].
    pub fn load(directory: &Path) -> Result<Self, KeysError> {
        let archive = Archive::read(directory)?;
        tracing::debug!(
            captures = archive.captures.len(),
            metadata = archive.metadata.len(),
            "key archive read"
        );
        Ok(Self::new(archive))
    }

    /// Joins what an archive holds.
    pub fn new(archive: Archive) -> Self {
        let Archive { captures, metadata, sha256, notices, tampering, cuts: _ } = archive;
        let mut history = Self {
            keys: Vec::new(),
            sources: sources(&captures, &metadata),
            by_kid: HashMap::new(),
            by_x5t: HashMap::new(),
            sha256,
            notices,
            tampering,
            authorities: Authorities::default(),
        };
        let (keys, sets) = numbered::keys(&captures);
        history.keys = keys;
        history.add_captures(&captures, &sets);
        history.add_listings(&captures, &sets);
        history.index();
        let shown = |name: &str| {
            if name.is_empty() { "the archive's own directory".to_owned() } else { format!("`{name}`") }
        };
        let labels = history.labels().map(shown).collect::<Vec<_>>();
        if !labels.is_empty() {
            history.notices.push(format!(
                "these sources name no host, so their keys are taken for every issuer's: {}",
                labels.join(", ")
            ));
        }
        history
    }

    fn add_captures(&mut self, captures: &[Capture], sets: &KeyNumbers) {
        for capture in captures {
            let mut keys = sets.get(&address(capture)).cloned().unwrap_or_default();
            keys.sort_unstable();
            keys.dedup();
            let sighting =
                Sighting { time: capture.time, complete: capture.complete, keys, file: capture.file.clone() };
            let source = self.sources.binary_search_by(|source| source.name.cmp(&capture.source));
            if let Some(source) = source.ok().and_then(|at| self.sources.get_mut(at)) {
                source.captures.push(sighting);
            }
        }
        for source in &mut self.sources {
            source.captures.sort_by(|a, b| (a.time, &a.file).cmp(&(b.time, &b.file)));
        }
    }

    fn add_listings(&mut self, captures: &[Capture], sets: &KeyNumbers) {
        let mut issuers: BTreeMap<(KeyId, SourceId), BTreeSet<Option<String>>> = BTreeMap::new();
        let mut met = HashSet::new();
        for capture in captures {
            let Ok(at) = self.sources.binary_search_by(|source| source.name.cmp(&capture.source)) else {
                continue;
            };
            if !met.insert((at, address(capture))) {
                continue;
            }
            let ids = sets.get(&address(capture)).map(Vec::as_slice).unwrap_or_default();
            for (jwk, id) in capture.keys.iter().zip(ids) {
                let known = issuers.entry((*id, SourceId(narrow(at)))).or_default();
                if !known.contains(&jwk.issuer) {
                    known.insert(jwk.issuer.clone());
                }
            }
        }
        // A key's first sighting by anybody bounds the proof that it was absent before.
        let mut first_seen: HashMap<KeyId, UtcMicros> = HashMap::new();
        for source in &self.sources {
            for sighting in &source.captures {
                for id in &sighting.keys {
                    let first = first_seen.entry(*id).or_insert(sighting.time.start);
                    *first = sighting.time.start.min(*first);
                }
            }
        }
        for ((id, source), issuers) in issuers {
            let Some(captures) = self.sources.get(wide(source.0)).map(|source| &source.captures) else {
                continue;
            };
            let first = first_seen.get(&id).copied();
            let standing = first.and_then(|first| SourceStanding::new(captures, id, first));
            if let (Some(key), Some(standing)) = (self.keys.get_mut(wide(id.0)), standing) {
                key.listings.push(Listing { source, issuers: issuers.into_iter().collect(), standing });
            }
        }
    }

    fn index(&mut self) {
        for (at, key) in self.keys.iter().enumerate() {
            let id = KeyId(narrow(at));
            if let Some(kid) = &key.kid {
                self.by_kid.entry(kid.clone()).or_default().push(id);
            }
            let thumbprints = key.certificates.iter().map(|certificate| &certificate.thumbprint);
            for x5t in key.x5t.iter().chain(thumbprints).collect::<BTreeSet<_>>() {
                self.by_x5t.entry(x5t.clone()).or_default().push(id);
            }
        }
    }

    /// A key by id.
    ///
    /// # Panics
    ///
    /// If the id comes from another history.
    #[expect(clippy::indexing_slicing, reason = "ids are made here and never leave their history")]
    pub fn key(&self, id: KeyId) -> &Key {
        &self.keys[wide(id.0)]
    }

    /// All keys in order of their id: by kid, then by material.
    pub fn keys(&self) -> impl Iterator<Item = (KeyId, &Key)> {
        self.keys.iter().enumerate().map(|(at, key)| (KeyId(narrow(at)), key))
    }

    /// A source by id.
    ///
    /// # Panics
    ///
    /// If the id comes from another history.
    #[expect(clippy::indexing_slicing, reason = "ids are made here and never leave their history")]
    pub fn source(&self, id: SourceId) -> &Source {
        &self.sources[wide(id.0)]
    }

    /// All sources in order of their id: by name.
    pub fn sources(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.sources.iter().enumerate().map(|(at, source)| (SourceId(narrow(at)), source))
    }

    /// Name of a source.
    pub fn source_name(&self, id: SourceId) -> &str {
        &self.source(id).name
    }

    /// The byte-least source that ever listed a key (column `key_source`).
    pub fn key_source(&self, id: KeyId) -> Option<&str> {
        self.key(id).listings.first().map(|listing| self.source_name(listing.source))
    }

    /// Sources without a host, which serve every issuer; the run says so.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        let labels = self.sources.iter().filter(|source| source.kind == SourceKind::Label);
        labels.map(|source| source.name.as_str())
    }

    /// SHA-256 of the archive, 64 lower-case hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What a reader of the run should know about the archive.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Where the archive is not what was captured; an audit never sees such an archive.
    pub fn tampering(&self) -> &[Tampering] {
        &self.tampering
    }

    /// The sources that serve an issuer; `None` if none does.
    pub fn authority(&self, iss: &str) -> Option<Arc<Authority>> {
        self.authorities.of(iss, || {
            let issuer = Issuer::of(iss);
            let serving = self.sources().filter(|(_, source)| source.kind.serves(&issuer, &source.issuers));
            let sources: Vec<SourceId> = serving.map(|(id, _)| id).collect();
            (!sources.is_empty()).then_some(Authority { sources })
        })
    }

    /// True if a complete capture of a serving source lies within seven days of an instant.
    pub fn covers(&self, authority: &Authority, at: UtcMicros) -> bool {
        self.covers_between(authority, at, at)
    }

    /// The instants, from the first to the last, that are covered by one of the captures that cover this one.
    pub fn covered_around(&self, authority: &Authority, at: UtcMicros) -> Option<(UtcMicros, UtcMicros)> {
        let reach = limits::COVERAGE_DAYS * DAY;
        let capture = self.capture_between(authority, at.plus(-reach), at.plus(reach))?;
        Some((capture.time.end.plus(-reach), capture.time.start.plus(reach)))
    }

    /// True if a complete capture of a serving source lies between seven days before one instant and seven days after
    /// another.
    pub fn covers_between(&self, authority: &Authority, first: UtcMicros, last: UtcMicros) -> bool {
        let reach = limits::COVERAGE_DAYS * DAY;
        self.capture_between(authority, first.plus(-reach), last.plus(reach)).is_some()
    }

    /// A complete capture of a serving source that begins and ends between two instants.
    fn capture_between(&self, authority: &Authority, from: UtcMicros, to: UtcMicros) -> Option<&Sighting> {
        authority.sources.iter().filter_map(|id| self.sources.get(wide(id.0))).find_map(|source| {
            let at = source.captures.partition_point(|capture| capture.time.start < from);
            let near = source.captures.get(at..).unwrap_or_default();
            near.iter()
                .take_while(|capture| capture.time.start <= to)
                .find(|capture| capture.complete && capture.time.end <= to)
        })
    }

    /// False where nothing can be concluded about a key at an instant ([`Presence::NoCoverage`]).
    pub fn answers(&self, key: KeyId, authority: &Authority, at: UtcMicros) -> bool {
        let own = self.own_listings(key, authority);
        timeline::seen(own.map(|listing| &listing.standing), at).is_some() || self.covers(authority, at)
    }

    /// [`Standing::retired_at`] alone: this is asked at every use of a token.
    pub fn retired_at(&self, key: KeyId, authority: &Authority) -> Option<UtcMicros> {
        timeline::retired(self.own_listings(key, authority).map(|listing| &listing.standing))
    }

    /// [`Self::standing`]'s presence, without the bounds around it: this is asked at every use of a token.
    pub fn presence(&self, key: KeyId, authority: &Authority, at: UtcMicros) -> Presence {
        let own = self.own_listings(key, authority);
        match timeline::seen(own.map(|listing| &listing.standing), at) {
            Some(presence) => presence,
            None => self.standing(key, authority, at).presence,
        }
    }

    /// How a key stood at an instant, within an authority. For an authority that never listed the key, within all
    /// sources that did.
    pub fn standing(&self, key: KeyId, authority: &Authority, at: UtcMicros) -> Standing {
        let own = self.own_listings(key, authority).map(|listing| &listing.standing);
        let mut standing = timeline::join(&own);
        standing.presence = match timeline::seen(own, at) {
            Some(presence) => presence,
            None if !self.covers(authority, at) => Presence::NoCoverage,
            None if standing.absent_before_until.is_some_and(|until| at <= until) => Presence::AbsentBefore,
            None if standing.retired_at.is_some_and(|retired| at > retired) => Presence::AbsentAfter,
            None => Presence::Gap,
        };
        standing
    }

    /// A key's listings by sources of an authority; where none of them ever listed it, all of its listings.
    fn own_listings(&self, key: KeyId, authority: &Authority) -> impl Iterator<Item = &Listing> + Clone {
        let listings = &self.key(key).listings;
        let serving = |listing: &Listing| authority.sources.binary_search(&listing.source).is_ok();
        let listed = listings.iter().any(serving);
        listings.iter().filter(move |listing| !listed || serving(listing))
    }
}

/// The sources that have captures, in byte order, with the metadata that belongs to each: of the same source, or
/// pointing at it by `jwks_uri`.
fn sources(captures: &[Capture], metadata: &[Metadata]) -> Vec<Source> {
    let names: BTreeSet<&String> = captures.iter().map(|capture| &capture.source).collect();
    let own = |name: &str, entry: &Metadata| entry.source == name || entry.jwks_uri == name;
    let distinct = |name: &str, member: fn(&Metadata) -> Option<&String>| {
        let of_source = metadata.iter().filter(|entry| own(name, entry)).filter_map(member);
        of_source.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    };
    names
        .into_iter()
        .map(|name| Source {
            kind: SourceKind::of(name),
            issuers: distinct(name, |entry| entry.issuer.as_ref()),
            clouds: distinct(name, |entry| entry.cloud.as_ref()),
            captures: Vec::new(),
            name: name.clone(),
        })
        .collect()
}

/// Ids are 32 bits; an archive with more keys or sources than that does not exist.
pub(super) fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

pub(super) fn wide(id: u32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::algorithm::Algorithm;
    use crate::keys::testing::TestKey;
    use crate::keys::testing::history;
    use serde_json::json;

    const ISS: &str = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";

    fn at(day: i64) -> UtcMicros {
        UtcMicros(day * DAY)
    }

    #[test]
    fn one_kid_with_two_materials_is_two_keys() {
        let mut issued = TestKey::RsaA.jwk("a");
        issued["issuer"] = json!("https://login.microsoftonline.com/{tenantid}/v2.0");
        let history = history(&[
            ("common", 0, Some(vec![TestKey::RsaA.jwk("a"), TestKey::RsaB.jwk("a")])),
            ("common/v2.0", 1, Some(vec![issued, TestKey::RsaB.jwk("b")])),
        ]);
        let kids: Vec<_> = history.keys().map(|(_, key)| key.kid.as_deref().unwrap()).collect();
        assert_eq!(kids, ["a", "a", "b"]);
        let authority = history.authority(ISS).unwrap();
        assert_eq!(authority.sources, [SourceId(0), SourceId(1)]);
        assert_eq!(history.named(&authority, Some("a"), None).len(), 2);
        assert_eq!(history.named(&authority, Some("A"), None), []);
        assert_eq!(history.named(&authority, Some("x"), Some("a")), []);
        let both = history.keys().find(|(_, key)| key.listings.len() == 2).unwrap();
        assert_eq!(history.key_source(both.0), Some("common"));
        assert_eq!(both.1.listings[0].issuers, [None]);
        assert!(both.1.listings[1].issuers[0].is_some());
        assert!(history.authority("https://idp.example.com/").is_none());
    }

    #[test]
    fn fallback_keys_come_nearest_first() {
        let history = history(&[
            ("common", 0, Some(vec![TestKey::RsaA.jwk("old"), TestKey::P256.jwk("ec")])),
            ("common", 50, Some(vec![TestKey::RsaA.jwk("new"), TestKey::RsaB.jwk("new")])),
        ]);
        let authority = history.authority(ISS).unwrap();
        let kids = |near: Option<UtcMicros>, algorithm| -> Vec<&str> {
            let keys = history.fallback(&authority, algorithm, near);
            keys.iter().map(|id| history.key(*id).kid.as_deref().unwrap()).collect()
        };
        assert_eq!(kids(Some(at(1)), Algorithm::Rs256), ["old", "new", "new"]);
        assert_eq!(kids(Some(at(40)), Algorithm::Rs256), ["new", "new", "old"]);
        assert_eq!(kids(None, Algorithm::Rs256), ["new", "new", "old"]);
        assert_eq!(kids(None, Algorithm::Es256), ["ec"]);
        let other = history.elsewhere(None, Some("old"), Algorithm::Rs256, None);
        assert_eq!(history.key(other[0]).kid.as_deref(), Some("old"));
        assert_eq!(history.elsewhere(Some(&authority), Some("old"), Algorithm::Rs256, None), []);
    }

    #[test]
    fn coverage_reaches_seven_days() {
        let history = history(&[("common", 10, Some(vec![])), ("common", 20, None)]);
        let authority = history.authority(ISS).unwrap();
        for (day, covered) in [(2, false), (3, true), (10, true), (17, true), (18, false), (20, false)] {
            assert_eq!(history.covers(&authority, at(day)), covered, "{day}");
        }
    }

    #[test]
    fn every_state_of_a_key_is_reached() {
        let with = || Some(vec![TestKey::RsaA.jwk("a")]);
        let without = || Some(vec![TestKey::RsaB.jwk("b")]);
        let history = history(&[
            ("common", 0, without()),
            ("common", 2, without()),
            ("common", 4, with()),
            ("common", 6, with()),
            ("common", 8, without()),
            ("common", 9, without()),
            ("common", 10, without()),
            ("common", 12, without()),
        ]);
        let authority = history.authority(ISS).unwrap();
        let key = history.named(&authority, Some("a"), None)[0];
        let standing = |day| history.standing(key, &authority, at(day));
        for (day, presence) in [
            (-8, Presence::NoCoverage),
            (-1, Presence::AbsentBefore),
            (0, Presence::AbsentBefore),
            (1, Presence::Gap),
            (3, Presence::Gap),
            (4, Presence::Known),
            (5, Presence::Presumed),
            (7, Presence::Gap),
            (10, Presence::Gap),
            (11, Presence::AbsentAfter),
            (30, Presence::NoCoverage),
        ] {
            assert_eq!(standing(day).presence, presence, "{day}");
        }
        let bounds = standing(5);
        assert_eq!((bounds.first_seen, bounds.last_seen), (at(4), at(6)));
        assert_eq!((bounds.last_absent_before, bounds.first_absent_after), (Some(at(2)), Some(at(8))));
        assert_eq!((bounds.absent_before_until, bounds.retired_at), (Some(at(0)), Some(at(10))));
    }

    #[test]
    fn listings_show_sources_and_keys() {
        let history = history(&[
            ("contoso", 0, Some(vec![TestKey::RsaA.jwk("a"), json!({"kty":"RSA","kid":"bad"})])),
            ("contoso", 1, None),
            ("idp.example.com", 1, Some(vec![])),
        ]);
        assert_eq!(history.labels().collect::<Vec<_>>(), ["contoso"]);
        assert!(history.notices()[0].ends_with("every issuer's: `contoso`"));
        let rows = history.listing();
        assert_eq!((rows[0].captures, rows[0].incomplete, rows[0].keys.len()), (1, 1, 2));
        assert_eq!(rows[0].table()[0][2], "RSA 2048");
        assert_eq!(rows[0].table()[1][2], "RSA (it is malformed)");
        assert_eq!(rows[1].table()[0][2], "none");
        let json = serde_json::to_value(&rows).unwrap();
        assert_eq!(json[0]["keys"][0]["first_seen"], "1970-01-01T00:00:00Z");
    }
}
