//! Rules that fire on so many tokens of an API that the API is the problem: shown once, however many causes they have.

use super::Partial;
use super::problems::identity;
use crate::findings::FindingRow;
use crate::redact::Fingerprint;
use hashbrown::HashSet;
use std::collections::{BTreeMap, BTreeSet};

/// Least share of an API's distinct tokens.
const TOKENS_PERCENT: u64 = 20;
/// Least number of distinct identities.
const IDENTITIES_MIN: usize = 20;

/// A rule that fires nearly everywhere at one API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Systemic {
    /// Rule id.
    pub rule: String,
    /// API.
    pub api: String,
    /// Distinct tokens that it fired on.
    pub tokens: u64,
    /// Distinct tokens that were used at the API.
    pub of_tokens: u64,
    /// Distinct identities that it fired on.
    pub identities: u64,
}

/// All of them, by rule and API. Empty where the activity of tokens was not kept, which alone knows how many an API has.
pub(super) fn systemic(partial: &Partial, findings: &[FindingRow]) -> Vec<Systemic> {
    let mut fired: BTreeMap<(&str, &str), Fired<'_>> = BTreeMap::new();
    for finding in findings {
        if let (Some(api), Some(token)) = (finding.api.as_deref(), finding.token_sha256) {
            let fired = fired.entry((finding.rule, api)).or_default();
            fired.tokens.insert(token);
            fired.identities.extend(identity(finding));
        }
    }
    fired.retain(|_, fired| fired.identities.len() >= IDENTITIES_MIN);
    if fired.is_empty() {
        return Vec::new();
    }
    let used = tokens_by_api(partial);
    let systemic = fired.into_iter().filter_map(|((rule, api), fired)| {
        let of_tokens = *used.get(api)?;
        let tokens = count(fired.tokens.len());
        let is_share = tokens.saturating_mul(100) >= of_tokens.saturating_mul(TOKENS_PERCENT);
        is_share.then(|| Systemic {
            rule: rule.to_owned(),
            api: api.to_owned(),
            tokens,
            of_tokens,
            identities: count(fired.identities.len()),
        })
    });
    systemic.collect()
}

#[derive(Default)]
struct Fired<'f> {
    tokens: BTreeSet<Fingerprint>,
    identities: BTreeSet<super::problems::Identity<'f>>,
}

/// Distinct tokens of each API.
fn tokens_by_api(partial: &Partial) -> BTreeMap<&str, u64> {
    let rows = partial.activity.rows();
    let pairs: HashSet<_> = rows.filter_map(|row| Some((row.key.api?, row.key.token))).collect();
    let mut used = BTreeMap::new();
    for (api, _) in pairs {
        *used.entry(partial.names.text(api)).or_default() += 1;
    }
    used
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
