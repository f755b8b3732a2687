//! The distinct keys of all captures, numbered in the order of their names.
//!
//! An archive of two years of hourly captures lists each of its keys thousands of times, nearly always in a document that was
//! captured before. So each key set is looked at once.

use super::KeyId;
use super::capture::Capture;
use super::history::narrow;
use super::jwk::Jwk;
use super::key::Key;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Order of keys: by kid, then by material.
type KeyName = (Option<String>, Vec<u8>);

/// Captures of an unchanged document share its keys, so that where these lie tells key sets apart.
pub(super) type KeySetAddress = *const Jwk;

/// The numbers of each key set's keys, in the order of its document.
pub(super) type KeyNumbers = HashMap<KeySetAddress, Vec<KeyId>>;

/// Where a capture's key set lies; the captures must outlive every use.
pub(super) fn address(capture: &Capture) -> KeySetAddress {
    Arc::as_ptr(&capture.keys).cast()
}

/// The keys in the order of their numbers.
pub(super) fn keys(captures: &[Capture]) -> (Vec<Key>, KeyNumbers) {
    let mut distinct: BTreeMap<KeyName, Key> = BTreeMap::new();
    let mut names: HashMap<KeySetAddress, Vec<KeyName>> = HashMap::new();
    let mut ordered: Vec<&Capture> = captures.iter().collect();
    ordered.sort_by_key(|capture| (capture.time, &capture.source));
    for capture in ordered {
        // What a document says again changes nothing.
        let Entry::Vacant(entry) = names.entry(address(capture)) else { continue };
        let own = entry.insert(capture.keys.iter().map(name).collect());
        for (jwk, name) in capture.keys.iter().zip(own) {
            distinct.entry(name.clone()).or_insert_with(|| Key::new(jwk)).describe(jwk);
        }
    }
    let mut keys = Vec::new();
    let mut numbers = HashMap::new();
    for (at, (name, key)) in distinct.into_iter().enumerate() {
        numbers.insert(name, KeyId(narrow(at)));
        keys.push(key);
    }
    let of_names = |names: &[KeyName]| names.iter().filter_map(|name| numbers.get(name).copied()).collect();
    let sets = names.iter().map(|(address, names)| (*address, of_names(names))).collect();
    (keys, sets)
}

fn name(jwk: &Jwk) -> KeyName {
    (jwk.kid.clone(), jwk.material.identity())
}
