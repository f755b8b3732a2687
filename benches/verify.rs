//! One signature after the other by the library against many at a time in the lanes, by each kernel that the processor can run: RS256 over
//! messages of 1.1 KB, three keys mixed, hash, padding and comparison included, at each width. They take turns within one run and are
//! timed by the processor time of the thread, so that their ratio holds on a busy machine, where criterion's would not.
//!
//! `cargo bench --bench verify`; `TOKENTRAIL_BENCH_ROUNDS` changes the length (default 41).

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench that cannot prepare its data has failed"
)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature as sign;
use aws_lc_rs::signature::KeyPair as _;
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest as _, Sha256};
use std::hint::black_box;
use tokentrail::keys::{LaneJob, LaneKernel, LaneKey};

/// Signatures a round.
const SIGNATURES: u32 = 240;

struct Case {
    key: usize,
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// Microseconds of processor time that this thread has used.
fn used_us() -> f64 {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    let [seconds, nanos] = [used.tv_sec, used.tv_nsec].map(|part| u32::try_from(part).expect("a short run"));
    f64::from(seconds) * 1e6 + f64::from(nanos) / 1e3
}

fn used_for(run: impl FnOnce()) -> f64 {
    let before = used_us();
    run();
    used_us() - before
}

/// Microseconds a signature.
fn timed(run: impl FnOnce()) -> f64 {
    used_for(run) / f64::from(SIGNATURES)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn hashed(case: &Case) -> [u8; 32] {
    Sha256::digest(&case.message).into()
}

fn in_lanes(kernel: LaneKernel, cases: &[Case], keys: &[LaneKey], filled: usize) {
    for some in cases.chunks(filled) {
        let digests: Vec<[u8; 32]> = some.iter().map(hashed).collect();
        let jobs: Vec<LaneJob<'_>> = some
            .iter()
            .zip(&digests)
            .map(|(case, digest)| LaneJob { key: &keys[case.key], digest, signature: &case.signature })
            .collect();
        let accepted = kernel.accepted(&jobs);
        assert!(accepted[..some.len()].iter().all(|good| *good), "a good signature was not accepted");
    }
}

fn width(bits: usize, size: KeySize, rounds: usize) {
    let pairs: Vec<_> = (0..3).map(|_| sign::RsaKeyPair::generate(size).expect("a key")).collect();
    let public: Vec<sign::RsaPublicKeyComponents<Vec<u8>>> =
        pairs.iter().map(|pair| pair.public_key().into()).collect();
    let parsed = public.iter().map(|key| key.to_parsed_public_key(&sign::RSA_PKCS1_2048_8192_SHA256));
    let parsed: Vec<_> = parsed.collect::<Result<_, _>>().expect("a key that the library takes");
    let keys: Vec<_> = public.iter().map(|key| LaneKey::new(&key.n, &key.e).expect("a usual key")).collect();
    let random = SystemRandom::new();
    let case = |at: u32| {
        let key = usize::try_from(at % 3).expect("a small number");
        let message = at.to_be_bytes().repeat(280);
        let mut signature = vec![0; bits / 8];
        pairs[key].sign(&sign::RSA_PKCS1_SHA256, &random, &message, &mut signature).expect("a signature");
        Case { key, message, signature }
    };
    let cases: Vec<Case> = (0..SIGNATURES).map(case).collect();
    let kernels: Vec<LaneKernel> =
        LaneKernel::ALL.into_iter().filter(|kernel| kernel.is_available()).collect();
    let rows: Vec<(LaneKernel, usize)> =
        kernels.iter().flat_map(|kernel| (1..=kernel.lanes()).map(|filled| (*kernel, filled))).collect();
    let prepared: Vec<f64> =
        kernels.iter().map(|kernel| used_for(|| in_lanes(*kernel, &cases[..3], &keys, 3)) / 3.0).collect();
    let [mut library, mut hash] = [const { Vec::new() }; 2];
    let mut lanes = vec![Vec::new(); rows.len()];
    for _ in 0..rounds {
        library.push(timed(|| {
            for case in &cases {
                let good = parsed[case.key].verify_sig(&case.message, &case.signature);
                good.expect("a good signature");
            }
        }));
        for ((kernel, filled), times) in rows.iter().zip(&mut lanes) {
            times.push(timed(|| in_lanes(*kernel, &cases, &keys, *filled)));
        }
        hash.push(timed(|| {
            for case in &cases {
                black_box(hashed(black_box(case)));
            }
        }));
    }
    let (library, hash) = (median(&mut library), median(&mut hash));
    println!("RS256, {bits} bits: library {library:.2} us, of which hash {hash:.2} us");
    for (kernel, prepared) in kernels.iter().zip(prepared) {
        let of_kernel = rows.iter().zip(&mut lanes).filter(|((of, _), _)| of == kernel);
        let times: Vec<f64> = of_kernel.map(|(_, times)| median(times)).collect();
        let full = times.last().copied().expect("at least one lane");
        let filled: Vec<String> = times.iter().map(|time| format!("{time:.2}")).collect();
        println!(
            "  {kernel:?}: {full:.2} us, {:.2} times the library; 1, 2 .. lanes filled: {}; a key is prepared in {prepared:.0} us",
            library / full,
            filled.join(" ")
        );
    }
}

fn main() {
    let rounds = std::env::var("TOKENTRAIL_BENCH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    for (bits, size) in [(2048, KeySize::Rsa2048), (3072, KeySize::Rsa3072), (4096, KeySize::Rsa4096)] {
        width(bits, size, rounds.unwrap_or(41));
    }
}
