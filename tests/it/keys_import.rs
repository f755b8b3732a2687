//! `keys add`: what others captured, and what issuers state, joins the archive.

use crate::keys_show::keys;
use crate::mint;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "https://idp.example.com/keys";

fn listed(folder: &Path) -> Value {
    let (code, stdout, stderr) = keys(folder, &["list", "--format", "json"]);
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn add(folder: &Path, args: &[&str]) -> String {
    let (code, _, stderr) = keys(folder, &[&["add"], args].concat());
    assert_eq!(code, 0, "{stderr}");
    stderr
}

fn jwks(kids: &[&str]) -> String {
    let key = |kid: &&str| {
        let mut jwk = mint::SigningKey("p256").jwk();
        jwk["kid"] = (*kid).into();
        jwk
    };
    json!({"keys": kids.iter().map(key).collect::<Vec<_>>()}).to_string()
}

#[test]
fn a_directory_brings_its_times_and_sources() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump/idp.example.com/keys");
    fs::create_dir_all(&dump).unwrap();
    for (name, kids) in
        [("20261101T060000Z", &["a"][..]), ("20261102T060000Z", &["a", "b"]), ("20261103T060000Z", &["a"])]
    {
        fs::write(dump.join(format!("{name}.json")), jwks(kids)).unwrap();
    }
    let metadata = r#"{"issuer":"https://idp.example.com/","jwks_uri":"https://idp.example.com/keys"}"#;
    fs::write(dump.join("openid-configuration.json"), metadata).unwrap();
    let said = add(folder.path(), &["dump"]);
    assert!(said.contains("4 captures added to keys") && said.contains("is unchanged"), "{said}");
    let rows = listed(folder.path());
    let source = &rows[0];
    assert_eq!((&source["source"], &source["captures"]), (&"idp.example.com/keys".into(), &3.into()));
    assert_eq!(source["serves"], "https://idp.example.com/");
    assert_eq!(source["keys"][0]["last_seen"], "2026-11-03T06:00:00Z");
    assert!(add(folder.path(), &["dump"]).contains("0 captures added"));
    // A document without a time is refused, or gets the one that is given.
    fs::write(dump.join("undated.json"), jwks(&["c"])).unwrap();
    let (code, _, stderr) = keys(folder.path(), &["add", "dump"]);
    assert!(
        code == 2 && stderr.contains("undated.json") && stderr.contains("no time of capture"),
        "{stderr}"
    );
    add(folder.path(), &["dump", "--captured-at", "2026-11-04T06:00:00Z"]);
    assert_eq!(listed(folder.path())[0]["last_capture"], "2026-11-04T06:00:00Z");
}

