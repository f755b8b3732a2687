//! The lanes against big integers, which judge any modulus and any message, and against the library, which judges real keys.

use super::key::Constants;
use super::key::HALF;
use super::key::MASK;
use super::key::W;
use super::key::balanced;
use super::key::digits;
use super::*;
use aws_lc_rs::digest::SHA256;
use aws_lc_rs::digest::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as sign;
use aws_lc_rs::signature::KeyPair as _;
use rsa::BigUint;
use std::sync::OnceLock;

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
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_be_bytes()[0]).collect()
    }
}

fn one() -> BigUint {
    BigUint::from(1u8)
}

fn exponent() -> BigUint {
    BigUint::from(65537u32)
}

fn big_endian(number: &BigUint, bytes: usize) -> Vec<u8> {
    let number = number.to_bytes_be();
    [vec![0; bytes.saturating_sub(number.len())], number].concat()
}

/// A number whose digits are all the same.
fn repeated(digit: u64, count: usize) -> BigUint {
    (0..count).fold(BigUint::from(0u8), |sum, at| sum + (BigUint::from(digit) << (W * at)))
}

/// Odd moduli with the top bit set, not RSA keys: the largest, the smallest, many ones, few ones, runs, extremal digits, random ones.
fn moduli(random: &mut Random, bits: usize) -> Vec<BigUint> {
    let power = |exponent: usize| one() << exponent;
    let top = power(bits - 1);
    let mut all = vec![
        power(bits) - one(),
        power(bits) - BigUint::from(1_942_289u32),
        &top + one(),
        &top + BigUint::from(3u8),
        &top | (power(bits / 2) - one()),
        (power(bits) - one()) ^ (power(bits - 48) - power(W)),
    ];
    for digit in [HALF, HALF - 1, HALF + 1, MASK, MASK - 1] {
        all.push((repeated(digit, bits / W) % &top) | &top | one());
    }
    for _ in 0..5 {
        all.push(BigUint::from_bytes_be(&random.bytes(bits / 8)) | &top | one());
    }
    all
}

/// Signatures below a modulus: its ends, its middle, small ones, powers of two, extremal digits, random ones.
fn bases(random: &mut Random, n: &BigUint, bits: usize) -> Vec<BigUint> {
    let mut all = vec![
        n - one(),
        n - BigUint::from(1 + random.next() % 1000),
        BigUint::from(0u8),
        one(),
        n >> 1usize,
        (one() << random.below(bits - 1)) % n,
        ((one() << bits) - one()) % n,
        repeated(HALF, bits / W) % n,
        repeated(HALF - 1, bits / W) % n,
        repeated(MASK, bits / W) % n,
    ];
    all.extend((0..4).map(|_| BigUint::from_bytes_be(&random.bytes(bits / 8)) % n));
    all
}

/// The value of balanced digits modulo `n`.
fn value(digits: &[f64], n: &BigUint) -> BigUint {
    let part = |sign: f64| {
        digits.iter().enumerate().fold(BigUint::from(0u8), |sum, (at, digit)| {
            let digit = digit * sign;
            let digit = if digit > 0.0 { format!("{digit}").parse::<u64>().unwrap() } else { 0 };
            sum + (BigUint::from(digit) << (W * at))
        })
    };
    let (positive, negative) = (part(1.0) % n, part(-1.0) % n);
    (positive + n - negative) % n
}

fn constants_are_right<const D: usize>(bits: usize) {
    for n in moduli(&mut Random(1), bits) {
        let key = Constants::<f64, D>::new(&big_endian(&n, bits / 8));
        let bound = 2f64.powi(49);
        for digits in [&key.n, &key.c1, &key.c4, &key.k, &key.fk] {
            assert!(digits.iter().all(|digit| digit.abs() <= bound && digit.fract() == 0.0));
            assert!(digits[D - 1].abs() <= bound / 2.0);
        }
        assert_eq!(value(&key.n, &n), BigUint::from(0u8));
        assert_eq!((value(&key.c1, &n) << W) % &n, one());
        assert_eq!((value(&key.c4, &n) << (4 * W)) % &n, one());
        let r = (one() << (W * D)) % &n;
        assert_eq!(value(&key.k, &n) * r.modpow(&BigUint::from(65535u32), &n) % &n, one());
        let info = "3031300d060960864801650304020105000420";
        let text = format!("0001{}00{info}{:064}", "ff".repeat(bits / 8 - 54), 0);
        let message = BigUint::parse_bytes(text.as_bytes(), 16).unwrap();
        assert_eq!(value(&key.fk, &n), message * value(&key.k, &n) % &n);
        let power = one() << (4 * W);
        assert_eq!((value(&key.n_inv, &power) * &n + one()) % &power, BigUint::from(0u8));
    }
}

