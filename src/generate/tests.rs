//! A small corpus against its own claims: what is planted is written, verifies or not as the table says, and is counted.

use super::scenes::SCENES;
use super::*;
use crate::codec::base64url;
use aws_lc_rs::{digest, signature};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::OnceLock;
use tempfile::TempDir;

/// The keys of all tests: making them is slow without optimisation.
fn ring() -> &'static KeyRing {
    static RING: OnceLock<KeyRing> = OnceLock::new();
    RING.get_or_init(|| KeyRing::make(&plan("unused")).unwrap())
}

fn plan(out: impl Into<PathBuf>) -> Plan {
    Plan { lines: 2400, reuse: 4, misuse: 0.3, tenants: 4, kids: 2, ..Plan::new(out) }
}

fn write_plan(plan: &Plan) -> Summary {
    write(plan, ring(), None, budget(plan), None).unwrap()
}

/// Every file below a folder with its content.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in ignore::Walk::new(folder).map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        let name = entry.path().strip_prefix(folder).unwrap().to_owned();
        files.insert(name, fs::read(entry.path()).unwrap());
    }
    files
}

/// Requests of a corpus in our own JSON: token, host, url, principal, status, start in milliseconds.
fn requests(folder: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    for (name, bytes) in content(&folder.join("logs")) {
        let text = String::from_utf8(bytes).unwrap();
        let before = lines.len();
        lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        let times: Vec<i64> = lines[before..].iter().map(|line| line["ts"].as_i64().unwrap()).collect();
        assert!(times.is_sorted(), "{} is in order of time", name.display());
    }
    lines
}

/// The tokens of a request; a header that was sent twice is logged as a list.
fn tokens_of(line: &Value) -> impl Iterator<Item = &str> {
    let all = line["headers"]["authorization"].as_str().unwrap_or_default();
    let others = all.split(", ").skip(1).filter_map(|other| other.strip_prefix("Bearer "));
    token_of(line).into_iter().chain(others)
}

fn token_of(line: &Value) -> Option<&str> {
    let headers = &line["headers"];
    let header = || headers["authorization"].as_str()?.strip_prefix("Bearer ")?.split(", ").next();
    header().or_else(|| [&line["url"], &headers["referer"], &line["body"]].into_iter().find_map(parameter))
}

fn parameter(text: &Value) -> Option<&str> {
    text.as_str()?.split_once("access_token=")?.1.split('&').next()
}

fn decoded(part: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    base64url::decode(part.as_bytes(), &mut bytes);
    bytes
}

fn sha256(text: &[u8]) -> String {
    crate::redact::hex(digest::digest(&digest::SHA256, text).as_ref())
}

/// `token_sha256`, worked out anew.
fn fingerprint(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    match parts.as_slice() {
        [header, payload, signature] if !signature.contains('!') => {
            let mut text = format!("{header}.{payload}.").into_bytes();
            text.extend(decoded(signature));
            sha256(&text)
        }
        _ => sha256(token.as_bytes()),
    }
}

