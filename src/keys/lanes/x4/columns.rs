//! Columns: exact sums of digit products of equal weight.
//!
//! # Chains
//!
//! A column is built from chains of at most four products. A chain is a pair `(h, l)` that begins at `C1 = 1.5 2^102` and
//! `CL = 1.5 2^52`. Adding the product `x y` makes `h' = fma(x, y, h)`, which rounds to a multiple of `2^50`, and adds the rest
//! `fma(x, y, h - h')` to `l`.
//!
//! * `|x| <= 2^50` (a digit may be doubled, for squares) and `|y| <= 2^49`, so a product is at most `2^99`. After `k` products `h` lies
//!   in `C1 -+ k 2^99`, as these ends are on the grid and rounding keeps order. So for `k <= 4` it lies in `[2^102, 2^103]`, where doubles
//!   are the multiples of `2^50` (and `2^103` is one).
//! * `h - h'` is a multiple of `2^50` and at most `2^99`: exact. `x y + h - h'` is the rounding error of `h'`: an integer of at most
//!   `2^49`, hence exact.
//! * Four rests are at most `2^51`, so `l` lies in `[2^52, 2^53]`, where doubles are the integers: exact.
//!
//! In both ranges the bit pattern, read as an integer, grows by one per step of the grid, from the lower end to the upper inclusive. So the
//! patterns are added to the columns as 64-bit integers, `l` to its own and `h` to the next, and no chain is ever converted. What
//! `bits(CL)` and `bits(C1)` add is known beforehand for each column; a table, made at compile time from the same walk over the chains,
//! takes it off.
//!
//! # Columns stay within `2^60 -+ 2^58`
//!
//! A chain adds at most `2^51` to its column and `2^51` to the next. A column gets at most one chain from each block or row. With
//! `D = 4 B + r`, a square has `B + 1` of them, the sum of the check `B + r + 2` and its constant `F K` (a digit, `2^49`), a reduction
//! `B + r`. So a column gets at most `2 (B + r) + 2` chains and as many from below: 24 for `D = 41`, 36 for 62, 46 for 82. That
//! makes at most `46 2^52 + 2^49 < 2^58`. The table adds `2^60 + 2^49` to each column, so that all are positive, a logical shift by
//! 50 carries, and the lowest 50 bits are a digit plus `2^49`. The carry that `2^60` makes, `2^10`, is taken from the next column.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "bit patterns, and lengths that depend on no input"
)]

use super::D4096;
use super::key::HALF;
use super::key::MASK;
use super::key::W;
use std::arch::x86_64::{
    __m256d, __m256i, _mm256_add_epi64, _mm256_add_pd, _mm256_and_si256, _mm256_castpd_si256,
    _mm256_castsi256_pd, _mm256_fmadd_pd, _mm256_or_si256, _mm256_set1_epi64x, _mm256_set1_pd,
    _mm256_srli_epi64, _mm256_sub_epi64, _mm256_sub_pd, _mm256_testz_si256,
};

/// Columns of the longest product.
pub(super) const COLUMNS_MAX: usize = 2 * D4096;
/// Digits of a hash that take part in the check: six hold it, and two more fill the second block.
pub(super) const HASH_DIGITS: usize = 8;

/// Bits of `CL`.
pub(super) const KL: u64 = 0x4338_0000_0000_0000;
/// Bits of `C1`.
pub(super) const KH: u64 = ((1023 + 102) << 52) | (1 << 51);
/// 1.5 * 2^102
pub(super) const C1: f64 = f64::from_bits(KH);
/// `C1 + CL`: six steps of the grid further.
pub(super) const C2: f64 = f64::from_bits(KH + 6);
/// 1.5 * 2^52
pub(super) const CL: f64 = f64::from_bits(KL);
/// What makes a column positive.
pub(super) const BIAS: u64 = 1 << 60;
/// What the bias carries into the next column.
pub(super) const BIAS_CARRY: u64 = BIAS >> W;

/// Where each column of some sum begins.
pub(super) type Table = [u64; COLUMNS_MAX];

/// Takes off what chains leave behind at columns `first .. first + count`.
const fn chains(mut table: Table, first: usize, count: usize) -> Table {
    let mut at = first;
    while at < first + count {
        table[at] = table[at].wrapping_sub(KL);
        table[at + 1] = table[at + 1].wrapping_sub(KH);
        at += 1;
    }
    table
}

/// The same for pieces of `count` chains whose first columns are `from, from + step .. to`.
const fn pieces(mut table: Table, [from, to]: [usize; 2], step: usize, count: usize) -> Table {
    let mut at = from;
    while at < to {
        table = chains(table, at, count);
        at += step;
    }
    table
}

