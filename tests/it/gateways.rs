//! Captures of real gateways: every record is read, every planted misuse is found, nothing else above info.

use crate::result::{Audited, audit_in};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/gateways")
}

/// The README's first command, from inside the folder.
fn audited() -> &'static Audited {
    static AUDITED: OnceLock<Audited> = OnceLock::new();
    AUDITED.get_or_init(|| {
        audit_in(
            &folder(),
            ["--keys", "keys", "--policy", "policy.toml", "--formats", "formats.toml", "logs"],
        )
    })
}

fn json_lines(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_record_is_read() {
    let run = audited().run();
    assert_eq!(audited().exit, 0, "{}", audited().stderr);
    let mut found: BTreeMap<String, [u64; 5]> = BTreeMap::new();
    for input in run["inputs"].as_array().unwrap() {
        let sums = found.entry(input["gateway"].as_str().unwrap().to_owned()).or_default();
        let tokens = &input["tokens"];
        let counts = [
            &input["records"],
            &tokens["present"],
            &tokens["masked"],
            &tokens["other_scheme"],
            &tokens["absent"],
        ];
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count.as_u64().unwrap_or_else(|| panic!("{input:#}"));
        }
        assert_eq!(input["status"], "complete");
    }
    let expected: BTreeMap<String, [u64; 5]> = json_lines("counts.jsonl")
        .iter()
        .map(|line| {
            let counts = ["records", "present", "masked", "other-scheme", "absent"]
                .map(|name| line[name].as_u64().unwrap());
            (line["gateway"].as_str().unwrap().to_owned(), counts)
        })
        .collect();
    assert_eq!(found, expected);
    assert!(audited().rows("rejects").is_empty());
}

type Planted = BTreeMap<[String; 5], i64>;

#[test]
fn every_planted_misuse_is_found_and_nothing_else() {
    let planted: Planted = json_lines("planted.jsonl")
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            let key = [text("gateway"), text("rule"), text("token_sha256"), text("api"), text("outcome")];
            (key, line["count"].as_i64().unwrap())
        })
        .collect();
    let found: Planted = audited()
        .rows("findings")
        .iter()
        .filter(|row| row["severity"] != "info")
        .map(|row| {
            let text = |name: &str| row.get(name).cloned().unwrap_or_default();
            let key = [text("gateway"), text("rule"), text("token_sha256"), text("api"), text("outcome")];
            (key, row["count"].parse().unwrap())
        })
        .collect();
    let missing: Vec<_> = planted.iter().filter(|(key, count)| found.get(*key) != Some(count)).collect();
    let surplus: Vec<_> = found.iter().filter(|(key, count)| planted.get(*key) != Some(count)).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}\nsurplus: {surplus:#?}");
    assert!(found.len() > 30, "the captures hold more than {} findings", found.len());
}

#[test]
fn each_gateway_is_read_by_its_own_format() {
    let run = audited().run();
    let formats: BTreeSet<(String, String)> = run["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&input["gateway"]), text(&input["format"]["name"]))
        })
        .collect();
    let formats: Vec<(&str, &str)> =
        formats.iter().map(|(gateway, format)| (gateway.as_str(), format.as_str())).collect();
    assert_eq!(
        formats,
        [
            ("apache", "apache-json"),
            ("caddy", "caddy"),
            ("caddy-masked", "caddy"),
            ("haproxy", "haproxy-json"),
            ("nginx-json", "audit-json"),
            ("nginx-text", "audit"),
        ]
    );
}