#[test]
fn an_archive_or_its_pack_is_taken_over_with_failures() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("theirs")).unwrap();
    fs::write(folder.path().join("theirs/a.json"), jwks(&["a"])).unwrap();
    let lines = [
        json!({"file":"a.json","source":SOURCE,"captured_at":"2026-11-01T06:00:00Z"}),
        json!({"status":"timeout","etag":"x","source":SOURCE,"captured_at":"2026-11-02T06:00:00Z"}),
        json!({"file":"a.json","source":SOURCE,"captured_at":"2026-11-03T06:00:00Z","status":206}),
        json!({"file":"error.json","source":SOURCE,"captured_at":"2026-11-04T06:00:00Z","status":502}),
    ];
    fs::write(folder.path().join("theirs/error.json"), "<html>").unwrap();
    let text = lines.map(|line| format!("{line}\n")).concat();
    fs::write(folder.path().join("theirs/captures.jsonl"), text).unwrap();
    let (code, _, stderr) = keys(folder.path(), &["pack", "--keys", "theirs", "-o", "theirs.parquet"]);
    assert_eq!(code, 0, "{stderr}");
    for from in ["theirs", "theirs.parquet"] {
        let said = add(folder.path(), &[from, "--keys", &format!("of-{from}")]);
        assert!(said.contains("2 captures and 2 failed fetches added"), "{said}");
        let (_, ours, _) =
            keys(folder.path(), &["list", "--format", "json", "--keys", &format!("of-{from}")]);
        let (_, theirs, _) = keys(folder.path(), &["list", "--format", "json", "--keys", "theirs"]);
        assert_eq!(ours, theirs);
        let lines = fs::read_to_string(folder.path().join(format!("of-{from}/captures.jsonl"))).unwrap();
        assert!(lines.contains(r#""status":"timeout""#) && lines.contains(r#""etag":"x""#), "{lines}");
    }
    // What is not what was captured is not taken over.
    fs::write(folder.path().join("theirs.parquet"), "PAR1 and nothing else").unwrap();
    let (code, _, stderr) = keys(folder.path(), &["add", "theirs.parquet", "--keys", "new"]);
    assert!(code == 2 && stderr.contains("theirs.parquet"), "{stderr}");
    assert!(!folder.path().join("new").exists());
}

/// The lines of the README that export a history from git, run as they stand there.
#[test]
fn a_git_history_joins_as_the_readme_says() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    fs::create_dir_all(&repository).unwrap();
    let git = |args: &[&str], time: &str| {
        let mut command = Command::new("git");
        command
            .current_dir(&repository)
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(args);
        command.env("GIT_COMMITTER_DATE", time).env("GIT_AUTHOR_DATE", time);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "-q"], "");
    let commits = [
        ("2026-11-01T08:00:00+02:00", &["a"][..]),
        ("2026-11-02T06:00:00Z", &["a", "b"]),
        ("2026-11-03T06:00:00Z", &["b"]),
    ];
    for (time, kids) in commits {
        fs::write(repository.join("jwks.json"), jwks(kids)).unwrap();
        git(&["add", "jwks.json"], time);
        git(&["commit", "-q", "-m", "keys"], time);
    }
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```sh\nTZ=UTC git log").expect("the README exports a git history");
    let (script, _) = rest.split_once("tokentrail keys add").unwrap();
    fs::create_dir_all(repository.join("dump")).unwrap();
    let output = Command::new("sh")
        .current_dir(&repository)
        .args(["-c", &format!("TZ=UTC git log{script}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    add(folder.path(), &["repository/dump", "--source", SOURCE]);
    let rows = listed(folder.path());
    assert_eq!((&rows[0]["source"], &rows[0]["captures"]), (&SOURCE.into(), &3.into()));
    let [a, b] = [&rows[0]["keys"][0], &rows[0]["keys"][1]];
    assert_eq!(
        (&a["first_seen"], &a["last_seen"]),
        (&"2026-11-01T06:00:00Z".into(), &"2026-11-02T06:00:00Z".into())
    );
    assert_eq!(
        (&b["first_seen"], &b["last_seen"]),
        (&"2026-11-02T06:00:00Z".into(), &"2026-11-03T06:00:00Z".into())
    );
}

#[test]
fn an_issuers_statement_bounds_each_key() {
    let folder = tempfile::tempdir().unwrap();
    let seconds = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_second();
    let key = |kid: &str, members: Value| {
        let mut jwk = mint::SigningKey("p256").jwk();
        jwk["kid"] = kid.into();
        jwk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        jwk
    };
    let [january, june, december] =
        ["2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-12-01T00:00:00Z"].map(seconds);
    let statement = json!({"iss":"https://idp.example.com","keys":[
        key("expired", json!({"iat":january,"exp":june})),
        key("stolen\"\u{1b}", json!({"iat":january,"exp":december,"revoked":{"revoked_at":june,"reason":"compromised"}})),
        key("current", json!({"iat":june,"exp":december})),
        key("reversed", json!({"iat":december,"exp":june})),
    ]});
    fs::write(folder.path().join("historical.json"), statement.to_string()).unwrap();
    let args =
        ["historical.json", "--historical", "--captured-at", "2026-11-01T00:00:00Z", "--source", SOURCE];
    let said = add(folder.path(), &args);
    assert!(
        said.contains("3 captures added") && said.contains("`reversed`: it ends before it begins"),
        "{said}"
    );
    assert!(said.contains(r#"since = "2026-06-01T00:00:00Z""#) && !said.contains('\u{1b}'), "{said}");
    let rows = listed(folder.path());
    let seen = |kid: &str| {
        let key = rows[0]["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap();
        [&key["first_seen"], &key["last_seen"]].map(|at| at.as_str().unwrap()[..10].to_owned())
    };
    assert_eq!(seen("expired"), ["2026-01-01", "2026-06-01"]);
    assert_eq!(seen("stolen\"\u{1b}"), ["2026-01-01", "2026-06-01"]);
    assert_eq!(seen("current"), ["2026-06-01", "2026-11-01"], "nobody knows what follows the statement");
    // A statement about one key says nothing about the absence of another.
    let (_, shown, _) = keys(folder.path(), &["show", "expired", "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown[0]["first_absent_after"], Value::Null);
    // Without --historical it is a capture like any other, and the user is told.
    let said = add(folder.path(), &["historical.json", "--captured-at", "2026-11-01", "--keys", "other"]);
    assert!(said.contains("with --historical"), "{said}");
}

#[test]
fn certificates_become_keys_with_the_kid_of_entra() {
    let folder = tempfile::tempdir().unwrap();
    let pem = |name: &str| {
        let der = fs::read(mint::testdata(&format!("keys/test-only-{name}.crt"))).unwrap();
        let text = base64_simd::STANDARD.encode_to_string(der);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    let both = format!("{}{}", pem("rsa2048-a"), pem("rsa2048-b"));
    fs::write(folder.path().join("2026-11-01-certs.pem"), both).unwrap();
    add(folder.path(), &["2026-11-01-certs.pem", "--source", SOURCE]);
    let rows = listed(folder.path());
    let found = rows[0]["keys"].as_array().unwrap();
    assert_eq!((found.len(), &rows[0]["incomplete"]), (2, &1.into()), "certificates are no whole key set");
    for key in found {
        assert_eq!(key["kid"], key["certificates"][0]["thumbprint"]);
        assert_eq!((&key["certificates"][0]["matches_key"], &key["bits"]), (&true.into(), &2048.into()));
    }
    for (text, reason) in [
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds a private key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no certificate in it"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "certificate 1: it does not decode",
        ),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "certificate 1: it has no end"),
    ] {
        fs::write(folder.path().join("2026-11-02.pem"), text).unwrap();
        let (code, _, stderr) = keys(folder.path(), &["add", "2026-11-02.pem"]);
        assert!(code == 2 && stderr.contains(reason), "{stderr}");
    }
}
