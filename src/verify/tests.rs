//! Every verdict, in the order in which it is decided. Tokens are minted here.

use super::Embedded;
use super::Signature;
use super::Verdict;
use super::Verifier;
use super::VerifyItem;
use crate::codec::algorithm::Algorithm;
use crate::codec::base64url::encode;
use crate::keys::KeyHistory;
use crate::keys::LaneKernel;
use crate::keys::testing;
use crate::keys::testing::TestKey;
use crate::time::DAY;
use crate::time::UtcMicros;
use crate::token::Token;
use aws_lc_rs::digest;
use aws_lc_rs::hmac;
use serde_json::Value;
use serde_json::json;

const ISS: &str = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";
const IAT: i64 = 20 * 86_400;

fn archive() -> KeyHistory {
    let weak = json!({"kty":"RSA","kid":"weak","n":encode(&[0xc5; 64]),"e":"AQAB"});
    let twice = json!({"kty":"RSA","kid":"two","n":encode(&[0xc5; 384]),"e":"AQAB"});
    let keys = vec![
        TestKey::RsaA.jwk("a"),
        TestKey::RsaB.jwk("b"),
        TestKey::P256.jwk("ec"),
        TestKey::P384.jwk("ec384"),
        TestKey::Ed25519.jwk("ed"),
        TestKey::RsaA.jwk("two"),
        twice,
        weak,
        json!({"kty":"RSA","kid":"damaged"}),
        json!({"kty":"oct","kid":"secret","k":"c2VjcmV0"}),
        json!({"kty":"OKP","crv":"Ed448","kid":"ed448","x":"AA"}),
    ];
    testing::history(&[
        ("common", 20, Some(keys)),
        ("idp.example.com", 20, Some(vec![TestKey::RsaB.jwk("foreign")])),
    ])
}

fn claims() -> Value {
    json!({"iss": ISS, "iat": IAT})
}

fn segments(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()))
}

fn signed(key: TestKey, header: &Value, claims: &Value) -> String {
    let text = segments(header, claims);
    let algorithm = Algorithm::parse(header["alg"].as_str().unwrap()).unwrap();
    let signature = key.sign(algorithm, text.as_bytes());
    format!("{text}.{}", encode(&signature))
}

fn rs256(kid: &str) -> Value {
    json!({"alg":"RS256","kid":kid})
}

fn verify_with(history: Option<&KeyHistory>, value: &str, at_cut: bool) -> Signature {
    let token = Token::parse(value);
    Verifier::new(history).verify_batch(&[VerifyItem { value, token: &token, at_cut }]).remove(0)
}

fn verdict(value: &str) -> Verdict {
    verify_with(Some(&archive()), value, false).verdict
}

fn cut_verdict(value: &str) -> Verdict {
    verify_with(Some(&archive()), value, true).verdict
}

