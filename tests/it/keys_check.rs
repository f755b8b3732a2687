//! `keys check`: tampering, wrong keys, gaps, and the sources that a result's issuers need.

use crate::mint;
use crate::result::{audit_in, tokentrail};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Writes an archive of `testdata/good.toml` by its name.
fn archive(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    mint::write_good_archive(name, folder.path());
    folder
}

/// Exit code, JSON, and standard error of a check.
fn check(keys: &Path, further: &[&str]) -> (i32, Value, String) {
    let mut command = tokentrail();
    command.args(["keys", "check", "--format", "json", "--keys"]).arg(keys).args(further);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or_default(), stderr)
}

#[test]
fn a_whole_archive_is_clean() {
    let folder = archive("everyday");
    let (code, report, stderr) = check(folder.path(), &["--since", "2026-10-08", "--until", "2026-10-20"]);
    assert_eq!(code, 0, "{report:#} {stderr}");
    for list in ["faults", "cuts", "findings", "issuers", "needs"] {
        assert_eq!(report[list], Value::Array(vec![]), "{list}");
    }
    assert_eq!(report["sources"][0]["captures"], 5);
    assert_eq!(report["sources"][0]["longest_gap_s"], 5 * 86_400);
    assert_eq!(report["sources"][0]["first_capture"], "2026-10-08T06:00:00Z");
    let output = tokentrail().args(["keys", "check", "--keys"]).arg(folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("nothing is wrong with ") && text.contains("5 complete captures of 1 source"),
        "{text}"
    );
}

#[test]
fn gaps_are_those_of_the_period() {
    let folder = archive("everyday");
    let (code, report, _) = check(folder.path(), &["--since", "2026-09-01", "--until", "2026-11-01"]);
    assert_eq!(code, 1);
    let expected = serde_json::json!([
        ["2026-09-01T00:00:00Z", "2026-10-01T06:00:00Z"],
        ["2026-10-27T06:00:00Z", "2026-11-01T00:00:00Z"]
    ]);
    assert_eq!(report["sources"][0]["uncovered"], expected);
    let (code, _, stderr) = check(folder.path(), &["--since", "2026-11-01", "--until", "2026-09-01"]);
    assert!(code == 2 && stderr.contains("no time lies between them"), "{stderr}");
    let (code, _, stderr) = check(Path::new("no/such/archive"), &[]);
    assert!(code == 2 && stderr.contains("no/such/archive"), "{stderr}");
}

#[test]
fn tampering_is_found_and_makes_the_audit_refuse() {
    for (name, line) in [("changed-document", "captures.jsonl:1"), ("broken-chain", "captures.jsonl:2")] {
        let folder = archive(name);
        let (code, report, _) = check(folder.path(), &[]);
        assert_eq!(code, 1, "{report:#}");
        let finding = &report["findings"][0];
        assert_eq!((&finding["rule"], &finding["severity"]), (&"archive-tamper".into(), &"critical".into()));
        assert_eq!(finding["subject"], "source:https://login.microsoftonline.com/common/discovery/v2.0/keys");
        assert!(report["faults"][0].as_str().unwrap().contains(line), "{report:#}");
        let logs = folder.path().join("empty.log");
        fs::write(&logs, "").unwrap();
        let audited = audit_in(folder.path(), ["--keys", ".", "empty.log"]);
        assert!(audited.exit == 2 && audited.stderr.contains("tampered"), "{}", audited.stderr);
    }
}

