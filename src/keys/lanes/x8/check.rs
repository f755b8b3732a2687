//! The congruence that makes a signature good, in eight lanes; why it does stands in `lanes`.

#![expect(clippy::indexing_slicing, reason = "lengths depend on no input")]

use super::super::LaneJob;
use super::super::modulus::digits;
use super::D4096;
use super::Key;
use super::LANES;
use super::columns::GROUP;
use super::columns::block;
use super::columns::square;
use super::key::W;
use super::reduce::Constants;
use super::reduce::reduce;
use std::arch::x86_64::{__m512i, _mm512_cmpeq_epi64_mask, _mm512_set_epi64, _mm512_setzero_si512};

/// Groups of columns of the longest product.
const COLUMNS_MAX: usize = 2 * D4096 / GROUP;

/// For each lane, whether the signature raised to 65537 is the encoded digest modulo `n`.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn congruent<const D: usize>(lanes: &[LaneJob<'_>; LANES]) -> [bool; LANES] {
    let key = &side_by_side_keys::<D>(lanes.map(|lane| lane.key.x8()));
    let s: [_; D] = side_by_side(&lanes.map(|lane| digits::<W, D>(lane.signature)));
    let hash = side_by_side(&lanes.map(|lane| digits::<W, GROUP>(lane.digest)));
    let mut space = [[_mm512_setzero_si512(); GROUP]; COLUMNS_MAX];
    let columns = &mut space[..2 * D / GROUP];
    let mut x = s;
    for _ in 0..16 {
        square(columns, x.as_chunks().0);
        reduce(columns, key, &mut x);
    }
    // x s - h K - F K
    let (low, high) = columns.as_flattened_mut().split_at_mut(D);
    low.copy_from_slice(&key.minus_fk);
    high.fill(_mm512_setzero_si512());
    block(columns, &hash, key.minus_k.as_chunks().0);
    for (at, x) in x.as_chunks().0.iter().enumerate() {
        block(&mut columns[at..], x, s.as_chunks().0);
    }
    reduce(columns, key, &mut x);
    let mut equal = u8::MAX;
    for (digit, n) in x.iter().zip(&key.n) {
        equal &= _mm512_cmpeq_epi64_mask(*digit, *n);
    }
    std::array::from_fn(|lane| equal >> lane & 1 != 0)
}

/// Eight numbers of `N` digits side by side.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn side_by_side<const N: usize>(numbers: &[impl AsRef<[u64]>; LANES]) -> [__m512i; N] {
    let numbers = numbers.each_ref().map(|number| &number.as_ref()[..N]);
    let mut vectors = [_mm512_setzero_si512(); N];
    for (at, vector) in vectors.iter_mut().enumerate() {
        let digits = numbers.map(|number| number[at].cast_signed());
        *vector = _mm512_set_epi64(
            digits[7], digits[6], digits[5], digits[4], digits[3], digits[2], digits[1], digits[0],
        );
    }
    vectors
}

/// The constants of eight keys side by side.
#[target_feature(enable = "avx512f,avx512ifma")]
fn side_by_side_keys<const D: usize>(keys: [&Key; LANES]) -> Constants<D> {
    let [n_inv] = side_by_side(&keys.map(|key| [key.n_inv]));
    Constants {
        n: side_by_side(&keys.map(|key| &key.n)),
        minus_k: side_by_side(&keys.map(|key| &key.minus_k)),
        minus_fk: side_by_side(&keys.map(|key| &key.minus_fk)),
        n_inv,
    }
}
