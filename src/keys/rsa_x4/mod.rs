//! Four RSA signatures at once: RSASSA-PKCS1-v1_5 with SHA-256 and `e = 65537` (RFC 8017 section 8.2.2), in AVX2 and FMA.
//!
//! A log holds thousands of signatures under a handful of keys, and a library verifies them one at a time. Here the four lanes of
//! a vector belong to four signatures, under the same key or different ones, which takes about a third of the time. Nothing
//! secret enters, so nothing is constant-time.
//!
//! It may only *accept*: where `s < n` and `s^65537` is congruent to the whole encoded message, padding and digest, every bit.
//! Whatever is not accepted is the library's to judge, so a fault in here can neither forge a signature nor accuse one.
//!
//! # Numbers
//!
//! A number is `D` balanced digits of `W = 50` bits, `-2^49 <= d <= 2^49`, each held exactly in a double. `D` is 41 for moduli of 2048
//! bits, 62 for 3072, 82 for 4096: the least with `n < R/4` for `R = 2^(50 D)`, which the bounds below need.
//!
//! `columns` forms exact sums of digit products, `roll` does most of them, `reduce` divides by `R` modulo `n`, `check` puts
//! the congruence together, `key` makes what depends on the key alone, with the arithmetic of
//! `modulus`.
//!
//! # Why a reduced number stays below `n (1 + 2^-47)`, for every size
//!
//! `reduce` takes the digits of `T` off from below. `C1 = 2^-50 mod n` and `C4 = 2^-200 mod n` are centred, so at most `n/2`. Taking
//! one digit `q` off gives `(T - q)/2^50 + q C1`; taking four, `Q`, gives `(T - Q)/2^200 + Q C4` with `|Q| <= 2^199 (1 + 2^-49)`. For the
//! last four digits, `m = Q (-1/n) mod 2^200`, which is bounded like `Q`, and `(T + m n)/2^200` remains. Each step divides what
//! the steps before it added, so what all but the last two steps add ends below `n 2^-190`, and
//!
//! ```text
//! |result| <= |T|/R + |Q| (n/2)/2^200 + |m| n/2^200 <= |T|/R + (n/4 + n/2)(1 + 2^-48)
//! ```
//!
//! Let `|a| <= n (1 + d)` with `d = 2^-47`. As `n < R/4`, `a^2/R <= n/4 (1 + d)^2`, so the reduced square is at most
//! `n (1/4 + d/2 + d^2/4 + 3/4 + 3/4 2^-48)`, which is below `n (1 + d)` because `d/2 = 2^-48`. A signature starts below `n`. So the bound
//! holds after every squaring; and as `n (1 + d) < 2^(50 D - 2) (1 + 2^-47)`, the top digit stays below `2^48 + 2`: no carry is lost.
//!
//! # The congruence
//!
//! `s` is used as it is: sixteen squarings, each with a reduction, give `x = s^65536 R^-65535`. With `K = R^-65535 mod n`, the hash `h`
//! and the rest `F` of the encoded message, `s^65537 = F + h (mod n)` is the same as `x s - h K - F K = 0 (mod n)`, because `n` is odd.
//! `K` is centred, `F K` lies in `[0, n)`, and `h < 2^256`, so that sum is at most `n^2 (1 + 2^-47) + 2^255 n + n`, and its
//! reduction at most
//!
//! * 2048 bits: `n/4 (1 + 2^-46) + 3n/4 (1 + 2^-48)`, because `n/R < 2^-2`; below `2n`.
//! * 3072 bits: `n 2^-27 + 3n/4 (1 + 2^-48)`, because `n/R < 2^-28`; below `n`.
//! * 4096 bits: `n/16 (1 + 2^-46) + 3n/4 (1 + 2^-48)`, because `n/R < 2^-4`; below `n`.
//!
//! The only multiple of `n` below `n` is `0`; below `2n` there are `n` and `-n` too. All three are looked for at every size, and
//! nothing else is congruent to 0. Both `F + h` (it begins with a zero byte and a 1, and the top bit of `n` is set) and `s^65537 mod n` lie in
//! `[0, n)`, so being congruent is being equal.

#[cfg(target_arch = "x86_64")]
mod check;
#[cfg(target_arch = "x86_64")]
mod columns;
mod key;
mod modulus;
#[cfg(target_arch = "x86_64")]
mod reduce;
#[cfg(target_arch = "x86_64")]
mod roll;
#[cfg(test)]
#[cfg(target_arch = "x86_64")]
mod tests;

use key::Constants;

/// Signatures that are verified at once.
pub const LANES: usize = 4;

/// Digits of a 2048-bit modulus.
const D2048: usize = 41;
/// Digits of a 3072-bit modulus.
const D3072: usize = 62;
/// Digits of a 4096-bit modulus.
const D4096: usize = 82;

