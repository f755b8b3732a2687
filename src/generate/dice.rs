//! Seeded choices: every part of a corpus draws from a stream of its own, so that threads cannot change the result.

use crate::codec::base64url;
use crate::redact;
use aws_lc_rs::digest;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of choices.
pub(super) struct Dice(ChaCha20Rng);

impl Dice {
    /// The stream of a seed for one purpose and one index.
    pub(super) fn new(seed: u64, purpose: &str, index: u64) -> Self {
        Self(stream(seed, purpose, index))
    }

    /// A number below `bound`; zero for a bound of zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.0.next_u64()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number in `[least, most]`.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let width = u64::try_from(most.saturating_sub(least)).unwrap_or(0).saturating_add(1);
        least.saturating_add(i64::try_from(self.below(width)).unwrap_or(0))
    }

    /// An index below `length`.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap_or(0))).unwrap_or(0)
    }

    /// True in `per_mille` of a thousand cases.
    pub(super) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of some texts; empty for none.
    pub(super) fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        let index = self.index(texts.len());
        texts.get(index).copied().unwrap_or("")
    }

    /// A GUID of version 4, in lower case.
    pub(super) fn guid(&mut self) -> String {
        let mut hex = self.hex(16);
        for (at, digit) in [(12, "4"), (16, "a")] {
            hex.replace_range(at..=at, digit);
        }
        for at in [20, 16, 12, 8] {
            hex.insert(at, '-');
        }
        hex
    }

    /// Hexadecimal digits of some random bytes.
    pub(super) fn hex(&mut self, bytes: usize) -> String {
        redact::hex(&self.bytes(bytes))
    }

    /// base64url text of some random bytes.
    pub(super) fn text(&mut self, bytes: usize) -> String {
        base64url::encode(&self.bytes(bytes))
    }

    /// Some random bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// The generator of a stream, for libraries that want one.
pub(super) fn stream(seed: u64, purpose: &str, index: u64) -> ChaCha20Rng {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&seed.to_le_bytes());
    context.update(&index.to_le_bytes());
    context.update(purpose.as_bytes());
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    ChaCha20Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_stable_and_bounded() {
        let draw = || {
            let mut dice = Dice::new(7, "test", 3);
            (dice.guid(), dice.below(10), dice.between(-2, 2), dice.text(6))
        };
        assert_eq!(draw(), draw());
        let (guid, below, between, text) = draw();
        assert!(guid.len() == 36 && guid.as_bytes()[14] == b'4' && guid.as_bytes()[19] == b'a');
        assert!(below < 10 && (-2..=2).contains(&between) && text.len() == 8);
        assert_eq!(Dice::new(7, "test", 4).below(0), 0);
    }
}
