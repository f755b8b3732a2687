//! The lanes against big integers, which judge any modulus and any message, and against the library, which judges real keys.

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
fn repeated(digit: u64, digit_bits: usize, bits: usize) -> BigUint {
    let ends = (0..bits / digit_bits).map(|at| digit_bits * at);
    ends.fold(BigUint::from(0u8), |sum, end| sum + (BigUint::from(digit) << end))
}

/// Bits of a kernel's digits.
fn digit_bits(kernel: LaneKernel) -> usize {
    match kernel {
        LaneKernel::X4 => 50,
        LaneKernel::X8 => 52,
    }
}

/// Digits where something carries, or just does not: half of their range, and all of it.
fn extremal_digits(digit_bits: usize) -> [u64; 5] {
    let (half, all) = (1 << (digit_bits - 1), (1 << digit_bits) - 1);
    [half, half - 1, half + 1, all, all - 1]
}

/// Odd moduli with the top bit set, not RSA keys: the largest, the smallest, many ones, few ones, runs, extremal digits, random ones.
fn moduli(random: &mut Random, bits: usize, digit_bits: usize) -> Vec<BigUint> {
    let power = |exponent: usize| one() << exponent;
    let top = power(bits - 1);
    let mut all = vec![
        power(bits) - one(),
        power(bits) - BigUint::from(1_942_289u32),
        &top + one(),
        &top + BigUint::from(3u8),
        &top | (power(bits / 2) - one()),
        (power(bits) - one()) ^ (power(bits - 48) - power(digit_bits)),
    ];
    for digit in extremal_digits(digit_bits) {
        all.push((repeated(digit, digit_bits, bits) % &top) | &top | one());
    }
    for _ in 0..5 {
        all.push(BigUint::from_bytes_be(&random.bytes(bits / 8)) | &top | one());
    }
    all
}

/// Signatures below a modulus: its ends, its middle, small ones, powers of two, extremal digits, random ones.
fn bases(random: &mut Random, n: &BigUint, bits: usize, digit_bits: usize) -> Vec<BigUint> {
    let mut all = vec![
        n - one(),
        n - BigUint::from(1 + random.next() % 1000),
        BigUint::from(0u8),
        one(),
        n >> 1usize,
        (one() << random.below(bits - 1)) % n,
        ((one() << bits) - one()) % n,
    ];
    all.extend(extremal_digits(digit_bits).map(|digit| repeated(digit, digit_bits, bits) % n));
    all.extend((0..4).map(|_| BigUint::from_bytes_be(&random.bytes(bits / 8)) % n));
    all
}

/// The value of a double's digits modulo `n`.
fn balanced_value(digits: &[f64], n: &BigUint) -> BigUint {
    let part = |sign: f64| {
        digits.iter().enumerate().fold(BigUint::from(0u8), |sum, (at, digit)| {
            let digit = digit * sign;
            let digit = if digit > 0.0 { format!("{digit}").parse::<u64>().unwrap() } else { 0 };
            sum + (BigUint::from(digit) << (50 * at))
        })
    };
    let (positive, negative) = (part(1.0) % n, part(-1.0) % n);
    (positive + n - negative) % n
}

/// The value of digits of 52 bits.
fn value(digits: &[u64]) -> BigUint {
    digits.iter().rev().fold(BigUint::from(0u8), |sum, digit| (sum << 52usize) + BigUint::from(*digit))
}

/// A key for any modulus, and the encoded message without its hash.
fn any_key(n: &BigUint, bits: usize) -> (LaneKey, BigUint) {
    let info = "3031300d060960864801650304020105000420";
    let text = format!("0001{}00{info}{:064}", "ff".repeat(bits / 8 - 54), 0);
    let message = BigUint::parse_bytes(text.as_bytes(), 16).unwrap();
    (LaneKey::new(&big_endian(n, bits / 8), &[1, 0, 1]).unwrap(), message)
}

/// Every width in bits.
const BITS: [usize; 3] = [2048, 3072, 4096];

