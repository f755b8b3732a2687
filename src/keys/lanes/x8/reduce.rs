//! Montgomery reduction of columns; the bounds stand in `x8`.

#![expect(clippy::indexing_slicing, reason = "lengths depend on no input")]

use super::columns::GROUP;
use super::columns::Group;
use super::columns::add_high;
use super::columns::add_low;
use super::columns::block;
use super::columns::is_bounded;
use super::columns::joined;
use super::columns::set;
use super::columns::take;
use super::key::MASK;
use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_setzero_si512, _mm512_srli_epi64, _mm512_test_epi64_mask,
};

/// What depends on the keys of eight lanes, side by side: as in [`Key`](super::Key).
pub(super) struct Constants<const D: usize> {
    pub(super) n: [__m512i; D],
    pub(super) minus_k: [__m512i; D],
    pub(super) minus_fk: [__m512i; D],
    pub(super) n_inv: __m512i,
}

/// The sum in the columns, divided by `R` modulo `n`. The columns are used up.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn reduce<const D: usize>(columns: &mut [Group], key: &Constants<D>, out: &mut [__m512i; D]) {
    let n = key.n.as_chunks().0;
    for at in 0..n.len() {
        let m = quotients(&mut columns[at..], &n[0], key.n_inv);
        block(&mut columns[at + 1..], &m, &n[1..]);
    }
    let mut carry = _mm512_setzero_si512();
    for (out, column) in out.iter_mut().zip(columns[n.len()..].as_flattened()) {
        *out = take(*column, &mut carry);
    }
    debug_assert!(_mm512_test_epi64_mask(carry, carry) == 0, "a number left its bounds");
}

/// The digits of `m` that make the first group of columns zero. What these carry, and the products with the lowest group of `n`, are added
/// to the second group.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn quotients(columns: &mut [Group], n: &Group, n_inv: __m512i) -> Group {
    let mut sums = joined(&columns[0], &columns[1]);
    let mut quotients = [_mm512_setzero_si512(); GROUP];
    for (row, m) in quotients.iter_mut().enumerate() {
        debug_assert!(is_bounded(sums[row]), "a column left its bounds");
        add_low(m, sums[row], n_inv);
        // With the low half of `m n[0]`, the digit becomes 2^52, or stays 0; so it need not be multiplied to know what it carries.
        let carry = _mm512_srli_epi64::<52>(_mm512_add_epi64(sums[row], set(MASK)));
        sums[row + 1] = _mm512_add_epi64(sums[row + 1], carry);
        for at in 1..GROUP {
            add_low(&mut sums[row + at], *m, n[at]);
        }
        for at in 0..GROUP {
            add_high(&mut sums[row + at + 1], *m, n[at]);
        }
    }
    columns[1].copy_from_slice(&sums[GROUP..]);
    quotients
}
