//! What a key needs for the lanes, in digits.

use super::super::Width;
use super::super::modulus::Modulus;
use super::super::modulus::big_endian;
use super::super::modulus::difference;
use super::super::modulus::digits;
use super::super::modulus::limbs;
use super::D2048;
use super::D3072;
use super::D4096;

/// Bits of a digit.
pub(super) const W: usize = 52;
/// The bits of a digit.
pub(super) const MASK: u64 = (1 << W) - 1;

/// Everything that depends on the modulus only.
#[derive(Clone, Debug)]
pub(in crate::keys::lanes) struct Key {
    /// The modulus.
    pub(in crate::keys::lanes) n: Vec<u64>,
    /// `n - R^-65535 mod n`.
    pub(in crate::keys::lanes) minus_k: Vec<u64>,
    /// `n - F R^-65535 mod n`.
    pub(in crate::keys::lanes) minus_fk: Vec<u64>,
    /// `-1/n mod 2^52`.
    pub(in crate::keys::lanes) n_inv: u64,
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
        let minus = |number: &[u64]| digits::<W, D>(&big_endian(&difference(n.limbs(), number))).to_vec();
        Self {
            n: digits::<W, D>(modulus).to_vec(),
            // Out of Montgomery's form by another factor that is not in it.
            minus_fk: minus(&n.product(&limbs(message), &k)),
            minus_k: minus(&n.product(&k, &[1])),
            n_inv: n.inverse().first().copied().unwrap_or_default() & MASK,
        }
    }
}

#[cfg(test)]
impl Key {
    /// The same key with another `n - F R^-65535 mod n`, big-endian.
    pub(in crate::keys::lanes) fn with_minus_fk(&self, minus_fk: &[u8]) -> Self {
        let digits = digits::<W, D4096>(minus_fk);
        Self { minus_fk: digits[..self.n.len()].to_vec(), ..self.clone() }
    }
}
