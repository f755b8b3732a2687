//! `key-duplicate-kid`

use crate::keys::{KeyHistory, KeyId, Sighting};
use crate::rules::archive;
use crate::rules::kit::{Evidence, Statement, rule};
use std::collections::BTreeMap;

rule! {
    /// One key set lists one key id for two different keys.
    ///
    /// Why it matters: which of the two verifies a token is left to the validator, so two of them may disagree.
    ///
    /// What to do: tell the issuer; until then verify with both, as this tool does.
    ///
    /// Known false positives: none.
    "key-duplicate-kid", Signature, "H/H", BlindSpot, Proven,
    references: ["RFC 7517 section 4.5", "CWE-436"],
    needs: [Keys],
    judge: Archive(check),
}

fn check(keys: &KeyHistory) -> Vec<Statement> {
    let mut found: BTreeMap<&str, Evidence> = BTreeMap::new();
    for (_, source) in keys.sources() {
        for sighting in &source.captures {
            for kid in doubled(keys, sighting) {
                found.entry(kid).or_insert_with(|| {
                    Evidence::new("One key set lists one key id for different keys.")
                        .expected("an id of its own for each key")
                        .actual(kid)
                        .fact("source", source.name.as_str())
                        .fact("captured_at", sighting.time.start.to_string())
                });
            }
        }
    }
    archive::about_kids(found)
}

/// The ids that a capture lists more than once. Its keys stand in the order of their ids.
fn doubled<'h>(keys: &'h KeyHistory, sighting: &'h Sighting) -> impl Iterator<Item = &'h str> {
    let kid = |id: &KeyId| keys.key(*id).kid.as_deref();
    let pairs = sighting.keys.iter().zip(sighting.keys.iter().skip(1));
    pairs.filter_map(move |(one, other)| kid(one).filter(|one| kid(other) == Some(*one)))
}
