//! Generated corpora: what the generator planted is what the audit finds, in every format.

use crate::corpus::{Corpus, corpus};
use crate::result::{Audited, audit_in};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use tokentrail::generate::LogFormat;

/// Audits a corpus with further arguments.
pub fn audit(corpus: &Corpus, further: &[&str]) -> Audited {
    let mut args: Vec<OsString> = ["--keys", "keys", "--policy", "policy.toml"].map(OsString::from).to_vec();
    if corpus.formats().is_some() {
        args.extend(["--formats", "formats.toml"].map(OsString::from));
    }
    args.extend(further.iter().map(OsString::from));
    args.push("logs".into());
    audit_in(&corpus.path(""), args)
}

/// Rule, token, API, outcome and subject.
type Key = [String; 5];
type Expected = BTreeMap<Key, i64>;

fn expected(corpus: &Corpus) -> Expected {
    let text = fs::read_to_string(corpus.path("expected.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut expected = Expected::new();
    for line in lines {
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let key = ["rule", "token_sha256", "api", "outcome", "subject"].map(text);
        // Requests without a token are counted file by file.
        *expected.entry(key).or_default() += line["count"].as_i64().unwrap();
    }
    expected
}

fn found(audited: &Audited) -> BTreeMap<Key, (i64, String)> {
    let rows = audited.rows("findings");
    let mut found: BTreeMap<Key, (i64, String)> = BTreeMap::new();
    for row in &rows {
        let text = |name: &str| row.get(name).cloned().unwrap_or_default();
        let key = ["rule", "token_sha256", "api", "outcome", "subject"].map(text);
        // Of two gateways.
        let known = found.entry(key).or_insert((0, text("severity")));
        known.0 += row["count"].parse::<i64>().unwrap();
    }
    found
}

fn planted_is_found(format: LogFormat) {
    let corpus = corpus(format);
    let audited = audit(corpus, &[]);
    assert_eq!(audited.exit, 0, "{}", audited.stderr);
    let (expected, found) = (expected(corpus), found(&audited));
    let missing: Vec<_> = expected
        .iter()
        .filter(|(key, count)| found.get(*key).is_none_or(|(found, _)| found != *count))
        .map(|(key, count)| (key, count, found.get(key)))
        .collect();
    let surplus: Vec<_> = found
        .iter()
        .filter(|(key, (_, severity))| severity != "info" && !expected.contains_key(*key))
        .collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}\nsurplus: {surplus:#?}");
    assert!(expected.len() > 50, "only {} expectations", expected.len());
    assert!(audited.rows("rejects").is_empty());
}

#[test]
fn edge_json_gives_what_was_planted() {
    planted_is_found(LogFormat::EdgeJson);
}

#[test]
fn nginx_gives_what_was_planted() {
    planted_is_found(LogFormat::Nginx);
}

#[test]
fn envoy_json_gives_what_was_planted() {
    planted_is_found(LogFormat::EnvoyJson);
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let corpus = corpus(LogFormat::EdgeJson);
    let [one, two, seven] = ["1", "2", "7"].map(|threads| audit(corpus, &["-j", threads]));
    assert_eq!(one.tables().len(), 8);
    assert_eq!(one.tables(), two.tables());
    assert_eq!(one.tables(), seven.tables());
    assert_eq!(one.run()["result_digest"], seven.run()["result_digest"]);
}

#[test]
fn the_order_of_arguments_does_not_matter() {
    let corpus = corpus(LogFormat::EdgeJson);
    let mut files: Vec<String> = fs::read_dir(corpus.path("logs"))
        .unwrap()
        .map(|entry| format!("logs/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    files.sort();
    let run = |files: &[String]| {
        let fixed =
            ["--keys", "keys", "--policy", "policy.toml", "--formats", "formats.toml"].map(str::to_owned);
        audit_in(&corpus.path(""), fixed.iter().chain(files))
    };
    let forwards = run(&files);
    files.reverse();
    files.push(files[0].clone());
    let backwards = run(&files);
    assert_eq!(forwards.tables(), backwards.tables());
    // The whole directory gives the same sources, because a source is the argument and the path below it.
    assert_eq!(forwards.tables(), audit(corpus, &[]).tables());
}
