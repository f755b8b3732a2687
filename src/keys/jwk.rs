//! One JSON Web Key (RFC 7517), read forgivingly: what real key sets contain is kept, and what cannot be used says why.

use super::der;
use crate::codec::base64url;
use crate::codec::base64url::Spelling;
use crate::time::UtcMicros;
use aws_lc_rs::digest;
use serde_json::Value;

/// Elliptic curves whose signatures are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
}

impl Curve {
    /// Bytes of one coordinate.
    pub(super) fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

/// The public numbers of a key, in one spelling, so that equal keys are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Material {
    /// RSA: big-endian, without leading zeros, neither of them zero.
    Rsa {
        /// `n`
        modulus: Vec<u8>,
        /// `e`
        exponent: Vec<u8>,
    },
    /// An elliptic curve point, uncompressed: 4, x, y.
    Ec {
        /// `crv`
        curve: Curve,
        /// The point.
        point: Vec<u8>,
    },
    /// Ed25519 (RFC 8037).
    Ed25519 {
        /// `x`
        x: [u8; 32],
    },
    /// Anything else. Only a digest of it is kept: a published `oct` key is a secret.
    Other {
        /// SHA-256 of the members that make the key.
        digest: [u8; 32],
        /// Why it cannot be verified with.
        why: Unusable,
    },
}

/// Why nothing can be verified with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Unusable {
    /// `kty` or `crv` is one that is not verified here.
    #[error("its type is not verified here")]
    Type,
    /// An RSA modulus shorter than 1024 or longer than 8192 bits.
    #[error("its size is not verified here")]
    Size,
    /// An RSA exponent that is even, below 3 or above 33 bits.
    #[error("its exponent is not verified here")]
    Exponent,
    /// The members that make the key are missing, empty, or do not decode.
    #[error("it is malformed")]
    Malformed,
}

/// A certificate of a key (`x5c`, RFC 7517 section 4.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The DER text as it stood in `x5c`.
    pub text: String,
    /// The DER bytes.
    pub der: Vec<u8>,
    /// base64url of the SHA-1 of the DER bytes, as `x5t` has it.
    pub thumbprint: String,
    /// Start of its validity; `None` if it is no certificate.
    pub not_before: Option<UtcMicros>,
    /// End of its validity, inclusive.
    pub not_after: Option<UtcMicros>,
    /// Whether its public key is the key's own; `None` where either cannot be read.
    pub matches_key: Option<bool>,
}

/// One key as a document lists it.
#[derive(Clone, Debug, PartialEq)]
pub struct Jwk {
    /// `kid`, if it is a string that is not empty.
    pub kid: Option<String>,
    /// `x5t`
    pub x5t: Option<String>,
    /// `kty`; empty if it is missing.
    pub kty: String,
    /// `crv`
    pub crv: Option<String>,
    /// `alg`
    pub alg: Option<String>,
    /// `use`
    pub usage: Option<String>,
    /// `key_ops`
    pub key_ops: Option<Vec<String>>,
    /// `issuer`, as Entra's v2 documents have it, template or not.
    pub issuer: Option<String>,
    /// `cloud_instance_name`
    pub cloud: Option<String>,
    /// First certificate of `x5c`.
    pub certificate: Option<Certificate>,
    /// The key itself.
    pub material: Material,
}

