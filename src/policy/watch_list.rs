//! Watch entries by what they match, so that a use is compared with a few of them, however long the files are.

use super::network::Network;
use super::watch::WatchEntry;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a use shows of itself, in the spelling of [`WatchEntry`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched<'u> {
    /// Fingerprint of the token.
    pub fingerprint: [u8; 32],
    /// `uti`
    pub uti: Option<&'u str>,
    /// `sid`
    pub sid: Option<&'u str>,
    /// `oid`
    pub oid: Option<&'u str>,
    /// Client id.
    pub client: Option<&'u str>,
    /// `kid`
    pub kid: Option<&'u str>,
    /// Tenant.
    pub tid: Option<&'u str>,
    /// Address of the client.
    pub ip: Option<&'u str>,
}

/// Entries of watch files or of revocations.
#[derive(Clone, Debug, Default)]
pub struct WatchList {
    entries: Vec<WatchEntry>,
    by_fingerprint: HashMap<[u8; 32], Vec<usize>>,
    /// By the first text that they give, in the order of [`texts`].
    by_text: [HashMap<String, Vec<usize>>; TEXTS],
    /// Entries that give an address alone, by the length of the network's prefix and the network.
    by_network: BTreeMap<u8, HashMap<Network, Vec<usize>>>,
}

/// Kinds of texts that an entry may give.
const TEXTS: usize = 6;

/// The texts of an entry, those first that fewest uses share.
fn texts(entry: &WatchEntry) -> [Option<&str>; TEXTS] {
    [&entry.uti, &entry.sid, &entry.oid, &entry.client, &entry.kid, &entry.tid].map(Option::as_deref)
}

impl WatchList {
    pub(super) fn new(entries: Vec<WatchEntry>) -> Self {
        let mut list = Self::default();
        for (at, entry) in entries.iter().enumerate() {
            if let Some(fingerprint) = entry.token_sha256.as_deref().and_then(bytes) {
                list.by_fingerprint.entry(fingerprint).or_default().push(at);
            } else if let Some((map, text)) =
                list.by_text.iter_mut().zip(texts(entry)).find_map(|(map, text)| Some((map, text?)))
            {
                map.entry(text.to_owned()).or_default().push(at);
            } else if let Some(network) = entry.ip {
                let networks = list.by_network.entry(network.prefix()).or_default();
                networks.entry(network).or_default().push(at);
            }
        }
        Self { entries, ..list }
    }

    /// Every entry, in the order of the files.
    pub fn entries(&self) -> &[WatchEntry] {
        &self.entries
    }

    /// The entries that match a use, whatever their periods; not in any order.
    pub fn matching<'l>(&'l self, used: Watched<'l>) -> impl Iterator<Item = (usize, &'l WatchEntry)> {
        self.candidates(used).filter(move |(_, entry)| is_met(entry, &used))
    }

    /// True if a use may match that shows the same and comes from any address.
    pub fn may_match(&self, used: Watched<'_>) -> bool {
        !self.by_network.is_empty() || self.candidates(used).any(|(_, entry)| is_met_somewhere(entry, &used))
    }

    /// Every entry that matches a use, and some that do not.
    fn candidates<'l>(&'l self, used: Watched<'l>) -> impl Iterator<Item = (usize, &'l WatchEntry)> {
        let shown = [used.uti, used.sid, used.oid, used.client, used.kid, used.tid];
        let by_text = self.by_text.iter().zip(shown).filter_map(|(map, text)| map.get(text?));
        self.by_fingerprint
            .get(&used.fingerprint)
            .into_iter()
            .chain(by_text)
            .flatten()
            .copied()
            .chain(self.of_address(used.ip))
            .filter_map(|at| Some((at, self.entries.get(at)?)))
    }

    /// Entries that give nothing but a network that holds an address.
    fn of_address(&self, address: Option<&str>) -> impl Iterator<Item = usize> {
        let address = Some(&self.by_network).filter(|networks| !networks.is_empty()).and(address);
        let address = address.and_then(|address| address.parse::<IpAddr>().ok());
        let networks = address.into_iter().flat_map(|address| {
            self.by_network
                .iter()
                .filter_map(move |(prefix, networks)| networks.get(&Network::around(address, *prefix)?))
        });
        networks.flatten().copied()
    }
}

