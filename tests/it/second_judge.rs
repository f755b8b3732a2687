//! A second library as judge: jsonwebtoken, with pure Rust cryptography, says the same of every signature.

use crate::corpus::corpus;
use crate::generated::audit;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use tokentrail::codec::base64url;
use tokentrail::generate::LogFormat;
use tokentrail::token::Token;

/// Every RSA key of an archive by its kid; a few kids stand for several.
fn keys(folder: &Path, keys_by_kid: &mut BTreeMap<String, Vec<DecodingKey>>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            keys(&entry, keys_by_kid);
        } else if entry.extension().is_some_and(|extension| extension == "json") {
            let document: Value = serde_json::from_slice(&fs::read(entry).unwrap()).unwrap();
            for key in document["keys"].as_array().unwrap().iter().filter(|key| key["kty"] == "RSA") {
                let text = |name: &str| key[name].as_str().unwrap().to_owned();
                let prepared = DecodingKey::from_rsa_components(&text("n"), &text("e")).unwrap();
                keys_by_kid.entry(text("kid")).or_default().push(prepared);
            }
        }
    }
}

#[test]
fn another_library_agrees_on_every_signature() {
    let corpus = corpus(LogFormat::EdgeJson);
    let mut known = BTreeMap::new();
    keys(&corpus.path("keys"), &mut known);
    let ours: BTreeMap<String, String> = audit(corpus, &[])
        .rows("tokens")
        .into_iter()
        .map(|row| (row["token_sha256"].clone(), row["signature"].clone()))
        .collect();
    let mut judged: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (_, bytes) in corpus.logs() {
        let text = String::from_utf8(bytes).unwrap();
        let run = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        for value in text.split(run).filter(|run| run.starts_with("eyJ")) {
            let token = Token::parse(value);
            let Some(header) = token.header() else { continue };
            let parts: Vec<&str> = value.split('.').collect();
            let kid = header.kid.unwrap_or_default();
            let (Some("RS256"), [head, payload, signature], Some(keys)) =
                (header.alg, parts.as_slice(), known.get(kid))
            else {
                continue;
            };
            let mut bytes = Vec::new();
            if base64url::decode(signature.as_bytes(), &mut bytes) != base64url::Spelling::Canonical
                || bytes.len() != 256
            {
                continue;
            }
            let message = format!("{head}.{payload}");
            let theirs = keys
                .iter()
                .any(|key| crypto::verify(signature, message.as_bytes(), key, Algorithm::RS256).unwrap());
            let theirs = if theirs { "valid" } else { "invalid" };
            let sha256 = token.fingerprint.hex();
            let mine = ours[&sha256].as_str();
            // A token of another issuer may name a key of this archive; its authority is not in it.
            if matches!(mine, "valid" | "invalid") {
                assert_eq!(mine, theirs, "{sha256}");
                judged.entry(theirs).or_default().insert(sha256);
            }
        }
    }
    assert!(judged["valid"].len() > 200, "{} valid tokens", judged["valid"].len());
    assert!(judged["invalid"].len() >= 2, "{} invalid tokens", judged["invalid"].len());
}