#[test]
fn constants_of_four_lanes_are_right() {
    for (bits, count) in BITS.into_iter().zip([41, 62, 82]) {
        for n in moduli(&mut Random(1), bits, 50) {
            let (key, message) = any_key(&n, bits);
            let key = key.x4();
            let bound = 2f64.powi(49);
            for digits in [&key.n, &key.c1, &key.c4, &key.k, &key.fk] {
                assert_eq!(digits.len(), count);
                assert!(digits.iter().all(|digit| digit.abs() <= bound && digit.fract() == 0.0));
                assert!(digits[count - 1].abs() <= bound / 2.0);
            }
            let value = |digits| balanced_value(digits, &n);
            assert_eq!(value(&key.n), BigUint::from(0u8));
            assert_eq!((value(&key.c1) << 50usize) % &n, one());
            assert_eq!((value(&key.c4) << 200usize) % &n, one());
            let r = (one() << (50 * count)) % &n;
            assert_eq!(value(&key.k) * r.modpow(&BigUint::from(65535u32), &n) % &n, one());
            assert_eq!(value(&key.fk), message * value(&key.k) % &n);
            let power = one() << 200usize;
            assert_eq!((balanced_value(&key.n_inv, &power) * &n + one()) % &power, BigUint::from(0u8));
        }
    }
}

#[test]
fn constants_of_eight_lanes_are_right() {
    for (bits, count) in BITS.into_iter().zip([40, 60, 80]) {
        for n in moduli(&mut Random(1), bits, 52) {
            let (key, message) = any_key(&n, bits);
            let key = key.x8();
            for digits in [&key.n, &key.minus_k, &key.minus_fk] {
                assert_eq!(digits.len(), count);
                assert!(digits.iter().all(|digit| *digit < 1 << 52));
            }
            assert_eq!(value(&key.n), n);
            assert!(value(&key.minus_k) < n && value(&key.minus_fk) < n);
            let k = &n - value(&key.minus_k);
            let r = (one() << (52 * count)) % &n;
            assert_eq!(&k * r.modpow(&BigUint::from(65535u32), &n) % &n, one());
            assert_eq!(&n - value(&key.minus_fk), message * &k % &n);
            let power = one() << 52usize;
            assert_eq!((BigUint::from(key.n_inv) * &n + one()) % &power, BigUint::from(0u8));
        }
    }
}

/// A modulus with signatures of which the 65537th power is known.
struct Known {
    kernel: LaneKernel,
    n: BigUint,
    key: LaneKey,
    k: BigUint,
    powers: Vec<(BigUint, BigUint)>,
}

impl Known {
    fn all(random: &mut Random, kernel: LaneKernel, bits: usize) -> Vec<Self> {
        let known = |n: BigUint| {
            let (key, _) = any_key(&n, bits);
            let power = |s: BigUint| (s.modpow(&exponent(), &n), s);
            let bases = bases(random, &n, bits, digit_bits(kernel));
            let powers = bases.into_iter().map(power).map(|(v, s)| (s, v)).collect();
            let k = match kernel {
                LaneKernel::X4 => balanced_value(&key.x4().k, &n),
                LaneKernel::X8 => &n - value(&key.x8().minus_k),
            };
            Self { kernel, n, key, k, powers }
        };
        moduli(&mut Random(1), bits, digit_bits(kernel)).into_iter().map(known).collect()
    }

    /// The key with another fixed part `f` of the message, so that exactly the signatures whose power is `target` are good for this
    /// digest: any signature under any modulus can be a good one, without a private key.
    fn wanting(&self, target: &BigUint, digest: &[u8]) -> (LaneKey, BigUint) {
        let f = (target + &self.n - BigUint::from_bytes_be(digest) % &self.n) % &self.n;
        let fk = &f * &self.k % &self.n;
        let mut key = self.key.clone();
        match self.kernel {
            LaneKernel::X4 => key.x4 = key.x4().with_fk(&fk.to_bytes_be()).into(),
            LaneKernel::X8 => key.x8 = key.x8().with_minus_fk(&(&self.n - fk).to_bytes_be()).into(),
        }
        (key, f)
    }