/// The same for a reduction, and the bias.
const fn reduction<const D: usize>(mut table: Table) -> Table {
    let single = D % 4;
    table = pieces(table, [1, 1 + single], 1, D);
    table = pieces(table, [single + 4, D], 4, D + 3);
    table = chains(table, D - 4, D + 3);
    let mut at = 0;
    while at < 2 * D {
        table[at] = table[at].wrapping_add(BIAS + HALF);
        if at > 0 {
            table[at] = table[at].wrapping_sub(BIAS_CARRY);
        }
        at += 1;
    }
    table
}

/// The tables of a width.
pub(super) struct Tables<const D: usize>;

impl<const D: usize> Tables<D> {
    /// A square and its reduction.
    pub(super) const SQUARE: Table = {
        let mut table = [0; COLUMNS_MAX];
        let mut at = 0;
        while at < D - D % 4 {
            table = chains(table, 2 * at, D - at + 3);
            at += 4;
        }
        reduction::<D>(chains(table, 2 * at, 2 * (D % 4) - 1))
    };

    /// The sum of the check and its reduction.
    pub(super) const CHECK: Table = {
        let single = D % 4;
        let table = pieces([0; COLUMNS_MAX], [0, HASH_DIGITS], 4, D + 3);
        let table = pieces(table, [0, D - single], 4, D + 3);
        reduction::<D>(pieces(table, [D - single, D], 1, D))
    };
}

/// What the last block of a reduction leaves in its four lowest columns; their digits are read before it runs.
pub(super) const LAST_BLOCK: [u64; 4] = [KL, KL.wrapping_add(KH), KL.wrapping_add(KH), KL.wrapping_add(KH)];

/// The same double in all lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn set(value: f64) -> __m256d {
    _mm256_set1_pd(value)
}

/// The same integer in all lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn set_bits(value: u64) -> __m256i {
    _mm256_set1_epi64x(value as i64)
}

/// The columns of a sum, before anything is added.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn start(columns: &mut [__m256i], table: &Table) {
    for (column, value) in columns.iter_mut().zip(table) {
        *column = set_bits(*value);
    }
}

/// The balanced digit in the lowest bits of a finished column.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn digit(column: __m256i) -> __m256d {
    let low = _mm256_and_si256(column, set_bits(MASK));
    let exponent = set_bits(0x4330_0000_0000_0000); // bits of 2^52
    let shifted = _mm256_castsi256_pd(_mm256_or_si256(low, exponent));
    _mm256_sub_pd(shifted, set((1u64 << 52) as f64 + HALF as f64))
}

/// Takes the digit of a column off: its balanced value, and the carry into the next column in and out.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn take(column: __m256i, carry: &mut __m256i) -> __m256d {
    let sum = _mm256_add_epi64(column, *carry);
    debug_assert!(is_bounded(sum), "a column left its bounds");
    *carry = _mm256_srli_epi64(sum, 50);
    digit(sum)
}

/// True if each lane lies in `2^60 -+ 2^58`.
#[target_feature(enable = "avx2,fma")]
fn is_bounded(column: __m256i) -> bool {
    let above = _mm256_sub_epi64(column, set_bits(BIAS - (1 << 58)));
    _mm256_testz_si256(above, set_bits(u64::MAX << 59)) == 1
}

/// A chain: high part, low part.
pub(super) type Chain = (__m256d, __m256d);

/// A chain of one product.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn begin(x: __m256d, y: __m256d) -> Chain {
    let high = _mm256_fmadd_pd(x, y, set(C1));
    (high, _mm256_fmadd_pd(x, y, _mm256_sub_pd(set(C2), high)))
}

/// A chain with one more product.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn extend((high, low): Chain, x: __m256d, y: __m256d) -> Chain {
    let next = _mm256_fmadd_pd(x, y, high);
    (next, _mm256_add_pd(low, _mm256_fmadd_pd(x, y, _mm256_sub_pd(high, next))))
}

/// Adds a low part, and the high part of the column below.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn put(column: &mut __m256i, low: __m256d, below: __m256d) {
    let both = _mm256_add_epi64(_mm256_castpd_si256(low), _mm256_castpd_si256(below));
    *column = _mm256_add_epi64(*column, both);
}

/// Adds the high part of the column below.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn put_high(column: &mut __m256i, below: __m256d) {
    *column = _mm256_add_epi64(*column, _mm256_castpd_si256(below));
}
