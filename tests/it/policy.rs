//! The commands about policies: tests of them, what they do not cover.

use crate::corpus::corpus;
use crate::result::{audit_in, tokentrail};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Output;
use tokentrail::generate::LogFormat;

const POLICY: &str = r#"version = 1

[tenancy]
allowed = ["72f988bf-86f1-41af-91ab-2d7cd011db47"]

[[api]]
name = "orders"
hosts = ["orders.contoso.example"]
paths = ["/v1/**"]
audiences = ["api://orders"]
authorizes-on = "principal"
operations = [{ paths = ["/v1/health"], auth = "none" }]

[[api]]
name = "billing"
hosts = ["billing.contoso.example"]
audiences = ["api://billing"]
roles = ["Billing.Read.All"]
"#;

const TESTS: &str = r#"
[[test]]
name = "orders takes its own tokens"
request = { host = "orders.contoso.example", path = "/v1/orders?page=2" }
api = "orders"
expect = "quiet"

[[test]]
name = "and no others"
request = { host = "orders.contoso.example", path = "/v1/orders" }
token = { aud = "api://billing" }
expect = ["wrong-aud"]

[[test]]
name = "a key that changes hands is no principal"
request = { host = "orders.contoso.example", path = "/v1/orders", principal = "alice@contoso.example" }
expect = ["email-authz"]

[[test]]
name = "tokens end"
request = { host = "orders.contoso.example", path = "/v1/orders", time = 2026-03-01T12:00:00Z }
token = { claims = { exp = 2026-03-01T10:00:00Z } }
expect = ["expired-use"]

[[test]]
name = "nobody signs with nothing"
request = { host = "billing.contoso.example" }
token = { header = { alg = "none" }, signature = "unsigned" }
api = "billing"
expect = ["alg-none"]

[[test]]
name = "health is public"
request = { host = "orders.contoso.example", path = "/v1/health" }
token = "absent"
expect = "quiet"

[[test]]
name = "orders is not"
request = { host = "orders.contoso.example", path = "/v1/orders" }
token = "absent"
expect = ["token-absent"]

[[test]]
name = "a token without a tenant"
request = { host = "orders.contoso.example", path = "/v1/orders" }
without = ["tid", "header.typ", "request.principal"]
expect = ["tid-missing"]

[[test]]
name = "no token in a URL"
request = { host = "orders.contoso.example", path = "/v1/orders", token-place = "query:access_token" }
expect = ["token-in-query"]

[[test]]
name = "elsewhere is nothing known"
request = { host = "elsewhere.contoso.example" }
api = "none"
expect = []
"#;

