//! `--baseline`: what is new, what goes on, what has come back.

use crate::result::{rows, tokentrail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;
use tokentrail::codec::base64url::encode;

const FORMATS: &str = r#"
[format.edge]
kind = "json"
token = "authorization"
time = { path = "ts", as = "epoch_s", is = "start" }
status = "status"
client_ip = "ip"
"#;

/// A folder in which nights of logs are audited.
struct Nights(tempfile::TempDir);

impl Nights {
    fn new() -> Self {
        let nights = Self(tempfile::tempdir().unwrap());
        fs::write(nights.path().join("formats.toml"), FORMATS).unwrap();
        fs::create_dir(nights.path().join("nights")).unwrap();
        nights
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Audits a log of unsigned tokens from these networks; each network is a problem of its own.
    fn audit(&self, out: &str, networks: &[u8], args: &[&str]) -> Output {
        let line = |network: &u8| {
            let claims = json!({ "aud": network }).to_string();
            let token = format!("{}.{}.", encode(br#"{"alg":"none"}"#), encode(claims.as_bytes()));
            let line = json!({"ts": 1_793_577_400, "status": 200, "ip": format!("203.0.{network}.1"),
                "authorization": format!("Bearer {token}")});
            format!("{line}\n")
        };
        fs::write(self.path().join("in.log"), networks.iter().map(line).collect::<String>()).unwrap();
        let fixed = ["audit", "--formats", "formats.toml", "--rule", "alg-none", "-o", out];
        let args = [&fixed, args, &["in.log"]].concat();
        tokentrail().current_dir(self.path()).args(args).output().unwrap()
    }

    /// State by cause.
    fn states(&self, out: &str) -> BTreeMap<String, Option<String>> {
        let rows = rows(&self.path().join(out).join("problems.parquet"));
        rows.into_iter().map(|row| (row["cause"].clone(), row.get("state").cloned())).collect()
    }

    fn run(&self, out: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path().join(out).join("run.json")).unwrap()).unwrap()
    }
}

#[track_caller]
fn ends(output: &Output, code: i32, names: &[&str]) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    for name in names {
        assert!(text.contains(name), "{name} is not named:\n{text}");
    }
}

fn states(of: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    let cause = |network: &str| format!("net=203.0.{network}.0/24");
    of.iter().map(|(network, state)| (cause(network), state.map(str::to_owned))).collect()
}

#[test]
fn problems_are_new_ongoing_or_returned() {
    let nights = Nights::new();
    let by = ["--baseline", "nights", "--fail-on", "new:high"];
    // There is no earlier night yet.
    ends(&nights.audit("nights/b-first", &[1, 2], &by), 1, &["Problems: 2 new, 0 returned, 0 ongoing"]);
    assert_eq!(nights.run("nights/b-first")["baselines"], json!([]));
    // The names are not in the order of the runs.
    ends(&nights.audit("nights/a-second", &[2], &by), 0, &["Problems: 0 new, 0 returned, 1 ongoing"]);
    ends(
        &nights.audit("nights/c-third", &[1, 2, 3], &by),
        1,
        &["1 new, 1 returned, 1 ongoing", "new  alg-none"],
    );
    let expected = [("1", Some("returned")), ("2", Some("ongoing")), ("3", Some("new"))];
    assert_eq!(nights.states("nights/c-third"), states(&expected));
    let baselines = nights.run("nights/c-third")["baselines"].clone();
    assert_eq!(baselines.as_array().unwrap().len(), 2);
    for (baseline, night) in baselines.as_array().unwrap().iter().zip(["b-first", "a-second"]) {
        assert_eq!(baseline["path"], format!("nights/{night}"));
        assert_eq!(baseline["result_digest"], nights.run(&format!("nights/{night}"))["result_digest"]);
    }
    // Again: the result that is replaced is not its own baseline, unless it is named.
    ends(&nights.audit("nights/c-third", &[1, 2, 3], &by), 1, &["1 new, 1 returned, 1 ongoing"]);
    let named = ["--baseline", "nights/c-third", "--fail-on", "new:low"];
    ends(&nights.audit("nights/c-third", &[1, 2, 3], &named), 0, &["0 new, 0 returned, 3 ongoing"]);
    // Several, each named; nothing without.
    let several = ["--baseline", "nights/a-second", "--baseline", "nights/b-first"];
    ends(&nights.audit("out", &[1], &several), 0, &["0 new, 1 returned"]);
    ends(&nights.audit("out", &[1], &["--fail-on", "low"]), 1, &[]);
    assert_eq!(
        (nights.states("out"), &nights.run("out")["baselines"]),
        (states(&[("1", None)]), &Value::Null)
    );
}

#[test]
fn what_is_no_result_of_this_version_is_refused() {
    let nights = Nights::new();
    ends(&nights.audit("good", &[1], &[]), 0, &[]);
    let copy = |name: &str| {
        fs::create_dir(nights.path().join(name)).unwrap();
        for file in ["run.json", "problems.parquet"] {
            fs::copy(nights.path().join("good").join(file), nights.path().join(name).join(file)).unwrap();
        }
        nights.path().join(name)
    };
    let edit = |name: &str, from: &str, to: &str| {
        let path = copy(name).join("run.json");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    edit("newer", "\"schema_version\": 1", "\"schema_version\": 2");
    edit("other", "\"tokentrail\"", "\"somebody\"");
    fs::write(copy("broken").join("run.json"), "{").unwrap();
    fs::write(copy("changed").join("problems.parquet"), "x").unwrap();
    fs::remove_file(copy("cut").join("problems.parquet")).unwrap();
    fs::create_dir_all(nights.path().join("logs/below")).unwrap();
    for (baseline, names) in [
        ("newer", &["newer", "schema version 2"][..]),
        ("other", &["other", "no result"]),
        ("broken", &["broken", "run.json"]),
        ("changed", &["changed", "SHA-256"]),
        ("cut", &["cut/problems.parquet"]),
        ("logs", &["logs", "no result"]),
        ("in.log", &["in.log"]),
        ("missing", &["missing"]),
    ] {
        ends(&nights.audit("out", &[1], &["--baseline", baseline]), 2, names);
        assert!(!nights.path().join("out").exists());
    }
}

/// A token that is used on both sides of midnight: the second night knows from `state.parquet` where the first saw it.
#[test]
fn a_token_is_followed_over_midnight() {
    let nights = Nights::new();
    let claims = json!({
        "iss": "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0",
        "tid": "11111111-2222-4333-8444-555555555555", "aud": "api://orders", "exp": 1_793_581_200, "ver": "2.0",
    });
    let [header, claims] =
        [json!({"alg": "RS256", "kid": "testonly"}), claims].map(|part| encode(part.to_string().as_bytes()));
    let token = format!("{header}.{claims}.{}", encode(&[7; 256]));
    let audit = |out: &str, at: i64, networks: &[u8], args: &[&str]| {
        let line = |network: &u8| {
            let line = json!({"ts": at, "status": 200, "ip": format!("203.0.{network}.1"),
                "authorization": format!("Bearer {token}")});
            format!("{line}\n")
        };
        fs::write(nights.path().join("in.log"), networks.iter().map(line).collect::<String>()).unwrap();
        let fixed = [
            "audit",
            "--formats",
            "formats.toml",
            "-o",
            out,
            "--rule",
            "token-many-ip",
            "--rule",
            "tenant-first-seen",
        ];
        let args = [&fixed, args, &["in.log"]].concat();
        tokentrail().current_dir(nights.path()).args(args).output().unwrap()
    };
    let found = |out: &str| {
        let rows = rows(&nights.path().join(out).join("findings.parquet"));
        rows.into_iter().map(|row| (row["rule"].clone(), row["count"].clone())).collect::<Vec<_>>()
    };
    ends(&audit("monday", 1_793_577_590, &[1, 2], &[]), 0, &[]);
    assert_eq!(found("monday"), []);
    ends(&audit("tuesday", 1_793_577_610, &[3], &["--baseline", "monday"]), 0, &[]);
    assert_eq!(found("tuesday"), [("token-many-ip".to_owned(), "1".to_owned())]);
    ends(&audit("alone", 1_793_577_610, &[3], &[]), 0, &[]);
    assert_eq!(found("alone"), []);
    // A state that was changed is no evidence.
    fs::write(nights.path().join("monday/state.parquet"), "nonsense").unwrap();
    ends(&audit("tuesday", 1_793_577_610, &[3], &["--baseline", "monday"]), 2, &["state.parquet"]);
}

/// A result that looked at less must not make what it missed look new without a word.
#[test]
fn a_baseline_that_looked_at_less_is_named() {
    let nights = Nights::new();
    ends(&nights.audit("nights/plain", &[1], &[]), 0, &[]);
    ends(
        &nights.audit("nights/filtered", &[1], &["--min-severity", "critical", "--ip", "203.0.1.1"]),
        0,
        &[],
    );
    ends(&nights.audit("partial", &[1], &["missing.log"]), 3, &[]);
    let against = |baseline: &str, further: &[&str]| {
        let output = nights.audit("out", &[1], &[&["--baseline", baseline], further].concat());
        assert_eq!(output.status.code(), Some(0));
        let all = nights.run("out")["baselines"].clone();
        let [baseline] = all.as_array().unwrap().as_slice() else { panic!("{all}") };
        let differs = (baseline["other_filters"].clone(), baseline["rules_not_run"].clone());
        (differs, String::from_utf8(output.stderr).unwrap())
    };
    let loud = "DID NOT LOOK AT ALL";
    let (differs, said) = against("nights/plain", &[]);
    assert_eq!(differs, (json!([]), json!([])));
    assert!(!said.contains(loud), "{said}");
    // Another window is what nights are.
    let (_, said) = against("nights/plain", &["--since", "2026-11-01T00:00:00Z"]);
    assert!(!said.contains(loud), "{said}");
    let (differs, said) = against("nights/filtered", &[]);
    assert_eq!(differs, (json!(["ip", "min_severity"]), json!([])));
    assert!(said.contains(&format!("nights/filtered {loud}")) && said.contains("ip, min_severity"), "{said}");
    let (differs, said) = against("nights/plain", &["--rule", "hdr-typ"]);
    assert_eq!(differs, (json!([]), json!(["hdr-typ"])));
    assert!(said.contains("1 rule did not run there (hdr-typ)"), "{said}");
    let (_, said) = against("partial", &[]);
    assert!(said.contains(&format!("partial {loud}")) && said.contains("it is partial"), "{said}");
}
