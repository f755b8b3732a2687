//! From a log to a policy, to the sources that it needs, to an archive that has them.

use super::{CONFIGURATION, Fixture};
use crate::https::Reply;
use crate::mint;
use crate::mint::SigningKey;
use crate::result::{audit_in, tokentrail};
use serde_json::{Value, json};
use std::fs;

const FORMATS: &str = r#"
[format.edge]
kind = "json"
token = "authorization"
time = { path = "ts", as = "rfc3339", is = "start" }
status = "status"
host = "host"
path = "path"
method = "method"
"#;

const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const APP: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

/// Requests of six users of the tenant and of six of the server's, each at an API of its own.
fn log(issuer: &str) -> String {
    let request = |user: u32, claims: Value, host: &str| {
        let mut claims = claims;
        claims["oid"] = format!("aaaaaaaa-0000-4000-8000-{user:012}").into();
        let authorization = format!("Bearer {}", mint::good_token(&claims, "rsa-a"));
        let line = json!({"ts": "2026-10-14T10:30:00Z", "status": 200, "authorization": authorization,
            "host": host, "path": "/v1/orders", "method": "GET"});
        format!("{line}\n")
    };
    let partner = json!({"iss": issuer, "aud": "api://partner"});
    let of = |user| {
        request(user, json!({}), "orders.contoso.example")
            + &request(user, partner.clone(), "partner.contoso.example")
    };
    (0..6).map(of).collect()
}