#[test]
fn forms_come_first() {
    let whole = signed(TestKey::RsaA, &rs256("a"), &claims());
    assert_eq!(verdict(whole.rsplit_once('.').unwrap().0), Verdict::Truncated);
    assert_eq!(verdict(&format!("{}...", &whole[..whole.len() - 10])), Verdict::Truncated);
    assert_eq!(verdict("0123456789"), Verdict::Opaque);
    let header = encode(br#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    assert_eq!(verdict(&format!("{header}.a.b.c.d")), Verdict::Encrypted);
    assert_eq!(verdict(&format!("{}.a.b.c.d", encode(b"{\"alg\":1}"))), Verdict::Opaque);
    assert_eq!(verdict(&format!("{}.{}.AA", encode(b"{\"alg\":"), encode(b"{}"))), Verdict::Malformed);
    assert_eq!(
        verdict(&format!("{}.{}.AA", encode(b"{\"alg\":\"none\"}"), encode(b"[]"))),
        Verdict::Malformed
    );
    assert_eq!(verdict(&format!("{whole}A*")), Verdict::Malformed);
}

#[test]
fn unsigned_and_unsupported_come_before_keys() {
    for alg in ["none", "NonE"] {
        assert_eq!(verdict(&format!("{}.c2ln", segments(&json!({"alg":alg}), &claims()))), Verdict::Unsigned);
    }
    assert_eq!(verdict(&format!("{}.", segments(&rs256("a"), &claims()))), Verdict::Unsigned);
    for header in [
        json!({"alg":"ES512","kid":"a"}),
        json!({"alg":"rs256","kid":"a"}),
        json!({"kid":"a"}),
        json!({"alg":7}),
        rs256("weak"),
        rs256("damaged"),
        json!({"alg":"EdDSA","kid":"ed448"}),
    ] {
        let value = format!("{}.{}", segments(&header, &claims()), encode(&[7; 256]));
        assert_eq!(verdict(&value), Verdict::UnsupportedAlg, "{header}");
    }
}

#[test]
fn every_algorithm_verifies() {
    for (alg, key, kid) in [
        ("RS256", TestKey::RsaA, "a"),
        ("RS384", TestKey::RsaA, "a"),
        ("RS512", TestKey::RsaA, "a"),
        ("PS256", TestKey::RsaA, "a"),
        ("PS384", TestKey::RsaA, "a"),
        ("PS512", TestKey::RsaA, "two"),
        ("ES256", TestKey::P256, "ec"),
        ("ES384", TestKey::P384, "ec384"),
        ("EdDSA", TestKey::Ed25519, "ed"),
    ] {
        let history = archive();
        let value = signed(key, &json!({"alg":alg,"kid":kid}), &claims());
        let found = verify_with(Some(&history), &value, false);
        assert_eq!(found.verdict, Verdict::Valid, "{alg}");
        assert_eq!(history.key(found.key.unwrap()).kid.as_deref(), Some(kid));
        assert!(found.named.contains(&found.key.unwrap()));
        let forged = value.replace(
            &segments(&json!({"alg":alg,"kid":kid}), &claims()),
            &segments(&json!({"alg":alg,"kid":kid}), &json!({"iss":ISS})),
        );
        assert_eq!(verdict(&forged), Verdict::Invalid, "{alg}");
    }
}

#[test]
fn a_named_key_that_fails_is_invalid() {
    assert_eq!(verdict(&signed(TestKey::RsaB, &rs256("a"), &claims())), Verdict::Invalid);
    for (header, bytes) in [
        (rs256("ec"), 256),
        (rs256("secret"), 256),
        (json!({"alg":"ES256","kid":"a"}), 64),
        (json!({"alg":"ES256","kid":"ec384"}), 64),
        (rs256("a"), 255),
        (rs256("a"), 257),
        (json!({"alg":"ES256","kid":"unknown"}), 70),
    ] {
        let value = format!("{}.{}", segments(&header, &claims()), encode(&vec![7; bytes]));
        assert_eq!(verdict(&value), Verdict::Invalid, "{header} {bytes}");
    }
}

#[test]
fn a_short_signature_is_truncated_only_with_a_sign_of_a_cut() {
    let with =
        |header: Value, bytes: usize| format!("{}.{}", segments(&header, &claims()), encode(&vec![7; bytes]));
    assert_eq!(verdict(&with(rs256("a"), 127)), Verdict::Truncated);
    assert_eq!(verdict(&with(rs256("a"), 200)), Verdict::Invalid);
    assert_eq!(cut_verdict(&with(rs256("a"), 200)), Verdict::Truncated);
    assert_eq!(cut_verdict(&with(rs256("a"), 257)), Verdict::Invalid);
    assert_eq!(
        cut_verdict(&with(rs256("two"), 300)),
        Verdict::Invalid,
        "longer than the shortest key of that kid"
    );
    assert_eq!(cut_verdict(&with(rs256("unknown"), 255)), Verdict::Truncated);
    assert_eq!(verdict(&with(rs256("unknown"), 255)), Verdict::KeyUnknown);
    assert_eq!(cut_verdict(&with(rs256("unknown"), 256)), Verdict::KeyUnknown);
    assert_eq!(cut_verdict(&with(json!({"alg":"ES256","kid":"ec"}), 63)), Verdict::Truncated);
    assert_eq!(verdict(&with(json!({"alg":"ES256","kid":"ec"}), 63)), Verdict::Invalid);
    // Without an archive too: this needs no key.
    assert_eq!(verify_with(None, &with(rs256("a"), 200), true).verdict, Verdict::Truncated);
}

#[test]
fn a_cut_at_any_character_of_the_signature_is_truncated() {
    let whole = signed(TestKey::RsaA, &rs256("a"), &claims());
    for missing in 1..=8 {
        assert_eq!(cut_verdict(&whole[..whole.len() - missing]), Verdict::Truncated, "{missing}");
    }
    assert_eq!(cut_verdict(&format!("{whole}AAA")), Verdict::Malformed, "too long by part of a byte");
}

#[test]
fn a_signature_without_a_named_key_is_tried_with_all() {
    let history = archive();
    for header in [rs256("unknown"), json!({"alg":"RS256"}), json!({"alg":"RS256","kid":""})] {
        let found = verify_with(Some(&history), &signed(TestKey::RsaB, &header, &claims()), false);
        assert_eq!(found.verdict, Verdict::Valid, "{header}");
        assert_eq!(history.key(found.key.unwrap()).kid.as_deref(), Some("b"));
        assert!(found.named.is_empty());
    }
}

#[test]
fn coverage_decides_between_unknown_and_not_covered() {
    let unknown = |claims: Value| format!("{}.{}", segments(&rs256("unknown"), &claims), encode(&[7; 256]));
    assert_eq!(verdict(&unknown(claims())), Verdict::KeyUnknown);
    assert_eq!(verdict(&unknown(json!({"iss":ISS,"nbf":IAT}))), Verdict::KeyUnknown);
    assert_eq!(verdict(&unknown(json!({"iss":ISS,"iat":IAT + 8 * 86_400,"nbf":IAT}))), Verdict::NotCovered);
    assert_eq!(verdict(&unknown(json!({"iat":IAT}))), Verdict::NotCovered, "no issuer");
    assert_eq!(verdict(&unknown(json!({"iss":"https://other.example.com/","iat":IAT}))), Verdict::NotCovered);
    let valid = signed(TestKey::RsaA, &rs256("a"), &json!({"iss":ISS,"iat":0}));
    assert_eq!(verdict(&valid), Verdict::Valid, "whatever the coverage");
    assert_eq!(verify_with(None, &valid, false).verdict, Verdict::NotCovered);
}

#[test]
fn a_token_without_times_is_decided_by_its_request() {
    let history = archive();
    let value = format!("{}.{}", segments(&rs256("unknown"), &json!({"iss":ISS})), encode(&[7; 256]));
    let found = verify_with(Some(&history), &value, false);
    assert!(found.by_request);
    let at = |day: i64| Verifier::new(Some(&history)).verdict_at(&found, Some(UtcMicros(day * DAY)));
    assert_eq!((at(20), at(28)), (Verdict::KeyUnknown, Verdict::NotCovered));
    assert_eq!(Verifier::new(Some(&history)).verdict_at(&found, None), Verdict::NotCovered);
    let fixed = verify_with(Some(&history), &signed(TestKey::RsaA, &rs256("a"), &json!({"iss":ISS})), false);
    assert!(!fixed.by_request);
}

#[test]
fn keys_of_other_authorities_never_count() {
    let history = archive();
    let foreign = json!({"iss":"https://idp.example.com/","iat":IAT});
    let value = signed(TestKey::RsaA, &rs256("a"), &foreign);
    assert_eq!(verify_with(Some(&history), &value, false).verdict, Verdict::KeyUnknown);
    let key = Verifier::new(Some(&history)).elsewhere(&value, &Token::parse(&value)).unwrap();
    assert_eq!(history.key(key).kid.as_deref(), Some("a"));
    let own = signed(TestKey::RsaB, &rs256("foreign"), &foreign);
    assert_eq!(verify_with(Some(&history), &own, false).verdict, Verdict::Valid);
}

#[test]
fn a_graph_token_verifies_with_its_nonce_hashed() {
    let nonce = "dGhlIG5vbmNl";
    let hashed = encode(digest::digest(&digest::SHA256, nonce.as_bytes()).as_ref());
    let header =
        |nonce: &str| format!("{{\"typ\":\"JWT\", \"nonce\":\"{nonce}\",\"alg\":\"RS256\",\"kid\":\"a\"}}");
    let payload = encode(claims().to_string().as_bytes());
    let signature = TestKey::RsaA
        .sign(Algorithm::Rs256, format!("{}.{payload}", encode(header(&hashed).as_bytes())).as_bytes());
    let value =
        |nonce: &str| format!("{}.{payload}.{}", encode(header(nonce).as_bytes()), encode(&signature));
    assert_eq!(verdict(&value(nonce)), Verdict::ValidGraphNonce);
    assert_eq!(verdict(&value(&hashed)), Verdict::Valid, "the plain form comes first");
    assert_eq!(verdict(&value("other")), Verdict::Invalid);
}

#[test]
fn a_mac_with_a_public_key_as_secret_is_found() {
    let history = archive();
    let text = segments(&json!({"alg":"HS256","kid":"a"}), &claims());
    let modulus = TestKey::RsaA.jwk("a")["n"].as_str().unwrap().to_owned();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, modulus.as_bytes()), text.as_bytes());
    let found = verify_with(Some(&history), &format!("{text}.{}", encode(tag.as_ref())), false);
    assert_eq!((found.verdict, found.confusion), (Verdict::UnsupportedAlg, Some("n-text")));
    let other = verify_with(Some(&history), &format!("{text}.{}", encode(&[7; 32])), false);
    assert_eq!((other.verdict, other.confusion), (Verdict::UnsupportedAlg, None));
    // An issuer that nobody serves: every key is tried.
    let text = segments(&json!({"alg":"HS256"}), &json!({"iss":"https://nobody.example/"}));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, modulus.as_bytes()), text.as_bytes());
    let found = verify_with(Some(&history), &format!("{text}.{}", encode(tag.as_ref())), false);
    assert_eq!(found.confusion, Some("n-text"));
}

