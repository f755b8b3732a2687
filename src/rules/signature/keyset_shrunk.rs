//! `keyset-shrunk`

use crate::keys::{KeyHistory, KeyId, Sighting, Source};
use crate::limits;
use crate::rules::kit::{Evidence, Statement, rule};
use crate::time::{DAY, UtcMicros};
use std::collections::HashMap;

rule! {
    /// Several keys left a key set at once, without a new one before.
    ///
    /// Why it matters: in an ordinary rotation a new key appears before an old one goes. Keys that go without that point to an
    /// emergency, such as a stolen key, or to an endpoint that does not answer alike.
    ///
    /// What to do: look for an announcement of the issuer; if keys were withdrawn for cause, list them under
    /// `keys.compromised` and audit the time before again.
    ///
    /// Known false positives: endpoints that answer with fewer keys now and then; keys that return are not counted.
    "keyset-shrunk", Signature, "I/I", BlindSpot, Strong,
    references: ["https://learn.microsoft.com/entra/identity-platform/signing-key-rollover"],
    needs: [Keys],
    judge: Archive(check),
}

/// Fewer keys that go at once are an ordinary rotation.
const GONE_MIN: usize = 2;

fn check(keys: &KeyHistory) -> Vec<Statement> {
    let statement = |source: &Source| {
        let (gone, before, after) = shrinking(source)?;
        let kids: Vec<&str> =
            gone.iter().filter_map(|id| keys.key(*id).kid.as_deref()).take(limits::LISTED_MAX).collect();
        let evidence = Evidence::new("Several keys left the key set at once, and no new one had come.")
            .expected("a new key before others go")
            .actual(gone.len().to_string())
            .fact("kids", kids)
            .fact("last_with_them", before.to_string())
            .fact("first_without_them", after.to_string());
        Some(Statement { subject: format!("source:{}", source.name), evidence })
    };
    keys.sources().filter_map(|(_, source)| statement(source)).collect()
}

/// The first two captures in a row between which keys went for ever, though none had come for a day; and those keys.
fn shrinking(source: &Source) -> Option<(Vec<KeyId>, UtcMicros, UtcMicros)> {
    let complete: Vec<&Sighting> = source.captures.iter().filter(|capture| capture.complete).collect();
    let mut first: HashMap<KeyId, UtcMicros> = HashMap::new();
    let mut last: HashMap<KeyId, UtcMicros> = HashMap::new();
    for capture in &complete {
        for id in &capture.keys {
            first.entry(*id).or_insert(capture.time.start);
            last.insert(*id, capture.time.start);
        }
    }
    let start = complete.first()?.time.start;
    complete.windows(2).find_map(|pair| {
        let [before, after] = pair else { return None };
        let is_gone = |id: &&KeyId| last.get(*id).is_some_and(|last| *last <= before.time.start);
        let gone: Vec<KeyId> = before.keys.iter().filter(is_gone).copied().collect();
        let since = after.time.start.plus(-DAY);
        // What the first capture holds did not come then.
        let is_new = |id: &KeyId| first.get(id).is_some_and(|first| *first > since && *first > start);
        let renewed = before.keys.iter().chain(&after.keys).any(is_new);
        (gone.len() >= GONE_MIN && !renewed).then_some((gone, before.time.end, after.time.start))
    })
}
