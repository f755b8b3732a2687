//! The published examples and attack vectors of JOSE, through the real verifier: RFC 7515 appendix A, RFC 7520 section 4,
//! RFC 8037 appendix A, and Project Wycheproof.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;
use std::fs;
use tokentrail::codec::algorithm::Algorithm;
use tokentrail::keys::Archive;
use tokentrail::keys::Fit;
use tokentrail::keys::Jwk;
use tokentrail::keys::KeyHistory;
use tokentrail::keys::LaneJob;
use tokentrail::keys::LaneKernel;
use tokentrail::keys::PreparedKey;
use tokentrail::keys::Width;
use tokentrail::token::Token;
use tokentrail::verify::Verifier;
use tokentrail::verify::VerifyItem;
use wycheproof::EllipticCurve;
use wycheproof::HashFunction;
use wycheproof::TestResult;

fn examples() -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../testdata/jose/rfc.json")).unwrap();
    all["examples"].as_array().unwrap().clone()
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode_to_string(text)
}

fn text<'v>(example: &'v Value, name: &str) -> &'v str {
    example[name].as_str().unwrap()
}

fn prepared(jwk: &Value) -> PreparedKey {
    let jwk = Jwk::parse(jwk);
    PreparedKey::new(jwk.material, &jwk.kty)
}

/// The verdict on a token with an archive of one key set, read from disk like any other.
fn verdict(value: &str, key: &Value) -> &'static str {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("label");
    fs::create_dir(&source).unwrap();
    let keys: Vec<&Value> = Some(key).into_iter().filter(|key| !key.is_null()).collect();
    fs::write(source.join("2011-03-22T184300Z.json"), json!({"keys": keys}).to_string()).unwrap();
    let history = KeyHistory::new(Archive::read(directory.path()).unwrap());
    let token = Token::parse(value);
    let found =
        Verifier::new(Some(&history)).verify_batch(&[VerifyItem { value, token: &token, at_cut: false }]);
    found[0].verdict.name()
}

#[test]
fn the_examples_of_the_rfcs_at_the_level_of_a_jws() {
    for example in examples() {
        let message = format!("{}.{}", encode(text(&example, "header")), encode(text(&example, "payload")));
        let signature = URL_SAFE_NO_PAD.decode_to_vec(text(&example, "signature")).unwrap();
        let name = text(&example, "name");
        let Some(algorithm) = Algorithm::parse(text(&example, "alg")) else {
            assert_ne!(text(&example, "verdict"), "valid", "{name}");
            continue;
        };
        let key = prepared(&example["key"]);
        assert!(key.verify(algorithm, message.as_bytes(), &signature), "{name}");
        assert!(!key.verify(algorithm, message.to_uppercase().as_bytes(), &signature), "{name}");
    }
}

#[test]
fn the_examples_of_the_rfcs_as_tokens() {
    let mut valid = 0;
    for example in examples() {
        let (header, payload) = (encode(text(&example, "header")), encode(text(&example, "payload")));
        let value = format!("{header}.{payload}.{}", text(&example, "signature"));
        let is_json = text(&example, "payload").starts_with('{');
        // A token's payload is a JSON object; RFC 7520 signs prose, and A.4 a word.
        let expected = if is_json { text(&example, "verdict") } else { "malformed" };
        assert_eq!(verdict(&value, &example["key"]), expected, "{}", example["name"]);
        valid += usize::from(expected == "valid");
        if !is_json && text(&example, "verdict") == "unsupported-alg" {
            let value = format!("{header}.{}.{}", encode("{}"), text(&example, "signature"));
            assert_eq!(verdict(&value, &example["key"]), "unsupported-alg", "{}", example["name"]);
        }
    }
    assert_eq!(valid, 2);
}

/// What became of the vectors of one family.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Signatures that verify, as they must.
    verified: usize,
    /// Signatures that are refused, as they must be.
    refused: usize,
    /// `acceptable` ones, which an implementation may refuse: an old padding without its NULL.
    acceptable_refused: usize,
    /// Groups that no JWS of a supported algorithm can hold: another hash, salt, curve, or key size.
    skipped_groups: usize,
}

impl Tally {
    fn judge(&mut self, verified: bool, expected: TestResult, what: &str) {
        match (verified, expected) {
            (true, TestResult::Valid) => self.verified += 1,
            (false, TestResult::Invalid) => self.refused += 1,
            (false, TestResult::Acceptable) => self.acceptable_refused += 1,
            (verified, expected) => panic!("{what}: verified {verified}, expected {expected:?}"),
        }
    }
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> PreparedKey {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
    prepared(&json!({"kty": "RSA", "n": encode(modulus), "e": encode(exponent)}))
}

#[test]
fn wycheproof_rsa_pkcs1() {
    use wycheproof::rsa_pkcs1_verify::TestName;
    use wycheproof::rsa_pkcs1_verify::TestSet;
    let mut tally = Tally::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let algorithm = match group.hash {
                HashFunction::Sha2_256 => Algorithm::Rs256,
                HashFunction::Sha2_384 => Algorithm::Rs384,
                HashFunction::Sha2_512 => Algorithm::Rs512,
                _ => {
                    tally.skipped_groups += 1;
                    continue;
                }
            };
            let key = rsa_key(&group.key.n, &group.key.e);
            assert_eq!(key.fit(algorithm), Fit::Fits, "{name:?}");
            for test in group.tests {
                let verified = key.verify(algorithm, &test.msg, &test.sig);
                tally.judge(verified, test.result, &format!("{name:?} {}", test.tc_id));
            }
        }
    }
    assert_eq!(tally, Tally { verified: 89, refused: 3005, acceptable_refused: 12, skipped_groups: 12 });
}

