//! What `keys diff` tells: how the keys of two archives, or of two instants of one archive, differ.

use super::KeyId;
use super::SourceId;
use super::history::{KeyHistory, Source};
use super::key::Key;
use super::listing::as_text;
use crate::redact;
use crate::time::UtcMicros;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The keys of each source, as an archive or one instant of it has them.
#[derive(Debug)]
pub struct KeySets {
    sources: BTreeMap<String, KeySet>,
}

#[derive(Debug)]
struct KeySet {
    captured_at: Option<UtcMicros>,
    /// By kid, then by material.
    keys: BTreeMap<Option<String>, BTreeMap<String, Description>>,
}

/// What is compared of a key that stands on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Description {
    kind: String,
    members: Vec<(&'static str, String)>,
}

/// How two archives or instants differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Every source of either side, by name.
    pub sources: Vec<ComparedSource>,
    /// By source, kid and material.
    pub changes: Vec<KeyChange>,
}

/// What of a source was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComparedSource {
    /// Name; empty for the archive's own directory.
    pub source: String,
    /// The capture on the first side (of an archive, its last one); none where that side has no complete capture.
    #[serde(serialize_with = "as_text")]
    pub from: Option<UtcMicros>,
    /// The capture on the second side.
    #[serde(serialize_with = "as_text")]
    pub to: Option<UtcMicros>,
}

/// One key that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyChange {
    /// Name of the source; empty for the archive's own directory.
    pub source: String,
    /// `added`, `removed` or `changed`.
    pub change: &'static str,
    /// `kid`
    pub kid: Option<String>,
    /// Type and size.
    pub key: String,
    /// What changed: `material: 0f3c… -> 9a1b…`, `issuer: … -> …`.
    pub details: Vec<String>,
}

impl KeyHistory {
    /// Every key that each source ever listed.
    pub fn key_sets(&self) -> KeySets {
        let set = |(id, source): (SourceId, &Source)| {
            let complete = source.captures.iter().filter(|capture| capture.complete);
            let captured_at = complete.map(|capture| capture.time.start).max();
            let listed = |key: &Key| key.listings.iter().any(|listing| listing.source == id);
            let keys = self.keys().filter(|(_, key)| listed(key)).map(|(key, _)| key);
            (source.name.clone(), self.key_set(id, captured_at, keys))
        };
        KeySets { sources: self.sources().map(set).collect() }
    }

    /// The keys of each source's last complete capture that was begun at or before an instant. A source without one has no keys
    /// here, and is not compared.
    pub fn key_sets_at(&self, at: UtcMicros) -> KeySets {
        let set = |(id, source): (SourceId, &Source)| {
            let until = source.captures.partition_point(|capture| capture.time.start <= at);
            let before = source.captures.get(..until).unwrap_or_default();
            let capture = before.iter().rev().find(|capture| capture.complete);
            let captured_at = capture.map(|capture| capture.time.start);
            let keys = capture.map(|capture| capture.keys.as_slice()).unwrap_or_default();
            (source.name.clone(), self.key_set(id, captured_at, keys.iter().copied()))
        };
        KeySets { sources: self.sources().map(set).collect() }
    }

    fn key_set(
        &self,
        source: SourceId,
        captured_at: Option<UtcMicros>,
        ids: impl Iterator<Item = KeyId>,
    ) -> KeySet {
        let mut keys: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for id in ids {
            let key = self.key(id);
            let material = redact::hex(&key.prepared.material().identity());
            keys.entry(key.kid.clone()).or_default().insert(material, Description::new(key, source));
        }
        KeySet { captured_at, keys }
    }
}

impl Description {
    fn new(key: &Key, source: SourceId) -> Self {
        let size = key.bits.map(|bits| bits.to_string()).or_else(|| key.crv.clone());
        let own = key.listings.iter().filter(|listing| listing.source == source);
        let issuers = own.flat_map(|listing| &listing.issuers);
        let issuers: Vec<&str> = issuers.map(|issuer| issuer.as_deref().unwrap_or("none")).collect();
        let certificates: Vec<&str> =
            key.certificates.iter().map(|certificate| certificate.thumbprint.as_str()).collect();
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        Self {
            kind: size.map_or_else(|| key.kty.clone(), |size| format!("{} {size}", key.kty)),
            members: vec![
                ("alg", text(&key.alg)),
                ("use", text(&key.usage)),
                ("issuer", issuers.join(" ")),
                ("certificate", certificates.join(" ")),
                ("spki_sha256", text(&key.spki_sha256)),
            ],
        }
    }

    fn spki_sha256(&self) -> &str {
        self.members.last().map_or("none", |(_, text)| text)
    }

    fn changes(&self, other: &Self) -> Vec<String> {
        let pairs = self.members.iter().zip(&other.members).filter(|(before, after)| before != after);
        pairs.map(|((name, before), (_, after))| format!("{name}: {before} -> {after}")).collect()
    }
}

