//! `key-material-changed`

use crate::keys::{Key, KeyHistory, KeyId, Listing};
use crate::rules::archive::{self, SourceAuthority};
use crate::rules::kit::{Evidence, Statement, rule};
use std::collections::BTreeMap;

rule! {
    /// One key id of one authority stands for different keys, or for different certificates.
    ///
    /// Why it matters: an issuer that changes a key gives it a new id. The same id for something else shows a changed archive,
    /// a proxy between the issuer and the capture, or a fault of the issuer; each puts every verdict about that id in
    /// doubt.
    ///
    /// What to do: compare the captures that the evidence names with copies that others made; see who can write to the
    /// archive; until it is explained, treat tokens with that id as unverified.
    ///
    /// Known false positives: none.
    "key-material-changed", Signature, "C/C", BlindSpot, Proven,
    references: ["RFC 7517 section 4.5", "CWE-345", "ATT&CK T1553"],
    needs: [Keys],
    judge: Archive(check),
}

fn check(keys: &KeyHistory) -> Vec<Statement> {
    let mut found: BTreeMap<&str, Evidence> = BTreeMap::new();
    for ((authority, kid), same) in by_authority(keys) {
        let certificates: usize = same.iter().map(|id| keys.key(*id).certificates.len()).sum();
        let what = match same.as_slice() {
            [_] if certificates > 1 => "certificate",
            [_, _, ..] if !always_together(keys, &authority, &same) => "key",
            _ => continue,
        };
        found.entry(kid).or_insert_with(|| evidence(keys, &same, what));
    }
    archive::about_kids(found)
}

/// The keys of each authority and id.
fn by_authority(keys: &KeyHistory) -> BTreeMap<(SourceAuthority<'_>, &str), Vec<KeyId>> {
    let mut groups: BTreeMap<(SourceAuthority<'_>, &str), Vec<KeyId>> = BTreeMap::new();
    for (id, key) in keys.keys() {
        let Some(kid) = key.kid.as_deref() else { continue };
        for listing in &key.listings {
            let same = groups.entry((SourceAuthority::of(keys, listing.source), kid)).or_default();
            if !same.contains(&id) {
                same.push(id);
            }
        }
    }
    groups
}

/// True if every capture of the authority that holds one of the keys holds all of them: then nothing changed, and `key-duplicate-kid` speaks.
fn always_together(keys: &KeyHistory, authority: &SourceAuthority<'_>, same: &[KeyId]) -> bool {
    let own = keys.sources().filter(|(id, _)| SourceAuthority::of(keys, *id) == *authority);
    let captures = own.flat_map(|(_, source)| &source.captures);
    captures
        .map(|capture| same.iter().filter(|id| capture.keys.contains(id)).count())
        .all(|held| held == 0 || held == same.len())
}

fn evidence(keys: &KeyHistory, same: &[KeyId], what: &str) -> Evidence {
    let described = |key: &Key| {
        let digest = key.spki_sha256.as_deref().unwrap_or("another kind of key");
        let seen = key.listings.iter().map(Listing::seen);
        let first = seen.clone().map(|(first, _)| first).min();
        let last = seen.map(|(_, last)| last).max();
        let bounds = first.zip(last).map(|(first, last)| format!(" seen {first} to {last}"));
        format!("{digest}{}", bounds.unwrap_or_default())
    };
    let materials: Vec<String> = same.iter().map(|id| described(keys.key(*id))).collect();
    let thumbprints: Vec<String> = same
        .iter()
        .flat_map(|id| &keys.key(*id).certificates)
        .map(|certificate| certificate.thumbprint.clone())
        .collect();
    Evidence::new("One key id stands for different keys or certificates.")
        .expected("one key and one certificate for each id")
        .actual(what)
        .fact("keys", materials)
        .fact("certificates", thumbprints)
}
