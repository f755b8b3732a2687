//! Numbers as digits, and what a key needs for the lanes.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "digits are below 2^51, which every type in here holds exactly"
)]

use super::super::Width;
use super::super::modulus::Modulus;
use super::super::modulus::big_endian;
use super::super::modulus::compare;
use super::super::modulus::difference;
use super::super::modulus::digits;
use super::super::modulus::limbs;
use super::D2048;
use super::D3072;
use super::D4096;
use std::cmp::Ordering;

/// Bits of a digit.
pub(super) const W: usize = 50;
/// Half of a digit's range.
pub(super) const HALF: u64 = 1 << (W - 1);
/// The bits of a digit.
pub(super) const MASK: u64 = (1 << W) - 1;
/// Everything that depends on the modulus only.
#[derive(Clone, Debug)]
pub(in crate::keys::lanes) struct Key {
    /// The modulus.
    pub(in crate::keys::lanes) n: Vec<f64>,
    /// `2^-50 mod n`.
    pub(in crate::keys::lanes) c1: Vec<f64>,
    /// `2^-200 mod n`.
    pub(in crate::keys::lanes) c4: Vec<f64>,
    /// `R^-65535 mod n`.
    pub(in crate::keys::lanes) k: Vec<f64>,
    /// `F R^-65535 mod n`.
    pub(in crate::keys::lanes) fk: Vec<f64>,
    /// `-1/n mod 2^200`.
    pub(in crate::keys::lanes) n_inv: [f64; 4],
}

impl Key {
    /// Of an odd modulus of this width, its top bit set, and the encoded message without its hash.
    pub(in crate::keys::lanes) fn new(width: Width, modulus: &[u8], message: &[u8]) -> Self {
        match width {
            Width::Bits2048 => Self::of::<D2048>(modulus, message),
            Width::Bits3072 => Self::of::<D3072>(modulus, message),
            Width::Bits4096 => Self::of::<D4096>(modulus, message),
        }
    }

    fn of<const D: usize>(modulus: &[u8], message: &[u8]) -> Self {
        let n = Modulus::new(modulus);
        let k = n.inverse_power(W * D);
        // Out of Montgomery's form by another factor that is not in it.
        let fk = n.product(&limbs(message), &k);
        Self {
            n: balanced::<D>(&digits::<W, D>(modulus)).to_vec(),
            c1: centred::<D>(&n.halved(W), &n),
            c4: centred::<D>(&n.halved(4 * W), &n),
            fk: balanced::<D>(&digits::<W, D>(&big_endian(&fk))).to_vec(),
            k: centred::<D>(&n.product(&k, &[1]), &n),
            n_inv: lowest(&n.inverse()),
        }
    }
}

#[cfg(test)]
impl Key {
    /// The same key with another `F R^-65535 mod n`, big-endian.
    pub(in crate::keys::lanes) fn with_fk(&self, fk: &[u8]) -> Self {
        let digits = balanced(&digits::<W, D4096>(fk));
        Self { fk: digits[..self.n.len()].to_vec(), ..self.clone() }
    }
}

/// Balanced digits of a number modulo `2^200`: what the fourth carries is left out.
fn lowest(number: &[u64]) -> [f64; 4] {
    let [a, b, c, d, _] = balanced::<5>(&digits::<W, 5>(&big_endian(number)));
    [a, b, c, d]
}

/// A number of unsigned digits in balanced ones; the highest takes what is left.
pub(super) fn balanced<const N: usize>(unsigned: &[u64; N]) -> [f64; N] {
    let mut balanced = [0.0; N];
    let mut carry = 0;
    for (at, (balanced, digit)) in balanced.iter_mut().zip(unsigned).enumerate() {
        let digit = digit + carry;
        carry = u64::from(digit >= HALF && at + 1 < N);
        *balanced = (digit as i64 - ((carry as i64) << W)) as f64;
    }
    balanced
}

/// Digits of the number, congruent to `a`, that is nearest to zero.
fn centred<const D: usize>(a: &[u64], n: &Modulus) -> Vec<f64> {
    let rest = difference(n.limbs(), a);
    if compare(&rest, a) == Ordering::Less {
        balanced(&digits::<W, D>(&big_endian(&rest))).map(|digit| -digit).to_vec()
    } else {
        balanced(&digits::<W, D>(&big_endian(a))).to_vec()
    }
}