    /// A key, a digest and a signature, and whether it is good.
    fn case(&self, random: &mut Random) -> (LaneKey, [u8; 32], Vec<u8>, bool) {
        let n = &self.n;
        let bytes = self.key.modulus().len();
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

/// Every kernel that can be tested here.
fn kernels() -> impl Iterator<Item = LaneKernel> {
    LaneKernel::ALL.into_iter().filter(|kernel| kernel.is_available())
}

/// Now and then a few lanes, else all of them.
fn filled(random: &mut Random, kernel: LaneKernel) -> usize {
    if random.below(4) > 0 { kernel.lanes() } else { 1 + random.below(kernel.lanes()) }
}

/// Lanes of mixed keys, all or a few of them, each answer as by big integers.
fn agree_with_big_integers(bits: usize, checks: usize) {
    for kernel in kernels() {
        let mut random = Random(2);
        let known = Known::all(&mut random, kernel, bits);
        let mut counts = [0; 2];
        while counts.iter().sum::<usize>() < checks {
            let cases: Vec<_> = (0..filled(&mut random, kernel))
                .map(|_| known[random.below(known.len())].case(&mut random))
                .collect();
            let jobs: Vec<_> =
                cases.iter().map(|(key, digest, signature, _)| LaneJob { key, digest, signature }).collect();
            let mut wanted = [false; LANES_MAX];
            for (wanted, (.., good)) in wanted.iter_mut().zip(&cases) {
                *wanted = *good;
                counts[usize::from(*good)] += 1;
            }
            assert_eq!(kernel.accepted(&jobs), wanted, "{kernel:?}, {bits} bits, after {counts:?}");
        }
        let [bad, good] = counts;
        assert!(bad > checks / 4 && good > checks / 3, "{bad} bad and {good} good ones");
    }
}

// Together, for two kernels, these tests and those with the library make 100,000 checks. Millions: `scripts/verify-differential.sh`.

#[test]
fn lanes_of_2048_bits_agree_with_big_integers() {
    agree_with_big_integers(2048, 16_000);
}

#[test]
fn lanes_of_3072_bits_agree_with_big_integers() {
    agree_with_big_integers(3072, 4000);
}

#[test]
fn lanes_of_4096_bits_agree_with_big_integers() {
    agree_with_big_integers(4096, 4000);
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
fn agree_with_the_library(random: &mut Random, kernel: LaneKernel, signers: &[Signer], checks: usize) {
    let mut counts = [0; 2];
    while counts.iter().sum::<usize>() < checks {
        let case = |_| {
            let signer = &signers[random.below(signers.len())];
            let (message, signature) = signer.case(random);
            let digest: [u8; 32] = digest(&SHA256, &message).as_ref().try_into().unwrap();
            (signer, message, digest, signature)
        };
        let cases: Vec<_> = (0..kernel.lanes()).map(case).collect();
        let jobs: Vec<_> = cases
            .iter()
            .map(|(signer, _, digest, signature)| LaneJob { key: &signer.lane, digest, signature })
            .collect();
        let accepted = kernel.accepted(&jobs);
        for ((signer, message, _, signature), accepted) in cases.iter().zip(accepted) {
            let good = signer.library.verify_sig(message, signature).is_ok();
            counts[usize::from(good)] += 1;
            assert_eq!(accepted, good, "{kernel:?}, after {counts:?}");
        }
    }
    let [bad, good] = counts;
    assert!(bad > checks / 4 && good > checks / 4, "{bad} bad and {good} good ones");
}

#[test]
fn every_width_agrees_with_the_library() {
    for kernel in kernels() {
        let mut random = Random(3);
        for (signers, checks) in signers().iter().zip([22_000, 4000, 4000]) {
            agree_with_the_library(&mut random, kernel, signers, checks);
        }
    }
}

#[test]
fn lanes_of_another_width_and_beyond_the_last_are_not_heard() {
    let [short, long, _] = signers();
    let digests = [&short[0], &long[0]]
        .map(|signer| <[u8; 32]>::try_from(digest(&SHA256, &signer.signed[1].0).as_ref()).unwrap());
    let job = |signer: &'static Signer, digest| LaneJob {
        key: &signer.lane,
        digest,
        signature: &signer.signed[1].1,
    };
    let [a, b] = [job(&short[0], &digests[0]), job(&long[0], &digests[1])];
    for kernel in kernels() {
        assert_eq!(kernel.accepted(&[a, b, a])[..4], [true, false, true, false], "{kernel:?}");
        assert_eq!(kernel.accepted(&[b, a, b])[..4], [true, false, true, false], "{kernel:?}");
        assert_eq!(kernel.accepted(&[]), [false; LANES_MAX], "{kernel:?}");
        let good = kernel.accepted(&[a; LANES_MAX + 1]).into_iter().filter(|good| *good).count();
        assert_eq!(good, kernel.lanes(), "{kernel:?}");
    }
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
