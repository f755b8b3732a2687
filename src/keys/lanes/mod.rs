//! Many RSA signatures at once: RSASSA-PKCS1-v1_5 with SHA-256 and `e = 65537` (RFC 8017 section 8.2.2), in vectors.
//!
//! A log holds thousands of signatures under a handful of keys, and a library verifies them one at a time. Here the lanes of
//! a vector belong to different signatures, under the same key or different ones: four in AVX2 and FMA (`x4`), eight in AVX-512
//! IFMA (`x8`), which is the faster by far. Nothing secret enters, so nothing is constant-time.
//!
//! A kernel may only *accept*: where `s < n` and `s^65537` is congruent to the whole encoded message, padding and digest, every bit.
//! Whatever is not accepted is the library's to judge, so a fault in here can neither forge a signature nor accuse one.
//!
//! `key` is what the kernels share of a key, with the arithmetic of `modulus`.
//!
//! # The congruence
//!
//! `R` is a power of two above `n` that a kernel chooses; its reduction divides by `R` modulo `n`. `s` is used as it is: sixteen squarings,
//! each with a reduction, give `x = s^65536 R^-65535`. With `K = R^-65535 mod n`, the hash `h` and the rest `F` of the encoded message,
//! `s^65537 = F + h (mod n)` is the same as `x s - h K - F K = 0 (mod n)`, because `n` is odd. So the last step is one sum, reduced as
//! always, and what is looked for in the end is a multiple of `n`; each kernel proves which ones there can be. Both `F + h` (it begins
//! with a zero byte and a 1, and the top bit of `n` is set) and `s^65537 mod n` lie in `[0, n)`, so being congruent is being equal.

#![cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "there is no kernel to read what keys hold")
)]

mod key;
mod modulus;
#[cfg(test)]
#[cfg(target_arch = "x86_64")]
mod tests;
mod x4;
mod x8;

pub use key::LaneKey;
pub use key::Width;

/// Lanes of the widest kernel.
pub const LANES_MAX: usize = x8::LANES;

/// One signature for a lane.
#[derive(Clone, Copy, Debug)]
pub struct LaneJob<'a> {
    /// Whose signature it would be.
    pub key: &'a LaneKey,
    /// SHA-256 of the signed bytes.
    pub digest: &'a [u8; 32],
    /// Big-endian, as it stands; one of another length than the modulus is not accepted.
    pub signature: &'a [u8],
}

impl LaneJob<'_> {
    /// True if it is a number below the modulus, as long as this.
    fn is_in_range(&self) -> bool {
        let modulus = self.key.modulus();
        self.signature.len() == modulus.len() && self.signature < modulus
    }
}

/// A way of filling the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneKernel {
    /// Eight lanes, in AVX-512 IFMA.
    X8,
    /// Four lanes, in AVX2 and FMA.
    X4,
}

impl LaneKernel {
    /// Every kernel, the fastest first.
    pub const ALL: [Self; 2] = [Self::X8, Self::X4];

    /// The fastest that this processor can run.
    pub fn fastest() -> Option<Self> {
        Self::ALL.into_iter().find(|kernel| kernel.is_available())
    }

    /// True if this processor can run it.
    pub fn is_available(self) -> bool {
        match self {
            Self::X4 => x4::is_available(),
            Self::X8 => x8::is_available(),
        }
    }

    /// Signatures that are verified at once.
    pub fn lanes(self) -> usize {
        match self {
            Self::X4 => x4::LANES,
            Self::X8 => x8::LANES,
        }
    }

    /// Which signatures are accepted, in their order. `false` says nothing about a signature: it is the answer for a key of another
    /// width than the first one's, for more signatures than lanes, and where the processor cannot run the kernel, too.
    pub fn accepted(self, jobs: &[LaneJob<'_>]) -> [bool; LANES_MAX] {
        match self {
            Self::X4 => fill(jobs, x4::congruent),
            Self::X8 => fill(jobs, x8::congruent),
        }
    }
}

/// Fills the lanes and asks. A lane without a possible signature gets zero under the first key, and its answer is not heard.
fn fill<const LANES: usize>(
    jobs: &[LaneJob<'_>],
    congruent: fn(&[LaneJob<'_>; LANES]) -> [bool; LANES],
) -> [bool; LANES_MAX] {
    let mut accepted = [false; LANES_MAX];
    let Some(first) = jobs.first() else { return accepted };
    let mut lanes = [LaneJob { key: first.key, digest: &[0; 32], signature: &[] }; LANES];
    let mut heard = [false; LANES];
    for ((lane, heard), job) in lanes.iter_mut().zip(&mut heard).zip(jobs) {
        if job.key.width() == first.key.width() && job.is_in_range() {
            *lane = *job;
            *heard = true;
        }
    }
    for ((accepted, heard), good) in accepted.iter_mut().zip(heard).zip(congruent(&lanes)) {
        *accepted = heard && good;
    }
    accepted
}