#[test]
fn an_embedded_key_is_tried_but_never_trusted() {
    let with = |name: &str, key: Value| {
        let header = json!({"alg":"RS256","kid":"a", name: key});
        verify_with(Some(&archive()), &signed(TestKey::RsaB, &header, &claims()), false)
    };
    let own = with("jwk", TestKey::RsaB.jwk("x"));
    assert_eq!((own.verdict, own.embedded.jwk, own.embedded.x5c), (Verdict::Invalid, Some(true), None));
    assert_eq!(with("jwk", TestKey::P256.jwk("x")).embedded.jwk, Some(false));
    assert_eq!(with("jwk", json!(7)).embedded.jwk, Some(false));
    assert_eq!(with("x5c", json!(["AAAA"])).embedded.x5c, Some(false));
    assert_eq!(with("other", json!(1)).embedded, Embedded::default());
    let der = include_bytes!("../../testdata/keys/test-only-rsa2048-a.crt");
    let chain = json!([base64_simd::STANDARD.encode_to_string(der)]);
    let value = signed(TestKey::RsaA, &json!({"alg":"PS256","kid":"b","x5c":chain}), &claims());
    assert_eq!(verify_with(None, &value, false).embedded, Embedded { jwk: None, x5c: Some(true) });
}

/// Tokens of several keys, good, forged and cut, all in one batch.
fn mixed_values() -> Vec<String> {
    let mut values = Vec::new();
    for (at, (kid, key)) in
        [("a", TestKey::RsaA), ("b", TestKey::RsaB), ("two", TestKey::RsaA), ("unknown", TestKey::RsaB)]
            .into_iter()
            .cycle()
            .take(22)
            .enumerate()
    {
        let claims = json!({"iss": ISS, "iat": IAT, "jti": at});
        let good = signed(key, &rs256(kid), &claims);
        let (text, signature) = good.rsplit_once('.').unwrap();
        let forged =
            format!("{}.{signature}", segments(&rs256(kid), &json!({"iss": ISS, "iat": IAT, "jti": -1})));
        let changed = signature.replace(|next: char| next == signature.chars().nth(at).unwrap(), "A");
        values.extend([forged, format!("{text}.{changed}"), format!("{text}.{}", &signature[..342 - at])]);
        values.push(signed(key, &json!({"alg":"PS256","kid":kid}), &claims));
        values.push(signed(TestKey::P256, &json!({"alg":"ES256","kid":"ec"}), &claims));
        values.push(good);
    }
    values
}

