//! The command line from outside: exit codes, streams, messages.

use crate::result::{audit_in, rows, tokentrail};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tokentrail::codec::base64url::encode;

/// Reads lines of [`log`].
const FORMATS: &str = r#"
[format.edge]
kind = "json"
token = "authorization"
time = { path = "ts", as = "epoch_s", is = "start" }
status = "status"
"#;

/// A folder with logs to audit.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("formats.toml", FORMATS);
        folder.write("good.log", log(3));
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        tokentrail().current_dir(self.0.path()).args(args).output().unwrap()
    }

    /// `audit --formats formats.toml ARGS`
    fn audit(&self, args: &[&str]) -> Output {
        self.run(&[&["audit", "--formats", "formats.toml"], args].concat())
    }

    fn manifest(&self, directory: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(directory).join("run.json")).unwrap()).unwrap()
    }
}

/// Accepted requests with an unsigned token, which is a critical finding with and without keys or policy.
fn log(lines: usize) -> String {
    let line = json!({ "ts": 1_793_577_400, "status": 200, "authorization": format!("Bearer {}", token()) });
    format!("{line}\n").repeat(lines)
}

/// A token that no key has signed.
fn token() -> String {
    let claims =
        json!({ "aud": "api://orders", "iss": "https://idp.contoso.example/", "exp": 1_793_580_000_u32 });
    format!("{}.{}.", encode(br#"{"alg":"none","typ":"JWT"}"#), encode(claims.to_string().as_bytes()))
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Asserts the exit code and that the message names what it should.
#[track_caller]
fn ends(output: &Output, expected: i32, names: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(expected), "{text}");
    for name in names {
        assert!(text.contains(name), "{name} is not named:\n{text}");
    }
    assert!(!text.contains("internal error"), "{text}");
}

#[test]
fn zero_and_one_follow_fail_on() {
    let folder = Folder::new();
    ends(&folder.audit(&["good.log"]), 0, &["NO KEYS WERE GIVEN", "alg-none", "tokentrail-out"]);
    ends(&folder.audit(&["--fail-on", "critical", "good.log"]), 1, &["critical"]);
    ends(&folder.audit(&["--fail-on", "critical", "--skip-rule", "alg-none", "good.log"]), 0, &[]);
    assert_eq!(folder.manifest("tokentrail-out")["exit_code"], 0);
    folder.write("empty.log", "");
    ends(&folder.audit(&["empty.log"]), 0, &["NO RECORD WAS READ"]);
    assert_eq!(folder.manifest("tokentrail-out")["inputs"][0]["status"], "empty");
}

#[test]
fn two_is_for_arguments_that_cannot_be_used() {
    let folder = Folder::new();
    folder.write("policy.toml", "version = 1\n[tenancy]\nalowed = []\n");
    folder.write("small.toml", "version = 1\n[[api]]\nname = \"orders\"\nhosts = [\"a.contoso.example\"]\n");
    folder.write("bad.toml", "[format.edge]\nkind = \"jason\"\n");
    for (args, names) in [
        (&["good.log", "--rule", "alg-nonne"][..], &["alg-none"][..]),
        (&["good.log", "--skip-rule", "nothing-like-it"], &["rules list"]),
        (&["good.log", "--rule", "alg-none", "--skip-rule", "alg-none"], &["no rule"]),
        (&["good.log", "--since", "yesterday"], &["--since", "24h"]),
        (&["good.log", "--since", "2026-11-23", "--until", "2026-11-22"], &["--since", "before"]),
        (&["good.log", "--min-severity", "urgent"], &["medium"]),
        (&["good.log", "--fail-on", "new:high"], &["new:", "--baseline"]),
        (&["good.log", "--fail-on", "new:urgent"], &["medium"]),
        (&["good.log", "--baseline", "nowhere"], &["--baseline", "nowhere"]),
        (&["good.log", "--max-line", "0"], &["byte"]),
        (&["good.log", "-j", "0"], &["-j"]),
        (&["good.log", "--ip", "somewhere"], &["IPv4"]),
        (&["good.log", "--token", "abc"], &["64"]),
        (&["good.log", "--input-format", "edgy"], &["edge"]),
        (&["good.log", "--api", "orders"], &["--policy"]),
        (&["good.log", "--policy", "small.toml", "--api", "order"], &["orders"]),
        (&["good.log", "--policy", "policy.toml"], &["policy.toml:3:1", "allowed"]),
        (&["good.log", "--policy", "none.toml"], &["none.toml"]),
        (&["good.log", "--require-keys"], &["--keys"]),
        (&["missing.log", "missing/*.log"], &["missing.log", "missing/*.log"]),
        (&["s3://bucket/logs"], &["s3://bucket/logs"]),
        (&[], &["INPUT"]),
    ] {
        ends(&folder.audit(args), 2, names);
        assert!(!folder.path("tokentrail-out").exists(), "{args:?} wrote something");
    }
    ends(&folder.run(&["audit", "--formats", "bad.toml", "good.log"]), 2, &["bad.toml:2"]);
    // What the system says is said once.
    for args in [&["--policy", "none.toml"], &["--formats", "none.toml"]] {
        let output = folder.run(&[&["audit"], &args[..], &["good.log"]].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.matches("No such file").count(), 1, "{text}");
    }
}

#[test]
fn two_is_for_key_archives_that_cannot_be_trusted() {
    let folder = Folder::new();
    let jwks = r#"{"keys":[]}"#;
    fs::create_dir(folder.path("empty")).unwrap();
    folder.write("malformed/2026-11-22T10-34-27Z.json", "<html>");
    folder.write("undated/keys.json", jwks);
    folder.write("tampered/keys.json", jwks);
    let line = json!({ "file": "keys.json", "captured_at": "2026-11-22T10:00:00Z", "source": "x", "sha256": "0".repeat(64) });
    folder.write("tampered/captures.jsonl", format!("{line}\n"));
    for (archive, names) in [
        ("nowhere", &["nowhere"][..]),
        ("empty", &["empty", "keys add"]),
        ("malformed", &["malformed", "2026-11-22T10-34-27Z.json", "not JSON"]),
        ("undated", &["keys.json", "captures.jsonl"]),
        ("tampered", &["keys.json", "tampered", "SHA-256"]),
    ] {
        ends(&folder.audit(&["--keys", archive, "good.log"]), 2, names);
    }
}

#[test]
fn commands_and_flags_of_later_versions_are_unknown() {
    let folder = Folder::new();
    for args in [
        &["keys", "fetch"][..],
        &["keys", "show", "kid"],
        &["keys", "diff", "a", "b"],
        &["keys", "check"],
        &["trace", "out"],
        &["report", "out"],
        &["diff", "a", "b"],
        &["audit", "--ledger", "l", "good.log"],
        &["nonsense"],
    ] {
        let output = folder.run(args);
        ends(&output, 2, &["error:"]);
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn three_is_for_incomplete_coverage() {
    let folder = Folder::new();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(log(200).as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    folder.write("cut.log.gz", &packed[..packed.len() - 12]);
    folder.write("broken.log", log(1) + "{\"ts\": \n");
    folder.write("long.log", log(150) + "\"" + &"x".repeat(4000) + "\"\n");
    folder.write("none.log", "{\"ts\": 1793577400, \"status\": 200}\n".repeat(3));
    fs::create_dir(folder.path("nothing")).unwrap();
    for (args, names) in [
        (&["good.log", "missing.log"][..], &["missing.log"][..]),
        (&["good.log", "nothing"], &["nothing"]),
        (&["cut.log.gz"], &["cut.log.gz"]),
        (&["broken.log"], &["broken.log", "1 %"]),
        (&["--max-line", "2000", "long.log"], &["long.log", "over-long"]),
        (&["--require-tokens", "good.log", "none.log"], &["none.log", "--require-tokens"]),
        (&["--fail-on", "low", "good.log", "missing.log"], &["missing.log"]),
    ] {
        let output = folder.audit(&[args, &["--input-format", "edge"]].concat());
        ends(&output, 3, names);
        let manifest = folder.manifest("tokentrail-out");
        assert_eq!(
            (&manifest["exit_code"], &manifest["completeness"]["status"]),
            (&json!(3), &json!("partial")),
            "{args:?}"
        );
    }
}

#[test]
fn rejects_are_counted_by_reason() {
    let folder = Folder::new();
    folder.write("in.log", log(1) + "{\"ts\": \n" + "\"" + &"x".repeat(4000) + "\"\n");
    let audited = audit_in(
        folder.0.path(),
        ["--formats", "formats.toml", "--input-format", "edge", "--max-line", "2000", "in.log"],
    );
    let reasons = audited.rows("rejects").iter().map(|row| row["reason"].clone()).collect::<Vec<_>>();
    assert_eq!((audited.exit, reasons), (3, vec!["json".to_owned(), "too-long".to_owned()]));
    let run = audited.run();
    let input = &run["inputs"][0];
    assert_eq!(input["rejects"], json!({ "json": 1, "no-match": 0, "too-long": 1, "truncated-input": 0 }));
    assert_eq!((&input["records"], &input["units"]), (&json!(1), &json!(3)));
}

#[test]
fn an_archive_that_does_not_cover_a_token_is_told() {
    let folder = Folder::new();
    let signed =
        token().replace(&encode(br#"{"alg":"none","typ":"JWT"}"#), &encode(br#"{"alg":"RS256","kid":"k"}"#));
    let line = json!({ "ts": 1_793_577_400, "status": 200, "authorization": format!("Bearer {signed}{}", encode(&[7; 256])) });
    folder.write("signed.log", format!("{line}\n"));
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/gateways/keys");
    let args = ["--keys", keys.to_str().unwrap(), "--require-keys", "signed.log"];
    ends(&folder.audit(&args), 3, &["--require-keys", "MOST SIGNATURES WERE NOT CHECKED"]);
}

#[test]
fn an_output_directory_with_anything_else_is_refused() {
    let folder = Folder::new();
    folder.write("out/notes.txt", "mine");
    folder.write("file", "mine");
    ends(&folder.audit(&["-o", "out", "good.log"]), 2, &["out", "notes.txt", "-o"]);
    ends(&folder.audit(&["-o", "file", "good.log"]), 2, &["file"]);
    ends(&folder.audit(&["-o", ".", "good.log"]), 2, &["-o"]);
    assert_eq!(fs::read_to_string(folder.path("out/notes.txt")).unwrap(), "mine");
    fs::remove_file(folder.path("out/notes.txt")).unwrap();
    ends(&folder.audit(&["-o", "out", "good.log"]), 0, &["Result in out"]);
    ends(&folder.audit(&["-o", "out", "--no-activity", "--no-occurrences", "good.log"]), 0, &[]);
    assert!(
        !folder.path("out/activity.parquet").exists() && !folder.path("out/occurrences.parquet").exists()
    );
}

#[test]
fn four_leaves_the_earlier_result() {
    let folder = Folder::new();
    ends(&folder.audit(&["-o", "good.log/out", "good.log"]), 4, &["good.log"]);
    ends(&folder.audit(&["-o", "out", "good.log"]), 0, &[]);
    let before = fs::read(folder.path("out/run.json")).unwrap();
    ends(&folder.audit(&["-o", "out", "--summary-json", "/dev/full", "good.log"]), 4, &["/dev/full"]);
    ends(&folder.audit(&["-o", "out", "--summary-json", "no/such/dir.json", "good.log"]), 4, &["no/such"]);
    assert_eq!(fs::read(folder.path("out/run.json")).unwrap(), before);
    let names: Vec<String> = fs::read_dir(folder.0.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!names.iter().any(|name| name.starts_with('.')), "{names:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_what_it_finished() {
    for (signal, exit) in [("-INT", 130), ("-TERM", 143)] {
        let folder = Folder::new();
        ends(&folder.audit(&["-o", "out", "good.log"]), 0, &[]);
        let before = fs::read(folder.path("out/run.json")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tokentrail"))
            .args(["audit", "-v", "-j2", "--formats", "formats.toml", "-o", "out", "good.log", "-"])
            .current_dir(folder.0.path())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let finished = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("good.log: complete"));
        assert!(finished.is_some());
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(exit), "{rest:?}");
        let manifest = folder.manifest("out.partial");
        assert_eq!(manifest["exit_code"], exit);
        assert_eq!(manifest["completeness"]["status"], "partial");
        let status = |at: usize| manifest["inputs"][at]["status"].as_str().unwrap().to_owned();
        assert_eq!([status(0), status(1)], ["interrupted", "complete"]);
        assert_eq!(manifest["counts"]["records"], 3);
        let rows = rows(&folder.path("out.partial/occurrences.parquet"));
        assert!(rows.iter().any(|row| row["rule"] == "alg-none" && row["line"] == "3"), "{rows:?}");
        assert_eq!(fs::read(folder.path("out/run.json")).unwrap(), before);
    }
}

#[test]
fn standard_output_carries_data_only() {
    let folder = Folder::new();
    let output = folder.audit(&["-vv", "--summary-json", "-", "--progress", "plain", "good.log"]);
    let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(manifest, folder.manifest("tokentrail-out"));
    let output = folder.audit(&["-q", "--summary-json", "copy.json", "good.log"]);
    assert_eq!((stdout(&output), stderr(&output)), (String::new(), String::new()));
    assert_eq!(
        fs::read(folder.path("copy.json")).unwrap(),
        fs::read(folder.path("tokentrail-out/run.json")).unwrap()
    );
    for args in [
        &["rules", "list", "--format", "json"][..],
        &["rules", "explain", "alg-none", "--format", "json"],
        &["formats", "list", "--format", "json"],
        &["formats", "detect", "good.log", "--formats", "formats.toml", "--format", "json"],
        &["policy", "schema"],
    ] {
        let output = folder.run(&[args, &["-v"]].concat());
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    }
}

#[test]
fn nothing_is_written_on_a_dry_run() {
    let folder = Folder::new();
    let output = folder.audit(&["--dry-run", "good.log"]);
    ends(&output, 0, &[]);
    for part in ["good.log", "edge", "no archive", "--policy", "alg-none", "skipped"] {
        assert!(stdout(&output).contains(part), "{part}:\n{}", stdout(&output));
    }
    assert!(!folder.path("tokentrail-out").exists());
    ends(&folder.audit(&["--dry-run", "good.log", "missing.log"]), 3, &[]);
}

#[test]
fn times_and_filters_are_recorded_as_resolved() {
    let folder = Folder::new();
    let args =
        ["--since", "2026-11-01", "--until", "2026-11-01T18:00:00+01:00", "--ip", "2001:DB8::1", "good.log"];
    ends(&folder.audit(&args), 0, &[]);
    let manifest = folder.manifest("tokentrail-out");
    let filters = &manifest["filters"];
    assert_eq!(filters["since"], "2026-11-01T00:00:00Z");
    assert_eq!(filters["until"], "2026-11-01T17:00:00Z");
    assert_eq!(filters["ip"], json!(["2001:db8::1"]));
    assert_eq!(manifest["inputs"][0]["filtered"], 3);
    ends(&folder.audit(&["--since", "24h", "good.log"]), 0, &[]);
    assert!(folder.manifest("tokentrail-out")["filters"]["since"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn the_summary_begins_with_what_is_missing() {
    let folder = Folder::new();
    let text = fs::read_to_string(folder.path("good.log")).unwrap();
    folder.write("masked.log", text.replace(&token(), "***"));
    let output = folder.audit(&["--input-format", "edge", "masked.log"]);
    assert!(stderr(&output).starts_with("!! EVERY TOKEN IS MASKED (3 of 3 records)"), "{}", stderr(&output));
    folder.write("none.log", "{\"ts\": 1793577400, \"status\": 200}\n");
    let output = folder.audit(&["--input-format", "edge", "none.log"]);
    assert!(stderr(&output).starts_with("!! NO TOKEN WAS FOUND in 1 record"), "{}", stderr(&output));
    let output = folder.audit(&["--rule", "graph-token", "good.log"]);
    assert!(
        stderr(&output).contains("No finding at or above info in 3 requests with a token."),
        "{}",
        stderr(&output)
    );
}

#[test]
fn inspect_reads_one_token_from_standard_input() {
    let run = |args: &[&str], input: &str| {
        tokentrail().arg("inspect").args(args).write_stdin(input).output().unwrap()
    };
    for input in [token(), format!("Bearer {}\n", token()), format!("\"Authorization: bearer {}\"", token())]
    {
        let output = run(&["-"], &input);
        ends(&output, 0, &[]);
        for part in ["unsigned", "api://orders", "2026-11-02T00:40:00Z", "signed token"] {
            assert!(stdout(&output).contains(part), "{part}:\n{}", stdout(&output));
        }
        let segment = token().split('.').nth(1).unwrap().to_owned();
        assert!(!stdout(&output).contains(&segment));
        let told: Value = serde_json::from_slice(&run(&["--format", "json"], &input).stdout).unwrap();
        assert_eq!(
            (&told["signature"], &told["claims"]["aud"]),
            (&json!("unsigned"), &json!("api://orders"))
        );
        assert_eq!(told["token_sha256"].as_str().unwrap().len(), 64);
    }
    ends(&run(&[], ""), 2, &["no token"]);
    ends(&run(&[], "one two"), 2, &["one token"]);
    ends(&run(&["secret-word"], ""), 2, &["standard input"]);
    assert!(!stderr(&run(&["secret-word"], "")).contains("secret-word"));
}

#[test]
fn keys_are_added_and_listed() {
    let folder = Folder::new();
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/gateways/keys");
    let listed = folder.run(&["keys", "list", "--keys", keys.to_str().unwrap(), "--format", "json"]);
    ends(&listed, 0, &[]);
    folder.write("jwks.json", r#"{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}"#);
    let source = "https://login.microsoftonline.com/common/discovery/v2.0/keys";
    let args = ["keys", "add", "jwks.json", "--captured-at", "2026-11-22T10:34:27Z", "--source", source];
    ends(&folder.run(&args), 0, &["is new", "1 capture added to keys"]);
    ends(&folder.run(&args), 0, &["recorded before"]);
    let output = folder.run(&["keys", "list"]);
    ends(&output, 0, &[]);
    assert!(
        stdout(&output).contains(source) && stdout(&output).contains("2026-11-22T10:34:27Z"),
        "{}",
        stdout(&output)
    );
    ends(&folder.run(&["keys", "add", "jwks.json", "--captured-at", "now"]), 2, &["--captured-at"]);
    ends(&folder.run(&["keys", "add", "missing.json", "--captured-at", "2026-11-22"]), 2, &["missing.json"]);
    ends(&folder.run(&["keys", "add", "good.log", "--captured-at", "2026-11-22"]), 2, &["good.log"]);
    ends(&folder.run(&["keys", "list", "--keys", "nowhere"]), 2, &["nowhere"]);
}

#[test]
fn policies_are_checked_and_explained() {
    let folder = Folder::new();
    let policy = "version = 1\n[[api]]\nname = \"orders\"\nhosts = [\"orders.contoso.example\"]\npaths = [\"/v1/**\"]\n";
    folder.write("policy.toml", policy);
    let output = folder.run(&["policy", "check", "policy.toml"]);
    assert!(code(&output) == 0 && stdout(&output).contains("1 API"), "{}", stdout(&output));
    folder.write("wrong.toml", policy.replace("paths", "pathes"));
    ends(&folder.run(&["policy", "check", "wrong.toml"]), 2, &["wrong.toml:5:1", "paths"]);
    let request = ["--host", "orders.contoso.example", "--method", "GET", "--path", "/v1/orders?x=1"];
    let output = folder.run(&[&["policy", "explain", "policy.toml"], &request[..]].concat());
    assert!(code(&output) == 0 && stdout(&output).contains("orders"), "{}", stdout(&output));
    let json =
        folder.run(&[&["policy", "explain", "policy.toml", "--format", "json"], &request[..]].concat());
    assert_eq!(serde_json::from_slice::<Value>(&json.stdout).unwrap()["api"], "orders");
}

#[test]
fn help_fits_and_tells_the_exit_codes() {
    let folder = Folder::new();
    for args in [
        &["-h"][..],
        &["audit", "-h"],
        &["--help"],
        &["audit", "--help"],
        &["keys", "add", "--help"],
        &["policy", "test", "--help"],
        &["policy", "init", "--help"],
    ] {
        let output = folder.run(args);
        assert_eq!(code(&output), 0);
        let text = stdout(&output);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{args:?}:\n{text}");
        if args.contains(&"--help") && args.len() < 3 {
            assert!(text.contains("Exit codes:") && text.contains("Examples:"), "{text}");
        }
    }
    assert!(stdout(&folder.run(&["audit", "-h"])).lines().count() < 80);
    for heading in ["Input:", "Keys:", "Policy and rules:", "Filters:", "Output:", "Run:"] {
        assert!(stdout(&folder.run(&["audit", "-h"])).contains(heading), "{heading}");
    }
    assert!(stdout(&folder.run(&["man"])).starts_with(".ie"));
    for shell in ["bash", "fish", "zsh"] {
        assert!(stdout(&folder.run(&["completions", shell])).contains("tokentrail"));
    }
    assert!(stdout(&folder.run(&["--version"])).starts_with("tokentrail "));
}
