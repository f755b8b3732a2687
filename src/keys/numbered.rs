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
pub(super) type KeySetAddress = *const Arc<Jwk>;

/// The numbers of each key set's keys, in the order of its document.
pub(super) type KeyNumbers = HashMap<KeySetAddress, Vec<KeyId>>;

/// Where a capture's key set lies; the captures must outlive every use.
pub(super) fn address(capture: &Capture) -> KeySetAddress {
    Arc::as_ptr(&capture.keys).cast()
}

/// The keys in the order of their numbers.
pub(super) fn keys(captures: &[Capture]) -> (Vec<Key>, KeyNumbers) {
    let mut distinct: BTreeMap<KeyName, Key> = BTreeMap::new();
    // Documents share keys as captures share documents.
    let mut names: HashMap<*const Jwk, KeyName> = HashMap::new();
    let mut sets: HashMap<KeySetAddress, &Capture> = HashMap::new();
    let mut ordered: Vec<&Capture> = captures.iter().collect();
    ordered.sort_by_key(|capture| (capture.time, &capture.source));
    for capture in ordered {
        // What a document says again changes nothing, nor what another says of a key in the same words.
        let Entry::Vacant(entry) = sets.entry(address(capture)) else { continue };
        entry.insert(capture);
        for jwk in capture.keys.iter() {
            let Entry::Vacant(entry) = names.entry(Arc::as_ptr(jwk)) else { continue };
            let name = entry.insert((jwk.kid.clone(), jwk.material.identity()));
            distinct.entry(name.clone()).or_insert_with(|| Key::new(jwk)).describe(jwk);
        }
    }
    let mut keys = Vec::new();
    let mut numbers = HashMap::new();
    for (at, (name, key)) in distinct.into_iter().enumerate() {
        numbers.insert(name, KeyId(narrow(at)));
        keys.push(key);
    }
    let ids: HashMap<*const Jwk, KeyId> =
        names.iter().filter_map(|(jwk, name)| Some((*jwk, *numbers.get(name)?))).collect();
    let of_keys = |capture: &Capture| {
        capture.keys.iter().filter_map(|jwk| ids.get(&Arc::as_ptr(jwk)).copied()).collect()
    };
    (keys, sets.iter().map(|(address, capture)| (*address, of_keys(capture))).collect())
}
