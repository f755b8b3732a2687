//! Hashes that are the same on every machine and in every run.

use aws_lc_rs::digest;

/// A quick hash for samples; whoever writes the text can make two of them fall together, and gains nothing.
pub(in crate::engine) fn quick(text: &[u8], seed: u64) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let (low, high) = (hash ^ word).widening(FACTOR);
        low ^ high
    };
    let (words, rest) = text.as_chunks::<8>();
    let mut hash = mix(seed ^ FACTOR, u64::try_from(text.len()).unwrap_or(u64::MAX));
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word)).rotate_left(17);
    }
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(byte, rest)| *byte = *rest);
    mix(mix(hash, u64::from_le_bytes(last)), FACTOR.rotate_left(32))
}

trait Widening {
    /// The two halves of a product.
    fn widening(self, factor: Self) -> (u64, u64);
}

impl Widening for u64 {
    fn widening(self, factor: Self) -> (u64, u64) {
        let product = (u128::from(self) * u128::from(factor)).to_le_bytes();
        let (halves, _) = product.as_chunks::<8>();
        match halves {
            [low, high] => (Self::from_le_bytes(*low), Self::from_le_bytes(*high)),
            _ => (0, 0),
        }
    }
}

/// Half of a hash.
pub(in crate::engine) fn short(hash: u64) -> u32 {
    let [.., a, b, c, d] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// A hash of a route that nobody can choose.
pub(super) fn strong(host: &str, path: &str) -> u32 {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(host.as_bytes());
    context.update(b"\0");
    context.update(path.as_bytes());
    context.finish().as_ref().first_chunk().map_or(0, |first| u32::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_spreads_and_stays_the_same() {
        let hashes: BTreeSet<u32> =
            (0..10_000).map(|n| short(quick(format!("/v1/items/{n}").as_bytes(), 7))).collect();
        assert!(hashes.len() > 9_990, "{}", hashes.len());
        assert!((4_700..5_300).contains(&hashes.iter().filter(|hash| **hash < u32::MAX / 2).count()));
        assert_ne!(quick(b"a", 0), quick(b"a\0", 0));
        assert_eq!(quick(b"orders", 1), quick(b"orders", 1));
        assert_ne!(strong("a", "b"), strong("ab", ""));
    }
}
