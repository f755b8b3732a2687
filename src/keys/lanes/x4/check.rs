//! The congruence that makes a signature good, in four lanes; why it does stands in `lanes`.

#![expect(clippy::indexing_slicing, reason = "lengths depend on no input")]

use super::super::LaneJob;
use super::super::modulus::digits;
use super::LANES;
use super::columns::BIAS;
use super::columns::BIAS_CARRY;
use super::columns::CL;
use super::columns::COLUMNS_MAX;
use super::columns::HASH_DIGITS;
use super::columns::KL;
use super::columns::Tables;
use super::columns::begin;
use super::columns::extend;
use super::columns::put;
use super::columns::put_high;
use super::columns::set;
use super::columns::set_bits;
use super::columns::start;
use super::columns::take;
use super::key::HALF;
use super::key::Key;
use super::key::W;
use super::reduce::Constants;
use super::reduce::reduce;
use super::roll::Rolling;
use super::roll::block;
use super::roll::roll;
use super::roll::row;
use std::arch::x86_64::{
    __m256d, __m256i, _CMP_EQ_OQ, _mm256_add_epi64, _mm256_add_pd, _mm256_and_pd, _mm256_castpd_si256,
    _mm256_castsi256_pd, _mm256_cmp_pd, _mm256_movemask_pd, _mm256_or_pd, _mm256_set_epi64x, _mm256_set_pd,
    _mm256_set1_epi64x, _mm256_setzero_pd, _mm256_setzero_si256, _mm256_sub_epi64,
};

/// True if MXCSR stands as Rust demands of all code: round to nearest, nothing flushed to zero, no exception raised. Foreign code in the
/// process may have changed it, and every bound in here rests on it.
#[expect(unsafe_code, reason = "no other way to read it")]
pub(super) fn rounds_to_nearest() -> bool {
    let mut control = 0u32;
    // SAFETY: SSE is part of x86-64; it writes the four bytes of `control`.
    unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags));
    }
    is_default(control)
}

/// True if MXCSR is as a thread starts, but for the flags of what happened so far.
pub(super) fn is_default(control: u32) -> bool {
    control & 0xffc0 == 0x1f80
}

/// For each lane, whether the signature raised to 65537 is the encoded digest modulo `n`.
#[target_feature(enable = "avx2,fma")]
pub(super) fn congruent<const D: usize>(lanes: &[LaneJob<'_>; LANES]) -> [bool; LANES] {
    let key = &side_by_side_keys::<D>(lanes.map(|lane| lane.key.x4()));
    let s = balanced(&lanes.map(|lane| digits::<W, D>(lane.signature)), false);
    // -h
    let hash = balanced(&lanes.map(|lane| digits::<W, HASH_DIGITS>(lane.digest)), true);
    let mut space = [_mm256_setzero_si256(); COLUMNS_MAX];
    let columns = &mut space[..2 * D];
    let mut x = s;
    for _ in 0..16 {
        square(&mut x, key, columns);
    }
    // x s - h K - F K
    start(columns, &Tables::<D>::CHECK);
    for (column, fk) in columns.iter_mut().zip(&key.fk) {
        *column = _mm256_sub_epi64(*column, integer(*fk));
    }
    let single = D % 4;
    for at in (0..HASH_DIGITS).step_by(4) {
        block(&mut columns[at..], &[hash[at], hash[at + 1], hash[at + 2], hash[at + 3]], &key.k);
    }
    for at in (0..D - single).step_by(4) {
        block(&mut columns[at..], &[x[at], x[at + 1], x[at + 2], x[at + 3]], &s);
    }
    for at in D - single..D {
        row(&mut columns[at..], x[at], &s);
    }
    let mut rest = [_mm256_setzero_pd(); D];
    reduce(columns, key, &mut rest);
    is_multiple(&rest, &key.n)
}

/// For each lane, whether a number, known to lie between `-2n` and `2n`, is 0, `n` or `-n`. Balanced digits are unique.
#[target_feature(enable = "avx2,fma")]
fn is_multiple<const D: usize>(number: &[__m256d; D], n: &[__m256d; D]) -> [bool; LANES] {
    let none = _mm256_setzero_pd();
    let all = _mm256_castsi256_pd(_mm256_set1_epi64x(-1));
    let (mut zero, mut plus, mut minus) = (all, all, all);
    let mut carry = _mm256_setzero_si256();
    for (at, (digit, n)) in number.iter().zip(n).enumerate() {
        zero = _mm256_and_pd(zero, _mm256_cmp_pd::<_CMP_EQ_OQ>(*digit, none));
        plus = _mm256_and_pd(plus, _mm256_cmp_pd::<_CMP_EQ_OQ>(*digit, *n));
        // Whether number + n is 0 shows only once it is carried through.
        let sum = _mm256_add_epi64(integer(_mm256_add_pd(*digit, *n)), bias(at));
        minus = _mm256_and_pd(minus, _mm256_cmp_pd::<_CMP_EQ_OQ>(take(sum, &mut carry), none));
    }
    let found = _mm256_movemask_pd(_mm256_or_pd(zero, _mm256_or_pd(plus, minus)));
    [found & 1 != 0, found & 2 != 0, found & 4 != 0, found & 8 != 0]
}

/// A double that is an integer of at most `2^51`, as that integer.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn integer(value: __m256d) -> __m256i {
    _mm256_sub_epi64(_mm256_castpd_si256(_mm256_add_pd(value, set(CL))), set_bits(KL))
}

