//! Entries by host and leading path, so that a request looks only at those that can win, however many there are.

use super::matcher::Compared;
use super::matcher::Entry;
use super::matcher::HostRank;
use super::matcher::Rank;
use super::pattern::BehindKey;
use super::pattern::HostPattern;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;

/// A table whose keys are texts of the policy.
type Texts<T> = HashMap<String, T, BuildHasherDefault<TextHasher>>;

/// Every entry, by what its hosts are.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    exact: Texts<Bucket>,
    below: Texts<Bucket>,
    /// Length of the longest suffix in `below`: longer ones need not be looked up.
    below_bytes_max: usize,
    any: Bucket,
}

/// Entries that share a host, by their paths.
#[derive(Debug, Default)]
struct Bucket {
    /// By the path's [`key`](super::pattern::PathPattern::key); each list from the most specific path on.
    by_key: Texts<Vec<Row>>,
    /// The different lengths of the keys, longest first.
    key_lengths: Vec<usize>,
    /// Entries without paths.
    without_path: Vec<usize>,
}

/// A path of an entry, by their places, with what mostly spares a look at either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    literal_bytes: usize,
    entry: usize,
    path: usize,
    behind_key: BehindKey,
    /// True if routes and gateways do not restrict the entry.
    is_free: bool,
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
            let mut hosts: Vec<&HostPattern> = entry.scope.hosts.iter().collect();
            if hosts.is_empty() {
                matcher.any.add(index, entry);
            }
            hosts.sort();
            hosts.dedup();
            for host in hosts {
                let bucket = match host {
                    HostPattern::Exact(host) => matcher.exact.entry(host.clone()).or_default(),
                    HostPattern::Below(suffix) => {
                        matcher.below_bytes_max = matcher.below_bytes_max.max(suffix.len());
                        matcher.below.entry(suffix.clone()).or_default()
                    }
                };
                bucket.add(index, entry);
            }
        }
        let buckets = matcher.exact.values_mut().chain(matcher.below.values_mut());
        buckets.chain([&mut matcher.any]).for_each(Bucket::finish);
        matcher
    }

    /// The most specific entry: exact hosts first, then wildcards from the longest on, then entries without hosts.
    pub(super) fn winner(&self, entries: &[Entry], request: &Compared<'_>) -> Option<Winner> {
        let host = request.host.as_deref();
        let of_host = host.and_then(|host| {
            let exact = self.exact.get(host).and_then(|bucket| bucket.best(entries, request));
            exact.or_else(|| self.best_below(host, entries, request))
        });
        of_host.or_else(|| self.any.best(entries, request))
    }

    fn best_below(&self, host: &str, entries: &[Entry], request: &Compared<'_>) -> Option<Winner> {
        if self.below.is_empty() {
            return None;
        }
        // A dot at the very beginning would leave no label for the wildcard.
        let from = host.len().saturating_sub(self.below_bytes_max + 1).max(1);
        let dots = memchr::memchr_iter(b'.', host.as_bytes().get(from..)?);
        let suffixes = dots.filter_map(|dot| host.get(from + dot + 1..));
        suffixes.filter_map(|suffix| self.below.get(suffix)).find_map(|bucket| bucket.best(entries, request))
    }
}

impl Bucket {
    fn add(&mut self, index: usize, entry: &Entry) {
        if entry.scope.paths.is_empty() {
            self.without_path.push(index);
        }
        for (path, pattern) in entry.scope.paths.iter().enumerate() {
            let row = Row {
                literal_bytes: pattern.literal_bytes(),
                entry: index,
                path,
                behind_key: pattern.behind_key(),
                is_free: entry.scope.routes.is_empty() && entry.scope.gateways.is_empty(),
            };
            self.by_key.entry(pattern.key().to_owned()).or_default().push(row);
        }
    }

    fn finish(&mut self) {
        self.key_lengths = self.by_key.keys().map(String::len).collect();
        self.key_lengths.sort_unstable_by(|a, b| b.cmp(a));
        self.key_lengths.dedup();
        for rows in self.by_key.values_mut() {
            rows.sort_by_key(|row| (std::cmp::Reverse(row.literal_bytes), row.entry, row.path));
        }
    }

    /// The best entry; of equals the first, which has the byte-least name.
    ///
    /// Of two paths that match one request the one with the longer key has more literal bytes: the wildcard of the other
    /// stands in a segment that the longer key spells out. So the first key under which an entry matches decides.
    fn best(&self, entries: &[Entry], request: &Compared<'_>) -> Option<Winner> {
        let path = request.path.as_deref().unwrap_or_default();
        for length in &self.key_lengths {
            let is_whole = path.len() == *length || path.as_bytes().get(*length) == Some(&b'/');
            let key = path.get(..*length).filter(|_| is_whole);
            if let Some(winner) = key
                .and_then(|key| self.by_key.get(key))
                .and_then(|rows| best_row(rows, *length, path, entries, request))
            {
                return Some(winner);
            }
        }
        let mut best = Best::default();
        for index in &self.without_path {
            let marks = entries.get(*index).and_then(|entry| entry.scope.route_and_gateway(request).ok());
            best.offer(*index, 0, marks);
        }
        best.winner()
    }
}

/// The best of the rows whose key is the path's first `key_bytes`.
fn best_row(
    rows: &[Row],
    key_bytes: usize,
    path: &str,
    entries: &[Entry],
    request: &Compared<'_>,
) -> Option<Winner> {
    let mut best = Best::default();
    for row in rows {
        // The rows that follow are no more specific.
        if best.0.is_some_and(|(rank, _)| rank.literal_bytes > row.literal_bytes) {
            break;
        }
        let scope = || entries.get(row.entry).map(|entry| &entry.scope);
        let matches = match row.behind_key {
            BehindKey::End => path.len() == key_bytes,
            BehindKey::Anything => !path.is_empty(),
            BehindKey::Segments => scope()
                .and_then(|scope| scope.paths.get(row.path))
                .is_some_and(|pattern| pattern.matches(path)),
        };
        if matches {
            let marks = if row.is_free {
                Some((false, false))
            } else {
                scope().and_then(|scope| scope.route_and_gateway(request).ok())
            };
            best.offer(row.entry, row.literal_bytes, marks);
        }
    }
    best.winner()
}

/// The best of some entries, offered in their order.
#[derive(Default)]
struct Best(Option<(Rank, Winner)>);

impl Best {
    /// An entry whose host and path match; whether route and gateway restrict it, or `None` if they keep the request out.
    fn offer(&mut self, index: usize, literal_bytes: usize, marks: Option<(bool, bool)>) {
        let Some((route, gateway)) = marks else { return };
        let rank = Rank { host: HostRank::Any, literal_bytes, route, gateway };
        match &mut self.0 {
            // An entry with several paths is no rival of itself.
            Some((known, winner)) if *known == rank => winner.ambiguous |= winner.entry != index,
            Some((known, _)) if *known > rank => {}
            _ => self.0 = Some((rank, Winner { entry: index, ambiguous: false })),
        }
    }

    fn winner(self) -> Option<Winner> {
        self.0.map(|(_, winner)| winner)
    }
}

/// Hashes short texts in a few instructions. Only texts of the policy lie in its tables, so nobody who writes logs can
/// make them collide.
#[derive(Clone, Copy, Debug, Default)]
struct TextHasher(u64);

impl TextHasher {
    fn add(&mut self, word: u64) {
        // The odd number nearest to 2^64 divided by the golden ratio.
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        self.add(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        // Tables index by the low bits, and a product mixes best into the high ones.
        self.0.rotate_left(26)
    }
}
