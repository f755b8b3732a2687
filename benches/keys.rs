//! How long a run waits for its key archive: 20,000 captures of 10 keys, as a directory and as the one file that `keys pack` makes
//! of it. Packed it must stay under a second.
//!
//! `cargo bench --bench keys`. Most captures of a real source repeat an earlier body; where it writes something new into each of
//! them (`distinct`), every document is parsed.

#![allow(missing_docs, clippy::expect_used, reason = "a bench that cannot prepare its data has failed")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use tokentrail::codec::base64url;
use tokentrail::keys::{KeyHistory, pack};
use tokentrail::time::{HOUR, UtcMicros};

const CAPTURES: i64 = 20_000;
const KEYS: usize = 10;
/// A capture an hour from 2024-07-01 on.
const FIRST: i64 = 1_719_792_000_000_000;

/// Keys as Entra's: RSA 2048 with a certificate and an issuer. The numbers are random; nothing is verified here.
fn keys() -> Vec<Value> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let certificate =
        base64_simd::STANDARD.encode_to_string(include_bytes!("../testdata/keys/test-only-rsa2048-a.crt"));
    let key = |number: usize| {
        let mut modulus = [0; 256];
        random.fill_bytes(&mut modulus);
        let kid = format!("bench-key-{number:017}");
        json!({"kty":"RSA","use":"sig","kid":kid,"x5t":kid,"n":base64url::encode(&modulus),"e":"AQAB","x5c":[certificate],
            "cloud_instance_name":"microsoftonline.com","issuer":"https://login.microsoftonline.com/{tenantid}/v2.0"})
    };
    (0..KEYS).map(key).collect()
}

/// The body of a capture: the keys in one of ten orders, one of them sometimes missing.
fn body(keys: &[Value], capture: usize, distinct: bool) -> String {
    let mut keys = keys.to_vec();
    keys.rotate_left(capture % KEYS);
    if capture.is_multiple_of(7) {
        keys.pop();
    }
    let mut document = json!({ "keys": keys });
    if distinct && let Some(members) = document.as_object_mut() {
        members.insert("served".to_owned(), capture.into());
    }
    document.to_string()
}

/// A file a capture, with its time in the name.
fn directory_of_files(folder: &Path, name: &str, distinct: bool) -> PathBuf {
    let archive = folder.join(name);
    let source = archive.join("login.microsoftonline.com/common/discovery/v2.0/keys");
    fs::create_dir_all(&source).expect("a directory");
    let keys = keys();
    for capture in 0..CAPTURES {
        let at = UtcMicros(FIRST + capture * HOUR).to_string().replace(':', "-");
        let number = usize::try_from(capture).expect("a small number");
        fs::write(source.join(format!("{at}.json")), body(&keys, number, distinct)).expect("a document");
    }
    archive
}

/// Each body once and a line a capture, as `keys fetch` and `keys add` store them.
fn directory_of_lines(folder: &Path) -> PathBuf {
    let archive = folder.join("lines");
    fs::create_dir_all(&archive).expect("a directory");
    let keys = keys();
    let mut lines = String::new();
    for capture in 0..CAPTURES {
        let number = usize::try_from(capture).expect("a small number");
        let file = format!("{}.json", number % (KEYS * 7));
        let line = json!({"file":file,"captured_at":UtcMicros(FIRST + capture * HOUR).to_string(),"status":200,
            "source":"https://login.microsoftonline.com/common/discovery/v2.0/keys"});
        lines += &line.to_string();
        lines.push('\n');
        if number < KEYS * 7 {
            fs::write(archive.join(file), body(&keys, number, false)).expect("a document");
        }
    }
    fs::write(archive.join("captures.jsonl"), lines).expect("lines");
    archive
}

fn packed(archive: &Path) -> PathBuf {
    let file = archive.with_extension("parquet");
    fs::write(&file, pack(archive).expect("a pack").bytes).expect("a file");
    file
}

fn load(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a directory");
    let files = directory_of_files(folder.path(), "files", false);
    let distinct = directory_of_files(folder.path(), "distinct", true);
    let lines = directory_of_lines(folder.path());
    let mut group = criterion.benchmark_group("keys");
    group.sample_size(10);
    for (name, archive) in [("lines", &lines), ("files", &files), ("distinct", &distinct)] {
        for (kind, path) in [("directory", archive.clone()), ("packed", packed(archive))] {
            group.bench_with_input(BenchmarkId::new(kind, name), &path, |bencher, path| {
                bencher.iter(|| black_box(KeyHistory::load(path).expect("an archive")));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, load);
criterion_main!(benches);
