//! Montgomery arithmetic in 64-bit limbs, the lowest first: for what a key needs once. Plain and portable.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "limbs are the halves of 128-bit sums"
)]

use std::cmp::Ordering;

/// An odd modulus of `L` limbs, its top bit set.
pub(super) struct Modulus {
    limbs: Vec<u64>,
    /// `-1/n mod 2^64`
    inverse: u64,
}

impl Modulus {
    /// Of a big-endian number, a multiple of eight bytes long.
    pub(super) fn new(number: &[u8]) -> Self {
        let limbs = limbs(number);
        let lowest = limbs.first().copied().unwrap_or_default();
        // Newton: each time round doubles the bits that are right; an odd number is its own inverse modulo 8.
        let mut inverse = lowest;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(lowest.wrapping_mul(inverse)));
        }
        Self { limbs, inverse: inverse.wrapping_neg() }
    }

    /// The modulus.
    pub(super) fn limbs(&self) -> &[u64] {
        &self.limbs
    }

    /// `2^-times mod n`, for `times` from 1 to the length of the modulus in bits.
    pub(super) fn halved(&self, times: usize) -> Vec<u64> {
        let mut power = vec![0; self.limbs.len()];
        let bit = (64 * power.len()).saturating_sub(times);
        if let Some(limb) = power.get_mut(bit / 64) {
            *limb = 1 << (bit % 64);
        }
        self.product(&power, &[1])
    }

    /// `R^-65535 mod n` for `R = 2^bits`, above the modulus and at most its square; in Montgomery's form, times `2^(64 L)`.
    pub(super) fn inverse_power(&self, bits: usize) -> Vec<u64> {
        // First 1/R, then its powers 3, 15, 255, 65535.
        let mut power = self.halved(bits.saturating_sub(64 * self.limbs.len()));
        for squarings in [1, 2, 4, 8] {
            let lower = power.clone();
            for _ in 0..squarings {
                power = self.product(&power, &power);
            }
            power = self.product(&power, &lower);
        }
        power
    }

    /// `-1/n mod 2^(64 L)`
    pub(super) fn inverse(&self) -> Vec<u64> {
        self.reduced(vec![1]).0
    }

    /// `a b / 2^(64 L) mod n`, below `n`. Both have at most `L` limbs and one is below `n`.
    pub(super) fn product(&self, a: &[u64], b: &[u64]) -> Vec<u64> {
        let mut sum = vec![0; 2 * self.limbs.len() + 1];
        for (at, factor) in a.iter().enumerate() {
            add(sum.get_mut(at..).unwrap_or_default(), b, *factor);
        }
        self.reduced(sum).1
    }

    /// The `m` below `2^(64 L)` with `sum + m n = 0 (mod 2^(64 L))`, and `(sum + m n) / 2^(64 L) mod n`. The sum is below `2^(64 L) n`.
    fn reduced(&self, mut sum: Vec<u64>) -> (Vec<u64>, Vec<u64>) {
        let length = self.limbs.len();
        sum.resize(2 * length + 1, 0);
        let mut quotient = Vec::with_capacity(length);
        for at in 0..length {
            let rest = sum.get_mut(at..).unwrap_or_default();
            let factor = rest.first().copied().unwrap_or_default().wrapping_mul(self.inverse);
            add(rest, &self.limbs, factor);
            quotient.push(factor);
        }
        let mut rest = sum.split_off(length);
        let top = rest.pop().unwrap_or_default();
        if top > 0 || compare(&rest, &self.limbs) != Ordering::Less {
            rest = difference(&rest, &self.limbs);
        }
        (quotient, rest)
    }
}

/// Adds `row * factor`; the sum is long enough for the carry.
fn add(sum: &mut [u64], row: &[u64], factor: u64) {
    let mut carry = 0u128;
    let mut row = row.iter();
    for limb in sum {
        let next = row.next();
        if next.is_none() && carry == 0 {
            return;
        }
        carry += u128::from(*limb) + u128::from(factor) * u128::from(next.copied().unwrap_or_default());
        *limb = carry as u64;
        carry >>= 64;
    }
}

/// `a - b` modulo `2^(64 L)`, of the same number of limbs.
pub(super) fn difference(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut borrow = false;
    let limb = |(a, b): (&u64, &u64)| {
        let (limb, first) = a.overflowing_sub(*b);
        let (limb, second) = limb.overflowing_sub(u64::from(borrow));
        borrow = first || second;
        limb
    };
    a.iter().zip(b).map(limb).collect()
}

/// The order of two numbers of the same number of limbs.
pub(super) fn compare(a: &[u64], b: &[u64]) -> Ordering {
    a.iter().rev().cmp(b.iter().rev())
}

/// Limbs of a big-endian number, a multiple of eight bytes long.
pub(super) fn limbs(number: &[u8]) -> Vec<u64> {
    number.as_chunks().0.iter().rev().map(|limb| u64::from_be_bytes(*limb)).collect()
}

/// The number, big-endian.
pub(super) fn big_endian(limbs: &[u64]) -> Vec<u8> {
    limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect()
}

/// Digits of `W` bits, up to 57, of a big-endian number, the lowest first; what is beyond the `N`th is left out.
#[inline]
pub(super) fn digits<const W: usize, const N: usize>(number: &[u8]) -> [u64; N] {
    let mut digits = [0; N];
    for (at, digit) in digits.iter_mut().enumerate() {
        let below =
            number.len().checked_sub(at * W / 8).and_then(|end| number.get(..end)).unwrap_or_default();
        // The eight bytes that hold it; fewer at the upper end.
        let word = match below.last_chunk() {
            Some(word) => u64::from_be_bytes(*word),
            None => below.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        *digit = word >> (at * W % 8) & ((1 << W) - 1);
    }
    digits
}