/// Exit code and JSON of `keys check`.
fn check(fixture: &Fixture, args: &[&str]) -> (i32, Value) {
    let mut command = tokentrail();
    command.current_dir(fixture.folder.path()).args(["keys", "check", "--format", "json"]).args(args);
    let output = command.output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

/// What is missing: whose keys, and what to capture first.
fn missing(report: &Value) -> Vec<String> {
    let needs = report["needs"].as_array().unwrap().iter().filter(|need| need["missing"] == true);
    let told = |need: &Value| format!("{} <- {}", need["need"], need["capture"][0]).replace('"', "");
    needs.map(told).collect()
}

fn run(fixture: &Fixture, args: &[&str]) -> String {
    let output = tokentrail().current_dir(fixture.folder.path()).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_log_a_policy_and_the_sources_that_it_needs() {
    let fixture = Fixture::new();
    let issuer = fixture.server.url("/t");
    fixture.configure(&issuer, &fixture.server.url("/keys"));
    let mut key = SigningKey("rsa-a").jwk();
    key["kid"] = "testonlykeyA_00000000000000".into();
    fixture.server.set("/keys", Reply::Body(json!({"keys": [key]}).to_string()));
    fs::write(fixture.path("in.log"), log(&issuer)).unwrap();
    fs::write(fixture.path("formats.toml"), FORMATS).unwrap();
    // Somebody has all keys, so that a policy can be learned.
    mint::write_good_archive("everyday", &fixture.path("archive"));
    assert_eq!(fixture.fetch(&[CONFIGURATION], &[]).code, 0);
    fs::rename(fixture.path("archive"), fixture.path("theirs")).unwrap();
    let learn =
        ["policy", "init", "--formats", "formats.toml", "--keys", "theirs", "-o", "policy.toml", "in.log"];
    run(&fixture, &learn);
    let (code, whole) = check(&fixture, &["--keys", "theirs", "--policy", "policy.toml"]);
    assert_eq!((code, missing(&whole)), (0, vec![]), "{whole:#}");
    // An archive without anything says what to begin with.
    fs::create_dir(fixture.path("archive")).unwrap();
    let audited = audit_in(fixture.folder.path(), ["--formats", "formats.toml", "in.log"]);
    let result = audited.path("");
    let args = ["--keys", "archive", "--policy", "policy.toml", result.to_str().unwrap()];
    let (code, report) = check(&fixture, &args);
    let of_issuer = format!("issuer {issuer} <- {issuer}/.well-known/openid-configuration (its jwks_uri)");
    let host = "https://login.microsoftonline.com";
    let of_tenant = format!("tenant {TENANT} <- {host}/{TENANT}/discovery/keys");
    assert_eq!((code, missing(&report)), (1, vec![of_issuer.clone(), of_tenant]), "{report:#}");
    assert_eq!(report["needs"][1]["apis"], json!(["orders", "partner"]));
    let issuers: Vec<&str> =
        report["issuers"].as_array().unwrap().iter().map(|issuer| issuer["iss"].as_str().unwrap()).collect();
    assert_eq!(issuers, [&*issuer, &format!("{host}/{TENANT}/v2.0")], "those of the log");
    // One source after the other.
    mint::write_good_archive("everyday", &fixture.path("everyday"));
    run(&fixture, &["keys", "add", "everyday", "--keys", "archive"]);
    let (code, report) = check(&fixture, &args);
    assert_eq!((code, missing(&report)), (1, vec![of_issuer]), "{report:#}");
    let configuration = fixture.server.url(CONFIGURATION);
    assert_eq!(fixture.fetch(&[CONFIGURATION], &[]).code, 0, "{configuration}");
    let (_, report) = check(&fixture, &args);
    assert_eq!(missing(&report), [""; 0], "{report:#}");
    assert_eq!(check(&fixture, &args[..4]).0, 0);
}

#[test]
fn an_application_with_keys_of_its_own_needs_its_own_source() {
    let fixture = Fixture::new();
    mint::write_good_archive("everyday", &fixture.path("archive"));
    let policy = format!(
        "version = 1\n[tenancy]\nallowed = [\"{TENANT}\"]\n[keys]\ncustom-key-apps = [\"{APP}\"]\n\
         [[api]]\nname = \"orders\"\naudiences = [\"api://{APP}\"]\n[[api]]\nname = \"other\"\npaths = [\"/x\"]\n"
    );
    fs::write(fixture.path("policy.toml"), policy).unwrap();
    let args = ["--keys", "archive", "--policy", "policy.toml"];
    let (code, report) = check(&fixture, &args);
    let source = format!("https://login.microsoftonline.com/{TENANT}/discovery/keys?appid={APP}");
    let expected = format!("application {APP} with keys of its own, tenant {TENANT} <- {source}");
    assert_eq!((code, missing(&report)), (1, vec![expected]), "{report:#}");
    let output =
        tokentrail().current_dir(fixture.folder.path()).args(["keys", "check"]).args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(&format!("missing   application {APP}")) && text.contains(" for orders:"),
        "{text}"
    );
    assert!(text.contains(&format!("has       tenant {TENANT} for orders, other: https://")), "{text}");
    fs::write(fixture.path("own.json"), super::keys(&["own"])).unwrap();
    let added =
        ["keys", "add", "own.json", "--keys", "archive", "--captured-at", "2026-10-14", "--source", &source];
    run(&fixture, &added);
    let (code, report) = check(&fixture, &args);
    assert_eq!((code, missing(&report)), (0, vec![]), "{report:#}");
    // The period that is asked about counts for what is needed, too.
    let (code, report) =
        check(&fixture, &[&args[..], &["--since", "2026-12-01", "--until", "2026-12-08"]].concat());
    let uncovered = &report["needs"][0]["uncovered"][0];
    assert_eq!(
        (code, uncovered),
        (1, &json!(["2026-12-01T00:00:00Z", "2026-12-08T00:00:00Z"])),
        "{report:#}"
    );
    let (code, _) = check_fails(&fixture, &["--keys", "archive", "--policy", "no-such.toml"]);
    assert_eq!(code, 2);
}

/// Exit code and standard error.
fn check_fails(fixture: &Fixture, args: &[&str]) -> (i32, String) {
    let mut command = tokentrail();
    command.current_dir(fixture.folder.path()).args(["keys", "check"]).args(args);
    let output = command.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}
