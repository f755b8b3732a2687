//! A key in a form ready to verify with, and the one place that calls the crypto library.
//!
//! Everything above speaks to [`PreparedKey`]. What many signatures under one key share is made at the first of them and kept: an
//! archive may hold many keys that no log ever names.

use super::jwk::Curve;
use super::jwk::Material;
use super::jwk::Unusable;
use super::lanes::LaneKey;
use crate::codec::algorithm::Algorithm;
use aws_lc_rs::signature;
use aws_lc_rs::signature::ParsedPublicKey;
use aws_lc_rs::signature::RsaParameters;
use aws_lc_rs::signature::RsaPublicKeyComponents;
use std::sync::OnceLock;

/// How a key and an algorithm go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Signatures can be verified.
    Fits,
    /// The key is of another type or curve than the algorithm needs.
    OtherType,
    /// The type is right, but this size, curve or damaged key is not verified here.
    Unverifiable,
}

/// A key, looked at once, at load.
#[derive(Clone, Debug)]
pub struct PreparedKey {
    material: Material,
    /// What stands in the way of verifying anything with it.
    unusable: Option<Unusable>,
    kty: KeyType,
    /// The library's form of it for each algorithm, in the order of [`slot`]; `None` inside where the library refuses it.
    parsed: [OnceLock<Option<ParsedPublicKey>>; 9],
    /// Its form for many signatures at once.
    lane_key: OnceLock<Option<Box<LaneKey>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyType {
    Rsa,
    Ec,
    Okp,
    /// No `kty` at all: any type may have been meant.
    Missing,
    Foreign,
}

impl PreparedKey {
    /// Prepares a key; `kty` tells what a damaged one was meant to be.
    pub fn new(material: Material, kty: &str) -> Self {
        let unusable = match &material {
            Material::Other { why, .. } => Some(*why),
            Material::Rsa { modulus, exponent } => rsa_unusable(modulus, exponent),
            Material::Ec { .. } | Material::Ed25519 { .. } => None,
        };
        let kty = match kty {
            "RSA" => KeyType::Rsa,
            "EC" => KeyType::Ec,
            "OKP" => KeyType::Okp,
            "" => KeyType::Missing,
            _ => KeyType::Foreign,
        };
        Self { material, unusable, kty, parsed: Default::default(), lane_key: OnceLock::new() }
    }

    /// The public numbers.
    pub fn material(&self) -> &Material {
        &self.material
    }

    /// Why nothing can be verified with it; `None` for a key that at least one algorithm can use.
    pub fn unusable(&self) -> Option<Unusable> {
        self.unusable
    }

    /// How the key and an algorithm go together.
    pub fn fit(&self, algorithm: Algorithm) -> Fit {
        let needed = match algorithm {
            Algorithm::Es256 | Algorithm::Es384 => KeyType::Ec,
            Algorithm::EdDsa => KeyType::Okp,
            _ => KeyType::Rsa,
        };
        if self.kty != needed && self.kty != KeyType::Missing {
            return Fit::OtherType;
        }
        let curve = match algorithm {
            Algorithm::Es256 => Some(Curve::P256),
            Algorithm::Es384 => Some(Curve::P384),
            _ => None,
        };
        match &self.material {
            Material::Other { .. } => Fit::Unverifiable,
            Material::Ec { curve: own, .. } if Some(*own) != curve => Fit::OtherType,
            Material::Rsa { modulus, .. }
                if self.unusable.is_some() || !verifies_size(algorithm, modulus.len()) =>
            {
                Fit::Unverifiable
            }
            _ => Fit::Fits,
        }
    }

    /// Length in bytes of every signature of this key: that of the modulus for RSA, fixed for the others.
    pub fn signature_bytes(&self) -> Option<usize> {
        match &self.material {
            Material::Rsa { modulus, .. } => Some(modulus.len()),
            Material::Ec { curve, .. } => Some(2 * curve.coordinate_bytes()),
            Material::Ed25519 { .. } => Some(64),
            Material::Other { .. } => None,
        }
    }

    /// True if the key verifies the signature (RFC 7515 section 5.2); false too where key and algorithm do not fit. Wrong
    /// lengths and damaged numbers are false, never a panic.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.fit(algorithm) == Fit::Fits
            && self.signature_bytes() == Some(signature.len())
            && self.parsed(algorithm).is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }

    /// The key for [`super::LaneKernel`], which takes RS256 with RSA keys of the usual sizes and exponent.
    pub fn lane_key(&self, algorithm: Algorithm) -> Option<&LaneKey> {
        let Material::Rsa { modulus, exponent } = &self.material else { return None };
        if algorithm != Algorithm::Rs256 || self.fit(algorithm) != Fit::Fits {
            return None;
        }
        let key = self.lane_key.get_or_init(|| LaneKey::new(modulus, exponent).map(Box::new));
        key.as_deref()
    }

    fn parsed(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let parse = || match &self.material {
            Material::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.to_parsed_public_key(rsa_parameters(algorithm, modulus.len())?).ok()
            }
            Material::Ec { curve: Curve::P256, point } => {
                ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).ok()
            }
            Material::Ec { curve: Curve::P384, point } => {
                ParsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).ok()
            }
            Material::Ed25519 { x } => ParsedPublicKey::new(&signature::ED25519, x).ok(),
            Material::Other { .. } => None,
        };
        self.parsed.get(slot(algorithm))?.get_or_init(parse).as_ref()
    }
}