/// Moduli of one length, whose signatures can share the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl Width {
    /// Every width, the shortest first.
    pub const ALL: [Self; 3] = [Self::Bits2048, Self::Bits3072, Self::Bits4096];

    /// The width of a key that the lanes take: one of three lengths with the top bit set, odd, and the usual exponent.
    fn of(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let width = match modulus.len() {
            256 => Self::Bits2048,
            384 => Self::Bits3072,
            512 => Self::Bits4096,
            _ => return None,
        };
        let full = modulus.first().is_some_and(|first| *first >= 0x80);
        let odd = modulus.last().is_some_and(|last| last % 2 == 1);
        (full && odd && exponent == [1, 0, 1]).then_some(width)
    }
}

/// A key made ready for the lanes: everything that depends on the modulus only.
#[derive(Clone, Debug)]
pub struct LaneKey(Digits);

#[derive(Clone, Debug)]
enum Digits {
    Bits2048(Box<Constants<f64, D2048>>),
    Bits3072(Box<Constants<f64, D3072>>),
    Bits4096(Box<Constants<f64, D4096>>),
}

impl LaneKey {
    /// Prepares a key of big-endian numbers without leading zeros; `None` for one that the lanes do not take.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        Some(Self(match Width::of(modulus, exponent)? {
            Width::Bits2048 => Digits::Bits2048(Box::new(Constants::new(modulus))),
            Width::Bits3072 => Digits::Bits3072(Box::new(Constants::new(modulus))),
            Width::Bits4096 => Digits::Bits4096(Box::new(Constants::new(modulus))),
        }))
    }

    /// The signatures that it can share the lanes with.
    pub fn width(&self) -> Width {
        match &self.0 {
            Digits::Bits2048(_) => Width::Bits2048,
            Digits::Bits3072(_) => Width::Bits3072,
            Digits::Bits4096(_) => Width::Bits4096,
        }
    }
}

/// One signature for a lane.
#[derive(Clone, Copy, Debug)]
pub struct LaneJob<'a> {
    /// Whose signature it would be.
    pub key: &'a LaneKey,
    /// SHA-256 of the signed bytes.
    pub digest: &'a [u8; 32],
    /// Big-endian, as it stands; one of another length than the modulus is not accepted.
    pub signature: &'a [u8],
}

/// True if this processor can fill the lanes, and its floating point stands as Rust wants it: round to nearest, nothing flushed to zero.
pub fn lanes_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && check::rounds_to_nearest()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Which signatures, under keys of one width, are accepted. `false` says nothing about a signature: it is the answer for
/// a lane that is not filled, a key of another width than the first one's, and a processor without lanes, too.
pub fn accepted(jobs: &[Option<LaneJob<'_>>; LANES]) -> [bool; LANES] {
    let Some(first) = jobs.iter().flatten().next().filter(|_| lanes_available()) else {
        return [false; LANES];
    };
    match &first.key.0 {
        Digits::Bits2048(key) => fill(jobs, key, |digits| match digits {
            Digits::Bits2048(key) => Some(key),
            _ => None,
        }),
        Digits::Bits3072(key) => fill(jobs, key, |digits| match digits {
            Digits::Bits3072(key) => Some(key),
            _ => None,
        }),
        Digits::Bits4096(key) => fill(jobs, key, |digits| match digits {
            Digits::Bits4096(key) => Some(key),
            _ => None,
        }),
    }
}

/// Fills the lanes and asks. A lane without a possible signature gets zero under the first key, and its answer is not heard.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the call into code for AVX2 and FMA")]
fn fill<'a, const D: usize>(
    jobs: &[Option<LaneJob<'a>>; LANES],
    first: &'a Constants<f64, D>,
    of: impl Fn(&'a Digits) -> Option<&'a Constants<f64, D>>,
) -> [bool; LANES] {
    const NOTHING: [u8; 32] = [0; 32];
    let mut lanes = [check::Lane { key: first, signature: &[], digest: &NOTHING }; LANES];
    let mut heard = [false; LANES];
    for ((lane, heard), job) in lanes.iter_mut().zip(&mut heard).zip(jobs) {
        if let Some(job) = job
            && let Some(key) = of(&job.key.0).filter(|key| job.signature < key.modulus.as_slice())
            && job.signature.len() == key.modulus.len()
        {
            *lane = check::Lane { key, signature: job.signature, digest: job.digest };
            *heard = true;
        }
    }
    // SAFETY: the only caller has just found AVX2 and FMA in `lanes_available`.
    let good = unsafe { check::congruent(&lanes) };
    let mut accepted = [false; LANES];
    for ((accepted, heard), good) in accepted.iter_mut().zip(heard).zip(good) {
        *accepted = heard && good;
    }
    accepted
}

#[cfg(not(target_arch = "x86_64"))]
fn fill<'a, const D: usize>(
    _: &[Option<LaneJob<'a>>; LANES],
    _: &'a Constants<f64, D>,
    _: impl Fn(&'a Digits) -> Option<&'a Constants<f64, D>>,
) -> [bool; LANES] {
    [false; LANES]
}
