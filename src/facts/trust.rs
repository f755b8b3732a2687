//! Whether what a token claims may count against, or in favour of, anybody: only where a key vouches for it that nobody else
//! holds (rules.md, `key-compromised`).

use super::{Context, Facts, JudgedTime, TokenFacts};
use crate::keys::{KeyHistory, KeyId};
use crate::policy::CompromisedKey;
use crate::time::Period;

/// The entries of the policy's `[keys] compromised` that name the key which verifies a token, whatever their periods.
pub fn compromised<'c>(
    token: &TokenFacts,
    context: Context<'c>,
) -> impl Iterator<Item = &'c CompromisedKey> + use<'c> {
    let key = context.keys.zip(token.signature.key);
    let entries = context.policy.map_or(&[][..], |policy| &policy.keys().compromised);
    entries.iter().filter(move |entry| key.is_some_and(|(keys, id)| names(entry, keys, id)))
}

/// Whether an entry's period holds a request; `None` if the request has no time, and the period is bounded.
pub fn holds_at(entry: &CompromisedKey, time: Option<JudgedTime>) -> Option<bool> {
    match time {
        Some(time) => Some(entry.period.contains(time.at)),
        None => (entry.period == Period::default()).then_some(true),
    }
}

impl Facts<'_> {
    /// True if a key vouches for the token's claims at this request: one that is not listed as compromised for its time.
    /// Where nobody knows the time, a listed key vouches for nothing.
    pub fn is_vouched(&self) -> bool {
        self.verdict.is_valid() && !self.is_doubted()
    }

    /// True if whoever stole a key could have signed the token.
    pub fn is_doubted(&self) -> bool {
        self.doubted
    }
}

/// True if a key that verifies a token counts as compromised at a time.
pub fn is_doubted(token: &TokenFacts, context: Context<'_>, time: Option<JudgedTime>) -> bool {
    compromised(token, context).any(|entry| holds_at(entry, time) != Some(false))
}

/// True if everything that the entry gives matches the key.
fn names(entry: &CompromisedKey, keys: &KeyHistory, id: KeyId) -> bool {
    let key = keys.key(id);
    let same = |given: &Option<String>, found: &Option<String>| given.is_none() || given == found;
    let listed = |source: &str| {
        key.listings.iter().any(|listing| {
            keys.source_name(listing.source).trim_end_matches('/') == source.trim_end_matches('/')
        })
    };
    let thumbprint = |x5t: &String| {
        key.x5t.as_ref() == Some(x5t)
            || key.certificates.iter().any(|certificate| certificate.thumbprint == *x5t)
    };
    same(&entry.kid, &key.kid)
        && entry.x5t.as_ref().is_none_or(thumbprint)
        && same(&entry.spki, &key.spki_sha256)
        && entry.source.as_deref().is_none_or(listed)
}