fn expected(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("expected.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// RSA keys of all documents of the archive: kid to modulus and exponent.
fn published(folder: &Path) -> BTreeMap<String, (Vec<u8>, Vec<u8>)> {
    let mut keys = BTreeMap::new();
    for (name, bytes) in content(&folder.join("keys")) {
        if name.extension().is_some_and(|extension| extension == "json") {
            let document: Value = serde_json::from_slice(&bytes).unwrap();
            for key in document["keys"].as_array().unwrap() {
                if key["kty"] != "RSA" {
                    continue;
                }
                let member = |name: &str| decoded(key[name].as_str().unwrap());
                keys.insert(key["kid"].as_str().unwrap().to_owned(), (member("n"), member("e")));
            }
        }
    }
    keys
}

#[test]
fn the_same_plan_gives_the_same_bytes_on_any_number_of_threads() {
    let folder = TempDir::new().unwrap();
    let made: Vec<BTreeMap<PathBuf, Vec<u8>>> = [1, 3]
        .into_iter()
        .map(|threads| {
            let out = folder.path().join(threads.to_string());
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| write_plan(&Plan { gzip: true, ..plan(&out) }));
            content(&out)
        })
        .collect();
    assert!(made[0].len() > 10);
    assert!(made[0] == made[1], "two runs differ");
}

#[test]
fn one_log_holds_the_bytes_of_the_files() {
    let folder = TempDir::new().unwrap();
    let [apart, whole] = ["apart", "whole"].map(|name| plan(folder.path().join(name)));
    let summary = write_plan(&apart);
    let mut log = Vec::new();
    assert_eq!(write(&whole, ring(), None, budget(&whole), Some(&mut log)).unwrap(), summary);
    let mut files: Vec<PathBuf> = content(&apart.out.join("logs")).into_keys().collect();
    files.sort_by_key(|name| name.to_string_lossy().rsplit('-').next().map(str::to_owned));
    let joined: Vec<u8> =
        files.iter().flat_map(|name| fs::read(apart.out.join("logs").join(name)).unwrap()).collect();
    assert!(joined == log, "the log differs from the files");
    assert!(!whole.out.join("logs").exists());
    let described = fs::read_to_string(whole.out.join("README.txt")).unwrap();
    assert!(described.contains("--input-format edge -o out LOG"), "{described}");
}

#[test]
fn few_hours_keep_what_good_tokens_promise() {
    let folder = TempDir::new().unwrap();
    let short = Plan { hours: 2, ..plan(folder.path().join("corpus")) };
    let ring = KeyRing::make(&Plan { alg: Signing::Es256, ..short.clone() }).unwrap();
    let es256 = Plan { alg: Signing::Es256, ..short };
    write(&es256, &ring, None, budget(&es256), None).unwrap();
    let times: Vec<i64> = requests(&es256.out).iter().map(|line| line["ts"].as_i64().unwrap()).collect();
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    // Two hours of issuing, an hour and a half of use, a day of applications' tokens and of what is used too late.
    assert!(last - first > 2 * 3_600_000 && last - first < 30 * 3_600_000, "{first} to {last}");
}

#[test]
fn every_kind_of_misuse_is_planted_and_counted() {
    let folder = TempDir::new().unwrap();
    let summary = write_plan(&plan(folder.path().join("corpus")));
    let corpus = folder.path().join("corpus");
    let requests = requests(&corpus);
    assert_eq!(requests.len(), 2400);
    assert_eq!(summary.lines, 2400);
    let mut uses: BTreeMap<String, i64> = BTreeMap::new();
    for line in &requests {
        for token in tokens_of(line) {
            *uses.entry(fingerprint(token)).or_default() += 1;
        }
    }
    assert_eq!(uses.len(), usize::try_from(summary.tokens).unwrap());
    let mut kinds = BTreeSet::new();
    let (mut planted, mut played) = (BTreeSet::new(), BTreeSet::new());
    let mut without = BTreeSet::new();
    let is_scene = |name: &str| SCENES.iter().any(|scene| scene.name == name);
    for row in expected(&corpus) {
        let Some(token) = row["token_sha256"].as_str().map(str::to_owned) else {
            without.insert(row["rule"].as_str().unwrap().to_owned());
            continue;
        };
        let kind = row["planted"].as_str().unwrap().to_owned();
        if is_scene(&kind) {
            assert!(row["count"].as_i64() <= uses.get(&token).copied(), "{row}");
            played.insert(token);
        } else {
            assert_eq!(row["count"].as_i64(), uses.get(&token).copied(), "{row}");
            planted.insert(token);
        }
        kinds.insert(kind);
    }
    // What is about gateways or a night that follows is not in this table, or without a token.
    let quiet = |scene: &&scenes::Scene| scene.clean || scene.later || scene.name == "clock-drift";
    let scenes = SCENES.iter().filter(|scene| !quiet(scene)).map(|scene| scene.name);
    let all: BTreeSet<String> =
        plant::all().map(|plant| plant.name).chain(scenes).map(str::to_owned).collect();
    assert_eq!(kinds, all);
    let rules = [
        "clock-drift",
        "key-cert-mismatch",
        "key-duplicate-kid",
        "key-issuer-absent",
        "key-material-changed",
        "key-symmetric-published",
        "key-thumbprint-mismatch",
        "keyset-shrunk",
        "token-absent",
    ];
    assert_eq!(without.into_iter().collect::<Vec<_>>(), rules);
    assert_eq!(planted.len() + played.len(), usize::try_from(summary.planted).unwrap());
    for line in &requests {
        if token_of(line).is_some_and(|token| planted.contains(&fingerprint(token))) {
            assert!((200..400).contains(&line["status"].as_i64().unwrap()), "planted requests are accepted");
        }
    }
}

#[test]
fn good_tokens_verify_and_are_used_in_their_time() {
    let folder = TempDir::new().unwrap();
    let corpus = folder.path().join("corpus");
    write_plan(&plan(&corpus));
    let keys = published(&corpus);
    assert!(keys.keys().all(|kid| kid.len() == 27));
    let planted: BTreeSet<String> =
        expected(&corpus).iter().filter_map(|row| Some(row["token_sha256"].as_str()?.to_owned())).collect();
    let mut good = 0;
    for line in requests(&corpus) {
        let Some(token) = token_of(&line) else { continue };
        let has_drifted = line["gateway"] == "edge-03";
        if has_drifted || planted.contains(&fingerprint(token)) {
            continue;
        }
        let parts: Vec<&str> = token.split('.').collect();
        let header: Value = serde_json::from_slice(&decoded(parts[0])).unwrap();
        let claims: Value = serde_json::from_slice(&decoded(parts[1])).unwrap();
        let (n, e) = &keys[header["kid"].as_str().unwrap()];
        let signed = format!("{}.{}", parts[0], parts[1]);
        signature::RsaPublicKeyComponents { n, e }
            .verify(&signature::RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decoded(parts[2]))
            .expect("a good token verifies");
        let at = line["ts"].as_i64().unwrap() / 1000;
        assert!(claims["nbf"].as_i64().unwrap() <= at && at < claims["exp"].as_i64().unwrap());
        let tid = claims["tid"].as_str().unwrap();
        assert!(claims["iss"].as_str().unwrap().contains(tid));
        if let Some(principal) = line["principal"].as_str() {
            assert_eq!(principal, format!("{tid}:{}", claims["oid"].as_str().unwrap()));
        }
        good += 1;
    }
    assert!(good > 600);
}

#[test]
fn captures_name_their_documents() {
    let folder = TempDir::new().unwrap();
    let corpus = folder.path().join("corpus");
    write_plan(&plan(&corpus));
    let captures = fs::read_to_string(corpus.join("keys/captures.jsonl")).unwrap();
    let mut files = BTreeSet::new();
    for line in captures.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let file = line["file"].as_str().unwrap().to_owned();
        let body = fs::read(corpus.join("keys").join(&file)).unwrap();
        assert_eq!(line["sha256"].as_str().unwrap(), sha256(&body));
        files.insert(file);
    }
    // Five sources, and two of what is planted.
    assert_eq!(captures.lines().count(), 7 * 27);
    assert!(files.len() < captures.lines().count(), "unchanged bodies share a file");
}

