//! The issuer's throwaway keys: who signs what, and when each was published.

use super::archive::Published;
use super::certificate::{self, Validity};
use super::dice::{Dice, stream};
use super::flawed::Flaw;
use super::plan::{GenerateError, Plan, Signing};
use super::world::{DAY, TRAFFIC_START};
use crate::codec::base64url;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair};
use aws_lc_rs::{digest, hmac};
use rayon::prelude::*;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};

/// Bits of every RSA key but the short one.
const RSA_BITS: usize = 2048;
/// Fewer than anybody may use (RFC 7518 section 3.3).
const SHORT_RSA_BITS: usize = 1024;

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
    /// The own key of an application that the policy lists.
    Custom,
    /// The key of the cloud of the US government.
    Government,
    /// Something is wrong with the key itself.
    Flawed(Flaw),
}

/// The keys that stand before the regular ones in the ring.
pub(super) fn special() -> impl Iterator<Item = Signer> {
    let sound = [
        Signer::NotYetPublished,
        Signer::Retired,
        Signer::Compromised,
        Signer::Personal,
        Signer::VersionOne,
        Signer::Attacker,
        Signer::Custom,
        Signer::Government,
    ];
    sound.into_iter().chain(Flaw::ALL.map(Signer::Flawed))
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    /// Of a kind that aws-lc does not sign with.
    OddRsa(Box<RsaPrivateKey>),
    Ec(Box<EcdsaKeyPair>),
}

/// A key.
pub(super) struct SigningKey {
    /// Key id: the base64url text of a SHA-1, as Entra's; that of the certificate if there is one.
    pub kid: String,
    /// The certificate in DER; RSA keys that aws-lc signs with.
    pub certificate: Option<Vec<u8>>,
    /// The key in PKCS#8, DER.
    pub pkcs8: Vec<u8>,
    /// `kty` and the public members of its JWK, in order.
    pub public: Vec<(&'static str, String)>,
    /// The public key as PEM text; RSA only.
    pub pem: Option<String>,
    pair: Pair,
}

impl SigningKey {
    /// Reads a key; its certificate is to be valid so long.
    fn read(pkcs8: Vec<u8>, signer: Signer, alg: Signing, validity: Validity) -> Result<Self, String> {
        match alg {
            Signing::Rs256 => Self::read_rsa(pkcs8, signer, validity),
            Signing::Es256 => Self::read_ec(pkcs8),
        }
    }

    fn read_rsa(pkcs8: Vec<u8>, signer: Signer, validity: Validity) -> Result<Self, String> {
        let private = RsaPrivateKey::from_pkcs8_der(&pkcs8).map_err(|error| error.to_string())?;
        let key = RsaPublicKey::from(&private);
        let pem = key.to_public_key_pem(LineEnding::LF).map_err(|error| error.to_string())?;
        let public = vec![
            ("kty", "RSA".to_owned()),
            ("n", base64url::encode(&key.n().to_bytes_be())),
            ("e", base64url::encode(&key.e().to_bytes_be())),
        ];
        let pair = match signer {
            Signer::Flawed(Flaw::Short | Flaw::OddExponent) => Pair::OddRsa(Box::new(private)),
            _ => Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(&pkcs8).map_err(|error| error.to_string())?)),
        };
        let mut read = Self { kid: kid_of(&public), certificate: None, pkcs8, public, pem: Some(pem), pair };
        if let Pair::Rsa(_) = read.pair {
            let info = key.to_public_key_der().map_err(|error| error.to_string())?;
            let sign = |body: &[u8]| read.sign(body, false);
            let certificate =
                certificate::self_signed(signer.common_name(), validity, info.as_bytes(), sign)?;
            read.kid = base64url::encode(sha1(&[&certificate]).as_ref());
            read.certificate = Some(certificate);
        }
        Ok(read)
    }

    fn read_ec(pkcs8: Vec<u8>) -> Result<Self, String> {
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
        // A certificate would be another one each time, because these signatures are random.
        Ok(Self {
            kid: kid_of(&public),
            certificate: None,
            pkcs8,
            public,
            pem: None,
            pair: Pair::Ec(Box::new(pair)),
        })
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
            Pair::OddRsa(key) => {
                // Everything that EMSA-PKCS1-v1_5 encodes: the name of SHA-256, and the digest (RFC 8017 section 9.2).
                let mut info = SHA256_INFO.to_vec();
                info.extend_from_slice(digest::digest(&digest::SHA256, message).as_ref());
                key.sign(Pkcs1v15Sign::new_unprefixed(), &info).map_err(|error| error.to_string())
            }
            Pair::Ec(pair) => pair
                .sign(&random, message)
                .map(|bytes| bytes.as_ref().to_vec())
                .map_err(|error| error.to_string()),
        }
    }
}

/// What stands before the digest in a signed `DigestInfo` with SHA-256 (RFC 8017 section 9.2, note 1).
const SHA256_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// The key id of a key without a certificate.
fn kid_of(public: &[(&str, String)]) -> String {
    let parts: Vec<&[u8]> = public.iter().map(|(_, value)| value.as_bytes()).collect();
    base64url::encode(sha1(&parts).as_ref())
}

fn sha1(parts: &[&[u8]]) -> digest::Digest {
    let mut print = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        print.update(part);
    }
    print.finish()
}

/// HMAC with SHA-256 (RFC 7518 section 3.2).
pub(super) fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// Every key of a corpus.
pub(super) struct KeyRing {
    keys: Vec<SigningKey>,
    /// Number of keys that sign in turn.
    regular: u32,
    /// Length of the traffic in seconds.
    seconds: i64,
}