/// Lines are chained by their writer over all sources; each that is taken out shows, but for the last ones.
#[test]
fn a_beginning_that_was_cut_off_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path();
    let hosts = ["a.example", "a.example", "b.example", "a.example", "c.example"];
    for (day, host) in hosts.iter().enumerate() {
        let (file, source) = (format!("2026-11-0{}.json", day + 1), format!("https://{host}/keys"));
        fs::write(own.join(&file), format!(r#"{{"keys":[],"day":{day}}}"#)).unwrap();
        let mut command = tokentrail();
        command.current_dir(own).args(["keys", "add", &file, "--keys", "keys", "--source", &source]);
        command.assert().success();
    }
    let lines = own.join("keys/captures.jsonl");
    let whole = fs::read_to_string(&lines).unwrap();
    fs::write(own.join("empty.log"), "").unwrap();
    let without = |gone: std::ops::Range<usize>| {
        let kept = whole.lines().enumerate().filter(|(at, _)| !gone.contains(at));
        fs::write(&lines, kept.map(|(_, line)| format!("{line}\n")).collect::<Vec<_>>().concat()).unwrap();
        let (code, report, stderr) = check(&own.join("keys"), &[]);
        let audited = audit_in(own, ["--keys", "keys", "empty.log"]);
        let texts =
            |list: &str| report[list].as_array().unwrap().iter().map(Value::to_string).collect::<String>();
        (code, texts("cuts"), texts("faults"), audited.exit, stderr + &audited.stderr)
    };
    let (code, cuts, faults, exit, _) = without(0..0);
    assert_eq!((code, &*cuts, &*faults, exit), (0, "", "", 0));
    for cut in [0..1, 0..2, 0..3] {
        let (code, cuts, faults, exit, stderr) = without(cut);
        assert!(cuts.contains("captures.jsonl:1: the capture before it is not in the archive"), "{cuts}");
        assert_eq!((code, &*faults, exit), (1, "", 0), "an archive may begin anywhere");
        assert!(stderr.contains("was cut off"), "whoever audits with it is told: {stderr}");
    }
    // In the middle it is no beginning, even where a source begins: the other lines show how they are chained.
    for taken in [1..2, 2..3, 1..3, 3..4] {
        let (code, _, faults, exit, _) = without(taken);
        assert!(faults.contains("tampered"), "{faults}");
        assert_eq!((code, exit), (1, 2));
    }
    // What was cut off at the end leaves no trace; the digest in run.json does.
    let (code, cuts, faults, ..) = without(4..5);
    assert_eq!((code, &*cuts, &*faults), (0, "", ""));
}

#[test]
fn an_archive_without_anything_is_told_what_to_begin_with() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    fs::create_dir(&keys).unwrap();
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, "version = 1\n").unwrap();
    let (code, report, stderr) = check(&keys, &["--policy", policy.to_str().unwrap()]);
    assert_eq!(code, 1, "{stderr}");
    assert!(report["faults"][0].as_str().unwrap().contains("No keys in the archive"), "{report:#}");
    let need = &report["needs"][0];
    assert_eq!((&need["need"], &need["missing"]), (&"any tenant".into(), &true.into()));
    assert_eq!(need["capture"][1], "https://login.microsoftonline.com/common/discovery/v2.0/keys");
}

#[test]
fn wrong_keys_are_named_once() {
    let (code, report, _) = check(archive("with-symmetric").path(), &[]);
    assert_eq!(code, 1);
    let findings = report["findings"].as_array().unwrap();
    let wrong: Vec<_> = findings.iter().filter(|finding| finding["severity"] != "info").collect();
    assert_eq!((wrong.len(), &wrong[0]["rule"]), (1, &"key-symmetric-published".into()));
    assert_eq!(wrong[0]["subject"], "kid:shared");
    // What is only worth knowing fails nothing.
    let (code, report, _) = check(archive("shrunk").path(), &[]);
    assert_eq!((code, &report["findings"][0]["severity"]), (0, &"info".into()), "{report:#}");
}

#[test]
fn a_result_tells_which_sources_are_missing() {
    let gateways = mint::testdata("gateways");
    let args = ["--keys", "keys", "--policy", "policy.toml", "--formats", "formats.toml", "logs"];
    let audited = audit_in(&gateways, args);
    let result = audited.path("");
    let (_, whole, _) = check(&gateways.join("keys"), &[result.to_str().unwrap()]);
    let own = |report: &Value| -> Vec<Value> {
        let issuers = report["issuers"].as_array().unwrap().iter();
        issuers.filter(|issuer| issuer["tokens"].as_i64() > Some(20)).cloned().collect()
    };
    assert!(own(&whole).is_empty(), "{whole:#}");
    let (code, partner, _) = check(archive("partner").path(), &[result.to_str().unwrap()]);
    assert_eq!(code, 1);
    let missing = own(&partner);
    assert!(!missing.is_empty(), "{partner:#}");
    for issuer in missing {
        assert_eq!(issuer["missing"], true);
        let url = issuer["capture"][0].as_str().unwrap();
        assert!(
            url.starts_with("https://login.microsoftonline.com/") && url.contains("/discovery/"),
            "{url}"
        );
    }
    let (code, _, stderr) = check(&gateways.join("keys"), &["no/such/result"]);
    assert!(code == 2 && stderr.contains("no/such/result"), "{stderr}");
}
