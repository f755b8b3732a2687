//! The order in which a verdict is decided (contract section 4).

use super::Signature;
use super::Verdict;
use super::confusion;
use super::embedded;
use super::graph;
use crate::codec::algorithm::Algorithm;
use crate::codec::base64url;
use crate::codec::base64url::Spelling;
use crate::keys::Authority;
use crate::keys::Fit;
use crate::keys::KeyHistory;
use crate::keys::KeyId;
use crate::keys::PreparedKey;
use crate::time::UtcMicros;
use crate::token::Claims;
use crate::token::Form;
use crate::token::Header;
use crate::token::Jws;
use crate::token::Token;
use std::borrow::Cow;

/// Bytes of a 2048-bit signature: what RS and PS are taken to demand where no key is named.
const RSA_BYTES_EXPECTED: usize = 256;
/// Below the shortest RSA key that is verified, a signature is cut wherever it stands.
const RSA_BYTES_MIN: usize = 128;

/// One use of a token to be verified.
#[derive(Clone, Copy, Debug)]
pub struct VerifyItem<'a> {
    /// The value without its scheme word.
    pub value: &'a str,
    /// The value, parsed.
    pub token: &'a Token,
    /// True if the value ends where a logger cuts.
    pub at_cut: bool,
}

/// Verifies tokens against a key history. Immutable and cheap to copy; the same item always gives the same answer.
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'k> {
    history: Option<&'k KeyHistory>,
}

impl<'k> Verifier<'k> {
    /// Without a history, every signature that would need a key is [`Verdict::NotCovered`].
    pub fn new(history: Option<&'k KeyHistory>) -> Self {
        Self { history }
    }

    /// The verdict on each item, in their order.
    pub fn verify_batch(&self, batch: &[VerifyItem<'_>]) -> Vec<Signature> {
        batch.iter().map(|item| self.verify(item)).collect()
    }

    /// The verdict on one use, whose time decides where the token names none (`by_request`).
    pub fn verdict_at(&self, signature: &Signature, request_time: Option<UtcMicros>) -> Verdict {
        let open = matches!(signature.verdict, Verdict::KeyUnknown | Verdict::NotCovered);
        if !signature.by_request || !open {
            return signature.verdict;
        }
        self.coverage(signature.authority.as_deref(), request_time)
    }

    /// A key of another authority than the issuer's that verifies the token, plain or with its nonce hashed; for
    /// `key-source-mismatch`. Costs up to 64 verifications, so it is for accepted requests only.
    pub fn elsewhere(&self, value: &str, token: &Token) -> Option<KeyId> {
        let (history, jws) = (self.history?, token.form.jws()?);
        let (header, claims) = (token.header()?, token.claims()?);
        let algorithm = Algorithm::parse(header.alg.as_deref()?)?;
        let authority = claims.iss.as_deref().and_then(|iss| history.authority(iss));
        let keys = history.elsewhere(authority.as_deref(), header.kid.as_deref(), algorithm, near(claims));
        let signed = Signed::of(value, jws, header, algorithm, jws.signature_bytes()?);
        signed.first_valid(history, &keys).map(|(key, _)| key)
    }

    fn verify(self, item: &VerifyItem<'_>) -> Signature {
        let token = item.token;
        let iss = token.claims().and_then(|claims| claims.iss.as_deref());
        let authority = self.history.zip(iss).and_then(|(history, iss)| history.authority(iss));
        let named = match (self.history, &authority, token.header()) {
            (Some(history), Some(authority), Some(header)) => {
                history.named(authority, header.kid.as_deref(), header.x5t.as_deref())
            }
            _ => Vec::new(),
        };
        let mut signature = Signature {
            verdict: Verdict::Malformed,
            by_request: false,
            key: None,
            named,
            authority,
            confusion: None,
            embedded_key_verifies: None,
        };
        match &token.form {
            Form::Truncated { .. } => signature.verdict = Verdict::Truncated,
            Form::Opaque | Form::FiveParts { .. } => signature.verdict = Verdict::Opaque,
            Form::Jwe { .. } => signature.verdict = Verdict::Encrypted,
            Form::Jws(jws) => {
                if let (Some(header), Some(claims)) = (token.header(), token.claims()) {
                    self.judge(item, jws, header, claims, &mut signature);
                }
            }
        }
        signature
    }

    /// Judges three parts of which the first two could be read.
    fn judge(
        self,
        item: &VerifyItem<'_>,
        jws: &Jws,
        header: &Header,
        claims: &Claims,
        found: &mut Signature,
    ) {
        let Some((bytes, whole)) = signature_bytes(item, jws) else { return };
        found.embedded_key_verifies = embedded::verifies(header, jws.signed(item.value), &bytes);
        if header.is_unsigned() || (whole && bytes.is_empty()) {
            found.verdict = Verdict::Unsigned;
            return;
        }
        let Some(algorithm) = header.alg.as_deref().and_then(Algorithm::parse) else {
            found.verdict = Verdict::UnsupportedAlg;
            found.confusion = self.confusion(jws.signed(item.value), &bytes, header, claims, found);
            return;
        };
        let fits = self.fits(&found.named, algorithm);
        if fits.contains(&Fit::Unverifiable) && !fits.contains(&Fit::Fits) {
            found.verdict = Verdict::UnsupportedAlg;
            return;
        }
        let wrong = self.judge_length(algorithm, bytes.len(), item.at_cut, &found.named);
        if !whole && wrong != Some(Verdict::Truncated) {
            return; // long enough, and yet it does not decode
        }
        if let Some(verdict) = wrong {
            found.verdict = verdict;
            return;
        }
        let signed = Signed::of(item.value, jws, header, algorithm, &bytes);
        self.judge_signature(&signed, claims, found);
    }

    fn judge_signature(self, signed: &Signed<'_>, claims: &Claims, found: &mut Signature) {
        let near = near(claims);
        let (Some(history), Some(authority)) = (self.history, found.authority.as_deref()) else {
            found.verdict = Verdict::NotCovered;
            return;
        };
        let fallback;
        let candidates = if found.named.is_empty() {
            fallback = history.fallback(authority, signed.algorithm, near);
            &fallback
        } else {
            &found.named
        };
        if let Some((key, verdict)) = signed.first_valid(history, candidates) {
            found.verdict = verdict;
            found.key = Some(key);
        } else if !found.named.is_empty() {
            found.verdict = Verdict::Invalid;
        } else {
            found.by_request = near.is_none();
            found.verdict = self.coverage(Some(authority), near);
        }
    }

    /// A signature of a length that no named key and no algorithm has: cut, if it is short and shows a sign of it, else
    /// invalid. `None` if the length may be right.
    fn judge_length(
        self,
        algorithm: Algorithm,
        bytes: usize,
        at_cut: bool,
        named: &[KeyId],
    ) -> Option<Verdict> {
        let expected: Vec<usize> = match (algorithm.signature_bytes(), self.history) {
            (Some(fixed), _) => vec![fixed],
            (None, Some(history)) => {
                let keys = named.iter().map(|id| &history.key(*id).prepared);
                let fitting = keys.filter(|key| key.fit(algorithm) == Fit::Fits);
                fitting.filter_map(PreparedKey::signature_bytes).collect()
            }
            (None, None) => Vec::new(),
        };
        let shortest = expected.iter().min().copied().unwrap_or(RSA_BYTES_EXPECTED);
        let shows_a_cut = at_cut || (algorithm.is_rsa() && bytes < RSA_BYTES_MIN);
        if bytes < shortest && shows_a_cut {
            return Some(Verdict::Truncated);
        }
        (!expected.is_empty() && !expected.contains(&bytes)).then_some(Verdict::Invalid)
    }

    fn fits(self, named: &[KeyId], algorithm: Algorithm) -> Vec<Fit> {
        let keys = self.history.into_iter().flat_map(|history| named.iter().map(|id| history.key(*id)));
        keys.map(|key| key.prepared.fit(algorithm)).collect()
    }

    /// Whether the archive has an opinion about an instant.
    fn coverage(self, authority: Option<&Authority>, at: Option<UtcMicros>) -> Verdict {
        let covered = match (self.history, authority, at) {
            (Some(history), Some(authority), Some(at)) => history.covers(authority, at),
            _ => false,
        };
        if covered { Verdict::KeyUnknown } else { Verdict::NotCovered }
    }

    fn confusion(
        self,
        message: &[u8],
        tag: &[u8],
        header: &Header,
        claims: &Claims,
        found: &Signature,
    ) -> Option<&'static str> {
        let history = self.history?;
        let mac = confusion::mac(header.alg.as_deref()?)?;
        let nearest = history.confusable(found.authority.as_deref(), near(claims));
        let keys = found.named.iter().chain(nearest.iter().filter(|id| !found.named.contains(id)));
        let mut keys = keys.take(crate::limits::FALLBACK_KEYS_MAX);
        keys.find_map(|id| confusion::spelling(history.key(*id), mac, message, tag))
    }
}

