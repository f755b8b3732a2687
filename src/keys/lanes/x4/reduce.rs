//! Montgomery reduction of columns; the bounds stand in `x4`.

#![expect(clippy::as_conversions, clippy::indexing_slicing, reason = "lengths that depend on no input")]

use super::columns::BIAS;
use super::columns::BIAS_CARRY;
use super::columns::KH;
use super::columns::KL;
use super::columns::LAST_BLOCK;
use super::columns::begin;
use super::columns::put;
use super::columns::put_high;
use super::columns::set_bits;
use super::columns::take;
use super::key::HALF;
use super::roll::block;
use super::roll::row;
use std::arch::x86_64::{
    __m256d, __m256i, _mm256_add_epi64, _mm256_castsi256_pd, _mm256_setzero_pd, _mm256_setzero_si256,
};

/// What depends on the keys of four lanes, side by side: as in [`Key`](super::Key).
pub(super) struct Constants<const D: usize> {
    pub(super) n: [__m256d; D],
    pub(super) c1: [__m256d; D],
    pub(super) c4: [__m256d; D],
    pub(super) k: [__m256d; D],
    pub(super) fk: [__m256d; D],
    pub(super) n_inv: [__m256d; 4],
}

/// The sum in the columns, divided by `R` modulo `n`. The columns are used up.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
pub(super) fn reduce<const D: usize>(columns: &mut [__m256i], key: &Constants<D>, out: &mut [__m256d; D]) {
    let single = D % 4;
    let mut carry = _mm256_setzero_si256();
    for at in 0..single {
        let q = take(columns[at], &mut carry);
        row(&mut columns[at + 1..], q, &key.c1);
    }
    for at in (single..D - 4).step_by(4) {
        let q = four(&columns[at..], &mut carry, &[0; 4]);
        block(&mut columns[at + 4..], &q, &key.c4);
    }
    let last = &mut columns[D - 4..];
    let mut below = carry;
    let q = four(last, &mut carry, &LAST_BLOCK);
    block(last, &quotient(&q, &key.n_inv), &key.n);
    // These four digits are zero now; only what they carry counts.
    four(last, &mut below, &[0; 4]);
    for (out, column) in out.iter_mut().zip(&last[4..]) {
        *out = take(*column, &mut below);
    }
}

/// The digits of four finished columns, to which `extra` is added; the carry goes in and out.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn four(columns: &[__m256i], carry: &mut __m256i, extra: &[u64; 4]) -> [__m256d; 4] {
    let a = take(_mm256_add_epi64(columns[0], set_bits(extra[0])), carry);
    let b = take(_mm256_add_epi64(columns[1], set_bits(extra[1])), carry);
    let c = take(_mm256_add_epi64(columns[2], set_bits(extra[2])), carry);
    let d = take(_mm256_add_epi64(columns[3], set_bits(extra[3])), carry);
    [a, b, c, d]
}

/// `low * (-1/n) mod 2^200`, in balanced digits.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn quotient(low: &[__m256d; 4], n_inv: &[__m256d; 4]) -> [__m256d; 4] {
    let mut sums = [_mm256_setzero_si256(); 5];
    for at in 0..4 {
        // Chains of one product: one more than `at` here, as many as `at` below.
        let chains = KL.wrapping_mul(at as u64 + 1).wrapping_add(KH.wrapping_mul(at as u64));
        let carried = if at > 0 { BIAS_CARRY } else { 0 };
        put_high(&mut sums[at], _mm256_castsi256_pd(set_bits((BIAS + HALF - carried).wrapping_sub(chains))));
        for (low, n_inv) in low[..=at].iter().zip(n_inv[..=at].iter().rev()) {
            let (high, rest) = begin(*low, *n_inv);
            put(&mut sums[at], rest, _mm256_setzero_pd());
            put_high(&mut sums[at + 1], high);
        }
    }
    four(&sums, &mut _mm256_setzero_si256(), &[0; 4])
}