/// What `take` wants to find in a column beside its sum.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn bias(column: usize) -> __m256i {
    set_bits(if column == 0 { BIAS + HALF } else { BIAS + HALF - BIAS_CARRY })
}

/// Balanced digits of four numbers side by side, or of their negatives.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn balanced<const N: usize>(unsigned: &[[u64; N]; LANES], negative: bool) -> [__m256d; N] {
    let mut carry = _mm256_setzero_si256();
    let mut balanced = [_mm256_setzero_pd(); N];
    for (at, balanced) in balanced.iter_mut().enumerate() {
        let [a, b, c, d] = unsigned.each_ref().map(|number| number[at].cast_signed());
        let digit = _mm256_set_epi64x(d, c, b, a);
        let column =
            if negative { _mm256_sub_epi64(bias(at), digit) } else { _mm256_add_epi64(bias(at), digit) };
        *balanced = take(column, &mut carry);
    }
    balanced
}

/// `a = a a / R mod n`
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn square<const D: usize>(a: &mut [__m256d; D], key: &Constants<D>, columns: &mut [__m256i]) {
    start(columns, &Tables::<D>::SQUARE);
    let single = D % 4;
    for at in (0..D - single).step_by(4) {
        square_four(&mut columns[2 * at..], &a[at..]);
    }
    let columns_left = &mut columns[2 * (D - single)..];
    let mut ends = a[D - single..].iter();
    if let Some(first) = ends.next() {
        let (mut below, low) = begin(*first, *first);
        put(&mut columns_left[0], low, _mm256_setzero_pd());
        if let Some(second) = ends.next() {
            let (high, low) = begin(_mm256_add_pd(*first, *first), *second);
            put(&mut columns_left[1], low, below);
            let (last, low) = begin(*second, *second);
            put(&mut columns_left[2], low, high);
            below = last;
        }
        put_high(&mut columns_left[2 * single - 1], below);
    }
    reduce(columns, key, a);
}

/// What the first four digits add to the square: among themselves, and with all later ones. Out of line, as unrolled code is slower.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn square_four(columns: &mut [__m256i], digits: &[__m256d]) {
    let d = [digits[0], digits[1], digits[2], digits[3]];
    let x = [
        _mm256_add_pd(d[0], d[0]),
        _mm256_add_pd(d[1], d[1]),
        _mm256_add_pd(d[2], d[2]),
        _mm256_add_pd(d[3], d[3]),
    ];
    // Seven columns among themselves, of which the last three go on.
    let own = [
        begin(d[0], d[0]),
        begin(x[0], d[1]),
        extend(begin(x[0], d[2]), d[1], d[1]),
        extend(begin(x[0], d[3]), x[1], d[2]),
    ];
    let (p4, p5, p6) = (extend(begin(x[1], d[3]), d[2], d[2]), begin(x[2], d[3]), begin(d[3], d[3]));
    let mut below = _mm256_setzero_pd();
    for (column, (high, low)) in columns.iter_mut().zip(own) {
        put(column, low, below);
        below = high;
    }
    let later = &digits[4..];
    let mut state = Rolling { below, high: [p4.0, p5.0, p6.0], low: [p4.1, p5.1, p6.1] };
    roll(&mut state, &mut columns[4..], &x, later);
    state.close(&mut columns[4 + later.len()..]);
}

/// Four numbers of `N` digits side by side.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn side_by_side<const N: usize>(numbers: [&[f64]; LANES]) -> [__m256d; N] {
    let numbers = numbers.map(|number| &number[..N]);
    let mut vectors = [_mm256_setzero_pd(); N];
    for (at, vector) in vectors.iter_mut().enumerate() {
        *vector = _mm256_set_pd(numbers[3][at], numbers[2][at], numbers[1][at], numbers[0][at]);
    }
    vectors
}

/// The constants of four keys side by side.
#[target_feature(enable = "avx2,fma")]
fn side_by_side_keys<const D: usize>(keys: [&Key; LANES]) -> Constants<D> {
    Constants {
        n: side_by_side(keys.map(|key| key.n.as_slice())),
        c1: side_by_side(keys.map(|key| key.c1.as_slice())),
        c4: side_by_side(keys.map(|key| key.c4.as_slice())),
        k: side_by_side(keys.map(|key| key.k.as_slice())),
        fk: side_by_side(keys.map(|key| key.fk.as_slice())),
        n_inv: side_by_side(keys.map(|key| key.n_inv.as_slice())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_default_floating_point_will_do() {
        assert!(is_default(0x1f80), "as a thread starts");
        assert!(is_default(0x1fbf), "whatever happened so far");
        for (control, why) in [
            (0x1fc0, "operands flushed to zero"),
            (0x9f80, "results flushed to zero"),
            (0x3f80, "rounding down"),
            (0x5f80, "rounding up"),
            (0x7f80, "rounding to zero"),
            (0x0f80, "inexact results raise"),
        ] {
            assert!(!is_default(control), "{why}");
        }
    }
}
