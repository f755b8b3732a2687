//! What the rules cost at a request with a token that is known: the same lines through an engine with every rule and through one
//! without any. The difference of the two, a line, is the cost of the rules and of booking what they could not judge.
//!
//! `cargo bench --bench rules`

#![allow(missing_docs, clippy::expect_used, reason = "a bench that cannot prepare its data has failed")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::fs;
use std::sync::Arc;
use tokentrail::engine::{Chunk, Engine, Filters, Rows, Setup, Units};
use tokentrail::generate::{Plan, generate};
use tokentrail::keys::KeyHistory;
use tokentrail::policy::Policy;
use tokentrail::record::FormatSet;
use tokentrail::rules::{RULES, Rule};

/// Lines of one chunk, all with one token.
const LINES: u32 = 500;

fn rules(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("corpus");
    let plan = Plan { lines: u64::from(LINES), reuse: LINES, misuse: 0.0, apis: 20, ..Plan::new(&out) };
    generate(&plan).expect("a corpus");
    let formats = FormatSet::load(Some(&out.join("formats.toml"))).expect("formats");
    let files = fs::read_dir(out.join("logs")).expect("logs").map(|entry| entry.expect("an entry").path());
    let log: Vec<u8> = files.flat_map(|path| fs::read(path).expect("a log")).collect();
    let format = formats.detect("logs/edge-01-0000.log", &log, None).format;
    let policy = Arc::new(Policy::load(&out.join("policy.toml")).expect("a policy"));
    let keys = Arc::new(KeyHistory::load(&out.join("keys")).expect("keys"));
    let mut group = criterion.benchmark_group("a known token");
    group.throughput(Throughput::Elements(u64::from(LINES)));
    let none: &[&'static Rule] = &[];
    for (name, rules) in [("every rule", RULES), ("no rule", none)] {
        let engine = Engine::new(Setup {
            policy: Some(Arc::clone(&policy)),
            keys: Some(Arc::clone(&keys)),
            rules: rules.to_vec(),
            filters: Filters::default(),
            occurrences: true,
            activity: true,
            portable: false,
        });
        let input = engine.input("logs/edge-01-0000.log", Arc::clone(&format));
        let (mut scratch, mut partial, mut rows) = (engine.scratch(), engine.partial(), Rows::default());
        let chunk = Chunk { bytes: &log, offset: 0, line: 1, units: Units::Lines, cut: false };
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| engine.audit_chunk(&input, chunk, &mut scratch, &mut partial, &mut rows));
        });
        assert!(rows.occurrences.is_empty(), "a good token fires nothing above info");
    }
    group.finish();
}

criterion_group!(benches, rules);
criterion_main!(benches);
