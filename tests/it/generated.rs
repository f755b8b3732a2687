//! Generated corpora: what the generator planted is what the audit finds, in every format.

use crate::corpus::{Corpus, corpus};
use crate::result::{Audited, audit_in};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use tokentrail::generate::{LogFormat, Plan, generate};
use tokentrail::rules::RULES;

/// Rules that no corpus can show, each with the reason.
const NOT_PLANTED: [(&str, &str); 1] = [(
    "archive-tamper",
    "an audit refuses such an archive; `keys check` reports it, and its tests show that",
)];

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
    expected_in(corpus, "expected.jsonl")
}

fn expected_in(corpus: &Corpus, name: &str) -> Expected {
    let text = fs::read_to_string(corpus.path(name)).unwrap();
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
fn every_rule_is_planted_or_it_is_said_why_not() {
    let corpus = corpus(LogFormat::EdgeJson);
    let tables = ["expected.jsonl", "expected-later.jsonl"].map(|name| expected_in(corpus, name));
    let planted: BTreeSet<&str> = tables.iter().flatten().map(|(key, _)| key[0].as_str()).collect();
    let excused: BTreeSet<&str> = NOT_PLANTED.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(planted.intersection(&excused).next(), None);
    let known: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    let missing: Vec<_> =
        known.iter().filter(|id| !planted.contains(*id) && !excused.contains(*id)).collect();
    let unknown: Vec<_> = planted.iter().filter(|id| !known.contains(*id)).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}\nunknown: {unknown:?}");
    assert_eq!(known.len(), 159);
}

#[test]
fn what_needs_a_baseline_is_found_on_the_second_night() {
    for format in LogFormat::ALL {
        let corpus = corpus(format);
        let logs = corpus.logs();
        let (second, first): (Vec<&str>, Vec<&str>) =
            logs.iter().map(|(name, _)| name.as_str()).partition(|name| name.contains("-later"));
        assert!(second.len() == 1 && first.len() > 4);
        let night = |logs: &[&str], further: &[&str]| {
            let mut args = vec!["--keys", "keys", "--policy", "policy.toml"];
            if corpus.formats().is_some() {
                args.extend(["--formats", "formats.toml"]);
            }
            audit_in(&corpus.path(""), args.iter().chain(further).chain(logs))
        };
        let before = night(&first, &[]);
        let baseline = before.path("");
        let after = night(&second, &["--baseline", baseline.to_str().unwrap()]);
        assert_eq!((before.exit, after.exit), (0, 0), "{}{}", before.stderr, after.stderr);
        // What the archive says of its own keys is said each night.
        let mut found = found(&after);
        found.retain(|key, (_, severity)| severity != "info" && !key[1].is_empty());
        let found: Expected = found.into_iter().map(|(key, (count, _))| (key, count)).collect();
        assert_eq!(found, expected_in(corpus, "expected-later.jsonl"), "{}", format.name());
        assert_eq!(found.len(), 1);
    }
}

#[test]
fn clean_traffic_gives_nothing_above_info() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for format in LogFormat::ALL {
        let corpus = Corpus::at(folder.path().join(format.name()));
        let out = corpus.path("");
        generate(&Plan { lines: 4_000, seed: 3, format, reuse: 8, misuse: 0.0, kids: 2, ..Plan::new(&out) })
            .unwrap();
        let audited = audit(&corpus, &[]);
        assert_eq!(audited.exit, 0, "{}", audited.stderr);
        let found = found(&audited);
        let loud: Vec<_> = found.iter().filter(|(_, (_, severity))| severity != "info").collect();
        assert!(loud.is_empty(), "{}: {loud:#?}", format.name());
        // It is not clean because nothing was looked at.
        let told: BTreeSet<&str> = found.keys().map(|key| key[0].as_str()).collect();
        for rule in ["guest-user", "key-custom"] {
            assert!(told.contains(rule), "{}: {rule} is not among {told:?}", format.name());
        }
        assert!(audited.rows("tokens").iter().filter(|token| token["signature"] == "valid").count() > 400);
    }
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
