//! Which keys of an authority a signature is tried with (contract section 4).

use super::Authority;
use super::KeyId;
use super::history::KeyHistory;
use super::key::Key;
use super::prepared::Fit;
use crate::codec::algorithm::Algorithm;
use crate::limits;
use crate::time::UtcMicros;

impl KeyHistory {
    /// Keys of the authority that the header names: by exact `kid`, else (without one) by `x5t`. In order of their ids.
    pub fn named(&self, authority: &Authority, kid: Option<&str>, x5t: Option<&str>) -> Vec<KeyId> {
        let named = match (kid.filter(|kid| !kid.is_empty()), x5t) {
            (Some(kid), _) => self.by_kid.get(kid),
            (None, Some(x5t)) => self.by_x5t.get(x5t),
            (None, None) => None,
        };
        named.into_iter().flatten().copied().filter(|id| self.serves(authority, *id)).collect()
    }

    /// Up to [`limits::FALLBACK_KEYS_MAX`] keys of the authority that fit the algorithm: last seen nearest to `near` first (the
    /// latest without it), then by kid and material.
    pub fn fallback(
        &self,
        authority: &Authority,
        algorithm: Algorithm,
        near: Option<UtcMicros>,
    ) -> Vec<KeyId> {
        let fits = |key: &Key| key.prepared.fit(algorithm) == Fit::Fits;
        self.nearest(Some(authority), near, fits)
    }

    /// Like [`Self::fallback`], among the keys of all sources that do not serve the authority's issuer. For
    /// `key-source-mismatch`.
    pub fn elsewhere(
        &self,
        authority: Option<&Authority>,
        kid: Option<&str>,
        algorithm: Algorithm,
        near: Option<UtcMicros>,
    ) -> Vec<KeyId> {
        let foreign = |id: &KeyId| authority.is_none_or(|authority| !self.serves(authority, *id));
        let mut keys: Vec<KeyId> = Vec::new();
        if let Some(named) = kid.and_then(|kid| self.by_kid.get(kid)) {
            keys.extend(named.iter().filter(|id| self.key(**id).prepared.fit(algorithm) == Fit::Fits));
        }
        let all = self.all_nearest(None, near, |key| key.prepared.fit(algorithm) == Fit::Fits);
        let rest: Vec<KeyId> = all.into_iter().filter(|id| !keys.contains(id)).collect();
        keys.extend(rest);
        keys.retain(foreign);
        keys.truncate(limits::FALLBACK_KEYS_MAX);
        keys
    }

    /// Public keys whose published text an attacker may have used as the secret of a MAC; all authorities' without one.
    pub fn confusable(&self, authority: Option<&Authority>, near: Option<UtcMicros>) -> Vec<KeyId> {
        self.nearest(authority, near, |key| key.spki_sha256.is_some())
    }

    /// True if a serving source ever listed the key.
    pub fn serves(&self, authority: &Authority, id: KeyId) -> bool {
        self.key(id).listings.iter().any(|listing| authority.sources.binary_search(&listing.source).is_ok())
    }

    fn nearest(
        &self,
        authority: Option<&Authority>,
        near: Option<UtcMicros>,
        fits: impl Fn(&Key) -> bool,
    ) -> Vec<KeyId> {
        let mut keys = self.all_nearest(authority, near, fits);
        keys.truncate(limits::FALLBACK_KEYS_MAX);
        keys
    }

    fn all_nearest(
        &self,
        authority: Option<&Authority>,
        near: Option<UtcMicros>,
        fits: impl Fn(&Key) -> bool,
    ) -> Vec<KeyId> {
        let near = near.unwrap_or(UtcMicros(i64::MAX));
        let mut ranked: Vec<(u64, KeyId)> = self
            .keys()
            .filter(|(_, key)| fits(key))
            .filter_map(|(id, key)| {
                let own = key.listings.iter().filter(|listing| {
                    authority.is_none_or(|authority| authority.sources.binary_search(&listing.source).is_ok())
                });
                let last_seen = own.map(|listing| listing.standing.last_seen).max()?;
                Some((last_seen.0.abs_diff(near.0), id))
            })
            .collect();
        // Ids stand in the order of kid and material.
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, id)| id).collect()
    }
}