impl Jwk {
    /// Reads a key. Never fails: what cannot be used is [`Material::Other`].
    pub fn parse(value: &Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut certificate = certificate_text(value).and_then(Certificate::parse);
        let kty = text("kty").unwrap_or_default();
        let material = material(value, &kty, certificate.as_ref());
        if let Some(certificate) = &mut certificate {
            certificate.compare(&material);
        }
        Self {
            kid: text("kid").filter(|kid| !kid.is_empty()),
            x5t: text("x5t"),
            kty,
            crv: text("crv"),
            alg: text("alg"),
            usage: text("use"),
            key_ops: value
                .get("key_ops")
                .and_then(Value::as_array)
                .map(|items| items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            issuer: text("issuer"),
            cloud: text("cloud_instance_name"),
            certificate,
            material,
        }
    }
}

impl Material {
    /// An RSA key of two big-endian numbers; `None` if one of them is zero.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let [modulus, exponent] = [trimmed(modulus), trimmed(exponent)];
        let present = !modulus.is_empty() && !exponent.is_empty();
        present.then(|| Self::Rsa { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    /// Length of an RSA modulus in bits.
    pub fn bits(&self) -> Option<u32> {
        let Self::Rsa { modulus, .. } = self else { return None };
        let unused = modulus.first()?.leading_zeros();
        u32::try_from(modulus.len()).ok()?.checked_mul(8)?.checked_sub(unused)
    }

    /// The DER `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7); `None` for [`Material::Other`].
    pub fn subject_public_key_info(&self) -> Option<Vec<u8>> {
        der::subject_public_key_info(self)
    }

    /// Bytes that are equal exactly for equal keys, and that order them.
    pub(super) fn identity(&self) -> Vec<u8> {
        match self {
            Self::Other { digest, .. } => digest.to_vec(),
            _ => self.subject_public_key_info().unwrap_or_default(),
        }
    }
}

impl Certificate {
    /// Reads one entry of `x5c`: base64 (white space allowed) of DER. `None` if it does not decode at all.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut der = Vec::new();
        if text.is_empty() || base64url::decode(text.as_bytes(), &mut der) == Spelling::Invalid {
            return None;
        }
        let thumbprint = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &der);
        let fields = der::certificate(&der);
        Some(Self {
            text: text.to_owned(),
            thumbprint: base64url::encode(thumbprint.as_ref()),
            not_before: fields.as_ref().map(|fields| fields.not_before),
            not_after: fields.as_ref().map(|fields| fields.not_after),
            matches_key: None,
            der,
        })
    }

    /// The key that the certificate holds.
    pub(super) fn material(&self) -> Option<Material> {
        der::certificate(&self.der)?.material
    }

