//! Signatures under real keys, good, forged and malformed, judged by the library and in the lanes by each kernel that the processor can
//! run: a different answer ends the run.
//! `scripts/verify-differential.sh` builds and runs it.
//!
//! Arguments: checks for each kernel (default 1000000), seed (default 1).

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a tool of the developers, which may stop at the first surprise"
)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature as sign;
use aws_lc_rs::signature::KeyPair as _;
use rsa::BigUint;
use sha2::{Digest as _, Sha256};
use tokentrail::keys::{LaneJob, LaneKernel, LaneKey};

/// Keys of one width.
const KEYS: usize = 4;
/// Signatures that each key makes; the cases are made of them.
const SIGNED: usize = 64;

/// xorshift64*: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a small number");
        usize::try_from(self.next() % end).expect("a small number")
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_be_bytes()[0]).collect()
    }
}

struct Signer {
    lane: LaneKey,
    library: sign::ParsedPublicKey,
    modulus: BigUint,
    /// Message, signature.
    signed: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Signer {
    fn new(size: KeySize, random: &mut Random) -> Self {
        let pair = sign::RsaKeyPair::generate(size).expect("a key");
        let public: sign::RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
        let signed = |_| {
            let length = random.below(200);
            let message = random.bytes(length);
            let mut signature = vec![0; pair.public_modulus_len()];
            let signed = pair.sign(&sign::RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature);
            signed.expect("a signature");
            (message, signature)
        };
        Self {
            lane: LaneKey::new(&public.n, &public.e).expect("a usual key"),
            signed: (0..SIGNED).map(signed).collect(),
            modulus: BigUint::from_bytes_be(&public.n),
            library: public.to_parsed_public_key(&sign::RSA_PKCS1_2048_8192_SHA256).expect("a key"),
        }
    }

    /// A message and a signature: every second time as they were made.
    fn case(&self, random: &mut Random) -> (Vec<u8>, Vec<u8>) {
        let (mut message, mut signature) = self.signed[random.below(SIGNED)].clone();
        let bytes = signature.len();
        let number = |number: BigUint| {
            let number = number.to_bytes_be();
            [vec![0; bytes.saturating_sub(number.len())], number].concat()
        };
        let s = BigUint::from_bytes_be(&signature);
        match random.below(20) {
            0 => message.push(0),
            1 => message.clone_from(&self.signed[random.below(SIGNED)].0),
            2 | 3 => signature[random.below(bytes)] ^= 1 << random.below(8),
            4 => signature = number(&self.modulus - s),
            5 => signature = number(&self.modulus + s),
            6 => signature = number(&self.modulus - BigUint::from(random.below(3))),
            7 => signature.truncate(random.below(bytes)),
            8 => signature.insert(0, 0),
            9 => signature = number(BigUint::from_bytes_be(&random.bytes(bytes)) % &self.modulus),
            10 => signature = number(BigUint::from(random.below(3))),
            _ => {}
        }
        (message, signature)
    }
}

/// Fills the lanes again and again; the numbers of bad and good signatures.
fn compare(kernel: LaneKernel, signers: &[Signer], checks: usize, random: &mut Random) -> [usize; 2] {
    let mut counts = [0; 2];
    while counts.iter().sum::<usize>() < checks {
        let case = |_| {
            let signer = &signers[random.below(signers.len())];
            // Now and then another key's signature.
            let of = if random.below(16) == 0 { &signers[random.below(signers.len())] } else { signer };
            let (message, signature) = of.case(random);
            let digest: [u8; 32] = Sha256::digest(&message).into();
            (signer, message, digest, signature)
        };
        let cases: Vec<_> = (0..kernel.lanes()).map(case).collect();
        let jobs: Vec<_> = cases
            .iter()
            .map(|(signer, _, digest, signature)| LaneJob { key: &signer.lane, digest, signature })
            .collect();
        for ((signer, message, _, signature), accepted) in cases.iter().zip(kernel.accepted(&jobs)) {
            let good = signer.library.verify_sig(message, signature).is_ok();
            assert_eq!(accepted, good, "{kernel:?}, after {counts:?}: the library says {good}");
            counts[usize::from(good)] += 1;
        }
    }
    counts
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let checks: usize = arguments.next().map_or(1_000_000, |text| text.parse().expect("a number of checks"));
    let seed: u64 = arguments.next().map_or(1, |text| text.parse().expect("a seed"));
    let kernels: Vec<LaneKernel> =
        LaneKernel::ALL.into_iter().filter(|kernel| kernel.is_available()).collect();
    assert!(!kernels.is_empty(), "this processor has no lanes: AVX2 and FMA are needed");
    for (bits, size, share) in
        [(2048, KeySize::Rsa2048, 2), (3072, KeySize::Rsa3072, 4), (4096, KeySize::Rsa4096, 4)]
    {
        let mut random = Random(seed);
        let signers: Vec<Signer> = (0..KEYS).map(|_| Signer::new(size, &mut random)).collect();
        for kernel in &kernels {
            let [bad, good] = compare(*kernel, &signers, checks / share, &mut random);
            println!(
                "RS256, {bits} bits, {kernel:?}: {good} good and {bad} bad signatures, 0 different answers"
            );
        }
    }
}
