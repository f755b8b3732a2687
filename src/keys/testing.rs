//! Throwaway keys that tests sign with; their private halves lie under `testdata/keys`.

use super::archive::Archive;
use super::capture::Capture;
use super::history::KeyHistory;
use super::jwk::Jwk;
use super::jwk::Material;
use super::prepared::PreparedKey;
use super::when::CaptureTime;
use crate::codec::algorithm::Algorithm;
use crate::codec::base64url;
use crate::time::DAY;
use crate::time::UtcMicros;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as sign;
use aws_lc_rs::signature::KeyPair as _;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestKey {
    RsaA,
    RsaB,
    P256,
    P384,
    Ed25519,
}

impl TestKey {
    fn pkcs8(self) -> &'static [u8] {
        match self {
            Self::RsaA => include_bytes!("../../testdata/keys/test-only-rsa2048-a.pk8"),
            Self::RsaB => include_bytes!("../../testdata/keys/test-only-rsa2048-b.pk8"),
            Self::P256 => include_bytes!("../../testdata/keys/test-only-p256.pk8"),
            Self::P384 => include_bytes!("../../testdata/keys/test-only-p384.pk8"),
            Self::Ed25519 => include_bytes!("../../testdata/keys/test-only-ed25519.pk8"),
        }
    }

    /// The public key under a kid, as a key document lists it.
    pub(crate) fn jwk(self, kid: &str) -> Value {
        let encode = base64url::encode;
        match self {
            Self::RsaA | Self::RsaB => {
                let pair = sign::RsaKeyPair::from_pkcs8(self.pkcs8()).unwrap();
                let public: sign::RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
                json!({"kty":"RSA","use":"sig","kid":kid,"n":encode(&public.n),"e":encode(&public.e)})
            }
            Self::P256 | Self::P384 => {
                let (curve, algorithm) = match self {
                    Self::P256 => ("P-256", &sign::ECDSA_P256_SHA256_FIXED_SIGNING),
                    _ => ("P-384", &sign::ECDSA_P384_SHA384_FIXED_SIGNING),
                };
                let pair = sign::EcdsaKeyPair::from_pkcs8(algorithm, self.pkcs8()).unwrap();
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                json!({"kty":"EC","crv":curve,"kid":kid,"x":encode(x),"y":encode(y)})
            }
            Self::Ed25519 => {
                let pair = sign::Ed25519KeyPair::from_pkcs8_maybe_unchecked(self.pkcs8()).unwrap();
                json!({"kty":"OKP","crv":"Ed25519","kid":kid,"x":encode(pair.public_key().as_ref())})
            }
        }
    }

    pub(crate) fn prepared(self) -> PreparedKey {
        let jwk = Jwk::parse(&self.jwk("test"));
        PreparedKey::new(jwk.material, &jwk.kty)
    }

    pub(crate) fn sign(self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let padding: &dyn sign::RsaEncoding = match algorithm {
            Algorithm::Rs256 => &sign::RSA_PKCS1_SHA256,
            Algorithm::Rs384 => &sign::RSA_PKCS1_SHA384,
            Algorithm::Rs512 => &sign::RSA_PKCS1_SHA512,
            Algorithm::Ps256 => &sign::RSA_PSS_SHA256,
            Algorithm::Ps384 => &sign::RSA_PSS_SHA384,
            Algorithm::Ps512 => &sign::RSA_PSS_SHA512,
            Algorithm::Es256 | Algorithm::Es384 => {
                let algorithm = match algorithm {
                    Algorithm::Es256 => &sign::ECDSA_P256_SHA256_FIXED_SIGNING,
                    _ => &sign::ECDSA_P384_SHA384_FIXED_SIGNING,
                };
                let pair = sign::EcdsaKeyPair::from_pkcs8(algorithm, self.pkcs8()).unwrap();
                return pair.sign(&random, message).unwrap().as_ref().to_vec();
            }
            Algorithm::EdDsa => {
                let pair = sign::Ed25519KeyPair::from_pkcs8_maybe_unchecked(self.pkcs8()).unwrap();
                return pair.sign(message).as_ref().to_vec();
            }
        };
        let pair = sign::RsaKeyPair::from_pkcs8(self.pkcs8()).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &random, message, &mut signature).unwrap();
        signature
    }
}

/// A key of an edge size and its RS256 signature over `message`, made with OpenSSL.
pub(crate) fn openssl_signature(bits: &str) -> (Material, Vec<u8>) {
    let all: Value = serde_json::from_str(include_str!("../../testdata/jose/openssl-rs256.json")).unwrap();
    let one = &all[bits];
    let jwk = Jwk::parse(&json!({"kty":"RSA","n":one["n"],"e":one["e"]}));
    let mut signature = Vec::new();
    base64url::decode(one["signature"].as_str().unwrap().as_bytes(), &mut signature);
    (jwk.material, signature)
}

/// A history of captures: source, day since 1970, and the keys; `None` for a failed fetch.
pub(crate) fn history(captures: &[(&str, i64, Option<Vec<Value>>)]) -> KeyHistory {
    let capture = |(source, day, keys): &(&str, i64, Option<Vec<Value>>)| Capture {
        source: (*source).to_owned(),
        time: CaptureTime::instant(UtcMicros(day * DAY)),
        complete: keys.is_some(),
        keys: keys.iter().flatten().map(|key| Arc::new(Jwk::parse(key))).collect(),
        file: keys.as_ref().map(|_| format!("{source}/{day}.json")),
    };
    let captures = captures.iter().map(capture).collect();
    KeyHistory::new(Archive {
        captures,
        metadata: Vec::new(),
        sha256: String::new(),
        notices: Vec::new(),
        tampering: Vec::new(),
        cuts: Vec::new(),
    })
}
