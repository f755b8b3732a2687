//! The issuer's throwaway keys: who signs what, and when each was published.

use super::archive::Published;
use super::dice::{Dice, stream};
use super::plan::{GenerateError, Plan, Signing};
use super::world::{DAY, TRAFFIC_START};
use crate::codec::base64url;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair};
use aws_lc_rs::{digest, hmac};
use rayon::prelude::*;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey};

/// Bits of every RSA key.
const RSA_BITS: usize = 2048;

/// Which key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// The one of several in turn that is due, by number.
    Regular(usize),
    /// Published only after the traffic.
    NotYetPublished,
    /// Withdrawn well before the traffic.
    Retired,
    /// Named by the policy's `keys.compromised`.
    Compromised,
    /// The issuer's key for personal accounts: its `issuer` is fixed.
    Personal,
    /// Listed by v1 documents only, and so without an `issuer`.
    VersionOne,
    /// Never published.
    Attacker,
}

/// The keys that stand before the regular ones in the ring.
pub(super) const SPECIAL: [Signer; 6] = [
    Signer::NotYetPublished,
    Signer::Retired,
    Signer::Compromised,
    Signer::Personal,
    Signer::VersionOne,
    Signer::Attacker,
];

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
}

/// A key.
pub(super) struct SigningKey {
    /// Key id: the base64url text of a SHA-1, as Entra's.
    pub kid: String,
    /// The key in PKCS#8, DER.
    pub pkcs8: Vec<u8>,
    /// `kty` and the public members of its JWK, in order.
    pub public: Vec<(&'static str, String)>,
    /// The public key as PEM text; RSA only.
    pub pem: Option<String>,
    pair: Pair,
}

impl SigningKey {
    fn read(pkcs8: Vec<u8>, alg: Signing) -> Result<Self, String> {
        let (pair, public, pem) = match alg {
            Signing::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(&pkcs8).map_err(|error| error.to_string())?;
                let private = RsaPrivateKey::from_pkcs8_der(&pkcs8).map_err(|error| error.to_string())?;
                let key = RsaPublicKey::from(&private);
                let pem = key.to_public_key_pem(LineEnding::LF).map_err(|error| error.to_string())?;
                let public = vec![
                    ("kty", "RSA".to_owned()),
                    ("n", base64url::encode(&key.n().to_bytes_be())),
                    ("e", base64url::encode(&key.e().to_bytes_be())),
                ];
                (Pair::Rsa(Box::new(pair)), public, Some(pem))
            }
            Signing::Es256 => {
                let rules = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_pkcs8(rules, &pkcs8).map_err(|error| error.to_string())?;
                // The point is uncompressed: 4, x, y (SEC 1, section 2.3.3).
                let point = pair.public_key().as_ref();
                let coordinate = |from, to| base64url::encode(point.get(from..to).unwrap_or_default());
                let public = vec![
                    ("kty", "EC".to_owned()),
                    ("crv", "P-256".to_owned()),
                    ("x", coordinate(1, 33)),
                    ("y", coordinate(33, 65)),
                ];
                (Pair::Ec(Box::new(pair)), public, None)
            }
        };
        let mut print = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        for (_, value) in &public {
            print.update(value.as_bytes());
        }
        let kid = base64url::encode(print.finish().as_ref());
        Ok(Self { kid, pkcs8, public, pem, pair })
    }

    /// The key's own signature over some bytes; `sha512` asks for RS512.
    pub(super) fn sign(&self, message: &[u8], sha512: bool) -> Result<Vec<u8>, String> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &dyn signature::RsaEncoding =
                    if sha512 { &signature::RSA_PKCS1_SHA512 } else { &signature::RSA_PKCS1_SHA256 };
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut bytes).map_err(|error| error.to_string())?;
                Ok(bytes)
            }
            Pair::Ec(pair) => pair
                .sign(&random, message)
                .map(|bytes| bytes.as_ref().to_vec())
                .map_err(|error| error.to_string()),
        }
    }
}

/// HMAC with SHA-256 (RFC 7518 section 3.2).
pub(super) fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// Every key of a corpus.
pub(super) struct KeyRing {
    keys: Vec<SigningKey>,
    /// Length of the traffic in seconds.
    seconds: i64,
}

impl KeyRing {
    /// Number of keys that a plan needs.
    fn length(plan: &Plan) -> usize {
        SPECIAL.len() + usize::try_from(plan.kids).unwrap_or(1)
    }

