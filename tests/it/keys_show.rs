//! `keys list`, `keys show`, `keys diff` and `keys timeline`: what an archive knows, as people and programs read it.

use crate::mint;
use crate::result::tokentrail;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const COMMON: &str = "https://login.microsoftonline.com/common/discovery/v2.0/keys";

/// Exit code, standard output and standard error of a command of `keys`.
pub(crate) fn keys(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = tokentrail().current_dir(folder).arg("keys").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn json_of(folder: &Path, args: &[&str]) -> Value {
    let (code, stdout, stderr) = keys(folder, &[args, &["--format", "json"]].concat());
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// An Entra-like key set: keys with certificates and an issuer, of which one flaps and one is replaced.
fn archive() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str, kid: &str| {
        let der = fs::read(mint::testdata(&format!("keys/test-only-{name}.crt"))).unwrap();
        let x5c = base64_of(&der);
        json!({"kty":"RSA","use":"sig","kid":kid,"x5t":kid,"x5c":[x5c],
            "issuer":"https://login.microsoftonline.com/{tenantid}/v2.0"})
    };
    let (a, b) = (key("rsa2048-a", "key-a"), key("rsa2048-b", "key-b"));
    let all = json!([a, b]);
    let only_a = json!([a]);
    let only_b = json!([b]);
    let mut lines = String::new();
    let captures =
        [("01", Some(&only_a)), ("02", Some(&all)), ("03", Some(&only_b)), ("04", Some(&all)), ("05", None)];
    for (day, keys) in captures {
        let mut line = json!({"captured_at": format!("2026-11-{day}T06:00:00Z"), "source": COMMON});
        if let Some(keys) = keys {
            let file = format!("common/{day}.json");
            fs::create_dir_all(folder.path().join("keys/common")).unwrap();
            fs::write(folder.path().join("keys").join(&file), json!({"keys":keys}).to_string()).unwrap();
            line["file"] = file.into();
        } else {
            line["status"] = "timeout".into();
        }
        lines += &line.to_string();
        lines.push('\n');
    }
    fs::write(folder.path().join("keys/captures.jsonl"), lines).unwrap();
    folder
}

fn base64_of(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

#[test]
fn a_listing_tells_gaps_certificates_and_issuers() {
    let folder = archive();
    let listed = json_of(folder.path(), &["list"]);
    let source = &listed[0];
    assert_eq!((&source["captures"], &source["incomplete"]), (&4.into(), &1.into()));
    let [a, b] = [&source["keys"][0], &source["keys"][1]];
    assert_eq!(a["gaps"], json!([["2026-11-02T06:00:00Z", "2026-11-04T06:00:00Z"]]));
    assert_eq!((&b["gaps"], &b["bits"]), (&json!([]), &2048.into()));
    assert_eq!(a["issuers"], json!(["https://login.microsoftonline.com/{tenantid}/v2.0"]));
    let certificate = &a["certificates"][0];
    assert_eq!(certificate["matches_key"], true);
    let not_after = certificate["not_after"].as_str().unwrap();
    let (_, table, _) = keys(folder.path(), &["list"]);
    let row = table.lines().find(|line| line.contains("key-a")).unwrap();
    assert!(row.contains("1, up to 2d") && row.contains(&format!("..{}", &not_after[..10])), "{table}");
}

#[test]
fn a_key_is_shown_with_everything_known_about_it() {
    let folder = archive();
    let shown = json_of(folder.path(), &["show", "key-b"]);
    let key = &shown[0];
    assert_eq!((&key["usable"], &key["bits"]), (&true.into(), &2048.into()));
    assert_eq!(key["last_absent_before"], "2026-11-01T06:00:00Z");
    assert_eq!(
        (&key["first_seen"], &key["last_seen"]),
        (&"2026-11-02T06:00:00Z".into(), &"2026-11-04T06:00:00Z".into())
    );
    assert_eq!(key["first_absent_after"], Value::Null, "a failed fetch proves no absence");
    let source = &key["sources"][0];
    assert_eq!((&source["captures"], &source["last_file"]), (&3.into(), &"common/04.json".into()));
    // A thumbprint and the digest of the public key name it as well.
    for name in ["/certificates/0/thumbprint", "/spki_sha256"] {
        let name = key.pointer(name).unwrap().as_str().unwrap();
        assert_eq!(json_of(folder.path(), &["show", name]), shown);
    }
    let (_, text, _) = keys(folder.path(), &["show", "key-b"]);
    assert!(
        text.contains("-----BEGIN PUBLIC KEY-----\n") && text.contains("first document     common/02.json"),
        "{text}"
    );
    let (code, _, stderr) = keys(folder.path(), &["show", "key-c"]);
    assert!(code == 2 && stderr.contains("did you mean `key-"), "{stderr}");
    let (code, _, stderr) = keys(folder.path(), &["show", "\u{1b}[31mevil"]);
    assert!(code == 2 && stderr.contains("no key is named") && !stderr.contains('\u{1b}'), "{stderr}");
}

#[test]
fn archives_and_instants_are_compared() {
    let folder = archive();
    let changes = |args: &[&str]| {
        let difference = json_of(folder.path(), &[&["diff"], args].concat());
        let changes = difference["changes"].as_array().unwrap().iter();
        changes.map(|change| format!("{} {}", change["change"], change["kid"])).collect::<Vec<_>>()
    };
    assert_eq!(changes(&["2026-11-02", "2026-11-03"]), [r#""added" "key-b""#]);
    let args = ["--keys", "keys", "2026-11-02T06:00:00Z", "2026-11-03T07:00:00Z"];
    assert_eq!(changes(&args), [r#""removed" "key-a""#]);
    assert!(changes(&["2026-11-04T12:00:00Z", "2026-11-09"]).is_empty(), "a failed fetch removes nothing");
    // Before the first capture nobody knows what there was.
    let (code, stdout, stderr) = keys(folder.path(), &["diff", "2026-10-01", "2026-11-09"]);
    assert!(
        code == 0 && stdout.is_empty() && stderr.contains("no complete capture on the first side"),
        "{stderr}"
    );
    let other = folder.path().join("other");
    mint::write_good_archive("everyday", &other);
    assert_eq!(changes(&["keys", "keys"]), [""; 0]);
    let between = changes(&["keys", "other"]);
    assert!(
        between.contains(&r#""removed" "key-a""#.to_owned())
            && between.iter().any(|line| line.starts_with(r#""added""#)),
        "{between:?}"
    );
    let (code, _, stderr) = keys(folder.path(), &["diff", "keys", "nowhere"]);
    assert!(code == 2 && stderr.contains("neither an archive nor an instant"), "{stderr}");
}

#[test]
fn the_picture_is_whole_and_repeatable() {
    let folder = archive();
    let (code, _, stderr) = keys(folder.path(), &["timeline", "-o", "keys.svg"]);
    assert_eq!(code, 0, "{stderr}");
    let picture = fs::read_to_string(folder.path().join("keys.svg")).unwrap();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    for name in ["key-a", "key-b", COMMON, "1 failed or partial"] {
        assert!(picture.contains(name), "{name}");
    }
    let (_, printed, _) = keys(folder.path(), &["timeline"]);
    assert_eq!(printed, picture);
    // What is no file is written to and never replaced.
    #[cfg(unix)]
    {
        let pipe = folder.path().join("out.svg");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        let (code, _, stderr) = keys(folder.path(), &["timeline", "-o", "out.svg"]);
        assert_eq!((code, reader.join().unwrap()), (0, picture), "{stderr}");
        assert!(!fs::metadata(&pipe).unwrap().is_file());
    }
    let (code, _, stderr) = keys(folder.path(), &["timeline", "-o", "no/such/keys.svg"]);
    assert!(code == 4 && stderr.contains("no/such/keys.svg"), "{stderr}");
}
