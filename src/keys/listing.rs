//! What `keys list` shows: sources with their captures, and the keys of each.

use super::coverage::Stretch;
use super::history::KeyHistory;
use super::history::Source;
use super::jwk::Certificate;
use super::key::Key;
use super::key::Listing;
use super::source::EntraTenant;
use super::source::SourceKind;
use crate::redact;
use crate::time::{DAY, HOUR, SECOND, UtcMicros};
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
    /// From and to of each stretch between these in which the source may not have listed it.
    pub gaps: Vec<[String; 2]>,
    /// Its certificates, in the order of their capture.
    pub certificates: Vec<CertificateRow>,
    /// The `issuer` properties that the source listed it with, `None` for a listing without one.
    pub issuers: Vec<Option<String>>,
    /// The longest gap, in microseconds.
    #[serde(skip)]
    gap_max: i64,
}

/// A certificate of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateRow {
    /// base64url of its SHA-1, as `x5t` has it.
    pub thumbprint: String,
    /// Start of its validity; `None` if it is no certificate.
    #[serde(serialize_with = "as_text")]
    pub not_before: Option<UtcMicros>,
    /// End of its validity.
    #[serde(serialize_with = "as_text")]
    pub not_after: Option<UtcMicros>,
    /// Whether its public key is the key's own; `None` where either cannot be read.
    pub matches_key: Option<bool>,
}

impl CertificateRow {
    pub(super) fn of(certificate: &Certificate) -> Self {
        Self {
            thumbprint: certificate.thumbprint.clone(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            matches_key: certificate.matches_key,
        }
    }

    /// Its period by dates: `2026-01-31..2031-01-31`.
    pub fn dates(&self) -> String {
        let date = |at: Option<UtcMicros>| {
            let text = at.map_or_else(|| "?".to_owned(), |at| at.to_string());
            text.split('T').next().unwrap_or_default().to_owned()
        };
        format!("{}..{}", date(self.not_before), date(self.not_after))
    }
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
                        Some(KeyRow::new(key, listing))
                    })
                    .collect(),
            })
            .collect()
    }
}

impl SourceRow {
    /// Column titles of [`Self::table`].
    pub const TITLES: [&'static str; 9] =
        ["source", "kid", "key", "first seen", "last seen", "captures", "gaps", "certificate", "issuer"];

    /// One row a key; a single row for a source without keys. What others wrote is cut to 1 KiB a cell.
    pub fn table(&self) -> Vec<[String; 9]> {
        let text = |at: Option<UtcMicros>| at.map(|at| at.to_string()).unwrap_or_default();
        let source = if self.source.is_empty() { "." } else { &self.source };
        let captures = self.captures.to_string();
        if self.keys.is_empty() {
            let [first, last] = [text(self.first_capture), text(self.last_capture)];
            let [kid, gaps, certificate, issuer] = [const { String::new() }; 4];
            let none = "none".to_owned();
            return vec![[source.to_owned(), kid, none, first, last, captures, gaps, certificate, issuer]];
        }
        let row = |key: &KeyRow| {
            let kid = key.kid.clone().unwrap_or_else(|| "(none)".to_owned());
            let [first, last] = [text(key.first_seen), text(key.last_seen)];
            let certificates = key.certificates.iter().map(CertificateRow::dates).collect::<Vec<_>>();
            [
                source.to_owned(),
                kid,
                key.kind(),
                first,
                last,
                captures.clone(),
                key.gaps_in_short(),
                certificates.join(" "),
                key.issuers_in_short(),
            ]
        };
        let cut = |cells: [String; 9]| cells.map(|cell| redact::cell(&cell, &[]).into_owned());
        self.keys.iter().map(row).map(cut).collect()
    }
}

impl KeyRow {
    fn new(key: &Key, listing: &Listing) -> Self {
        let (first_seen, last_seen) = listing.seen();
        let gaps = listing.gaps();
        Self {
            kid: key.kid.clone(),
            kty: key.kty.clone(),
            alg: key.alg.clone(),
            crv: key.crv.clone(),
            bits: key.bits,
            spki_sha256: key.spki_sha256.clone(),
            unusable: key.prepared.unusable().map(|why| why.to_string()),
            first_seen: Some(first_seen),
            last_seen: Some(last_seen),
            gap_max: gaps.iter().map(|(from, to)| to.0.saturating_sub(from.0)).max().unwrap_or(0),
            gaps: texts(&gaps),
            certificates: key.certificates.iter().map(CertificateRow::of).collect(),
            issuers: listing.issuers.clone(),
        }
    }

    /// How many gaps, and how long the longest is: `2, up to 3d`.
    fn gaps_in_short(&self) -> String {
        if self.gaps.is_empty() {
            return String::new();
        }
        format!("{}, up to {}", self.gaps.len(), in_short(self.gap_max))
    }

    /// The distinct issuers, `-` for a listing without one.
    fn issuers_in_short(&self) -> String {
        let issuers = self.issuers.iter().map(|issuer| issuer.as_deref().unwrap_or("-"));
        issuers.collect::<Vec<_>>().join(" ")
    }

    /// Type and size in a word or two, for example `RSA 2048` or `EC P-256`; a key that cannot be used says why.
    pub fn kind(&self) -> String {
        let kty = if self.kty.is_empty() { "?" } else { &self.kty };
        let size = self.bits.map(|bits| bits.to_string()).or_else(|| self.crv.clone());
        let kind = size.map_or_else(|| kty.to_owned(), |size| format!("{kty} {size}"));
        self.unusable.as_ref().map_or_else(|| kind.clone(), |why| format!("{kind} ({why})"))
    }
}

/// A length of time in its largest whole unit: `3d`, `5h`, `12m`, `40s`.
pub(super) fn in_short(micros: i64) -> String {
    let units = [(DAY, 'd'), (HOUR, 'h'), (60 * SECOND, 'm')];
    let unit = units.into_iter().find(|(length, _)| micros >= *length);
    let (length, name) = unit.unwrap_or((SECOND, 's'));
    format!("{}{name}", micros / length)
}

/// The ends of stretches, as text.
pub(super) fn texts(stretches: &[Stretch]) -> Vec<[String; 2]> {
    stretches.iter().map(|(from, to)| [from.to_string(), to.to_string()]).collect()
}

pub(super) fn serves(source: &Source) -> String {
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
pub(super) fn as_text<S: serde::Serializer>(
    at: &Option<UtcMicros>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}