#[test]
fn every_format_has_one_line_a_request() {
    let folder = TempDir::new().unwrap();
    for format in LogFormat::ALL {
        let corpus = folder.path().join(format.name());
        let summary = write_plan(&Plan { format, ..plan(&corpus) });
        let logs = content(&corpus.join("logs"));
        let lines: usize = logs.values().map(|log| memchr::memchr_iter(b'\n', log).count()).sum();
        assert_eq!(lines, 2400, "{}", format.name());
        // Four parts, the scenes of three gateways, and those of the night that follows.
        assert_eq!((summary.files, logs.len()), (8, 8));
        assert_eq!(corpus.join("formats.toml").exists(), format != LogFormat::EnvoyJson);
        assert_eq!(LogFormat::parse(format.name()), Some(format));
    }
}

#[test]
fn a_bank_gives_the_same_corpus_and_refuses_another_plan() {
    let folder = TempDir::new().unwrap();
    let bank = Some(folder.path().join("tokens.bank"));
    // EC keys are quick to make; their signatures differ each time unless they come from the bank.
    let small = |name: &str| Plan {
        lines: 200,
        alg: Signing::Es256,
        token_bank: bank.clone(),
        ..plan(folder.path().join(name))
    };
    let first = generate(&small("first")).unwrap();
    assert_eq!(generate(&small("second")).unwrap(), first);
    assert!(content(&folder.path().join("first")) == content(&folder.path().join("second")));
    let other = generate(&Plan { seed: 2, ..small("third") });
    assert!(matches!(other, Err(GenerateError::Bank { .. })), "{other:?}");
    let again = generate(&small("first"));
    assert!(matches!(again, Err(GenerateError::NotEmpty { .. })), "{again:?}");
}

#[test]
fn numbers_out_of_range_are_refused() {
    for bad in [
        Plan { lines: 0, ..plan("x") },
        Plan { misuse: 1.5, ..plan("x") },
        Plan { misuse: f64::NAN, ..plan("x") },
        Plan { captures: 2, ..plan("x") },
    ] {
        assert!(matches!(generate(&bad), Err(GenerateError::OutOfRange { .. })));
    }
}
