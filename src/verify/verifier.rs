//! The order in which a verdict is decided (contract section 4).

use super::Signature;
use super::Verdict;
use super::confusion;
use super::embedded::Embedded;
use super::graph;
use super::lanes::Lanes;
use crate::codec::algorithm::Algorithm;
use crate::codec::base64url;
use crate::codec::base64url::Spelling;
use crate::keys::Authority;
use crate::keys::Fit;
use crate::keys::KeyHistory;
use crate::keys::KeyId;
use crate::keys::LaneJob;
use crate::keys::LaneKernel;
use crate::keys::PreparedKey;
use crate::time::UtcMicros;
use crate::token::Claims;
use crate::token::Form;
use crate::token::Header;
use crate::token::Jws;
use crate::token::Token;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

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
    /// What verifies signatures many at once, if anything may.
    kernel: Option<LaneKernel>,
}

impl<'k> Verifier<'k> {
    /// Without a history, every signature that would need a key is [`Verdict::NotCovered`].
    pub fn new(history: Option<&'k KeyHistory>) -> Self {
        Self { history, kernel: LaneKernel::fastest() }
    }

    /// The same, with nothing but the library: slower, and the same verdicts.
    #[must_use]
    pub fn portable(self) -> Self {
        self.with(None)
    }

    /// The same, with this kernel.
    #[must_use]
    pub(super) fn with(self, kernel: Option<LaneKernel>) -> Self {
        Self { kernel, ..self }
    }

    /// The verdict on each item, in their order.
    pub fn verify_batch(&self, batch: &[VerifyItem<'_>]) -> Vec<Signature> {
        let mut authorities = HashMap::new();
        let mut all: Vec<(Signature, Option<Open<'_>>)> =
            batch.iter().map(|item| self.look(item, &mut authorities)).collect();
        if let (Some(history), Some(kernel)) = (self.history, self.kernel) {
            let mut lanes = Lanes::new(kernel);
            for (at, (found, open)) in all.iter().enumerate() {
                if let Some((key, job)) = open.as_ref().and_then(|open| open.lane_job(history, found)) {
                    lanes.offer((at, key), job);
                }
            }
            for (at, key) in lanes.accepted() {
                if let Some((_, Some(open))) = all.get_mut(at) {
                    open.signed.accepted = Some(key);
                }
            }
        }
        let judged = all.into_iter().map(|(mut found, open)| {
            if let Some(open) = open {
                self.judge_signature(&open, &mut found);
            }
            found
        });
        judged.collect()
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
        let algorithm = Algorithm::parse(header.alg?)?;
        let authority = claims.iss.and_then(|iss| history.authority(iss));
        let keys = history.elsewhere(authority.as_deref(), header.kid, algorithm, near(claims));
        let signed = Signed::of(value, jws, header, algorithm, jws.signature_bytes()?);
        signed.first_valid(history, &keys).map(|(key, _)| key)
    }

    /// What can be said of an item before any key is asked, and what is left open.
    fn look<'a>(
        self,
        item: &VerifyItem<'a>,
        authorities: &mut Authorities<'a>,
    ) -> (Signature, Option<Open<'a>>) {
        let token = item.token;
        let iss = token.claims().and_then(|claims| claims.iss);
        let authority = self.history.zip(iss).and_then(|(history, iss)| {
            authorities.entry(iss).or_insert_with(|| history.authority(iss)).clone()
        });
        let named = match (self.history, &authority, token.header()) {
            (Some(history), Some(authority), Some(header)) => {
                history.named(authority, header.kid, header.x5t)
            }
            _ => Vec::new(),
        };
        let mut found = Signature {
            verdict: Verdict::Malformed,
            by_request: false,
            key: None,
            named,
            authority,
            confusion: None,
            embedded: Embedded::default(),
        };
        let mut open = None;
        match &token.form {
            Form::Truncated { .. } => found.verdict = Verdict::Truncated,
            Form::Opaque | Form::FiveParts { .. } => found.verdict = Verdict::Opaque,
            Form::Jwe { .. } => found.verdict = Verdict::Encrypted,
            Form::Jws(jws) => {
                if let (Some(header), Some(claims)) = (token.header(), token.claims()) {
                    open = self.judge(item, jws, header, claims, &mut found);
                }
            }
        }
        (found, open)
    }

    /// Judges three parts of which the first two could be read, up to the point where a key must be asked.
    fn judge<'a>(
        self,
        item: &VerifyItem<'a>,
        jws: &'a Jws,
        header: &Header,
        claims: &Claims,
        found: &mut Signature,
    ) -> Option<Open<'a>> {
        let (bytes, whole) = signature_bytes(item, jws)?;
        found.embedded = Embedded::of(header, jws.signed(item.value), &bytes);
        if header.is_unsigned() || (whole && bytes.is_empty()) {
            found.verdict = Verdict::Unsigned;
            return None;
        }
        let Some(algorithm) = header.alg.and_then(Algorithm::parse) else {
            found.verdict = Verdict::UnsupportedAlg;
            found.confusion = self.confusion(jws.signed(item.value), &bytes, header, claims, found);
            return None;
        };
        let fits = |wanted| self.keys(&found.named).any(|key| key.fit(algorithm) == wanted);
        if fits(Fit::Unverifiable) && !fits(Fit::Fits) {
            found.verdict = Verdict::UnsupportedAlg;
            return None;
        }
        let wrong = self.judge_length(algorithm, bytes.len(), item.at_cut, &found.named);
        if let Some(verdict) = wrong.filter(|verdict| whole || *verdict == Verdict::Truncated) {
            found.verdict = verdict;
            return None;
        }
        // Long enough, and yet it may not decode.
        let signature = jws.signature_bytes()?;
        let near = near(claims);
        let (Some(history), Some(authority)) = (self.history, found.authority.as_deref()) else {
            found.verdict = Verdict::NotCovered;
            return None;
        };
        let fallback =
            if found.named.is_empty() { history.fallback(authority, algorithm, near) } else { Vec::new() };
        let signed = Signed::of(item.value, jws, header, algorithm, signature);
        Some(Open { signed, sha256: item.token.signed_sha256.as_ref(), fallback, near })
    }

    /// Asks the keys.
    fn judge_signature(self, open: &Open<'_>, found: &mut Signature) {
        let Some(history) = self.history else { return };
        if let Some((key, verdict)) = open.signed.first_valid(history, open.candidates(found)) {
            found.verdict = verdict;
            found.key = Some(key);
        } else if !found.named.is_empty() {
            found.verdict = Verdict::Invalid;
        } else {
            found.by_request = open.near.is_none();
            found.verdict = self.coverage(found.authority.as_deref(), open.near);
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
        let fixed = algorithm.signature_bytes();
        let expected = || {
            let fitting = self.keys(named).filter(|key| fixed.is_none() && key.fit(algorithm) == Fit::Fits);
            fixed.into_iter().chain(fitting.filter_map(PreparedKey::signature_bytes))
        };
        let shortest = expected().min();
        let shows_a_cut = at_cut || (algorithm.is_rsa() && bytes < RSA_BYTES_MIN);
        if bytes < shortest.unwrap_or(RSA_BYTES_EXPECTED) && shows_a_cut {
            return Some(Verdict::Truncated);
        }
        (shortest.is_some() && expected().all(|length| length != bytes)).then_some(Verdict::Invalid)
    }

    /// The named keys.
    fn keys(self, named: &[KeyId]) -> impl Iterator<Item = &'k PreparedKey> {
        self.history.into_iter().flat_map(|history| named.iter().map(|id| &history.key(*id).prepared))
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
        let mac = confusion::mac(header.alg?)?;
        let nearest = history.confusable(found.authority.as_deref(), near(claims));
        let keys = found.named.iter().chain(nearest.iter().filter(|id| !found.named.contains(id)));
        let mut keys = keys.take(crate::limits::FALLBACK_KEYS_MAX);
        keys.find_map(|id| confusion::spelling(history.key(*id), mac, message, tag))
    }
}

