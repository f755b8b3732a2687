//! Numbers as digits, and what a key needs for the lanes.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "digits are below 2^51, which every type in here holds exactly"
)]

use super::modulus::Modulus;
use super::modulus::big_endian;
use super::modulus::compare;
use super::modulus::difference;
use super::modulus::limbs;
use std::cmp::Ordering;

/// Bits of a digit.
pub(super) const W: usize = 50;
/// Half of a digit's range.
pub(super) const HALF: u64 = 1 << (W - 1);
/// The bits of a digit.
pub(super) const MASK: u64 = (1 << W) - 1;
/// `F`: `00 01 ff .. ff 00`, then this, then the hash (RFC 8017 section 9.2, with SHA-256).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// Everything that depends on the modulus only; `T` is a double in a key, a vector of four in a batch.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only the lanes read them"))]
#[derive(Clone, Debug)]
pub(super) struct Constants<T, const D: usize> {
    /// Big-endian.
    pub(super) modulus: Vec<u8>,
    /// The modulus.
    pub(super) n: [T; D],
    /// `2^-50 mod n`.
    pub(super) c1: [T; D],
    /// `2^-200 mod n`.
    pub(super) c4: [T; D],
    /// `R^-65535 mod n`.
    pub(super) k: [T; D],
    /// `F R^-65535 mod n`.
    pub(super) fk: [T; D],
    /// `-1/n mod 2^200`.
    pub(super) n_inv: [T; 4],
}

impl<const D: usize> Constants<f64, D> {
    /// Of an odd modulus of the length that belongs to `D`, its top bit set.
    pub(super) fn new(modulus: &[u8]) -> Self {
        let n = Modulus::new(modulus);
        // In Montgomery's form, a number times 2^(8 modulus.len()): first 1/R, then its powers 3, 15, 255, 65535.
        let mut k = n.halved(W * D - 8 * modulus.len());
        for squarings in [1, 2, 4, 8] {
            let lower = k.clone();
            for _ in 0..squarings {
                k = n.product(&k, &k);
            }
            k = n.product(&k, &lower);
        }
        let f = limbs(&encoded_message(modulus.len()));
        Self {
            n: balanced(&digits(modulus)),
            c1: centred(&n.halved(W), &n),
            c4: centred(&n.halved(4 * W), &n),
            // Out of Montgomery's form by another factor that is not in it.
            fk: balanced(&digits(&big_endian(&n.product(&f, &k)))),
            k: centred(&n.product(&k, &[1]), &n),
            n_inv: lowest(&n.inverse()),
            modulus: modulus.to_vec(),
        }
    }
}

/// Balanced digits of a number modulo `2^200`: what the fourth carries is left out.
fn lowest(number: &[u64]) -> [f64; 4] {
    let [a, b, c, d, _] = balanced::<5>(&digits(&big_endian(number)));
    [a, b, c, d]
}

/// The encoded message of so many bytes, its hash zero.
fn encoded_message(bytes: usize) -> Vec<u8> {
    let fill = bytes.saturating_sub(3 + DIGEST_INFO.len() + 32);
    let mut message = vec![0x00, 0x01];
    message.resize(2 + fill, 0xff);
    message.push(0x00);
    message.extend_from_slice(&DIGEST_INFO);
    message.resize(bytes, 0);
    message
}

/// Digits `0 .. 2^50` of a big-endian number, the lowest first; what is beyond the `N`th is left out.
#[inline]
pub(super) fn digits<const N: usize>(number: &[u8]) -> [u64; N] {
    let mut digits = [0; N];
    for (at, digit) in digits.iter_mut().enumerate() {
        let below =
            number.len().checked_sub(at * W / 8).and_then(|end| number.get(..end)).unwrap_or_default();
        // The eight bytes that hold it; fewer at the upper end.
        let word = match below.last_chunk() {
            Some(word) => u64::from_be_bytes(*word),
            None => below.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        *digit = word >> (at * W % 8) & MASK;
    }
    digits
}

/// The same number in balanced digits; the highest takes what is left.
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
fn centred<const D: usize>(a: &[u64], n: &Modulus) -> [f64; D] {
    let rest = difference(n.limbs(), a);
    if compare(&rest, a) == Ordering::Less {
        balanced(&digits(&big_endian(&rest))).map(|digit| -digit)
    } else {
        balanced(&digits(&big_endian(a)))
    }
}
