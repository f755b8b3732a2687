//! Token against keys: the verdict on a signature (contract section 4), and the memo that spares its second look.

mod confusion;
mod embedded;
mod graph;
mod lanes;
mod memo;
#[cfg(test)]
mod tests;
mod verifier;

pub use embedded::Embedded;
pub use memo::{Memo, Remembered};
pub use verifier::Verifier;
pub use verifier::VerifyItem;

use crate::keys::{Authority, KeyId};
use std::sync::Arc;

/// Every way a signature can be good, bad or unknowable. The order is the rank when one fingerprint got several verdicts
/// (its uses were cut differently): the least is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A key of the issuer's authority verifies it.
    Valid,
    /// Verifies after the nonce of a Microsoft Graph token is replaced by its hash (rules.md 4.6).
    ValidGraphNonce,
    /// A key is named and does not verify it, or its length fits no key of the algorithm.
    Invalid,
    /// The archive covers the time and no key of the authority fits.
    KeyUnknown,
    /// The archive cannot answer.
    NotCovered,
    /// `alg` is none, or there is no signature.
    Unsigned,
    /// Algorithm or key size that is not verified here.
    UnsupportedAlg,
    /// Encrypted (JWE).
    Encrypted,
    /// Three parts that do not decode to what a token holds.
    Malformed,
    /// Cut by the logger.
    Truncated,
    /// No JWT at all.
    Opaque,
}

impl Verdict {
    /// The text of the `signature` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::ValidGraphNonce => "valid-graph-nonce",
            Self::Invalid => "invalid",
            Self::KeyUnknown => "key-unknown",
            Self::NotCovered => "not-covered",
            Self::Unsigned => "unsigned",
            Self::UnsupportedAlg => "unsupported-alg",
            Self::Encrypted => "encrypted",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::Opaque => "opaque",
        }
    }

    /// Every verdict, in order.
    pub const ALL: [Self; 11] = [
        Self::Valid,
        Self::ValidGraphNonce,
        Self::Invalid,
        Self::KeyUnknown,
        Self::NotCovered,
        Self::Unsigned,
        Self::UnsupportedAlg,
        Self::Encrypted,
        Self::Malformed,
        Self::Truncated,
        Self::Opaque,
    ];

    /// Its place in [`Self::ALL`].
    #[expect(clippy::as_conversions, reason = "the number of a variant without fields")]
    pub(crate) fn rank(self) -> usize {
        self as usize
    }

    /// True if a key vouches for the claims.
    pub fn is_valid(self) -> bool {
        matches!(self, Self::Valid | Self::ValidGraphNonce)
    }
}

/// What verification found out about one distinct token.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The verdict. Where `by_request` is set, [`Verdict::KeyUnknown`] and [`Verdict::NotCovered`] are decided anew for
    /// each request by its time, because the token names none.
    pub verdict: Verdict,
    /// See `verdict`.
    pub by_request: bool,
    /// The key that verifies it.
    pub key: Option<KeyId>,
    /// Keys of the authority that `kid` (else `x5t`) names.
    pub named: Vec<KeyId>,
    /// The sources that serve the token's issuer; `None` without an archive, or where `iss` names no authority.
    pub authority: Option<Arc<Authority>>,
    /// For a MAC that verifies with a published public key as secret: how the key was spelled (`pem-spki`, …).
    pub confusion: Option<&'static str>,
    /// What the keys that the header brings along do with the signature.
    pub embedded: Embedded,
}
