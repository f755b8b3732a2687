//! Lines and bytes a second through the whole engine on one thread: generated logs of 2.2 KB lines with all rules and all
//! tables, once with every token different and once with each token a hundred times.
//!
//! `cargo bench --bench end_to_end`; `TOKENTRAIL_BENCH_LINES` changes the size (default 20000).

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::naive_bytecount,
    reason = "a bench that cannot prepare its data has failed"
)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokentrail::engine::{Chunk, Engine, Filters, Rows, Setup, Units};
use tokentrail::generate::{LogFormat, Plan, generate};
use tokentrail::keys::KeyHistory;
use tokentrail::policy::Policy;
use tokentrail::record::{Format, FormatSet};
use tokentrail::rules::RULES;

/// A corpus in memory, cut into chunks at newlines.
struct Corpus {
    chunks: Vec<Vec<u8>>,
    format: Arc<Format>,
    policy: Arc<Policy>,
    keys: Arc<KeyHistory>,
    lines: u64,
    bytes: u64,
}

fn corpus(folder: &Path, format: LogFormat, reuse: u32, lines: u64) -> Corpus {
    let out = folder.join(format!("{}-{reuse}", format.name()));
    generate(&Plan { lines, format, reuse, ..Plan::new(&out) }).expect("a corpus");
    let formats = Some(out.join("formats.toml")).filter(|path| path.exists());
    let formats = FormatSet::load(formats.as_deref()).expect("formats");
    let mut files: Vec<_> =
        fs::read_dir(out.join("logs")).expect("logs").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let logs: Vec<u8> = files.iter().flat_map(|path| fs::read(path).expect("a log")).collect();
    let chunks = logs.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>();
    Corpus {
        format: formats.detect("logs/part.log", &logs, None).format,
        policy: Arc::new(Policy::load(&out.join("policy.toml")).expect("a policy")),
        keys: Arc::new(KeyHistory::load(&out.join("keys")).expect("keys")),
        lines,
        bytes: u64::try_from(logs.len()).expect("a length"),
        chunks: chunks.chunks(500).map(<[&[u8]]>::concat).collect(),
    }
}

fn audit(corpus: &Corpus) -> u64 {
    let engine = Engine::new(Setup {
        policy: Some(Arc::clone(&corpus.policy)),
        keys: Some(Arc::clone(&corpus.keys)),
        rules: RULES.to_vec(),
        filters: Filters::default(),
        occurrences: true,
        activity: true,
        portable: false,
    });
    let input = engine.input("logs/part.log", Arc::clone(&corpus.format));
    let (mut scratch, mut partial, mut rows) = (engine.scratch(), engine.partial(), Rows::default());
    let (mut offset, mut line) = (0, 1);
    for bytes in &corpus.chunks {
        let chunk = Chunk { bytes, offset, line, units: Units::Lines, cut: false };
        engine.audit_chunk(&input, chunk, &mut scratch, &mut partial, &mut rows);
        offset += i64::try_from(bytes.len()).expect("a length");
        line += 500;
    }
    engine.conclude(partial).totals.counts.records
}

fn end_to_end(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let lines =
        std::env::var("TOKENTRAIL_BENCH_LINES").ok().and_then(|lines| lines.parse().ok()).unwrap_or(20_000);
    for (name, format, reuse) in [
        ("json, all distinct", LogFormat::EdgeJson, 1),
        ("json, each 100 times", LogFormat::EdgeJson, 100),
        ("nginx, each 100 times", LogFormat::Nginx, 100),
    ] {
        let corpus = corpus(folder.path(), format, reuse, lines);
        for (unit, throughput) in
            [("lines", Throughput::Elements(corpus.lines)), ("bytes", Throughput::Bytes(corpus.bytes))]
        {
            let mut group = criterion.benchmark_group(name);
            group.sample_size(10).throughput(throughput);
            group.bench_with_input(BenchmarkId::from_parameter(unit), &corpus, |bencher, corpus| {
                bencher.iter(|| assert_eq!(audit(corpus), corpus.lines));
            });
            group.finish();
        }
    }
}

criterion_group!(benches, end_to_end);
criterion_main!(benches);