#[test]
fn lanes_and_library_say_the_same_of_every_batch() {
    let history = archive();
    let values = mixed_values();
    let tokens: Vec<Token> = values.iter().map(|value| Token::parse(value)).collect();
    let items: Vec<VerifyItem<'_>> = values
        .iter()
        .zip(&tokens)
        .enumerate()
        .map(|(at, (value, token))| VerifyItem { value, token, at_cut: at % 7 == 0 })
        .collect();
    let verifier = Verifier::new(Some(&history));
    let alone = |found: &[Signature]| found.iter().map(|found| format!("{found:?}")).collect::<Vec<_>>();
    let portable = verifier.portable().verify_batch(&items);
    for verdict in [Verdict::Valid, Verdict::Invalid, Verdict::KeyUnknown, Verdict::Truncated] {
        assert!(portable.iter().any(|found| found.verdict == verdict), "{verdict:?}");
    }
    for kernel in LaneKernel::ALL {
        for size in [1, 2, 3, 5, 9, items.len()] {
            let verifier = verifier.with(Some(kernel));
            let found: Vec<Signature> =
                items.chunks(size).flat_map(|batch| verifier.verify_batch(batch)).collect();
            assert_eq!(alone(&found), alone(&portable), "{kernel:?}, batches of {size}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_value_makes_it_panic(value: String, signature in "[A-Za-z0-9_=-]{0,60}", at_cut: bool) {
        let history = archive();
        verify_with(Some(&history), &value, at_cut);
        let token = format!("{}.{signature}", segments(&rs256("a"), &claims()));
        verify_with(Some(&history), &token, at_cut);
    }
}