#[test]
fn constants_are_right_at_every_width() {
    constants_are_right::<D2048>(2048);
    constants_are_right::<D3072>(3072);
    constants_are_right::<D4096>(4096);
}

/// A modulus with signatures of which the 65537th power is known.
struct Known<const D: usize> {
    n: BigUint,
    key: Constants<f64, D>,
    k: BigUint,
    powers: Vec<(BigUint, BigUint)>,
}

impl<const D: usize> Known<D> {
    fn all(random: &mut Random, bits: usize) -> Vec<Self> {
        let known = |n: BigUint| {
            let key = Constants::new(&big_endian(&n, bits / 8));
            let power = |s: BigUint| (s.modpow(&exponent(), &n), s);
            let powers = bases(random, &n, bits).into_iter().map(power).map(|(v, s)| (s, v)).collect();
            Self { k: value(&key.k, &n), key, n, powers }
        };
        moduli(&mut Random(1), bits).into_iter().map(known).collect()
    }

    /// The key with another fixed part `f` of the message, so that exactly the signatures whose power is `target` are good for this
    /// digest: any signature under any modulus can be a good one, without a private key.
    fn wanting(&self, target: &BigUint, digest: &[u8]) -> (Constants<f64, D>, BigUint) {
        let f = (target + &self.n - BigUint::from_bytes_be(digest) % &self.n) % &self.n;
        let fk = (&f * &self.k % &self.n).to_bytes_be();
        (Constants { fk: balanced(&digits(&fk)), ..self.key.clone() }, f)
    }

    /// A key, a digest and a signature, and whether it is good.
    fn case(&self, random: &mut Random) -> (Constants<f64, D>, [u8; 32], Vec<u8>, bool) {
        let n = &self.n;
        let bytes = self.key.modulus.len();
        let (mut s, mut power) = self.powers[random.below(self.powers.len())].clone();
        let mut digest: [u8; 32] = match random.below(8) {
            0 => [0xff; 32],
            1 => [0; 32],
            _ => random.bytes(32).try_into().unwrap(),
        };
        let (mut key, mut f) = self.wanting(&power, &digest);
        match random.below(24) {
            0 => digest[random.below(32)] ^= 1 << random.below(8),
            1 => (key, f) = self.wanting(&(&power + one()), &digest),
            2 => (key, f) = self.wanting(&(&power + (one() << (256 + random.below(1000)))), &digest),
            3 | 4 => (s, power) = self.powers[random.below(self.powers.len())].clone(),
            5 | 6 => (s, power) = ((n - s) % n, (n - power) % n),
            7 => s += n,
            8 => s = n.clone(),
            9 => {
                s ^= one() << random.below(8 * bytes - 1);
                power = s.modpow(&exponent(), n);
            }
            _ => {}
        }
        let mut signature = big_endian(&s, bytes);
        match random.below(32) {
            0 => drop(signature.remove(0)),
            1 => signature.insert(0, 0),
            2 => signature.clear(),
            _ => {}
        }
        let congruent = power == (f + BigUint::from_bytes_be(&digest)) % n;
        (key, digest, signature.clone(), congruent && s < *n && signature.len() == bytes)
    }
}