/// What is verified, in the spellings in which it may have been signed.
struct Signed<'a> {
    algorithm: Algorithm,
    plain: &'a [u8],
    hashed_nonce: Option<Vec<u8>>,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn of(value: &'a str, jws: &Jws, header: &Header, algorithm: Algorithm, signature: &'a [u8]) -> Self {
        let hashed_nonce = graph::signed_with_hashed_nonce(value, jws, header);
        Self { algorithm, plain: jws.signed(value), hashed_nonce, signature }
    }

    /// The first key that verifies it: as it stands, else with the nonce hashed.
    fn first_valid(&self, history: &KeyHistory, keys: &[KeyId]) -> Option<(KeyId, Verdict)> {
        let verified_by = |message: &[u8]| {
            let verifies =
                |id: &&KeyId| history.key(**id).prepared.verify(self.algorithm, message, self.signature);
            keys.iter().find(verifies).copied()
        };
        let plain = verified_by(self.plain).map(|key| (key, Verdict::Valid));
        plain
            .or_else(|| verified_by(self.hashed_nonce.as_deref()?).map(|key| (key, Verdict::ValidGraphNonce)))
    }
}

/// The decoded signature, and whether it is all of it. At a cut, a last character that stands alone is the rest of a byte
/// that was cut off; `None` for any other signature that does not decode.
fn signature_bytes<'a>(item: &VerifyItem<'_>, jws: &'a Jws) -> Option<(Cow<'a, [u8]>, bool)> {
    if let Some(bytes) = jws.signature_bytes() {
        return Some((Cow::Borrowed(bytes), true));
    }
    let text = item.value.get(jws.signature.range.clone()).filter(|_| item.at_cut)?;
    let (_, rest) = text.as_bytes().split_last()?;
    let mut bytes = Vec::new();
    (base64url::decode(rest, &mut bytes) != Spelling::Invalid
        && base64url::is_alphabet(*text.as_bytes().last()?))
    .then_some((Cow::Owned(bytes), false))
}

/// The instant that stands for the token: `iat`, else `nbf`.
fn near(claims: &Claims) -> Option<UtcMicros> {
    claims.iat.or(claims.nbf).map(UtcMicros::from_seconds)
}
