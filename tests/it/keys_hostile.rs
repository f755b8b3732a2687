//! Archives that somebody made to steer, hang or drown whoever looks at them.

use crate::keys_show::keys;
use crate::mint::SigningKey;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A key set of one key, some of whose members differ.
fn jwks(members: &Value) -> String {
    let mut jwk = SigningKey("rsa-a").jwk();
    jwk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({"keys": [jwk]}).to_string()
}

fn archive(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("keys")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join("keys").join(name), text).unwrap();
    }
    folder
}

/// Every command that shows an archive to people.
const SHOWING: [&[&str]; 6] = [
    &["list"],
    &["show", "x"],
    &["check"],
    &["diff", "2026-10-01", "2026-11-05"],
    &["timeline"],
    &["pack", "-o", "pack.parquet"],
];

/// Asserts that nothing that was shown steers a terminal.
#[track_caller]
fn is_plain(text: &str) {
    let steers = |next: char| {
        (next.is_control() && next != '\n')
            || matches!(next, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(steers), "{text:?}");
}

#[test]
fn nothing_that_an_issuer_wrote_steers_a_terminal() {
    let evil = "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{0}\r\n\u{8}";
    let texts = ["kid", "x5t", "alg", "use", "issuer", "cloud_instance_name"];
    let mut members: Value = texts.iter().map(|name| ((*name).to_owned(), Value::from(evil))).collect();
    members["key_ops"] = json!([evil]);
    let malformed = json!({"keys": [{"kty": evil, "kid": evil, "crv": evil}, {"kty": "RSA", "kid": evil}]});
    let line = |time: &str, file: &str| {
        json!({"file": file, "captured_at": time, "source": format!("https://idp.example/{evil}")})
            .to_string()
            + "\n"
    };
    let lines = line("2026-11-01", "a.json") + &line("2026-11-03", "b.json");
    let folder = archive(&[
        ("a.json", &jwks(&members)),
        ("b.json", &malformed.to_string()),
        ("captures.jsonl", &lines),
    ]);
    for command in SHOWING.iter().chain([&["show", evil.replace('\u{0}', "").as_str()][..]].iter()) {
        let (code, stdout, stderr) = keys(folder.path(), command);
        assert!(code < 3, "{command:?}: {code} {stderr}");
        is_plain(&stdout);
        is_plain(&stderr);
    }
    let (_, listed, _) = keys(folder.path(), &["list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["keys"][0]["kid"], evil, "a program gets what was served");
    // The same where it makes the archive unreadable.
    let lines =
        line("2026-11-01", &format!("{evil}.json")) + &format!("{{\"file\":\"{}\"}}\n", "x\\u001b[31m");
    fs::write(folder.path().join("keys/captures.jsonl"), lines).unwrap();
    for command in SHOWING {
        let (code, stdout, stderr) = keys(folder.path(), command);
        assert!((1..3).contains(&code), "{command:?}: {code} {stderr}");
        is_plain(&stdout);
        is_plain(&stderr);
    }
}

#[test]
fn long_values_are_cut_where_people_read_them() {
    let long = "k".repeat(1 << 20);
    let folder = archive(&[("2026-11-01.json", &jwks(&json!({"kid": long, "issuer": long})))]);
    for command in SHOWING {
        let (_, stdout, stderr) = keys(folder.path(), command);
        let longest = stdout.lines().chain(stderr.lines()).map(str::len).max().unwrap_or(0);
        assert!(longest < 40_000, "{command:?}: a line of {longest} bytes");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_waited_for() {
    use std::os::unix::fs::symlink;
    let name = "keys/2026-11-02.json";
    let refused = |folder: &Path, reason: &str| {
        for command in SHOWING {
            let (code, _, stderr) = keys(folder, command);
            assert!(code == 2 || (code == 1 && command[0] == "check"), "{command:?}: {code} {stderr}");
            let told = stderr.contains("2026-11-02.json") && stderr.contains(reason);
            assert!(told || command[0] == "check", "{command:?}: {stderr}");
        }
    };
    let good = jwks(&json!({}));
    let folder = archive(&[("2026-11-01.json", &good)]);
    let place = folder.path().join(name);
    assert!(std::process::Command::new("mkfifo").arg(&place).status().unwrap().success());
    refused(folder.path(), "not a regular file");
    fs::remove_file(&place).unwrap();
    symlink("/dev/zero", &place).unwrap();
    refused(folder.path(), "not a regular file");
    fs::remove_file(&place).unwrap();
    symlink("2026-11-02.json", &place).unwrap();
    refused(folder.path(), "2026-11-02.json");
    fs::remove_file(&place).unwrap();
    // Nor is a device that has no end added, or a file that is as long.
    let (code, _, stderr) = keys(folder.path(), &["add", "/dev/zero", "--captured-at", "2026-11-03"]);
    assert!(code == 2 && stderr.contains("/dev/zero: longer than any key document"), "{stderr}");
    fs::File::create(&place).unwrap().set_len(1 << 40).unwrap();
    refused(folder.path(), "longer than any key document");
    fs::remove_file(&place).unwrap();
    // Directories that lead into each other are read once.
    symlink(".", folder.path().join("keys/self")).unwrap();
    symlink("../keys", folder.path().join("keys/up")).unwrap();
    let (code, listed, stderr) = keys(folder.path(), &["list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((code, &listed[0]["captures"]), (0, &json!(1)), "{stderr}");
    // What should be compared with must be readable.
    fs::create_dir(folder.path().join("keys/captures.jsonl")).unwrap();
    let (code, _, stderr) = keys(folder.path(), &["list"]);
    assert!(code == 2 && stderr.contains("captures.jsonl"), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text_are_read_and_shown() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let folder = archive(&[("2026-11-01\n\u{1b}[31m.json", &jwks(&json!({"kid": "a"})))]);
    let name = OsStr::from_bytes(b"2026-11-02\xff.json");
    fs::write(folder.path().join("keys").join(name), jwks(&json!({"kid": "b"}))).unwrap();
    for command in [&["list"][..], &["show", "b"], &["pack", "-o", "pack.parquet"]] {
        let (code, stdout, stderr) = keys(folder.path(), command);
        assert_eq!(code, 0, "{stderr}");
        is_plain(&(stdout + &stderr));
    }
    let [directory, packed] = ["keys", "pack.parquet"]
        .map(|archive| keys(folder.path(), &["list", "--format", "json", "--keys", archive]));
    assert_eq!(directory, packed);
    assert!(directory.1.contains("\"b\""));
}