/// One to four lanes of mixed keys, each answer as by big integers; the numbers of bad and good signatures.
fn agree_with_big_integers<const D: usize>(
    width: fn(Box<Constants<f64, D>>) -> Digits,
    bits: usize,
    rounds: usize,
) -> [usize; 2] {
    let mut random = Random(2);
    let known = Known::<D>::all(&mut random, bits);
    let mut counts = [0; 2];
    for round in 0..rounds {
        let cases: [_; LANES] = std::array::from_fn(|_| known[random.below(known.len())].case(&mut random));
        let filled: [bool; LANES] = std::array::from_fn(|_| random.below(8) > 0);
        let keys = cases.each_ref().map(|(key, ..)| LaneKey(width(Box::new(key.clone()))));
        let jobs = std::array::from_fn(|lane| {
            let (_, digest, signature, _) = &cases[lane];
            filled[lane].then_some(LaneJob { key: &keys[lane], digest, signature })
        });
        let wanted = std::array::from_fn(|lane| filled[lane] && cases[lane].3);
        let answers = if lanes_available() { accepted(&jobs) } else { wanted };
        assert_eq!(answers, wanted, "{bits} bits, round {round}");
        for lane in 0..LANES {
            counts[usize::from(wanted[lane])] += usize::from(filled[lane]);
        }
    }
    counts
}

// Together, these tests and those with the library make 100,000 checks. Millions: `scripts/verify-differential.sh`.

#[test]
fn lanes_of_2048_bits_agree_with_big_integers() {
    let [bad, good] = agree_with_big_integers(Digits::Bits2048, 2048, 8000);
    assert!(bad > 8000 && good > 12_000, "{bad} bad and {good} good ones");
}

#[test]
fn lanes_of_3072_bits_agree_with_big_integers() {
    let [bad, good] = agree_with_big_integers(Digits::Bits3072, 3072, 2000);
    assert!(bad > 2000 && good > 3000, "{bad} bad and {good} good ones");
}

#[test]
fn lanes_of_4096_bits_agree_with_big_integers() {
    let [bad, good] = agree_with_big_integers(Digits::Bits4096, 4096, 2000);
    assert!(bad > 2000 && good > 3000, "{bad} bad and {good} good ones");
}

/// Real keys, with signatures over real messages.
struct Signer {
    lane: LaneKey,
    library: sign::ParsedPublicKey,
    modulus: Vec<u8>,
    /// Message, signature.
    signed: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Signer {
    fn new(pair: &sign::RsaKeyPair) -> Self {
        let public: sign::RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
        let random = SystemRandom::new();
        let signed = (0..16u8).map(|at| {
            let message = vec![at; usize::from(at) * 7];
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(&sign::RSA_PKCS1_SHA256, &random, &message, &mut signature).unwrap();
            (message, signature)
        });
        Self {
            lane: LaneKey::new(&public.n, &public.e).unwrap(),
            library: public.to_parsed_public_key(&sign::RSA_PKCS1_2048_8192_SHA256).unwrap(),
            signed: signed.collect(),
            modulus: public.n,
        }
    }

    /// A message and a signature, often changed.
    fn case(&self, random: &mut Random) -> (Vec<u8>, Vec<u8>) {
        let (mut message, mut signature) = self.signed[random.below(self.signed.len())].clone();
        let n = BigUint::from_bytes_be(&self.modulus);
        let s = BigUint::from_bytes_be(&signature);
        let bytes = signature.len();
        match random.below(16) {
            0 => message.push(0),
            1..3 => signature[random.below(bytes)] ^= 1 << random.below(8),
            3 => signature = big_endian(&(n - s), bytes),
            4 => signature = big_endian(&(n + s), bytes),
            5 => signature = self.modulus.clone(),
            6 => signature.truncate(random.below(bytes)),
            7 => signature.insert(0, 0),
            8 => signature = random.bytes(bytes),
            _ => {}
        }
        (message, signature)
    }
}

/// The signers of each width.
fn signers() -> &'static [Vec<Signer>; 3] {
    static SIGNERS: OnceLock<[Vec<Signer>; 3]> = OnceLock::new();
    SIGNERS.get_or_init(|| {
        let signer = |pkcs8: &[u8]| Signer::new(&sign::RsaKeyPair::from_pkcs8(pkcs8).unwrap());
        let a = include_bytes!("../../../testdata/keys/test-only-rsa2048-a.pk8");
        let b = include_bytes!("../../../testdata/keys/test-only-rsa2048-b.pk8");
        let c = include_bytes!("../../../testdata/keys/test-only-rsa3072.pk8");
        let d = include_bytes!("../../../testdata/keys/test-only-rsa4096.pk8");
        [vec![signer(a), signer(b)], vec![signer(c)], vec![signer(d)]]
    })
}

