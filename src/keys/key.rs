//! A key of the history, as all documents together describe it.

use super::SourceId;
use super::Standing;
use super::coverage::Stretch;
use super::jwk::Certificate;
use super::jwk::Jwk;
use super::prepared::PreparedKey;
use super::timeline;
use super::timeline::SourceStanding;
use crate::redact;
use crate::time::UtcMicros;
use aws_lc_rs::digest;

/// A key: one kid with one material, as all documents together describe it. Members that differ between documents are
/// those of the first capture that has them.
#[derive(Debug)]
pub struct Key {
    /// `kid`; `None` for a key without one.
    pub kid: Option<String>,
    /// `x5t`
    pub x5t: Option<String>,
    /// `kty`; empty if it is missing.
    pub kty: String,
    /// `crv`
    pub crv: Option<String>,
    /// `alg`, if a document states one.
    pub alg: Option<String>,
    /// `use`
    pub usage: Option<String>,
    /// `key_ops`
    pub key_ops: Option<Vec<String>>,
    /// The distinct `cloud_instance_name`s, in byte order.
    pub clouds: Vec<String>,
    /// The distinct certificates (first of `x5c`), in the order of their capture.
    pub certificates: Vec<Certificate>,
    /// RSA modulus length in bits.
    pub bits: Option<u32>,
    /// SHA-256 of the DER `SubjectPublicKeyInfo`, lower-case hexadecimal.
    pub spki_sha256: Option<String>,
    /// The key, ready to verify with.
    pub prepared: PreparedKey,
    /// Every source that ever listed it, in order.
    pub listings: Vec<Listing>,
}

/// A key as one source listed it.
#[derive(Debug)]
pub struct Listing {
    /// The source.
    pub source: SourceId,
    /// The distinct `issuer` properties it was listed with, `None` for a listing without one; in byte order.
    pub issuers: Vec<Option<String>>,
    /// Its time line in that source.
    pub(super) standing: SourceStanding,
}

impl Listing {
    /// First and last instant at which the source listed the key.
    pub fn seen(&self) -> (UtcMicros, UtcMicros) {
        (self.standing.first_seen, self.standing.last_seen)
    }

    /// Captures of the source that hold the key.
    pub fn captures(&self) -> usize {
        self.standing.captures()
    }

    /// The stretches between these in which the key may have been gone ([`Presence::Gap`](super::Presence)).
    pub fn gaps(&self) -> Vec<Stretch> {
        self.standing.gaps()
    }

    /// What this source alone proves of the key's life. The presence says nothing.
    pub fn bounds(&self) -> Standing {
        timeline::join(&std::iter::once(&self.standing))
    }
}

impl Key {
    pub(super) fn new(jwk: &Jwk) -> Self {
        let spki = jwk.material.subject_public_key_info();
        Self {
            kid: jwk.kid.clone(),
            x5t: None,
            kty: jwk.kty.clone(),
            crv: jwk.crv.clone(),
            alg: None,
            usage: None,
            key_ops: None,
            clouds: Vec::new(),
            certificates: Vec::new(),
            bits: jwk.material.bits(),
            spki_sha256: spki.map(|der| redact::hex(digest::digest(&digest::SHA256, &der).as_ref())),
            prepared: PreparedKey::new(jwk.material.clone(), &jwk.kty),
            listings: Vec::new(),
        }
    }

    /// Adds what one more document says.
    pub(super) fn describe(&mut self, jwk: &Jwk) {
        fill(&mut self.x5t, jwk.x5t.as_ref());
        fill(&mut self.alg, jwk.alg.as_ref());
        fill(&mut self.usage, jwk.usage.as_ref());
        fill(&mut self.key_ops, jwk.key_ops.as_ref());
        if let Some(Err(at)) = jwk.cloud.as_ref().map(|cloud| self.clouds.binary_search(cloud)) {
            self.clouds.insert(at, jwk.cloud.clone().unwrap_or_default());
        }
        if let Some(certificate) = &jwk.certificate
            && !self.certificates.iter().any(|known| known.der == certificate.der)
        {
            self.certificates.push(certificate.clone());
        }
    }
}

fn fill<T: Clone>(slot: &mut Option<T>, value: Option<&T>) {
    if slot.is_none() {
        *slot = value.cloned();
    }
}