    fn compare(&mut self, material: &Material) {
        let known = !matches!(material, Material::Other { .. });
        self.matches_key = self.material().filter(|_| known).map(|own| own == *material);
    }
}

/// The public key of the first certificate of a header's `x5c`, an array or a bare string.
pub fn certificate_key(x5c: &Value) -> Option<Material> {
    first_text(x5c).and_then(Certificate::parse)?.material()
}

fn certificate_text(value: &Value) -> Option<&str> {
    value.get("x5c").and_then(first_text)
}

/// Real key sets hold a bare string where RFC 7517 demands an array.
fn first_text(x5c: &Value) -> Option<&str> {
    match x5c {
        Value::Array(items) => items.first().and_then(Value::as_str),
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn material(value: &Value, kty: &str, certificate: Option<&Certificate>) -> Material {
    let made = match kty {
        "RSA" => rsa(value).or_else(|| {
            // Some issuers publish the certificate alone.
            let bare = value.get("n").is_none() && value.get("e").is_none();
            let own = certificate.filter(|_| bare)?.material()?;
            matches!(own, Material::Rsa { .. }).then_some(own)
        }),
        "EC" => match value.get("crv").and_then(Value::as_str) {
            Some("P-256") => point(value, Curve::P256),
            Some("P-384") => point(value, Curve::P384),
            Some(_) => return other(value, Unusable::Type),
            None => None,
        },
        "OKP" => match value.get("crv").and_then(Value::as_str) {
            Some("Ed25519") => {
                member(value, "x").and_then(|x| Some(Material::Ed25519 { x: x.try_into().ok()? }))
            }
            Some(_) => return other(value, Unusable::Type),
            None => None,
        },
        "" => None,
        _ => return other(value, Unusable::Type),
    };
    made.unwrap_or_else(|| other(value, Unusable::Malformed))
}

fn rsa(value: &Value) -> Option<Material> {
    Material::rsa(&member(value, "n")?, &member(value, "e")?)
}

fn point(value: &Value, curve: Curve) -> Option<Material> {
    let mut point = vec![4];
    for name in ["x", "y"] {
        let coordinate = member(value, name)?;
        let digits = trimmed(&coordinate);
        // Leading zeros belong to the encoding (RFC 7518 section 6.2.1.2), but some issuers drop them.
        let missing =
            curve.coordinate_bytes().checked_sub(digits.len()).filter(|_| !coordinate.is_empty())?;
        point.resize(point.len() + missing, 0);
        point.extend_from_slice(digits);
    }
    Some(Material::Ec { curve, point })
}

fn other(value: &Value, why: Unusable) -> Material {
    const MEMBERS: [&str; 8] = ["kty", "crv", "n", "e", "x", "y", "k", "x5c"];
    let mut context = digest::Context::new(&digest::SHA256);
    for name in MEMBERS {
        let text = value.get(name).map(Value::to_string).unwrap_or_default();
        context.update(text.as_bytes());
        context.update(b"\0");
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Material::Other { digest, why }
}

fn member(value: &Value, name: &str) -> Option<Vec<u8>> {
    let text = value.get(name)?.as_str()?;
    let mut bytes = Vec::new();
    (base64url::decode(text.as_bytes(), &mut bytes) != Spelling::Invalid).then_some(bytes)
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn why(value: &Value) -> Option<Unusable> {
        match Jwk::parse(value).material {
            Material::Other { why, .. } => Some(why),
            _ => None,
        }
    }

    #[test]
    fn rsa_numbers_are_trimmed() {
        let plain =
            Jwk::parse(&json!({"kty":"RSA","kid":"a","n":base64url::encode(&[0xc5; 256]),"e":"AQAB"}));
        let mut padded = vec![0, 0];
        padded.extend([0xc5; 256]);
        let padded = Jwk::parse(&json!({"kty":"RSA","kid":"a","n":base64url::encode(&padded),"e":"AAEAAQ"}));
        assert_eq!(plain.material, padded.material);
        assert_eq!(plain.material.bits(), Some(2048));
    }

    #[test]
    fn short_coordinates_are_filled_up() {
        let short = Jwk::parse(
            &json!({"kty":"EC","crv":"P-256","x":base64url::encode(&[7; 31]),"y":base64url::encode(&[9; 32])}),
        );
        let Material::Ec { point, .. } = short.material else { panic!() };
        assert_eq!((point.len(), point[1], point[2]), (65, 0, 7));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        assert_eq!(why(&json!({"kty":"RSA","e":"AQAB"})), Some(Unusable::Malformed));
        assert_eq!(why(&json!({"kty":"RSA","n":"****","e":"AQAB"})), Some(Unusable::Malformed));
        assert_eq!(why(&json!({"kty":"EC","crv":"P-256","x":"","y":""})), Some(Unusable::Malformed));
        assert_eq!(why(&json!({"kty":"EC","crv":"P-521","x":"AA","y":"AA"})), Some(Unusable::Type));
        assert_eq!(why(&json!({"kty":"OKP","crv":"Ed448","x":"AA"})), Some(Unusable::Type));
        assert_eq!(why(&json!({"kty":"oct","k":"c2VjcmV0"})), Some(Unusable::Type));
        assert_eq!(why(&json!({"kty":"AKP","pub":"AA"})), Some(Unusable::Type));
        assert_eq!(why(&json!({"n":"AQ","e":"AQAB"})), Some(Unusable::Malformed));
        assert_eq!(why(&json!("no object")), Some(Unusable::Malformed));
    }

    #[test]
    fn a_certificate_may_stand_as_a_bare_string() {
        let der = include_bytes!("../../testdata/keys/test-only-rsa2048-a.crt");
        let text = base64_simd::STANDARD.encode_to_string(der);
        let bare = Jwk::parse(&json!({"kty":"RSA","x5c":text}));
        let array = Jwk::parse(&json!({"kty":"RSA","x5c":[text]}));
        assert_eq!(bare.material, array.material);
        assert_eq!(bare.certificate.unwrap().matches_key, Some(true));
        let foreign = json!({"kty":"RSA","n":base64url::encode(&[0xc5; 256]),"e":"AQAB","x5c":[text]});
        let foreign = Jwk::parse(&foreign).certificate.unwrap();
        assert_eq!(foreign.matches_key, Some(false));
        assert_eq!(foreign.thumbprint.len(), 27);
    }
}
