//! No token, payload or signature of an input ever stands in an output or a message.

use crate::corpus::{Corpus, corpus};
use crate::generated::audit;
use crate::result::{Audited, audit_in, rows, tokentrail};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tokentrail::generate::LogFormat;

/// Payload and signature segments of every token in some text, where 16 bytes or longer.
fn secrets(text: &str) -> BTreeSet<String> {
    let run = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let tokens = text.split(run).filter(|run| run.starts_with("eyJ"));
    tokens
        .flat_map(|token| token.split('.').skip(1))
        .filter(|part| part.len() >= 16)
        .map(str::to_owned)
        .collect()
}

fn secrets_of(corpus: &Corpus) -> BTreeSet<String> {
    corpus.logs().iter().flat_map(|(_, bytes)| secrets(&String::from_utf8_lossy(bytes))).collect()
}

/// All text of a result: messages, run.json, and every cell of every table (the files themselves are compressed).
fn written(audited: &Audited) -> String {
    let mut text = format!("{}\n{}\n", audited.stdout, audited.stderr);
    text.push_str(&fs::read_to_string(audited.path("run.json")).unwrap());
    for table in audited.tables().keys() {
        for row in audited.rows(table) {
            text.extend(row.values().flat_map(|cell| [cell.as_str(), "\n"]));
        }
    }
    text
}

fn assert_clean(text: &str, secrets: &BTreeSet<String>) {
    assert!(!secrets.is_empty());
    // Every run of 16 bytes of a secret counts, so each secret is looked for by its first and last 16 bytes and whole.
    for secret in secrets {
        for part in [&secret[..16], &secret[secret.len() - 16..]] {
            let found = memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some();
            assert!(!found || is_common(part), "a part of a token was written: {part}");
        }
    }
}

/// The first bytes of a payload are those of its first claim's name, which a finding may quote.
fn is_common(part: &str) -> bool {
    part.starts_with("eyJ")
}

#[test]
fn results_hold_no_token() {
    for format in [LogFormat::EdgeJson, LogFormat::Nginx] {
        let corpus = corpus(format);
        let audited = audit(corpus, &["-vv"]);
        assert_clean(&written(&audited), &secrets_of(corpus));
    }
}

#[test]
fn tokens_in_every_other_field_are_removed() {
    let corpus = corpus(LogFormat::EdgeJson);
    let (_, log) = corpus.logs().remove(0);
    let log = String::from_utf8(log).unwrap();
    let line = log.lines().find(|line| line.contains("eyJ")).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
    let token = tokens_of(&log).next().unwrap().to_owned();
    let payload = token.split('.').nth(1).unwrap().to_owned();
    let signature = token.split('.').nth(2).unwrap().to_owned();
    for (key, value) in record.as_object_mut().unwrap() {
        // Every text field but time and credentials carries a token or a part of one.
        if value.is_string()
            && !value.as_str().unwrap().contains("eyJ")
            && !matches!(key.as_str(), "ts" | "time")
        {
            *value = format!("/{token}/x?y={signature}&z={payload}").into();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let broken =
        format!("{{\"authorization\":\"Bearer {token}\n{{\"x\": \"Bearer+{signature}\"\nBasic {payload}\n");
    fs::write(folder.path().join("in.log"), format!("{record}\n{line}\n{broken}")).unwrap();
    for name in ["policy.toml", "formats.toml", "watch.jsonl", "revoked.csv"] {
        fs::copy(corpus.path(name), folder.path().join(name)).unwrap();
    }
    let keys = corpus.path("keys");
    let args = [
        "--keys",
        keys.to_str().unwrap(),
        "--policy",
        "policy.toml",
        "--formats",
        "formats.toml",
        "-v",
        "--input-format",
        "edge",
        "in.log",
    ];
    let audited = audit_in(folder.path(), args);
    assert_eq!(audited.rows("rejects").len(), 3, "{}", audited.stderr);
    let secrets = [token, payload, signature].into();
    assert_clean(&written(&audited), &secrets);
}

#[test]
fn errors_about_misplaced_tokens_do_not_repeat_them() {
    let corpus = corpus(LogFormat::EdgeJson);
    let (_, log) = corpus.logs().remove(0);
    let log = String::from_utf8(log).unwrap();
    let token = tokens_of(&log).next().unwrap();
    let secrets = secrets(token);
    for args in [
        vec!["audit", token],
        vec!["audit", "--token", token, "x"],
        vec!["audit", "--since", token, "x"],
        vec!["inspect", token],
        vec!["rules", "explain", token],
        vec!["formats", "show", token],
        vec![token],
    ] {
        let output = tokentrail().current_dir(corpus.path("")).args(&args).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_ne!(output.status.code(), Some(0), "{said}");
        assert_clean(&said, &secrets);
    }
    fs::remove_dir_all(corpus.path("tokentrail-out")).unwrap_or_default();
}

fn tokens_of(log: &str) -> impl Iterator<Item = &str> {
    let run = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    log.split(run)
        .filter(|run| run.starts_with("eyJ") && run.split('.').filter(|part| part.len() > 40).count() == 3)
}

#[test]
fn an_inspected_token_is_not_repeated() {
    let corpus = corpus(LogFormat::EdgeJson);
    let (_, log) = corpus.logs().remove(0);
    let log = String::from_utf8(log).unwrap();
    let token = tokens_of(&log).next().unwrap();
    for format in ["table", "json"] {
        let output = tokentrail()
            .current_dir(corpus.path(""))
            .args(["inspect", "--keys", "keys", "--format", format])
            .write_stdin(format!("Authorization: Bearer {token}\n"))
            .output()
            .unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("valid"), "{said}");
        assert_clean(&said, &secrets(token));
    }
}

#[test]
fn rows_reads_what_a_table_holds() {
    let corpus = corpus(LogFormat::EdgeJson);
    let audited = audit(corpus, &[]);
    assert!(!rows(Path::new(&audited.path("tokens.parquet"))).is_empty());
}
