//! `keys fetch` against a real HTTPS server on loopback.

mod arguments;
mod failures;
mod policy;

use crate::https::{Https, Reply};
use crate::mint::SigningKey;
use crate::result::{audit_in, tokentrail};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use tokentrail::codec::base64url::encode;
use tokentrail::keys::{Archive, KeysError};

const CONFIGURATION: &str = "/t/.well-known/openid-configuration";

/// A server, a folder with its CA, and an archive in it.
struct Fixture {
    server: Https,
    folder: tempfile::TempDir,
}

/// What a run said and did.
struct Run {
    code: i32,
    rows: Value,
    stdout: String,
    stderr: String,
}

impl Run {
    fn of(command: &mut assert_cmd::Command, args: &[&str]) -> Self {
        let output = command.args(args).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(!stderr.contains("internal error"), "{stderr}");
        let rows = serde_json::from_str(&stdout).unwrap_or_default();
        Self { code: output.status.code().unwrap(), rows, stdout, stderr }
    }
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { server: Https::start(), folder: tempfile::tempdir().unwrap() };
        fs::write(fixture.path("ca.pem"), &fixture.server.ca_pem).unwrap();
        fixture.server.set("/keys", Reply::Body(keys(&["k0"])));
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments of every run against the server.
    fn command(&self) -> assert_cmd::Command {
        let mut command = tokentrail();
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_ascii_lowercase());
        }
        command.current_dir(self.folder.path());
        command.args(["keys", "fetch", "--ca-file", "ca.pem", "--keys", "archive"]);
        command
    }

    /// `keys fetch --format json` of addresses on the server.
    fn fetch(&self, paths: &[&str], args: &[&str]) -> Run {
        let mut command = self.command();
        for path in paths {
            command.args(["--url", &self.server.url(path)]);
        }
        if !args.contains(&"--retries") {
            command.args(["--retries", "0"]);
        }
        Run::of(command.args(["--format", "json"]), args)
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("archive/captures.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn archive(&self) -> Archive {
        Archive::read(&self.path("archive")).unwrap()
    }

    /// True if nothing but lines were written.
    fn archive_is_empty_of_documents(&self) -> bool {
        let names = fs::read_dir(self.path("archive")).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names == ["captures.jsonl"]
    }

    /// Serves an openid-configuration.
    fn configure(&self, issuer: &str, jwks_uri: &str) {
        let body = json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string();
        self.server.set(CONFIGURATION, Reply::Body(body));
    }

    /// Asserts that a fetch failed, that this is recorded as its own kind of failure, and that no document was stored.
    #[track_caller]
    fn fails(&self, path: &str, args: &[&str], status: &Value, reason: &str) {
        let run = self.fetch(&[path], args);
        let last = self.lines().pop().unwrap();
        assert_eq!((run.code, &run.rows[0]["result"]), (3, &json!("failed")), "{}", run.stderr);
        assert_eq!((&run.rows[0]["status"], &last["status"]), (status, status), "{}", run.stderr);
        assert!(last["error"].as_str().unwrap().contains(reason), "{last:#}");
        assert!(run.stderr.contains(reason), "{}", run.stderr);
        assert_eq!((last.get("file"), last["source"].as_str()), (None, Some(&*self.server.url(path))));
        assert!(last["captured_at"].is_string());
        // The archive can be read as before.
        let archive = Archive::read(&self.path("archive"));
        assert!(matches!(archive, Ok(_) | Err(KeysError::Empty(_))), "{archive:?}");
    }
}

/// A key set of one key under some names.
fn keys(kids: &[&str]) -> String {
    let jwk = |kid: &&str| {
        let mut jwk = SigningKey("rsa-a").jwk();
        jwk["kid"] = json!(kid);
        jwk
    };
    json!({"keys": kids.iter().map(jwk).collect::<Vec<_>>()}).to_string()
}

