//! Each stage that a line goes through, with its limit beside it: what the fastest library of its kind needs for the same
//! bytes and for less work.
//!
//! `cargo bench --bench stages`; `TOKENTRAIL_BENCH_LINES` changes the size (default 5000). The signature check has a bench
//! of its own, and the whole engine too (`end_to_end`).

#![allow(missing_docs, clippy::expect_used, reason = "a bench that cannot prepare its data has failed")]

use bumpalo::Bump;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use std::hint::black_box;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use tokentrail::codec::base64url;
use tokentrail::generate::{LogFormat, Plan, generate_into};
use tokentrail::record::{Format, FormatSet, ReadScratch};
use tokentrail::token::Token;

/// Bytes of a decompressor's buffer, as the tool's.
const BUFFER_BYTES: usize = 256 << 10;

/// A log in memory.
struct Log {
    bytes: Vec<u8>,
    format: Arc<Format>,
}

impl Log {
    fn make(folder: &Path, format: LogFormat) -> Self {
        let lines = std::env::var("TOKENTRAIL_BENCH_LINES").ok().and_then(|lines| lines.parse().ok());
        let out = folder.join(format.name());
        let plan = Plan { lines: lines.unwrap_or(5000), format, reuse: 1, ..Plan::new(&out) };
        let mut bytes = Vec::new();
        generate_into(&plan, &mut bytes).expect("a log");
        let formats = FormatSet::load(Some(&out.join("formats.toml"))).expect("formats");
        Self { format: formats.detect("logs/edge-01-0000.log", &bytes, None).format, bytes }
    }

    /// The lines, without their ends.
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        memchr::memchr_iter(b'\n', &self.bytes).map(move |end| {
            let line = self.bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            line
        })
    }

    /// Every token that the format finds.
    fn tokens(&self) -> Vec<String> {
        let (arena, mut scratch) = (Bump::new(), ReadScratch::default());
        let mut tokens = Vec::new();
        for line in self.lines() {
            let (_, record) = self.format.read(line, &arena, &mut scratch).expect("a record");
            tokens.extend(record.tokens.iter().map(|hit| hit.value.to_owned()));
        }
        tokens
    }
}

/// Lines into records.
fn fields(criterion: &mut Criterion, name: &str, log: &Log) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(bytes_of(log.bytes.len()));
    group.bench_function("ours", |bencher| {
        let (mut arena, mut scratch) = (Bump::new(), ReadScratch::default());
        bencher.iter(|| {
            let mut tokens = 0;
            for (number, line) in log.lines().enumerate() {
                if number % 500 == 0 {
                    arena.reset();
                }
                let (_, record) = log.format.read(line, &arena, &mut scratch).expect("a record");
                tokens += black_box(&record).tokens.len();
            }
            tokens
        });
    });
    group.bench_function("limit: newlines by memchr", |bencher| {
        bencher.iter(|| log.lines().map(<[u8]>::len).sum::<usize>());
    });
    group.finish();
}

/// base64url of every payload.
fn base64(criterion: &mut Criterion, tokens: &[String]) {
    let payloads: Vec<&[u8]> =
        tokens.iter().filter_map(|token| Some(token.split('.').nth(1)?.as_bytes())).collect();
    let mut group = criterion.benchmark_group("base64url of the payload");
    group.throughput(bytes_of(payloads.iter().map(|payload| payload.len()).sum()));
    group.bench_function("ours", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            for payload in &payloads {
                black_box(base64url::decode(payload, &mut out));
            }
        });
    });
    group.bench_function("limit: base64-simd", |bencher| {
        let mut out = vec![0; 1 << 16];
        bencher.iter(|| {
            for payload in &payloads {
                let out = base64_simd::Out::from_slice(&mut out);
                black_box(base64_simd::URL_SAFE_NO_PAD.decode(payload, out)).expect("base64url");
            }
        });
    });
    group.finish();
}

/// Tokens into header, claims and fingerprint.
fn claims(criterion: &mut Criterion, tokens: &[String]) {
    let payloads: Vec<Vec<u8>> = tokens
        .iter()
        .filter_map(|token| {
            let mut out = Vec::new();
            base64url::decode(token.split('.').nth(1)?.as_bytes(), &mut out);
            Some(out)
        })
        .collect();
    let mut group = criterion.benchmark_group("token facts");
    group.throughput(Throughput::Elements(u64::try_from(tokens.len()).expect("a count")));
    group.bench_function("ours: three parts, all claims, fingerprint", |bencher| {
        bencher
            .iter(|| tokens.iter().filter(|token| black_box(Token::parse(token)).claims().is_some()).count());
    });
    group.bench_function("limit: simd-json tape of the payload", |bencher| {
        let mut copy = Vec::new();
        bencher.iter(|| {
            for payload in &payloads {
                copy.clear();
                copy.extend_from_slice(payload);
                black_box(simd_json::to_tape(&mut copy)).ok();
            }
        });
    });
    group.finish();
}

/// The decompressors alone; what the tool adds is measured end to end (`scripts/bench.sh packed`).
fn decompression(criterion: &mut Criterion, log: &Log) {
    let mut gzip = Vec::new();
    GzEncoder::new(log.bytes.as_slice(), Compression::new(6)).read_to_end(&mut gzip).expect("gzip");
    let zstd = zstd::encode_all(log.bytes.as_slice(), 3).expect("zstd");
    let mut group = criterion.benchmark_group("decompression");
    group.sample_size(20).throughput(bytes_of(log.bytes.len()));
    group.bench_function("limit: gzip by zlib-rs", |bencher| {
        bencher.iter(|| drain(GzDecoder::new(gzip.as_slice())));
    });
    group.bench_function("limit: zstd", |bencher| {
        bencher.iter(|| drain(zstd::stream::read::Decoder::new(zstd.as_slice()).expect("a decoder")));
    });
    group.finish();
}

/// Reads to the end, into one buffer.
fn drain(reader: impl Read) -> u64 {
    let mut reader = io::BufReader::with_capacity(BUFFER_BYTES, reader);
    io::copy(&mut reader, &mut io::sink()).expect("readable bytes")
}

fn bytes_of(count: usize) -> Throughput {
    Throughput::Bytes(u64::try_from(count).expect("a length"))
}

fn stages(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let json = Log::make(folder.path(), LogFormat::EdgeJson);
    fields(criterion, "JSON lines into records", &json);
    fields(criterion, "nginx lines into records", &Log::make(folder.path(), LogFormat::Nginx));
    let tokens = json.tokens();
    base64(criterion, &tokens);
    claims(criterion, &tokens);
    decompression(criterion, &json);
}

criterion_group!(benches, stages);
criterion_main!(benches);