fn run(folder: &Path, args: &[&str]) -> Output {
    tokentrail().current_dir(folder).args(["policy", "test"]).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_policy_is_tested_with_the_real_rules() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("policy.toml", POLICY);
    write("tests.toml", TESTS);
    write("named.toml", &format!("policy = \"policy.toml\"\n{TESTS}"));
    write("both.toml", &format!("{POLICY}{TESTS}"));
    for args in [
        &["tests.toml", "--policy", "policy.toml"][..],
        &["named.toml"],
        &["both.toml"],
        &["tests.toml", "named.toml", "--policy", "both.toml"],
    ] {
        let output = run(folder.path(), args);
        let told = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}\n{told}");
        assert!(told.contains(" tests, 0 failed"), "{told}");
    }
    // No rule could look at such a signature without keys.
    let unseen = "[[test]]\nname = \"forged\"\nrequest = { host = \"billing.contoso.example\" }\ntoken = { signature = \"invalid\" }\n";
    for (expect, code) in [("\"quiet\"", 1), ("[]", 1), ("[\"wrong-aud\"]", 1)] {
        write("forged.toml", &format!("{unseen}expect = {expect}\n"));
        let output = run(folder.path(), &["forged.toml", "--policy", "policy.toml"]);
        let told = text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert_eq!(
            told.contains("a signature that is invalid need keys"),
            !expect.contains("wrong"),
            "{told}"
        );
    }
    // An audit passes over tests in a policy.
    let checked =
        tokentrail().current_dir(folder.path()).args(["policy", "check", "both.toml"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
}

#[test]
fn a_good_token_is_good_whatever_an_api_states() {
    let folder = tempfile::tempdir().unwrap();
    let head = "version = 1\n[tenancy]\nallowed = [\"72f988bf-86f1-41af-91ab-2d7cd011db47\", \"0f8fad5b-d9cb-469f-a165-70867728950e\"]\n";
    let test = "[[test]]\nname = \"good\"\nrequest = { host = \"a.contoso.example\", path = \"/v1\" }\napi = \"a\"\nexpect = \"quiet\"\n";
    for (api, further) in [
        ("audiences = [\"api://a\", \"6e74172b-be56-4843-9ff4-e66a39bb12e3\"]", ""),
        ("audiences = [\"api://a\"]\nscopes = [\"A.Read\"]\ndefined-scopes = [\"A.Read\", \"A.Write\"]", ""),
        ("kinds = [\"app\"]\nroles = [\"A.Read.All\"]\nclient-auth = \"certificate\"", ""),
        ("roles = [\"A.Read.All\"]\ndefined-roles = [\"A.Read.All\"]", ""),
        (
            "kinds = [\"delegated\"]\nmfa = true\nauth-context = [\"c1\"]\nmax-auth-age = \"1h\"\ngroups = [\"g\"]",
            "",
        ),
        (
            "tenants = [\"0f8fad5b-d9cb-469f-a165-70867728950e\"]\nclients = [\"6e74172b-be56-4843-9ff4-e66a39bb12e3\"]",
            "",
        ),
        ("authorizes-on = \"principal\"\nmulti-tenant = true", ""),
        ("issuer-kinds = [\"ciam\"]", ""),
        ("issuer-kinds = [\"b2c\"]", ""),
        (
            "guests = false\nclient-auth = \"secret\"",
            "[validation]\npreset = \"strict\"\nlifetimes = [\"2h\"]\nmax-lifetime = \"3h\"\nclouds = [\"us-government\"]\nalgorithms = [\"PS256\"]\n",
        ),
        ("auth = \"none\"", ""),
    ] {
        let policy =
            format!("{head}{further}[[api]]\nname = \"a\"\nhosts = [\"a.contoso.example\"]\n{api}\n{test}");
        fs::write(folder.path().join("policy.toml"), &policy).unwrap();
        let output = run(folder.path(), &["policy.toml"]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{policy}\n{}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
    }
}

#[test]
fn tests_that_do_not_hold_say_what_was_got() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("policy.toml", POLICY);
    write(
        "tests.toml",
        r#"
[[test]]
name = "loud"
request = { host = "orders.contoso.example", path = "/v1/orders" }
token = { aud = "api://billing" }
expect = "quiet"

[[test]]
name = "silent"
request = { host = "orders.contoso.example", path = "/v1/orders" }
api = "billing"
expect = ["wrong-aud"]

[[test]]
name = "blind"
request = { host = "elsewhere.contoso.example" }
expect = ["wrong-aud", "sig-invalid", "token-many-ip"]

[[test]]
name = "fine"
request = { host = "billing.contoso.example" }
expect = "quiet"
"#,
    );
    let output = run(folder.path(), &["tests.toml", "--policy", "policy.toml"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for line in [
        "FAIL  tests.toml:3:8  loud",
        "expected quiet, got wrong-aud (critical): ",
        "FAIL  tests.toml:9:8  silent",
        "expected api billing, got orders",
        "expected wrong-aud, nothing fired (api orders)",
        "expected wrong-aud, it could not look: no-api (api none)",
        "expected sig-invalid, it needs keys (api none)",
        "expected token-many-ip, it needs many requests (api none)",
        "ok    tests.toml:20:8  fine",
        "4 tests, 3 failed",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    let output = run(folder.path(), &["tests.toml", "--policy", "policy.toml", "--format", "json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["failed"]), (Some(1), &json!(3)));
    let fired = told["tests"][0]["fired"].as_array().unwrap();
    assert!(fired.iter().any(|fired| fired["rule"] == "wrong-aud" && fired["severity"] == "critical"));
    assert_eq!((&told["tests"][3]["holds"], &told["tests"][3]["api"]), (&json!(true), &json!("billing")));
}

#[test]
fn exceptions_for_rules_that_do_not_exist_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let accept = "version = 1\n[[accept]]\nrule = \"wrong-aut\"\nactual = \"x\"\nreason = \"y\"\n";
    fs::write(folder.path().join("policy.toml"), accept).unwrap();
    let check = |format: &str| {
        let args = ["policy", "check", "policy.toml", "--format", format];
        tokentrail().current_dir(folder.path()).args(args).output().unwrap()
    };
    let told: Value = serde_json::from_slice(&check("json").stdout).unwrap();
    let notice = &told["notices"][0];
    assert_eq!((&notice["place"]["line"], &notice["place"]["column"]), (&json!(3), &json!(8)), "{told}");
    let said = "rule wrong-aut: there is no such rule; did you mean wrong-aud?; the exception never applies";
    assert_eq!(notice["text"], said);
    let told = text(&check("table").stderr);
    assert!(told.contains(&format!("note: policy.toml:3:8: {said}")), "{told}");
}

#[test]
fn tests_that_cannot_be_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), POLICY).unwrap();
    let head = "[[test]]\nname = \"x\"\n";
    for (tests, names) in [
        (format!("{head}request = {{ hots = \"a\" }}\nexpect = \"quiet\""), &["x.toml:3:13", "host"][..]),
        (format!("{head}expect = [\"wrong-aut\"]"), &["x.toml:2:8", "wrong-aud"]),
        (format!("{head}expect = \"silence\""), &["x.toml:3:10", "quiet"]),
        (format!("{head}expect = [1]"), &["x.toml:3:10"]),
        (format!("{head}token = 7\nexpect = []"), &["x.toml:3:9", "absent"]),
        (format!("{head}token = {{ signature = \"good\" }}\nexpect = []"), &["x.toml:2:8", "key-unknown"]),
        (format!("{head}without = [\"header.\"]\nexpect = []"), &["x.toml:3:12"]),
        (format!("{head}request = {{ time = \"noon\" }}\nexpect = []"), &["x.toml:3:20", "RFC 3339"]),
        (head.to_owned(), &["x.toml:1:1", "expect"]),
        ("policy = \"policy.toml\"".to_owned(), &["x.toml", "[[test]]"]),
        ("policy = \"none.toml\"".to_owned(), &["x.toml"]),
        ("test = 7".to_owned(), &["x.toml:1:8"]),
    ] {
        fs::write(folder.path().join("x.toml"), &tests).unwrap();
        let output = run(folder.path(), &["x.toml", "--policy", "policy.toml"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{tests}\n{told}{}", text(&output.stdout));
        for name in names {
            assert!(told.contains(name), "{name} is not named:\n{tests}\n{told}");
        }
    }
    fs::write(folder.path().join("x.toml"), format!("{head}expect = []")).unwrap();
    let output = run(folder.path(), &["x.toml"]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("--policy"));
    assert_eq!(run(folder.path(), &["missing.toml", "--policy", "policy.toml"]).status.code(), Some(2));
}

#[test]
fn what_no_entry_matches_is_listed() {
    let corpus = corpus(LogFormat::EdgeJson);
    let folder = tempfile::tempdir().unwrap();
    let known = r#"version = 1
[[gateway]]
name = "edge-01"
sources = ["**/edge-01-*"]
[[api]]
name = "orders"
hosts = ["orders.contoso.example"]
[[api]]
name = "nobody"
hosts = ["nobody.contoso.example"]
"#;
    fs::write(folder.path().join("policy.toml"), known).unwrap();
    let policy = folder.path().join("policy.toml");
    let policy = policy.to_str().unwrap();
    let args = ["--policy", policy, "--formats", "formats.toml", "--rule", "alg-none", "logs"];
    let audited = audit_in(&corpus.path(""), args);
    let manifest = audited.run();
    let uncovered = manifest["uncovered"].as_u64().unwrap();
    assert!(uncovered > 0 && uncovered < manifest["counts"]["records"].as_u64().unwrap());
    assert_eq!(manifest["unmatched_apis"], json!(["nobody"]));
    let out = audited.path("");
    let out = out.to_str().unwrap();
    let coverage = |args: &[&str]| tokentrail().args(["policy", "coverage"]).args(args).output().unwrap();
    let told: Value = serde_json::from_slice(&coverage(&[out, "--format", "json"]).stdout).unwrap();
    let sum = |list: &Value, name: &str| {
        list.as_array().unwrap().iter().map(|row| row[name].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(told["uncovered"], manifest["uncovered"]);
    assert_eq!((sum(&told["places"], "records"), sum(&told["hours"], "uncovered")), (uncovered, uncovered));
    let places = told["places"].as_array().unwrap();
    assert!(places.iter().all(|place| place["host"] != "orders.contoso.example"), "{places:?}");
    let most = &places[0];
    assert!(places.iter().all(|place| place["records"].as_u64() <= most["records"].as_u64()));
    let table = text(&coverage(&[out]).stdout);
    for part in [most["host"].as_str().unwrap(), "edge-01", "Entries that nothing matched: nobody"] {
        assert!(table.contains(part), "{part}:\n{table}");
    }
    // Several results add up.
    let twice: Value = serde_json::from_slice(&coverage(&[out, out, "--format", "json"]).stdout).unwrap();
    assert_eq!(twice["uncovered"].as_u64(), Some(2 * uncovered));
    // An entry that only the second night's policy has is not hidden by the first; one that a night matched is not listed.
    let later = format!(
        "{known}[[api]]\nname = \"later\"\nhosts = [\"later.example\"]\n[[api]]\nname = \"invoices\"\nhosts = [\"invoices.contoso.example\"]\n"
    );
    let renamed = later.replace("invoices.contoso", "nowhere.contoso");
    let nights = [later, renamed].map(|text| {
        fs::write(policy, text).unwrap();
        audit_in(&corpus.path(""), args)
    });
    let nights: Vec<String> =
        nights.iter().map(|night| night.path("").to_str().unwrap().to_owned()).collect();
    let several = coverage(&[out, &nights[0], &nights[1], "--format", "json"]);
    let several: Value = serde_json::from_slice(&several.stdout).unwrap();
    assert_eq!(several["unmatched_apis"], json!(["later", "nobody"]));
    assert_eq!(coverage(&[policy]).status.code(), Some(2));
    let bare = audit_in(&corpus.path(""), ["--formats", "formats.toml", "--rule", "alg-none", "logs"]);
    let refused = coverage(&[bare.path("").to_str().unwrap()]);
    assert!(refused.status.code() == Some(2) && text(&refused.stderr).contains("no policy"));
}