/// Asks the lanes and the library; the numbers of bad and good signatures.
fn agree_with_the_library(random: &mut Random, signers: &[Signer], rounds: usize) -> [usize; 2] {
    let mut counts = [0; 2];
    for round in 0..rounds {
        let cases: [_; LANES] = std::array::from_fn(|_| {
            let signer = &signers[random.below(signers.len())];
            let (message, signature) = signer.case(random);
            let digest: [u8; 32] = digest(&SHA256, &message).as_ref().try_into().unwrap();
            (signer, message, digest, signature)
        });
        let jobs = cases
            .each_ref()
            .map(|(signer, _, digest, signature)| Some(LaneJob { key: &signer.lane, digest, signature }));
        let wanted = cases.each_ref().map(|(signer, message, _, signature)| {
            let good = signer.library.verify_sig(message, signature).is_ok();
            counts[usize::from(good)] += 1;
            good
        });
        let answers = if lanes_available() { accepted(&jobs) } else { wanted };
        assert_eq!(answers, wanted, "round {round}");
    }
    counts
}

#[test]
fn every_width_agrees_with_the_library() {
    let mut random = Random(3);
    for (signers, rounds) in signers().iter().zip([11_000, 2000, 2000]) {
        let [bad, good] = agree_with_the_library(&mut random, signers, rounds);
        assert!(bad > rounds && good > rounds, "{bad} bad and {good} good ones");
    }
}

#[test]
fn lanes_of_another_width_are_not_heard() {
    if !lanes_available() {
        return;
    }
    let [short, long, _] = signers();
    let job = |signer: &'static Signer, digest| {
        Some(LaneJob { key: &signer.lane, digest, signature: &signer.signed[1].1 })
    };
    let digests: Vec<[u8; 32]> = [&short[0], &long[0]]
        .map(|signer| digest(&SHA256, &signer.signed[1].0).as_ref().try_into().unwrap())
        .to_vec();
    let [a, b] = [job(&short[0], &digests[0]), job(&long[0], &digests[1])];
    assert_eq!(accepted(&[a, b, None, a]), [true, false, false, true]);
    assert_eq!(accepted(&[None, b, a, None]), [false, true, false, false]);
    assert_eq!(accepted(&[None; LANES]), [false; LANES]);
}

#[test]
fn other_keys_are_the_librarys() {
    let modulus = |first: u8, last: u8, bytes: usize| {
        let mut modulus = vec![0xc5; bytes];
        modulus[0] = first;
        modulus[bytes - 1] = last;
        modulus
    };
    for bytes in [256, 384, 512] {
        assert!(LaneKey::new(&modulus(0x80, 1, bytes), &[1, 0, 1]).is_some());
        assert!(LaneKey::new(&modulus(0x7f, 1, bytes), &[1, 0, 1]).is_none());
        assert!(LaneKey::new(&modulus(0x80, 2, bytes), &[1, 0, 1]).is_none());
        assert!(LaneKey::new(&modulus(0x80, 1, bytes), &[3]).is_none());
        assert!(LaneKey::new(&modulus(0x80, 1, bytes), &[1, 0, 0, 1]).is_none());
        assert!(LaneKey::new(&modulus(0x80, 1, bytes + 1), &[1, 0, 1]).is_none());
        assert!(LaneKey::new(&modulus(0x80, 1, bytes - 1), &[1, 0, 1]).is_none());
    }
    assert!(LaneKey::new(&[], &[1, 0, 1]).is_none());
}

#[test]
fn only_the_default_floating_point_will_do() {
    assert!(check::is_default(0x1f80), "as a thread starts");
    assert!(check::is_default(0x1fbf), "whatever happened so far");
    for (control, why) in [
        (0x1fc0, "operands flushed to zero"),
        (0x9f80, "results flushed to zero"),
        (0x3f80, "rounding down"),
        (0x5f80, "rounding up"),
        (0x7f80, "rounding to zero"),
        (0x0f80, "inexact results raise"),
    ] {
        assert!(!check::is_default(control), "{why}");
    }
}
