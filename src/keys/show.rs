//! What `keys show` tells: everything that an archive knows about one key.

use super::KeyId;
use super::Standing;
use super::history::KeyHistory;
use super::key::{Key, Listing};
use super::listing::{CertificateRow, as_text, serves, texts};
use super::timeline;
use crate::time::UtcMicros;
use serde::Serialize;

/// One key: a kid with one material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyDetail {
    /// `kid`
    pub kid: Option<String>,
    /// `x5t`
    pub x5t: Option<String>,
    /// `kty`
    pub kty: String,
    /// `crv`
    pub crv: Option<String>,
    /// RSA modulus length in bits.
    pub bits: Option<u32>,
    /// `alg`
    pub alg: Option<String>,
    /// `use`
    #[serde(rename = "use")]
    pub usage: Option<String>,
    /// `key_ops`
    pub key_ops: Option<Vec<String>>,
    /// False if no signature can be verified with it.
    pub usable: bool,
    /// Why not.
    pub unusable: Option<String>,
    /// SHA-256 of the DER `SubjectPublicKeyInfo`.
    pub spki_sha256: Option<String>,
    /// The `SubjectPublicKeyInfo` as PEM (RFC 7468 section 13).
    pub pem: Option<String>,
    /// The distinct `cloud_instance_name`s.
    pub clouds: Vec<String>,
    /// Its certificates, in the order of their capture.
    pub certificates: Vec<CertificateRow>,
    /// Its life as all of its sources together show it.
    #[serde(flatten)]
    pub life: Life,
    /// Every source that ever listed it.
    pub sources: Vec<KeySource>,
}

/// The bounds of a key's life (rules.md 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Life {
    /// First capture with it.
    #[serde(serialize_with = "as_text")]
    pub first_seen: Option<UtcMicros>,
    /// Last capture with it.
    #[serde(serialize_with = "as_text")]
    pub last_seen: Option<UtcMicros>,
    /// Last complete capture without it before the first with it.
    #[serde(serialize_with = "as_text")]
    pub last_absent_before: Option<UtcMicros>,
    /// First complete capture without it after the last with it.
    #[serde(serialize_with = "as_text")]
    pub first_absent_after: Option<UtcMicros>,
    /// The capture that completes the proof of its retirement.
    #[serde(serialize_with = "as_text")]
    pub retired_at: Option<UtcMicros>,
}

/// A key as one source listed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeySource {
    /// Name; empty for the archive's own directory.
    pub source: String,
    /// Whose keys it serves, in words.
    pub serves: String,
    /// The `issuer` properties it was listed with, `None` for a listing without one.
    pub issuers: Vec<Option<String>>,
    /// Captures with it.
    pub captures: usize,
    /// The first document with it, relative to the archive.
    pub first_file: Option<String>,
    /// The last one.
    pub last_file: Option<String>,
    /// Its life as this source alone shows it.
    #[serde(flatten)]
    pub life: Life,
    /// From and to of each stretch in which the source may not have listed it.
    pub gaps: Vec<[String; 2]>,
}

impl Life {
    fn of(standing: &Standing) -> Self {
        Self {
            first_seen: Some(standing.first_seen),
            last_seen: Some(standing.last_seen),
            last_absent_before: standing.last_absent_before,
            first_absent_after: standing.first_absent_after,
            retired_at: standing.retired_at,
        }
    }
}