impl KeySets {
    /// What must be done to these key sets to get the others.
    pub fn compare(&self, others: &Self) -> Difference {
        let names: BTreeSet<&String> = self.sources.keys().chain(others.sources.keys()).collect();
        let mut difference = Difference { sources: Vec::new(), changes: Vec::new() };
        for name in names {
            let [before, after] = [self, others].map(|sets| sets.sources.get(name));
            let captured = |set: Option<&KeySet>| set.and_then(|set| set.captured_at);
            let [from, to] = [captured(before), captured(after)];
            difference.sources.push(ComparedSource { source: name.clone(), from, to });
            // A source that is there but was not captured yet has keys that nobody knows.
            let unknown = |set: Option<&KeySet>| {
                set.is_some_and(|set| set.captured_at.is_none() && set.keys.is_empty())
            };
            if !unknown(before) && !unknown(after) {
                compare_source(name, before, after, &mut difference.changes);
            }
        }
        difference
    }
}

fn compare_source(
    source: &str,
    before: Option<&KeySet>,
    after: Option<&KeySet>,
    changes: &mut Vec<KeyChange>,
) {
    let [before, after] = [before, after].map(|set| set.map(|set| &set.keys));
    let kids: BTreeSet<&Option<String>> = before.into_iter().chain(after).flat_map(BTreeMap::keys).collect();
    let nothing = BTreeMap::new();
    for kid in kids {
        let [before, after] =
            [before, after].map(|keys| keys.and_then(|keys| keys.get(kid)).unwrap_or(&nothing));
        let mut push = |change, key: &Description, details| {
            let key = key.kind.clone();
            changes.push(KeyChange { source: source.to_owned(), change, kid: kid.clone(), key, details });
        };
        for (material, key) in before {
            if let Some(changed) = after.get(material).map(|other| key.changes(other))
                && !changed.is_empty()
            {
                push("changed", key, changed);
            }
        }
        let only = |left: &BTreeMap<String, Description>, right: &BTreeMap<String, Description>| {
            let keys = left.iter().filter(|(material, _)| !right.contains_key(*material));
            keys.map(|(_, key)| key.clone()).collect::<Vec<_>>()
        };
        let [gone, new] = [only(before, after), only(after, before)];
        // Another material under the same kid is the change that matters most.
        if let ([old], [new]) = (gone.as_slice(), new.as_slice())
            && kid.is_some()
        {
            push("changed", new, vec![format!("material: {} -> {}", old.spki_sha256(), new.spki_sha256())]);
            continue;
        }
        for key in &gone {
            push("removed", key, vec![format!("spki_sha256: {}", key.spki_sha256())]);
        }
        for key in &new {
            push("added", key, vec![format!("spki_sha256: {}", key.spki_sha256())]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::{TestKey, history};
    use crate::time::DAY;
    use serde_json::json;

    fn changes(difference: &Difference) -> Vec<String> {
        let line = |change: &KeyChange| {
            let details: Vec<&str> =
                change.details.iter().filter_map(|detail| detail.split(':').next()).collect();
            let kid = change.kid.as_deref().unwrap_or("none");
            format!("{} {} {kid} {}", change.source, change.change, details.join(","))
        };
        difference.changes.iter().map(line).collect()
    }

    #[test]
    fn keys_come_go_and_change() {
        let mut issued = TestKey::P256.jwk("same");
        let plain = issued.clone();
        issued["issuer"] = json!("https://a.example/");
        let [a, b] = [TestKey::RsaA, TestKey::RsaB];
        let first = history(&[
            ("x", 1, Some(vec![a.jwk("old"), plain, a.jwk("reused")])),
            ("gone", 1, Some(vec![a.jwk("g")])),
        ]);
        let second = history(&[
            ("x", 2, Some(vec![b.jwk("new"), issued, b.jwk("reused")])),
            ("y", 2, Some(vec![b.jwk("n")])),
        ]);
        let difference = first.key_sets().compare(&second.key_sets());
        assert_eq!(
            changes(&difference),
            [
                "gone removed g spki_sha256",
                "x added new spki_sha256",
                "x removed old spki_sha256",
                "x changed reused material",
                "x changed same issuer",
                "y added n spki_sha256",
            ]
        );
        assert!(first.key_sets().compare(&first.key_sets()).changes.is_empty());
    }

    #[test]
    fn instants_compare_the_last_complete_capture() {
        let [a, b] = [TestKey::RsaA.jwk("a"), TestKey::RsaB.jwk("b")];
        let history = history(&[
            ("x", 1, Some(vec![a.clone()])),
            ("x", 3, Some(vec![a, b.clone()])),
            ("x", 4, None),
            ("later", 4, Some(vec![b])),
        ]);
        let at = |day: i64| history.key_sets_at(UtcMicros(day * DAY));
        let difference = at(2).compare(&at(5));
        assert_eq!(changes(&difference), ["x added b spki_sha256"], "nobody knows what `later` had before");
        let [later, x] = difference.sources.as_slice() else { panic!("{difference:?}") };
        assert_eq!((later.from, later.to), (None, Some(UtcMicros(4 * DAY))));
        assert_eq!((x.from, x.to), (Some(UtcMicros(DAY)), Some(UtcMicros(3 * DAY))));
        assert_eq!(changes(&at(5).compare(&at(2))), ["x removed b spki_sha256"]);
    }
}
