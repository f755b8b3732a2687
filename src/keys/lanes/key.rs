//! What the lanes need of a key, whichever kernel fills them.

use super::x4;
use super::x8;
use std::sync::OnceLock;

/// An encoded message is `00 01 ff .. ff 00`, then this, then the hash (RFC 8017 section 9.2, with SHA-256).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// Moduli of one length, whose signatures can share the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl Width {
    /// Every width, the shortest first.
    pub const ALL: [Self; 3] = [Self::Bits2048, Self::Bits3072, Self::Bits4096];

    /// The width of a key that the lanes take: one of three lengths with the top bit set, odd, and the usual exponent.
    fn of(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let width = match modulus.len() {
            256 => Self::Bits2048,
            384 => Self::Bits3072,
            512 => Self::Bits4096,
            _ => return None,
        };
        let full = modulus.first().is_some_and(|first| *first >= 0x80);
        let odd = modulus.last().is_some_and(|last| last % 2 == 1);
        (full && odd && exponent == [1, 0, 1]).then_some(width)
    }
}

/// A key made ready for the lanes: everything that depends on the modulus only, for each kernel at its first use.
#[derive(Clone, Debug)]
pub struct LaneKey {
    width: Width,
    /// Big-endian.
    modulus: Vec<u8>,
    pub(super) x4: OnceLock<x4::Key>,
    pub(super) x8: OnceLock<x8::Key>,
}

impl LaneKey {
    /// A key of big-endian numbers without leading zeros; `None` for one that the lanes do not take.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let width = Width::of(modulus, exponent)?;
        Some(Self { width, modulus: modulus.to_vec(), x4: OnceLock::new(), x8: OnceLock::new() })
    }

    /// The signatures that it can share the lanes with.
    pub fn width(&self) -> Width {
        self.width
    }

    pub(super) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    pub(super) fn x4(&self) -> &x4::Key {
        self.x4.get_or_init(|| x4::Key::new(self.width, &self.modulus, &encoded_message(self.modulus.len())))
    }

    pub(super) fn x8(&self) -> &x8::Key {
        self.x8.get_or_init(|| x8::Key::new(self.width, &self.modulus, &encoded_message(self.modulus.len())))
    }
}

/// The encoded message of so many bytes, its hash zero: `F`.
fn encoded_message(bytes: usize) -> Vec<u8> {
    let fill = bytes.saturating_sub(3 + DIGEST_INFO.len() + 32);
    let mut message = vec![0x00, 0x01];
    message.resize(2 + fill, 0xff);
    message.push(0x00);
    message.extend_from_slice(&DIGEST_INFO);
    message.resize(bytes, 0);
    message
}