impl KeyRing {
    /// Number of keys that a plan needs.
    fn length(plan: &Plan) -> usize {
        special().count() + usize::try_from(plan.kids).unwrap_or(1)
    }

    /// Makes the keys of a plan from its seed.
    pub(super) fn make(plan: &Plan) -> Result<Self, GenerateError> {
        let signers: Vec<Signer> = signers().take(Self::length(plan)).collect();
        let secrets: Result<Vec<Vec<u8>>, GenerateError> = signers
            .into_par_iter()
            .enumerate()
            .map(|(index, signer)| {
                make_key(plan, signer, index).map_err(|why| GenerateError::Key { index, why })
            })
            .collect();
        Self::read(plan, secrets?)
    }

    /// Takes the keys that were made for this plan before.
    pub(super) fn read(plan: &Plan, secrets: Vec<Vec<u8>>) -> Result<Self, GenerateError> {
        let mut ring = Self { keys: Vec::new(), regular: plan.kids, seconds: plan.seconds() };
        for ((index, pkcs8), signer) in secrets.into_iter().enumerate().zip(signers()) {
            let key = SigningKey::read(pkcs8, signer, plan.alg, ring.validity(signer));
            ring.keys.push(key.map_err(|why| GenerateError::Key { index, why })?);
        }
        if ring.keys.len() == Self::length(plan) {
            Ok(ring)
        } else {
            Err(GenerateError::Key { index: ring.keys.len(), why: "the key ring is incomplete".to_owned() })
        }
    }

    /// Every key in order.
    pub(super) fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// Every key with its signer.
    pub(super) fn signers(&self) -> impl Iterator<Item = (Signer, &SigningKey)> {
        signers().zip(&self.keys)
    }

    /// The key of a signer.
    pub(super) fn key(&self, signer: Signer) -> Result<&SigningKey, GenerateError> {
        let missing =
            || GenerateError::Key { index: self.keys.len(), why: "there is no such key".to_owned() };
        self.signers().find(|(found, _)| *found == signer).map(|(_, key)| key).ok_or_else(missing)
    }

    /// The key that signs a good token issued at `issued`: the one whose turn it is, sometimes already the next.
    pub(super) fn due(&self, issued: i64, dice: &mut Dice) -> Signer {
        let count = i64::from(self.regular);
        let turn = ((issued - TRAFFIC_START) * count / self.seconds).clamp(0, count - 1);
        let next = i64::from(dice.chance(200));
        Signer::Regular(usize::try_from((turn + next).min(count - 1)).unwrap_or(0))
    }

    /// When the sources list a key.
    pub(super) fn published(&self, signer: Signer) -> Published {
        let end = TRAFFIC_START + self.seconds;
        match signer {
            Signer::Regular(turn) => {
                let count = i64::from(self.regular);
                let turn = i64::try_from(turn).unwrap_or(0);
                let start_of = |turn: i64| TRAFFIC_START + self.seconds * turn / count;
                Published { from: start_of(turn) - 3 * DAY, until: start_of(turn + 1) + 2 * DAY }
            }
            Signer::NotYetPublished => Published { from: end, until: i64::MAX },
            Signer::Retired => Published { from: i64::MIN, until: TRAFFIC_START - 4 * DAY },
            Signer::Compromised
            | Signer::Personal
            | Signer::VersionOne
            | Signer::Custom
            | Signer::Government
            | Signer::Flawed(_) => Published { from: i64::MIN, until: i64::MAX },
            Signer::Attacker => Published { from: i64::MAX, until: i64::MAX },
        }
    }
}

impl KeyRing {
    /// The dates of a key's certificate: five years from before it is published, unless they are its flaw.
    fn validity(&self, signer: Signer) -> Validity {
        const YEAR: i64 = 365 * DAY;
        let end = TRAFFIC_START + self.seconds;
        let from = match signer {
            Signer::Regular(_) | Signer::NotYetPublished => self.published(signer).from - 30 * DAY,
            Signer::Flawed(Flaw::CertificateToCome) => end + 10 * DAY,
            Signer::Flawed(Flaw::CertificateEnded) => TRAFFIC_START - 2 * YEAR,
            _ => TRAFFIC_START - 200 * DAY,
        };
        let years = if signer == Signer::Flawed(Flaw::CertificateEnded) { 1 } else { 5 };
        Validity { from, until: from + years * YEAR }
    }
}

impl Signer {
    /// The name in its certificate (rules.md 4.1).
    fn common_name(self) -> &'static str {
        match self {
            Self::Personal => "Live ID STS Signing Public Key",
            Self::Government => "login.microsoftonline.us",
            Self::Attacker => "attacker.example",
            _ => "accounts.accesscontrol.windows.net",
        }
    }
}

/// Every signer, in the order of the ring.
fn signers() -> impl Iterator<Item = Signer> {
    special().chain((0..).map(Signer::Regular))
}

/// A key in PKCS#8. RSA keys come from the seed; EC keys are random, because nothing here makes them from a seed.
fn make_key(plan: &Plan, signer: Signer, index: usize) -> Result<Vec<u8>, String> {
    match plan.alg {
        Signing::Rs256 => {
            let mut random = stream(plan.seed, "key", u64::try_from(index).unwrap_or(0));
            let key = match signer {
                Signer::Flawed(Flaw::Short) => RsaPrivateKey::new(&mut random, SHORT_RSA_BITS),
                Signer::Flawed(Flaw::OddExponent) => {
                    RsaPrivateKey::new_with_exp(&mut random, RSA_BITS, &BigUint::from(257_u32))
                }
                _ => RsaPrivateKey::new(&mut random, RSA_BITS),
            };
            let key = key.map_err(|error| error.to_string())?;
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
