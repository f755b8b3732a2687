//! What `keys list` shows: sources with their captures, and the keys of each.

use super::history::KeyHistory;
use super::history::Source;
use super::source::EntraTenant;
use super::source::SourceKind;
use crate::time::UtcMicros;
use serde::Serialize;

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceRow {
    /// Name; empty for the archive's own directory.
    pub source: String,
    /// Whose keys it serves, in words.
    pub serves: String,
    /// Captures, failed fetches aside.
    pub captures: usize,
    /// Failed fetches and answers that may lack keys.
    pub incomplete: usize,
    /// Start of the first capture.
    #[serde(serialize_with = "as_text")]
    pub first_capture: Option<UtcMicros>,
    /// End of the last capture.
    #[serde(serialize_with = "as_text")]
    pub last_capture: Option<UtcMicros>,
    /// Its keys, by kid and material.
    pub keys: Vec<KeyRow>,
}

/// One key of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyRow {
    /// `kid`
    pub kid: Option<String>,
    /// `kty`
    pub kty: String,
    /// `alg`
    pub alg: Option<String>,
    /// `crv`
    pub crv: Option<String>,
    /// RSA modulus length in bits.
    pub bits: Option<u32>,
    /// SHA-256 of the DER `SubjectPublicKeyInfo`.
    pub spki_sha256: Option<String>,
    /// Why nothing can be verified with it; `None` for a usable key.
    pub unusable: Option<String>,
    /// First capture of this source with the key.
    #[serde(serialize_with = "as_text")]
    pub first_seen: Option<UtcMicros>,
    /// Last capture of this source with the key.
    #[serde(serialize_with = "as_text")]
    pub last_seen: Option<UtcMicros>,
}

impl KeyHistory {
    /// One entry a source, by name.
    pub fn listing(&self) -> Vec<SourceRow> {
        self.sources()
            .map(|(id, source)| SourceRow {
                source: source.name.clone(),
                serves: serves(source),
                captures: source.captures.iter().filter(|capture| capture.file.is_some()).count(),
                incomplete: source.captures.iter().filter(|capture| !capture.complete).count(),
                first_capture: source.captures.iter().map(|capture| capture.time.start).min(),
                last_capture: source.captures.iter().map(|capture| capture.time.end).max(),
                keys: self
                    .keys()
                    .filter_map(|(_, key)| {
                        let listing = key.listings.iter().find(|listing| listing.source == id)?;
                        let (first_seen, last_seen) = listing.seen();
                        Some(KeyRow {
                            kid: key.kid.clone(),
                            kty: key.kty.clone(),
                            alg: key.alg.clone(),
                            crv: key.crv.clone(),
                            bits: key.bits,
                            spki_sha256: key.spki_sha256.clone(),
                            unusable: key.prepared.unusable().map(|why| why.to_string()),
                            first_seen: Some(first_seen),
                            last_seen: Some(last_seen),
                        })
                    })
                    .collect(),
            })
            .collect()
    }
}

impl SourceRow {
    /// Column titles of [`Self::table`].
    pub const TITLES: [&'static str; 6] = ["source", "kid", "key", "first seen", "last seen", "captures"];

    /// One row a key; a single row for a source without keys.
    pub fn table(&self) -> Vec<[String; 6]> {
        let text = |at: Option<UtcMicros>| at.map(|at| at.to_string()).unwrap_or_default();
        let source = if self.source.is_empty() { "." } else { &self.source };
        let captures = self.captures.to_string();
        if self.keys.is_empty() {
            let none = [String::new(), "none".to_owned(), text(self.first_capture), text(self.last_capture)];
            let [kid, key, first, last] = none;
            return vec![[source.to_owned(), kid, key, first, last, captures]];
        }
        let row = |key: &KeyRow| {
            let kid = key.kid.clone().unwrap_or_else(|| "(none)".to_owned());
            [source.to_owned(), kid, key.kind(), text(key.first_seen), text(key.last_seen), captures.clone()]
        };
        self.keys.iter().map(row).collect()
    }
}

impl KeyRow {
    /// Type and size in a word or two, for example `RSA 2048` or `EC P-256`; a key that cannot be used says why.
    pub fn kind(&self) -> String {
        let kty = if self.kty.is_empty() { "?" } else { &self.kty };
        let size = self.bits.map(|bits| bits.to_string()).or_else(|| self.crv.clone());
        let kind = size.map_or_else(|| kty.to_owned(), |size| format!("{kty} {size}"));
        self.unusable.as_ref().map_or_else(|| kind.clone(), |why| format!("{kind} ({why})"))
    }
}

fn serves(source: &Source) -> String {
    match &source.kind {
        SourceKind::Label => "every issuer (its name has no host)".to_owned(),
        SourceKind::Host { .. } if !source.issuers.is_empty() => source.issuers.join(", "),
        SourceKind::Host { host } => format!("every issuer on {host}"),
        SourceKind::Entra(entra) => {
            let clouds: Vec<&str> = entra.clouds.iter().map(|cloud| cloud.name()).collect();
            let tenant = match &entra.tenant {
                EntraTenant::One(tenant) => format!("tenant {tenant}"),
                EntraTenant::Shared => "every tenant".to_owned(),
            };
            let app =
                entra.appid.as_ref().map(|app| format!(", with the keys of app {app}")).unwrap_or_default();
            format!("{tenant} ({}){app}", clouds.join(", "))
        }
    }
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn as_text<S: serde::Serializer>(at: &Option<UtcMicros>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}
