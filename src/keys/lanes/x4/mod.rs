//! Four signatures in AVX2 and FMA.
//!
//! # Numbers
//!
//! A number is `D` balanced digits of `W = 50` bits, `-2^49 <= d <= 2^49`, each held exactly in a double. `D` is 41 for moduli of 2048
//! bits, 62 for 3072, 82 for 4096: the least with `n < R/4` for `R = 2^(50 D)`, which the bounds below need.
//!
//! `columns` forms exact sums of digit products, `roll` does most of them, `reduce` divides by `R` modulo `n`, `check` puts
//! the congruence together, `key` makes what depends on the key alone.
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
//! # What the congruence comes to
//!
//! `K` is centred, `F K` lies in `[0, n)`, and `h < 2^256`, so that sum is at most `n^2 (1 + 2^-47) + 2^255 n + n`, and its
//! reduction at most
//!
//! * 2048 bits: `n/4 (1 + 2^-46) + 3n/4 (1 + 2^-48)`, because `n/R < 2^-2`; below `2n`.
//! * 3072 bits: `n 2^-27 + 3n/4 (1 + 2^-48)`, because `n/R < 2^-28`; below `n`.
//! * 4096 bits: `n/16 (1 + 2^-46) + 3n/4 (1 + 2^-48)`, because `n/R < 2^-4`; below `n`.
//!
//! The only multiple of `n` below `n` is `0`; below `2n` there are `n` and `-n` too. All three are looked for at every size, and
//! nothing else is congruent to 0.

#[cfg(target_arch = "x86_64")]
mod check;
#[cfg(target_arch = "x86_64")]
mod columns;
mod key;
#[cfg(target_arch = "x86_64")]
mod reduce;
#[cfg(target_arch = "x86_64")]
mod roll;

use super::LaneJob;
#[cfg(target_arch = "x86_64")]
use super::Width;
pub(super) use key::Key;

/// Signatures that are verified at once.
pub(super) const LANES: usize = 4;

/// Digits of a 2048-bit modulus.
const D2048: usize = 41;
/// Digits of a 3072-bit modulus.
const D3072: usize = 62;
/// Digits of a 4096-bit modulus.
const D4096: usize = 82;

/// True if this processor can fill the lanes, and its floating point stands as Rust wants it: round to nearest, nothing flushed to zero.
pub(super) fn is_available() -> bool {
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

/// For each lane, whether the signature raised to 65537 is the encoded digest modulo `n`; the keys are of one width, and each signature
/// is below its modulus. `false` where the processor cannot tell.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the call into code for AVX2 and FMA")]
pub(super) fn congruent(lanes: &[LaneJob<'_>; LANES]) -> [bool; LANES] {
    if !is_available() {
        return [false; LANES];
    }
    // SAFETY: AVX2 and FMA have just been found.
    unsafe {
        match lanes[0].key.width() {
            Width::Bits2048 => check::congruent::<D2048>(lanes),
            Width::Bits3072 => check::congruent::<D3072>(lanes),
            Width::Bits4096 => check::congruent::<D4096>(lanes),
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn congruent(_: &[LaneJob<'_>; LANES]) -> [bool; LANES] {
    [false; LANES]
}
