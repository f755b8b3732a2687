//! SEAM: signatures only; the keys helper fills them.
use super::*;
use std::sync::Arc;

/// A key.
#[derive(Debug)]
pub struct Key {
    /// `kid`
    pub kid: Option<String>,
    /// `x5t`
    pub x5t: Option<String>,
    /// `kty`
    pub kty: String,
    /// `alg`, if the document states one.
    pub alg: Option<String>,
    /// RSA modulus length in bits.
    pub bits: Option<u32>,
    /// SHA-256 of the DER SubjectPublicKeyInfo, lower-case hexadecimal.
    pub spki_sha256: Option<String>,
    /// Every source that ever listed it.
    pub listings: Vec<Listing>,
}

/// A key as one source listed it.
#[derive(Debug)]
pub struct Listing {
    /// The source.
    pub source: SourceId,
    /// The distinct `issuer` properties it was listed with, `None` for a listing without one; in byte order.
    pub issuers: Vec<Option<String>>,
}

/// All captures of an archive, frozen after load.
#[derive(Debug)]
pub struct KeyHistory {}

impl KeyHistory {
    /// A key by id.
    pub fn key(&self, _id: KeyId) -> &Key {
        unimplemented!()
    }
    /// All keys in order of their id.
    pub fn keys(&self) -> impl Iterator<Item = (KeyId, &Key)> {
        std::iter::empty()
    }
    /// Name of a source.
    pub fn source_name(&self, _id: SourceId) -> &str {
        unimplemented!()
    }
    /// The sources that serve an issuer; `None` if none does.
    pub fn authority(&self, _iss: &str) -> Option<Arc<Authority>> {
        unimplemented!()
    }
    /// True if a complete capture of a serving source lies within seven days.
    pub fn covers(&self, _authority: &Authority, _at: UtcMicros) -> bool {
        unimplemented!()
    }
    /// How a key stood at an instant.
    pub fn standing(&self, _key: KeyId, _authority: &Authority, _at: UtcMicros) -> Standing {
        unimplemented!()
    }
}