    /// Makes the keys of a plan from its seed.
    pub(super) fn make(plan: &Plan) -> Result<Self, GenerateError> {
        let secrets: Result<Vec<Vec<u8>>, GenerateError> = (0..Self::length(plan))
            .into_par_iter()
            .map(|index| {
                make_key(plan.seed, plan.alg, index).map_err(|why| GenerateError::Key { index, why })
            })
            .collect();
        Self::read(plan, secrets?)
    }

    /// Takes the keys that were made for this plan before.
    pub(super) fn read(plan: &Plan, secrets: Vec<Vec<u8>>) -> Result<Self, GenerateError> {
        let keys: Result<Vec<SigningKey>, GenerateError> = secrets
            .into_iter()
            .enumerate()
            .map(|(index, pkcs8)| {
                SigningKey::read(pkcs8, plan.alg).map_err(|why| GenerateError::Key { index, why })
            })
            .collect();
        let keys = keys?;
        if keys.len() == Self::length(plan) {
            Ok(Self { keys, seconds: plan.seconds() })
        } else {
            Err(GenerateError::Key { index: keys.len(), why: "the key ring is incomplete".to_owned() })
        }
    }

    /// Every key in order.
    pub(super) fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// Every key with its signer.
    pub(super) fn signers(&self) -> impl Iterator<Item = (Signer, &SigningKey)> {
        let regular = (0..).map(Signer::Regular);
        SPECIAL.into_iter().chain(regular).zip(&self.keys)
    }

    /// The key of a signer.
    pub(super) fn key(&self, signer: Signer) -> Result<&SigningKey, GenerateError> {
        let missing =
            || GenerateError::Key { index: self.keys.len(), why: "there is no such key".to_owned() };
        self.signers().find(|(found, _)| *found == signer).map(|(_, key)| key).ok_or_else(missing)
    }

    /// Number of keys that sign in turn.
    fn regular(&self) -> usize {
        self.keys.len().saturating_sub(SPECIAL.len())
    }

    /// The key that signs a good token issued at `issued`: the one whose turn it is, sometimes already the next.
    pub(super) fn due(&self, issued: i64, dice: &mut Dice) -> Signer {
        let count = i64::try_from(self.regular()).unwrap_or(1);
        let turn = ((issued - TRAFFIC_START) * count / self.seconds).clamp(0, count - 1);
        let next = i64::from(dice.chance(200));
        Signer::Regular(usize::try_from((turn + next).min(count - 1)).unwrap_or(0))
    }

    /// When the sources list a key.
    pub(super) fn published(&self, signer: Signer) -> Published {
        let end = TRAFFIC_START + self.seconds;
        match signer {
            Signer::Regular(turn) => {
                let count = i64::try_from(self.regular()).unwrap_or(1);
                let turn = i64::try_from(turn).unwrap_or(0);
                let start_of = |turn: i64| TRAFFIC_START + self.seconds * turn / count;
                Published { from: start_of(turn) - 3 * DAY, until: start_of(turn + 1) + 2 * DAY }
            }
            Signer::NotYetPublished => Published { from: end, until: i64::MAX },
            Signer::Retired => Published { from: i64::MIN, until: TRAFFIC_START - 4 * DAY },
            Signer::Compromised | Signer::Personal | Signer::VersionOne => {
                Published { from: i64::MIN, until: i64::MAX }
            }
            Signer::Attacker => Published { from: i64::MAX, until: i64::MAX },
        }
    }
}

/// A key in PKCS#8. RSA keys come from the seed; EC keys are random, because nothing here makes them from a seed.
fn make_key(seed: u64, alg: Signing, index: usize) -> Result<Vec<u8>, String> {
    match alg {
        Signing::Rs256 => {
            let mut random = stream(seed, "key", u64::try_from(index).unwrap_or(0));
            let key = RsaPrivateKey::new(&mut random, RSA_BITS).map_err(|error| error.to_string())?;
            Ok(key.to_pkcs8_der().map_err(|error| error.to_string())?.as_bytes().to_vec())
        }
        Signing::Es256 => {
            let rules = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
            let key = EcdsaKeyPair::generate_pkcs8(rules, &SystemRandom::new())
                .map_err(|error| error.to_string())?;
            Ok(key.as_ref().to_vec())
        }
    }
}
