//! Products, as sums of halves of digit products in columns of equal weight; the bounds stand in `x8`.
//!
//! Each digit product costs two multiply-adds, two of which begin in a cycle and end four cycles later. A block, a group of digits times
//! a run of groups, keeps that busy: of the columns that five digits reach, ten are in registers at a time, for fifty multiply-adds, and a
//! digit or a column is loaded once for ten of them.

#![expect(clippy::indexing_slicing, reason = "lengths depend on no input")]

use super::key::MASK;
use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srli_epi64, _mm512_test_epi64_mask,
};

/// Neighbouring digits, or columns, that are multiplied as one piece.
pub(super) const GROUP: usize = 5;
/// The same of eight numbers, side by side.
pub(super) type Group = [__m512i; GROUP];

/// The same integer in all lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn set(value: u64) -> __m512i {
    _mm512_set1_epi64(value.cast_signed())
}

/// Adds the low half of a product. Of the factors, only the lowest 52 bits count.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn add_low(sum: &mut __m512i, x: __m512i, y: __m512i) {
    *sum = _mm512_madd52lo_epu64(*sum, x, y);
}

/// Adds the high half of a product, which belongs to the next column.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn add_high(sum: &mut __m512i, x: __m512i, y: __m512i) {
    *sum = _mm512_madd52hi_epu64(*sum, x, y);
}

/// Takes the digit of a column off: its value, and the carry into the next column in and out.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn take(column: __m512i, carry: &mut __m512i) -> __m512i {
    let sum = _mm512_add_epi64(column, *carry);
    debug_assert!(is_bounded(sum), "a column left its bounds");
    *carry = _mm512_srli_epi64::<52>(sum);
    _mm512_and_si512(sum, set(MASK))
}

/// True if each lane lies below `2^61`.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn is_bounded(column: __m512i) -> bool {
    _mm512_test_epi64_mask(column, set(u64::MAX << 61)) == 0
}

/// Two groups of columns as one.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn joined(low: &Group, high: &Group) -> [__m512i; 2 * GROUP] {
    let mut both = [_mm512_setzero_si512(); 2 * GROUP];
    both[..GROUP].copy_from_slice(low);
    both[GROUP..].copy_from_slice(high);
    both
}

/// Adds `x` times `y`; the columns begin where the lowest digits of both meet.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn block(columns: &mut [Group], x: &Group, y: &[Group]) {
    let columns = &mut columns[..=y.len()];
    let x = *x;
    let mut open = columns[0];
    for (at, y) in y.iter().enumerate() {
        let mut sums = joined(&open, &columns[at + 1]);
        for (row, y) in y.iter().enumerate() {
            for (at, x) in x.iter().enumerate() {
                add_low(&mut sums[row + at], *x, *y);
            }
            for (at, x) in x.iter().enumerate() {
                add_high(&mut sums[row + at + 1], *x, *y);
            }
        }
        columns[at].copy_from_slice(&sums[..GROUP]);
        open.copy_from_slice(&sums[GROUP..]);
    }
    columns[y.len()] = open;
}

/// `a a`
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn square(columns: &mut [Group], a: &[Group]) {
    columns.fill([_mm512_setzero_si512(); GROUP]);
    for (at, x) in a.iter().enumerate() {
        block(&mut columns[2 * at + 1..], x, &a[at + 1..]);
        square_group(&mut columns[2 * at..], x);
    }
}

/// Finishes the first ten columns of a square, which hold the products of each two digits but those of this group.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn square_group(columns: &mut [Group], x: &Group) {
    let mut sums = joined(&columns[0], &columns[1]);
    for row in 0..GROUP {
        for at in row + 1..GROUP {
            add_low(&mut sums[row + at], x[row], x[at]);
            add_high(&mut sums[row + at + 1], x[row], x[at]);
        }
    }
    // Of two different digits there are two products, of a digit with itself one.
    for sum in &mut sums {
        *sum = _mm512_add_epi64(*sum, *sum);
    }
    for (at, x) in x.iter().enumerate() {
        add_low(&mut sums[2 * at], *x, *x);
        add_high(&mut sums[2 * at + 1], *x, *x);
    }
    columns[0].copy_from_slice(&sums[..GROUP]);
    columns[1].copy_from_slice(&sums[GROUP..]);
}