/// The authority of each issuer that a batch names.
type Authorities<'a> = HashMap<&'a str, Option<Arc<Authority>>>;

/// What only a key can decide about an item.
struct Open<'a> {
    signed: Signed<'a>,
    /// SHA-256 of the plain spelling.
    sha256: Option<&'a [u8; 32]>,
    /// Whom to ask if no key is named, in order.
    fallback: Vec<KeyId>,
    /// The instant that stands for the token.
    near: Option<UtcMicros>,
}

impl<'a> Open<'a> {
    /// Whom to ask, in order.
    fn candidates<'s>(&'s self, found: &'s Signature) -> &'s [KeyId] {
        if found.named.is_empty() { &self.fallback } else { &found.named }
    }

    /// The question for the lanes: whether the first candidate that they take verifies the plain spelling.
    fn lane_job<'j>(&self, history: &'j KeyHistory, found: &Signature) -> Option<(KeyId, LaneJob<'j>)>
    where
        'a: 'j,
    {
        let digest = self.sha256?;
        let signature = self.signed.signature;
        self.candidates(found).iter().find_map(|id| {
            let key = &history.key(*id).prepared;
            let fits = key.signature_bytes() == Some(signature.len());
            let key = fits.then(|| key.lane_key(self.signed.algorithm)).flatten()?;
            Some((*id, LaneJob { key, digest, signature }))
        })
    }
}

/// What is verified, in the spellings in which it may have been signed.
struct Signed<'a> {
    algorithm: Algorithm,
    plain: &'a [u8],
    hashed_nonce: Option<Vec<u8>>,
    signature: &'a [u8],
    /// A key of which it is known beforehand that it verifies the plain spelling.
    accepted: Option<KeyId>,
}

impl<'a> Signed<'a> {
    fn of(value: &'a str, jws: &Jws, header: &Header, algorithm: Algorithm, signature: &'a [u8]) -> Self {
        let hashed_nonce = graph::signed_with_hashed_nonce(value, jws, header);
        Self { algorithm, plain: jws.signed(value), hashed_nonce, signature, accepted: None }
    }

    /// The first key that verifies it: as it stands, else with the nonce hashed.
    fn first_valid(&self, history: &KeyHistory, keys: &[KeyId]) -> Option<(KeyId, Verdict)> {
        let verifies = |id: KeyId, message: &[u8]| {
            history.key(id).prepared.verify(self.algorithm, message, self.signature)
        };
        let mut ids = keys.iter().copied();
        if let Some(key) = ids.find(|id| self.accepted == Some(*id) || verifies(*id, self.plain)) {
            return Some((key, Verdict::Valid));
        }
        let hashed = self.hashed_nonce.as_deref()?;
        let key = keys.iter().copied().find(|id| verifies(*id, hashed))?;
        Some((key, Verdict::ValidGraphNonce))
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
