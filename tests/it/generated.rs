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

type Expected = BTreeMap<[String; 4], i64>;

fn expected(corpus: &Corpus) -> Expected {
    let text = fs::read_to_string(corpus.path("expected.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (
                [text("rule"), text("token_sha256"), text("api"), text("outcome")],
                line["count"].as_i64().unwrap(),
            )
        })
        .collect()
}

fn found(audited: &Audited) -> BTreeMap<[String; 4], (i64, String)> {
    let rows = audited.rows("findings");
    let row = |row: &BTreeMap<String, String>| {
        let text = |name: &str| row.get(name).cloned().unwrap_or_default();
        let key = [text("rule"), text("token_sha256"), text("api"), text("outcome")];
        (key, (row["count"].parse().unwrap(), text("severity")))
    };
    rows.iter().map(row).collect()
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
    assert_eq!(one.tables().len(), 7);
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
