//! Split anywhere, merge in any order, save and restore on the way: the same findings.

use crate::corpus::{Corpus, Piece, audit, corpus, pieces, told};
use crate::run_rules::{ADDRESS_OFTEN, TOKEN_OFTEN};
use proptest::prelude::*;
use std::sync::Arc;
use tokentrail::engine::{Engine, Partial, Rows};
use tokentrail::generate::LogFormat;
use tokentrail::record::Format;
use tokentrail::rules::Severity;

fn whole(corpus: &Corpus, engine: &Engine, format: &Arc<Format>) -> (String, String) {
    let logs = corpus.logs();
    let mut rows = Rows::default();
    let all = pieces(&logs, || usize::MAX);
    let partial = audit(engine, format, &all, &mut rows);
    (told(&engine.conclude(partial)), format!("{rows:#?}"))
}

fn merged(engine: &Engine, mut parts: Vec<Partial>, order: &[usize]) -> Partial {
    let mut all = engine.partial();
    for at in order {
        let part = std::mem::replace(&mut parts[*at], engine.partial());
        let part = match at % 2 {
            0 => engine.restore(&engine.save(&part).unwrap()).unwrap(),
            _ => part,
        };
        all.merge(part);
    }
    all
}

#[test]
fn split_anywhere_and_merged_in_any_order_gives_the_same() {
    let corpus = corpus(LogFormat::EdgeJson);
    let format = corpus.format();
    let engine = corpus.engine(&[&TOKEN_OFTEN, &ADDRESS_OFTEN]);
    let (expected, expected_rows) = whole(corpus, &engine, &format);
    let logs = corpus.logs();
    let strategy =
        (prop::collection::vec(1..200usize, 20), Just((0..5).collect::<Vec<usize>>()).prop_shuffle());
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((sizes, order) in strategy)| {
        // Another engine, so that its memo has seen nothing: what it remembers must not show.
        let engine = corpus.engine(&[&TOKEN_OFTEN, &ADDRESS_OFTEN]);
        let mut sizes = sizes.iter().cycle();
        let pieces = pieces(&logs, || *sizes.next().unwrap());
        let mut rows = Rows::default();
        let parts = (0..5).map(|part| {
            let mine: Vec<Piece<'_>> =
                pieces.iter().enumerate().filter(|(at, _)| at % 5 == part).map(|(_, piece)| piece.clone()).collect();
            audit(&engine, &format, &mine, &mut rows)
        });
        let parts = parts.collect();
        let concluded = engine.conclude(merged(&engine, parts, &order));
        prop_assert_eq!(&told(&concluded), &expected);
        rows.occurrences.sort_by(|a, b| {
            let (one, other) = (a.texts(), b.texts());
            (one.source, a.line, a.offset, one.rule, a.token)
                .cmp(&(other.source, b.line, b.offset, other.rule, b.token))
        });
        prop_assert_eq!(&format!("{rows:#?}"), &expected_rows);
    });
}

#[test]
fn run_rules_speak_of_tokens_and_subjects_and_lower_others() {
    let corpus = corpus(LogFormat::EdgeJson);
    let format = corpus.format();
    let findings = |engine: &Engine| {
        let logs = corpus.logs();
        let mut rows = Rows::default();
        engine.conclude(audit(engine, &format, &pieces(&logs, || 100), &mut rows)).tables.findings
    };
    let plain = findings(&corpus.engine(&[]));
    let with = findings(&corpus.engine(&[&TOKEN_OFTEN, &ADDRESS_OFTEN]));
    let of = |rule: &str| with.iter().filter(|finding| finding.rule == rule).collect::<Vec<_>>();
    let often = of("token-often");
    assert!(!often.is_empty());
    assert!(
        often
            .iter()
            .all(|finding| finding.token_sha256.is_some() && finding.count >= 3 && finding.line.is_some())
    );
    assert!(often.iter().all(|finding| finding.signature.is_some()));
    assert!(often.iter().any(|finding| finding.token.iss.is_some()));
    let addresses = of("address-often");
    assert!(!addresses.is_empty());
    for finding in addresses {
        assert!(finding.subject.as_deref().unwrap().starts_with("ip:"));
        assert_eq!((finding.count, finding.outcome, finding.signature), (0, None, None));
        assert!(finding.token_sha256.is_none() && finding.source.is_none() && finding.first_seen.is_none());
        assert_eq!(finding.cause, finding.subject.clone().unwrap());
    }
    assert!(plain.iter().any(|finding| finding.rule == "wrong-aud" && finding.severity > Severity::Info));
    assert!(of("wrong-aud").iter().all(|finding| finding.severity == Severity::Info));
}

#[test]
fn partials_of_another_version_or_engine_are_refused() {
    let corpus = corpus(LogFormat::EdgeJson);
    let engine = corpus.engine(&[&TOKEN_OFTEN]);
    let saved = engine.save(&engine.partial()).unwrap();
    assert!(corpus.engine(&[]).restore(&saved).err().unwrap().to_string().contains("other rules"));
    let newer = String::from_utf8(saved).unwrap().replacen("\"version\":4", "\"version\":5", 1);
    let error = engine.restore(newer.as_bytes()).err().unwrap().to_string();
    assert!(error.contains("form 5"), "{error}");
    assert!(engine.restore(b"nonsense").is_err());
}

/// A line with its token's signature cut, lengthened, or with another letter in it.
fn damaged(line: &[u8], how: usize) -> Vec<u8> {
    let dot = line.windows(3).rposition(|three| three[0] == b'.' && three[1..].is_ascii());
    let token_end = memchr::memchr(b'"', &line[dot.unwrap_or(0)..]).map(|at| dot.unwrap_or(0) + at);
    let (Some(start), Some(end)) = (dot, token_end) else { return line.to_vec() };
    let mut signature = line[start + 1..end].to_vec();
    match how % 5 {
        0 => signature.truncate(signature.len() / 2),
        1 => signature.extend_from_slice(b"AAAA"),
        2 => drop(signature.pop()),
        3 => signature
            .iter_mut()
            .take(1)
            .for_each(|letter| *letter = if *letter == b'A' { b'B' } else { b'A' }),
        _ => signature.clear(),
    }
    [&line[..=start], &signature, &line[end..]].concat()
}

#[test]
fn portable_and_other_code_give_the_same() {
    for format in [LogFormat::EdgeJson, LogFormat::Nginx] {
        let corpus = corpus(format);
        let reader = corpus.format();
        let mut logs = corpus.logs();
        // Forged and odd-length signatures beside the corpus' own misuse.
        for (_, bytes) in &mut logs {
            let lines: Vec<Vec<u8>> = bytes
                .split_inclusive(|byte| *byte == b'\n')
                .enumerate()
                .map(|(at, line)| if at % 7 == 0 { damaged(line, at / 7) } else { line.to_vec() })
                .collect();
            *bytes = lines.concat();
        }
        let all = pieces(&logs, || 500);
        let [fast, portable] = [false, true].map(|portable| {
            let engine = corpus.engine_with(&[], portable);
            let mut rows = Rows::default();
            let partial = audit(&engine, &reader, &all, &mut rows);
            (told(&engine.conclude(partial)), format!("{rows:#?}"))
        });
        assert!(fast.0.contains("invalid") && fast == portable, "{}", format.name());
    }
}