#[test]
fn a_capture_records_what_was_served() {
    let fixture = Fixture::new();
    let run = fixture.fetch(&["/keys"], &[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let source = fixture.server.url("/keys");
    let row = &run.rows[0];
    assert_eq!((&row["result"], &row["source"], &row["keys"]), (&json!("new"), &json!(source), &json!(1)));
    let line = &fixture.lines()[0];
    assert_eq!((&line["source"], &line["status"]), (&json!(source), &json!(200)));
    assert_eq!(line["tool"], concat!("tokentrail ", env!("CARGO_PKG_VERSION")));
    let headers = json!({"cache-control": "max-age=60", "etag": "\"e\"", "x-ms-request-id": "r-1"});
    assert_eq!(line["headers"], headers, "cookies are nobody's business");
    let [start, end] = ["captured_at", "ended_at"].map(|name| line[name].as_str().unwrap());
    assert!(start < end && start.ends_with('Z') && end.ends_with('Z'), "{start} {end}");
    let body = fs::read_to_string(fixture.path("archive").join(row["file"].as_str().unwrap())).unwrap();
    assert_eq!(body, keys(&["k0"]), "byte for byte");
}

#[test]
fn an_unchanged_document_is_stored_once_and_a_rotated_one_again() {
    let fixture = Fixture::new();
    for (kids, result) in
        [(&["k0"][..], "new"), (&["k0"], "unchanged"), (&["k0", "k1"], "new"), (&["k0"], "unchanged")]
    {
        fixture.server.set("/keys", Reply::Body(keys(kids)));
        assert_eq!(fixture.fetch(&["/keys"], &[]).rows[0]["result"], result);
    }
    let archive = fixture.archive();
    let counts: Vec<usize> = archive.captures.iter().map(|capture| capture.keys.len()).collect();
    assert_eq!((counts, archive.notices.len()), (vec![1, 1, 2, 1], 0));
    let lines = fixture.lines();
    assert_eq!(lines[0]["file"], lines[1]["file"]);
    assert!(lines[0].get("prev").is_none() && lines[1..].iter().all(|line| line["prev"].is_string()));
    // A line that is taken out shows.
    let path = fixture.path("archive/captures.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let rest: Vec<&str> = text.lines().enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| line).collect();
    fs::write(&path, rest.join("\n") + "\n").unwrap();
    assert!(matches!(Archive::read(&fixture.path("archive")), Err(KeysError::Chain { line: 2, .. })));
}

#[test]
fn redirects_within_the_authority_are_followed() {
    let fixture = Fixture::new();
    fixture.server.set("/a/b", Reply::Redirect("c?x=1".to_owned()));
    fixture.server.set("/a/c?x=1", Reply::Redirect("/keys".to_owned()));
    let run = fixture.fetch(&["/a/b"], &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let line = &fixture.lines()[0];
    assert_eq!(line["source"], fixture.server.url("/a/b"), "the source is what was asked");
    assert_eq!(line["redirected_to"], fixture.server.url("/keys"));
}

#[test]
fn metadata_leads_to_the_keys_and_is_stored_once() {
    let fixture = Fixture::new();
    let issuer = fixture.server.url("/t");
    fixture.configure(&issuer, &fixture.server.url("/keys"));
    for result in ["new", "unchanged"] {
        let run = fixture.fetch(&[CONFIGURATION], &[]);
        assert_eq!((run.code, &run.rows[0]["result"]), (0, &json!(result)), "{}", run.stderr);
        assert_eq!(run.rows[0]["source"], fixture.server.url("/keys"));
    }
    let archive = fixture.archive();
    assert_eq!((archive.captures.len(), archive.metadata.len()), (2, 1));
    let metadata = &archive.metadata[0];
    assert_eq!(
        (&metadata.source, metadata.issuer.as_deref()),
        (&fixture.server.url("/keys"), Some(&*issuer))
    );
    let lines = fixture.lines();
    assert_eq!((lines.len(), &lines[1]["metadata_url"]), (3, &json!(fixture.server.url(CONFIGURATION))));
    // It changes: both stay.
    fixture.configure(&fixture.server.url("/new"), &fixture.server.url("/keys"));
    fixture.fetch(&[CONFIGURATION], &[]);
    assert_eq!(fixture.archive().metadata.len(), 2);
}

#[test]
fn a_fetched_key_makes_a_token_valid() {
    let fixture = Fixture::new();
    let issuer = fixture.server.url("/t");
    fixture.configure(&issuer, &fixture.server.url("/keys"));
    let now = jiff::Timestamp::now().as_second();
    let head = encode(json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}).to_string().as_bytes());
    let claims =
        json!({"iss": issuer, "aud": "api://orders", "sub": "s", "iat": now, "nbf": now, "exp": now + 3600});
    let signed = format!("{head}.{}", encode(claims.to_string().as_bytes()));
    let signature = encode(&SigningKey("rsa-b").sign("RS256", signed.as_bytes()));
    let line = json!({"ts": now, "status": 200, "authorization": format!("Bearer {signed}.{signature}")});
    fs::write(fixture.path("a.log"), format!("{line}\n")).unwrap();
    let format = "[format.edge]\nkind = \"json\"\ntoken = \"authorization\"\n\
                  time = { path = \"ts\", as = \"epoch_s\", is = \"start\" }\nstatus = \"status\"\n";
    fs::write(fixture.path("formats.toml"), format).unwrap();
    let verdict = |keys: &[&str]| {
        let args = [keys, &["--formats", "formats.toml", "a.log"]].concat();
        let audited = audit_in(fixture.folder.path(), args);
        assert_eq!(audited.exit, 0, "{}", audited.stderr);
        audited.rows("tokens")[0]["signature"].clone()
    };
    assert_eq!(verdict(&[]), "not-covered");
    assert_eq!(fixture.fetch(&[CONFIGURATION], &[]).code, 0);
    assert_eq!(verdict(&["--keys", "archive"]), "key-unknown");
    let mut rotated = SigningKey("rsa-b").jwk();
    rotated["kid"] = json!("k1");
    fixture.server.set("/keys", Reply::Body(json!({"keys": [rotated]}).to_string()));
    assert_eq!(fixture.fetch(&[CONFIGURATION], &[]).code, 0);
    assert_eq!(verdict(&["--keys", "archive"]), "valid");
    let mut check = tokentrail();
    check.current_dir(fixture.folder.path()).args(["keys", "check", "--keys", "archive"]).assert().success();
}
