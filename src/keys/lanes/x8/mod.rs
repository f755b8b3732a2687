//! Eight signatures in AVX-512 IFMA, which multiplies integers of 52 bits and adds the low or the high half of the product to 64 bits.
//!
//! # Numbers
//!
//! A number is `D` digits of `W = 52` bits, one a vector: 40 for moduli of 2048 bits, 60 for 3072, 80 for 4096. Five neighbours are a
//! group, the piece in which everything is multiplied. `R = 2^(52 D)`, so that `n < 2^-32 R`.
//!
//! `columns` multiplies, `reduce` divides by `R` modulo `n`, `check` puts the congruence together, `key` makes what depends on the key
//! alone.
//!
//! # Columns stay below `2^61`
//!
//! A column is the sum of what has one weight: halves of products, each below `2^52`. A square, and `x s`, add `2 D` of them to a
//! column; a reduction as many; `h K`, as `h` has five digits, ten; `F K` one digit; and a carry is below one too. That makes at most
//! `(4 D + 12) 2^52`, for 80 digits `332 2^52 < 2^61`.
//!
//! # A reduced number stays below `2n`
//!
//! `reduce` finds the `m < R` with `T + m n = 0 (mod R)`, as Montgomery does, and gives `(T + m n)/R < T/R + n`. For `a < 2n` the square is
//! `T < 4 n^2`, so `T/R < 2^-30 n`. A signature starts below `n`. So the bound holds after every squaring, and no final subtraction
//! is needed.
//!
//! # What the congruence comes to
//!
//! There are no negative numbers in here, so `n - K` and `n - (F K mod n)` are kept and added: `x s + h (n - K) + (n - F K mod n)` is
//! at most `2 n^2 + 2^256 n + n`, and reduced it is below `n (1 + 2^-30)`. As the last summand is not 0, neither is the sum, nor what is
//! left of it. So the only multiple of `n` that it can be is `n`; and as every digit of a reduced number is below `2^52`, that has only
//! one form.

#[cfg(target_arch = "x86_64")]
mod check;
#[cfg(target_arch = "x86_64")]
mod columns;
mod key;
#[cfg(target_arch = "x86_64")]
mod reduce;

use super::LaneJob;
#[cfg(target_arch = "x86_64")]
use super::Width;
pub(super) use key::Key;

/// Signatures that are verified at once.
pub(super) const LANES: usize = 8;

/// Digits of a 2048-bit modulus.
const D2048: usize = 40;
/// Digits of a 3072-bit modulus.
const D3072: usize = 60;
/// Digits of a 4096-bit modulus.
const D4096: usize = 80;

/// True if this processor can fill the lanes.
pub(super) fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512ifma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// For each lane, whether the signature raised to 65537 is the encoded digest modulo `n`; the keys are of one width, and each signature
/// is below its modulus. `false` where the processor cannot tell.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the call into code for AVX-512 IFMA")]
pub(super) fn congruent(lanes: &[LaneJob<'_>; LANES]) -> [bool; LANES] {
    if !is_available() {
        return [false; LANES];
    }
    // SAFETY: AVX-512 F and IFMA have just been found.
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