/// True if everything that an entry gives matches.
fn is_met(entry: &WatchEntry, used: &Watched<'_>) -> bool {
    let address = || used.ip.and_then(|address| address.parse::<IpAddr>().ok());
    is_met_somewhere(entry, used)
        && entry.ip.is_none_or(|network| address().is_some_and(|address| network.contains(address)))
}

/// True if everything that an entry gives matches, but for the address.
fn is_met_somewhere(entry: &WatchEntry, used: &Watched<'_>) -> bool {
    let shown = [used.uti, used.sid, used.oid, used.client, used.kid, used.tid];
    let same = texts(entry).into_iter().zip(shown).all(|(given, shown)| given.is_none() || given == shown);
    let fingerprint =
        entry.token_sha256.as_deref().is_none_or(|given| bytes(given) == Some(used.fingerprint));
    same && fingerprint
}

/// The bytes of 64 hexadecimal digits.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use crate::policy::{Policy, WatchList, Watched};
    use std::collections::BTreeMap;

    fn list(file: &str) -> WatchList {
        let files = BTreeMap::from([("w.jsonl".to_owned(), file.to_owned())]);
        let policy = Policy::parse_with("version = 1\nwatch.files = [\"w.jsonl\"]", &files).unwrap();
        policy.watch_list().unwrap().clone()
    }

    fn matches(file: &str, used: Watched<'_>) -> Vec<usize> {
        let mut found: Vec<usize> = list(file).matching(used).map(|(at, _)| at).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn entries_are_found_by_each_matcher() {
        let file = format!(
            "{{\"token_sha256\":\"{}\"}}\n{{\"uti\":\"u==\"}}\n{{\"sid\":\"s\"}}\n{{\"oid\":\"o\"}}\n{{\"client\":\"c\"}}\n\
             {{\"kid\":\"k\"}}\n{{\"tid\":\"t\"}}\n{{\"ip\":\"198.51.100.0/24\"}}\n{{\"ip\":\"2001:db8::/32\"}}",
            "ab".repeat(32)
        );
        let none = Watched::default();
        for (at, used) in [
            (0, Watched { fingerprint: [0xab; 32], ..none }),
            (1, Watched { uti: Some("u"), ..none }),
            (2, Watched { sid: Some("s"), ..none }),
            (3, Watched { oid: Some("o"), ..none }),
            (4, Watched { client: Some("c"), ..none }),
            (5, Watched { kid: Some("k"), ..none }),
            (6, Watched { tid: Some("t"), ..none }),
            (7, Watched { ip: Some("198.51.100.9"), ..none }),
            (7, Watched { ip: Some("::ffff:198.51.100.9"), ..none }),
            (8, Watched { ip: Some("2001:db8:1::1"), ..none }),
        ] {
            assert_eq!(matches(&file, used), [at], "{used:?}");
        }
        assert!(matches(&file, none).is_empty());
        assert!(matches(&file, Watched { ip: Some("192.0.2.1"), uti: Some("s"), ..none }).is_empty());
    }

    #[test]
    fn everything_given_must_match() {
        let file = "{\"oid\":\"o\",\"tid\":\"t\",\"ip\":\"192.0.2.1\"}";
        let used = Watched { oid: Some("o"), tid: Some("t"), ip: Some("192.0.2.1"), ..Watched::default() };
        assert_eq!(matches(file, used), [0]);
        assert!(matches(file, Watched { tid: Some("x"), ..used }).is_empty());
        assert!(matches(file, Watched { ip: Some("192.0.2.2"), ..used }).is_empty());
        let elsewhere = Watched { ip: None, ..used };
        assert!(matches(file, elsewhere).is_empty());
        assert!(list(file).may_match(elsewhere));
        assert!(!list(file).may_match(Watched { oid: Some("x"), ..elsewhere }));
        assert!(list("{\"ip\":\"192.0.2.1\"}").may_match(Watched::default()));
    }
}