/// The place of an algorithm among a key's parsed forms.
fn slot(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Rs256 => 0,
        Algorithm::Rs384 => 1,
        Algorithm::Rs512 => 2,
        Algorithm::Ps256 => 3,
        Algorithm::Ps384 => 4,
        Algorithm::Ps512 => 5,
        Algorithm::Es256 => 6,
        Algorithm::Es384 => 7,
        Algorithm::EdDsa => 8,
    }
}

/// What the library offers for an algorithm and a modulus of so many bytes.
fn rsa_parameters(algorithm: Algorithm, modulus_bytes: usize) -> Option<&'static RsaParameters> {
    match (algorithm, modulus_bytes) {
        (Algorithm::Rs256, 256..=1024) => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::Rs256, 128..256) => Some(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        (Algorithm::Rs384, 256..=1024) => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::Rs512, 256..=1024) => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        (Algorithm::Rs512, 128..256) => Some(&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        (Algorithm::Ps256, 256..=1024) => Some(&signature::RSA_PSS_2048_8192_SHA256),
        (Algorithm::Ps384, 256..=1024) => Some(&signature::RSA_PSS_2048_8192_SHA384),
        (Algorithm::Ps512, 256..=1024) => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn verifies_size(algorithm: Algorithm, modulus_bytes: usize) -> bool {
    rsa_parameters(algorithm, modulus_bytes).is_some()
}

/// The limits of the library: a modulus of 1024 to 8192 bits, odd, and an odd exponent from 3 to 33 bits.
fn rsa_unusable(modulus: &[u8], exponent: &[u8]) -> Option<Unusable> {
    if !(128..=1024).contains(&modulus.len()) {
        return Some(Unusable::Size);
    }
    if modulus.last().is_none_or(|last| last % 2 == 0) {
        return Some(Unusable::Malformed);
    }
    let value = exponent
        .iter()
        .try_fold(0u64, |value, byte| value.checked_mul(256).map(|value| value | u64::from(*byte)));
    let good = value.is_some_and(|value| value % 2 == 1 && (3..1 << 33).contains(&value));
    (!good).then_some(Unusable::Exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::TestKey;

    const MESSAGE: &[u8] = b"message";

    #[test]
    fn every_algorithm_verifies_what_was_signed() {
        for (key, algorithms) in [
            (TestKey::RsaA, &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512][..]),
            (TestKey::RsaA, &[Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512]),
            (TestKey::P256, &[Algorithm::Es256]),
            (TestKey::P384, &[Algorithm::Es384]),
            (TestKey::Ed25519, &[Algorithm::EdDsa]),
        ] {
            let prepared = key.prepared();
            for algorithm in algorithms {
                let mut signature = key.sign(*algorithm, MESSAGE);
                assert!(prepared.verify(*algorithm, MESSAGE, &signature), "{algorithm:?}");
                assert!(!prepared.verify(*algorithm, b"other", &signature), "{algorithm:?}");
                assert!(!prepared.verify(*algorithm, MESSAGE, &signature[1..]), "{algorithm:?}");
                signature[40] ^= 1;
                assert!(!prepared.verify(*algorithm, MESSAGE, &signature), "{algorithm:?}");
            }
        }
    }

    #[test]
    fn types_and_sizes_are_told_apart() {
        let rsa =
            |bytes: usize| PreparedKey::new(Material::rsa(&vec![0xc5; bytes], &[1, 0, 1]).unwrap(), "RSA");
        assert_eq!(rsa(64).fit(Algorithm::Rs256), Fit::Unverifiable);
        assert_eq!(rsa(64).unusable(), Some(Unusable::Size));
        assert_eq!(rsa(128).fit(Algorithm::Rs256), Fit::Fits);
        assert_eq!(rsa(128).fit(Algorithm::Ps256), Fit::Unverifiable);
        assert_eq!(rsa(1024).fit(Algorithm::Ps256), Fit::Fits);
        assert_eq!(rsa(1025).fit(Algorithm::Rs256), Fit::Unverifiable);
        assert_eq!(rsa(256).fit(Algorithm::Es256), Fit::OtherType);
        assert_eq!(TestKey::P384.prepared().fit(Algorithm::Es256), Fit::OtherType);
        assert_eq!(TestKey::P256.prepared().fit(Algorithm::EdDsa), Fit::OtherType);
        let even = PreparedKey::new(Material::rsa(&[0xc5; 256], &[2]).unwrap(), "RSA");
        assert_eq!(even.unusable(), Some(Unusable::Exponent));
    }

    #[test]
    fn the_library_takes_every_size_that_is_called_fitting() {
        for file in ["1024", "8192"] {
            let (material, signature) = crate::keys::testing::openssl_signature(file);
            let key = PreparedKey::new(material, "RSA");
            assert!(key.verify(Algorithm::Rs256, MESSAGE, &signature), "{file}");
        }
    }
}
