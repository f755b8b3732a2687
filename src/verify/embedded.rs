//! Keys that a token brings along in its own header (RFC 7515 sections 4.1.3 and 4.1.6): nobody may trust them, but a
//! signature that such a key verifies proves what was tried.

use crate::codec::algorithm::Algorithm;
use crate::keys::Jwk;
use crate::keys::Material;
use crate::keys::PreparedKey;
use crate::keys::certificate_key;
use crate::token::Header;

/// What the keys in a header do with its signature; `None` for a member that the header lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Embedded {
    /// Whether `jwk` verifies it.
    pub jwk: Option<bool>,
    /// Whether the first certificate of `x5c` does.
    pub x5c: Option<bool>,
}

impl Embedded {
    /// Tries the keys of a header.
    pub(super) fn of(header: &Header, message: &[u8], signature: &[u8]) -> Self {
        let algorithm = header.alg.and_then(Algorithm::parse);
        let verifies = |key: Option<PreparedKey>| {
            key.zip(algorithm).is_some_and(|(key, algorithm)| key.verify(algorithm, message, signature))
        };
        let member = |name: &str| {
            let value = header.member(name)?;
            Some(serde_json::from_str::<serde_json::Value>(&value.to_json()).unwrap_or_default())
        };
        let jwk = member("jwk").map(|value| Jwk::parse(&value));
        let certified = member("x5c").map(|value| certificate_key(&value));
        Self {
            jwk: jwk.map(|jwk| verifies(Some(PreparedKey::new(jwk.material, &jwk.kty)))),
            x5c: certified.map(|material| {
                verifies(material.map(|material| {
                    let kty = kty(&material);
                    PreparedKey::new(material, kty)
                }))
            }),
        }
    }
}

fn kty(material: &Material) -> &'static str {
    match material {
        Material::Rsa { .. } => "RSA",
        Material::Ec { .. } => "EC",
        Material::Ed25519 { .. } => "OKP",
        Material::Other { .. } => "",
    }
}