/// The same vectors in lanes, of the widths and the exponent that lanes take, by each kernel: what verifies is accepted, nothing else.
#[test]
fn wycheproof_rsa_pkcs1_in_lanes() {
    use wycheproof::rsa_pkcs1_verify::TestName;
    use wycheproof::rsa_pkcs1_verify::TestSet;
    for kernel in LaneKernel::ALL {
        let mut asked = [0; 3];
        let mut good = [0; 3];
        for name in TestName::all() {
            for group in TestSet::load(name).unwrap().test_groups {
                let key = rsa_key(&group.key.n, &group.key.e);
                let Some(lane_key) =
                    key.lane_key(Algorithm::Rs256).filter(|_| group.hash == HashFunction::Sha2_256)
                else {
                    continue;
                };
                let width = Width::ALL.iter().position(|width| *width == lane_key.width()).unwrap();
                for tests in group.tests.chunks(kernel.lanes()) {
                    let digests: Vec<[u8; 32]> =
                        tests.iter().map(|test| Sha256::digest(&test.msg).into()).collect();
                    let jobs: Vec<LaneJob<'_>> = tests
                        .iter()
                        .zip(&digests)
                        .map(|(test, digest)| LaneJob { key: lane_key, digest, signature: &test.sig })
                        .collect();
                    for (test, accepted) in tests.iter().zip(kernel.accepted(&jobs)) {
                        let verified = key.verify(Algorithm::Rs256, &test.msg, &test.sig);
                        let named = format!("{kernel:?}, {name:?} {}", test.tc_id);
                        assert_eq!(verified, test.result == TestResult::Valid, "{named}");
                        assert_eq!(accepted, verified && kernel.is_available(), "{named}");
                        asked[width] += 1;
                        good[width] += usize::from(verified);
                    }
                }
            }
        }
        assert_eq!((asked, good), ([257, 258, 258], [7, 7, 7]));
    }
}

#[test]
fn wycheproof_rsa_pss() {
    use wycheproof::rsa_pss_verify::TestName;
    use wycheproof::rsa_pss_verify::TestSet;
    let mut tally = Tally::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            // RFC 7518 section 3.5: MGF1 with the same hash, and a salt as long as its digest.
            let algorithm = match (&group.hash, group.salt_size) {
                (HashFunction::Sha2_256, 32) => Algorithm::Ps256,
                (HashFunction::Sha2_384, 48) => Algorithm::Ps384,
                (HashFunction::Sha2_512, 64) => Algorithm::Ps512,
                _ => {
                    tally.skipped_groups += 1;
                    continue;
                }
            };
            let key = rsa_key(&group.key.n, &group.key.e);
            if group.mgf_hash.as_ref() != Some(&group.hash) || key.fit(algorithm) != Fit::Fits {
                tally.skipped_groups += 1;
                continue;
            }
            for test in group.tests {
                let verified = key.verify(algorithm, &test.msg, &test.sig);
                tally.judge(verified, test.result, &format!("{name:?} {}", test.tc_id));
            }
        }
    }
    assert_eq!(tally, Tally { verified: 775, refused: 411, acceptable_refused: 0, skipped_groups: 313 });
}

#[test]
fn wycheproof_ecdsa() {
    use wycheproof::ecdsa::TestGroupTypeId;
    use wycheproof::ecdsa::TestName;
    use wycheproof::ecdsa::TestSet;
    let mut tally = Tally::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let (algorithm, curve) = match (group.test_type, &group.key.curve, &group.hash) {
                (TestGroupTypeId::EcdsaP1363, EllipticCurve::Secp256r1, HashFunction::Sha2_256) => {
                    (Algorithm::Es256, "P-256")
                }
                (TestGroupTypeId::EcdsaP1363, EllipticCurve::Secp384r1, HashFunction::Sha2_384) => {
                    (Algorithm::Es384, "P-384")
                }
                _ => {
                    tally.skipped_groups += 1;
                    continue;
                }
            };
            let point = &group.key.key;
            let (x, y) = point[1..].split_at(point.len() / 2);
            let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
            let key = prepared(&json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)}));
            for test in group.tests {
                let verified = key.verify(algorithm, &test.msg, &test.sig);
                tally.judge(verified, test.result, &format!("{name:?} {}", test.tc_id));
            }
        }
    }
    assert_eq!(tally, Tally { verified: 716, refused: 328, acceptable_refused: 0, skipped_groups: 6863 });
}

#[test]
fn wycheproof_ed25519() {
    use wycheproof::eddsa::TestName;
    use wycheproof::eddsa::TestSet;
    let mut tally = Tally::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            if name != TestName::Ed25519 {
                tally.skipped_groups += 1;
                continue;
            }
            let x = URL_SAFE_NO_PAD.encode_to_string(&*group.key.pk);
            let key = prepared(&json!({"kty": "OKP", "crv": "Ed25519", "x": x}));
            for test in group.tests {
                let verified = key.verify(Algorithm::EdDsa, &test.msg, &test.sig);
                tally.judge(verified, test.result, &format!("{name:?} {}", test.tc_id));
            }
        }
    }
    assert_eq!(tally, Tally { verified: 88, refused: 62, acceptable_refused: 0, skipped_groups: 14 });
}