impl KeyHistory {
    /// The keys of a name: a kid, else a certificate's thumbprint (`x5t`), else the SHA-256 of a `SubjectPublicKeyInfo`, for
    /// keys without a kid. By material; none for an unknown name.
    pub fn details(&self, name: &str) -> Vec<KeyDetail> {
        let of_map = self.by_kid.get(name).or_else(|| self.by_x5t.get(name));
        let ids: Vec<KeyId> = of_map.cloned().unwrap_or_else(|| {
            let own =
                |key: &Key| key.spki_sha256.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name));
            self.keys().filter(|(_, key)| own(key)).map(|(id, _)| id).collect()
        });
        ids.into_iter().map(|id| self.detail(id)).collect()
    }

    fn detail(&self, id: KeyId) -> KeyDetail {
        let key = self.key(id);
        let unusable = key.prepared.unusable().map(|why| why.to_string());
        let standings: Vec<_> = key.listings.iter().map(|listing| &listing.standing).collect();
        KeyDetail {
            kid: key.kid.clone(),
            x5t: key.x5t.clone(),
            kty: key.kty.clone(),
            crv: key.crv.clone(),
            bits: key.bits,
            alg: key.alg.clone(),
            usage: key.usage.clone(),
            key_ops: key.key_ops.clone(),
            usable: unusable.is_none(),
            unusable,
            spki_sha256: key.spki_sha256.clone(),
            pem: key.prepared.material().subject_public_key_info().map(|der| pem(&der)),
            clouds: key.clouds.clone(),
            certificates: key.certificates.iter().map(CertificateRow::of).collect(),
            life: Life::of(&timeline::join(&standings.iter().copied())),
            sources: key.listings.iter().map(|listing| self.key_source_detail(id, listing)).collect(),
        }
    }

    fn key_source_detail(&self, id: KeyId, listing: &Listing) -> KeySource {
        let source = self.source(listing.source);
        let with_key = || source.captures.iter().filter(|capture| capture.keys.binary_search(&id).is_ok());
        KeySource {
            source: source.name.clone(),
            serves: serves(source),
            issuers: listing.issuers.clone(),
            captures: listing.captures(),
            first_file: with_key().next().and_then(|capture| capture.file.clone()),
            last_file: with_key().next_back().and_then(|capture| capture.file.clone()),
            life: Life::of(&listing.bounds()),
            gaps: texts(&listing.gaps()),
        }
    }
}

/// A public key between its lines (RFC 7468 section 13).
fn pem(der: &[u8]) -> String {
    let text = base64_simd::STANDARD.encode_to_string(der);
    let mut out = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    let mut rest = text.as_str();
    while let Some((line, further)) = rest.split_at_checked(64) {
        out.push_str(line);
        out.push('\n');
        rest = further;
    }
    if !rest.is_empty() {
        out.push_str(rest);
        out.push('\n');
    }
    out.push_str("-----END PUBLIC KEY-----\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::{TestKey, history};
    use crate::time::DAY;

    #[test]
    fn a_kid_shows_each_of_its_materials() {
        let [a, b] = [TestKey::RsaA.jwk("a"), TestKey::RsaB.jwk("a")];
        let history = history(&[
            ("common", 0, Some(vec![])),
            ("common", 1, Some(vec![a.clone()])),
            ("common", 2, None),
            ("common", 3, Some(vec![a.clone(), b])),
            ("common", 4, Some(vec![])),
            ("common/v2.0", 5, Some(vec![a])),
        ]);
        let details = history.details("a");
        assert_eq!(details.len(), 2);
        let own = details.iter().find(|detail| detail.sources.len() == 2).unwrap();
        let day = |at: Option<UtcMicros>| at.map(|at| at.0 / DAY);
        assert_eq!((day(own.life.first_seen), day(own.life.last_seen)), (Some(1), Some(5)));
        assert_eq!(day(own.life.last_absent_before), Some(0));
        assert_eq!(day(own.life.first_absent_after), None, "the other source still has it");
        let [first, second] = own.sources.as_slice() else { panic!("{own:?}") };
        assert_eq!((first.captures, second.captures), (2, 1));
        assert_eq!(day(first.life.first_absent_after), Some(4));
        assert_eq!(first.gaps, [["1970-01-02T00:00:00Z", "1970-01-04T00:00:00Z"]]);
        assert_eq!(first.last_file.as_deref(), Some("common/3.json"));
        assert!(own.usable && own.pem.as_ref().unwrap().lines().all(|line| line.len() <= 64));
        let by_digest = history.details(&own.spki_sha256.as_ref().unwrap().to_uppercase());
        assert_eq!(by_digest.as_slice(), std::slice::from_ref(own));
        assert!(history.details("b").is_empty());
    }
}
