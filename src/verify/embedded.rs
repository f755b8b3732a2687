//! Keys that a token brings along in its own header (RFC 7515 sections 4.1.3 and 4.1.6): nobody may trust them, but a
//! signature that such a key verifies proves what was tried.

use crate::codec::algorithm::Algorithm;
use crate::keys::Jwk;
use crate::keys::Material;
use crate::keys::PreparedKey;
use crate::keys::certificate_key;
use crate::token::Header;

/// Whether an embedded `jwk` or `x5c` verifies the signature; `None` if the header has neither.
pub(super) fn verifies(header: &Header, message: &[u8], signature: &[u8]) -> Option<bool> {
    let member = |name: &str| {
        let value = header.member(name)?;
        Some(serde_json::from_str::<serde_json::Value>(&value.to_json()).unwrap_or_default())
    };
    let (jwk, x5c) = (member("jwk"), member("x5c"));
    if jwk.is_none() && x5c.is_none() {
        return None;
    }
    let jwk = jwk.map(|value| Jwk::parse(&value)).map(|jwk| PreparedKey::new(jwk.material, &jwk.kty));
    let certified = x5c.as_ref().and_then(certificate_key).map(|material| {
        let kty = kty(&material);
        PreparedKey::new(material, kty)
    });
    let algorithm = header.alg.and_then(Algorithm::parse);
    let mut keys = jwk.into_iter().chain(certified);
    Some(algorithm.is_some_and(|algorithm| keys.any(|key| key.verify(algorithm, message, signature))))
}

fn kty(material: &Material) -> &'static str {
    match material {
        Material::Rsa { .. } => "RSA",
        Material::Ec { .. } => "EC",
        Material::Ed25519 { .. } => "OKP",
        Material::Other { .. } => "",
    }
}
