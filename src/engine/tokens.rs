//! The distinct tokens of a partial: some 300 bytes each, for they are what grows with the log.

use super::distinct::Distinct;
use super::entry::Entry;
use super::names::{Name, Names, Translation};
use super::order::{FirstTen, Seen};
use super::places::{Places, index};
use super::segments::Segments;
use crate::limits;
use crate::redact::{self, Fingerprint, Secrets};
use crate::token::{Claims, Kind, Version};
use crate::verify::Verdict;

/// A token of a partial by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct TokenNumber(pub(super) u32);

impl TokenNumber {
    /// Place among the tokens.
    pub(super) fn at(self) -> usize {
        index(self.0)
    }
}

/// The columns of a token that are texts, redacted and cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct TokenNames {
    pub(super) iss: Option<Name>,
    pub(super) aud: Option<Name>,
    pub(super) tid: Option<Name>,
    pub(super) oid: Option<Name>,
    pub(super) sub: Option<Name>,
    pub(super) client_id: Option<Name>,
    pub(super) uti: Option<Name>,
    pub(super) sid: Option<Name>,
    pub(super) kid: Option<Name>,
    pub(super) alg: Option<Name>,
    pub(super) typ: Option<Name>,
    /// A packed list.
    pub(super) scp: Option<Name>,
    /// A packed list.
    pub(super) roles: Option<Name>,
}

/// Seconds of a `NumericDate`, or none; claims lie within ±2^53.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Date(i64);

impl Date {
    const NONE: Self = Self(i64::MIN);

    fn new(seconds: Option<i64>) -> Self {
        seconds.map_or(Self::NONE, Self)
    }

    /// The seconds.
    pub(super) fn seconds(self) -> Option<i64> {
        (self != Self::NONE).then_some(self.0)
    }
}

/// A distinct token so far.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct TokenSummary {
    pub(super) fingerprint: Fingerprint,
    pub(super) texts: TokenNames,
    /// Names of `token_version` and `token_kind`.
    pub(super) derived: Option<(Name, Name)>,
    pub(super) iat: Date,
    pub(super) nbf: Date,
    pub(super) exp: Date,
    pub(super) verdict: Verdict,
    pub(super) key_source: Option<Name>,
    /// True if whoever stole a key could have signed it: it was used while its key counts as compromised.
    pub(super) doubted: bool,
    pub(super) seen: Seen,
    pub(super) uses: i64,
    pub(super) accepted: i64,
    pub(super) denied: i64,
    pub(super) client_ips: Distinct,
    pub(super) hosts: FirstTen,
    /// The address that was added last, because the next use nearly always has it too.
    pub(super) last_ip: Option<Name>,
    /// The row of the activity table that was counted last; nothing depends on it.
    pub(super) last_activity: u32,
}

impl TokenSummary {
    /// A token that has not been used yet.
    pub(super) fn new<'s>(
        entry: &Entry,
        verdict: Verdict,
        secrets: impl Fn() -> &'s Secrets<'s>,
        names: &mut Names,
    ) -> Self {
        let claims = entry.facts.token.claims();
        Self {
            fingerprint: entry.facts.token.fingerprint,
            texts: TokenNames::new(entry, secrets, entry.kept.secret_bytes_min, names),
            derived: claims.map(|Claims { version, kind, .. }| derived(*version, *kind, names)),
            iat: Date::new(claims.and_then(|claims| claims.iat)),
            nbf: Date::new(claims.and_then(|claims| claims.nbf)),
            exp: Date::new(claims.and_then(|claims| claims.exp)),
            verdict,
            key_source: entry.kept.key_source.as_deref().map(|source| names.id(source)),
            doubted: false,
            seen: Seen::default(),
            uses: 0,
            accepted: 0,
            denied: 0,
            client_ips: Distinct::default(),
            hosts: FirstTen::default(),
            last_ip: None,
            last_activity: u32::MAX,
        }
    }

    /// What an earlier run kept of a token.
    pub(super) fn restored(
        fingerprint: Fingerprint,
        [iss, aud, tid, oid, sub, client_id, uti, sid, kid]: [Option<Name>; 9],
        derived: Option<(Name, Name)>,
        [iat, exp]: [Option<i64>; 2],
        verdict: Verdict,
    ) -> Self {
        let texts = TokenNames { iss, aud, tid, oid, sub, client_id, uti, sid, kid, ..TokenNames::default() };
        Self {
            fingerprint,
            texts,
            derived,
            iat: Date::new(iat),
            nbf: Date::NONE,
            exp: Date::new(exp),
            verdict,
            key_source: None,
            doubted: false,
            seen: Seen::default(),
            uses: 0,
            accepted: 0,
            denied: 0,
            client_ips: Distinct::default(),
            hosts: FirstTen::default(),
            last_ip: None,
            last_activity: u32::MAX,
        }
    }

    /// True if a key vouches for the claims; in a run without keys, also where nobody could look.
    pub(super) fn is_believed(&self, has_keys: bool) -> bool {
        let vouched = self.verdict.is_valid() || (!has_keys && self.verdict == Verdict::NotCovered);
        vouched && !self.doubted
    }

    /// Adds another part's uses. Texts may differ only by what the redactor had to remove beside other tokens; the
    /// redacted one sorts first.
    pub(super) fn merge(&mut self, other: &Self, names: &Names) {
        self.texts.keep_least(&other.texts, names);
        if other.verdict < self.verdict {
            self.verdict = other.verdict;
            self.key_source = other.key_source;
        }
        self.doubted |= other.doubted;
        self.seen.merge(other.seen);
        self.uses += other.uses;
        self.accepted += other.accepted;
        self.denied += other.denied;
        self.client_ips.merge(&other.client_ips);
        self.hosts.take(&other.hosts, names);
    }

    /// The same token in another partial's numbers.
    pub(super) fn translated(mut self, translation: &Translation, names: &Names) -> Self {
        self.texts.each_mut(|name| *name = translation.optional(*name));
        self.derived = self.derived.map(|(version, kind)| (translation.of(version), translation.of(kind)));
        self.key_source = translation.optional(self.key_source);
        let hosts = std::mem::take(&mut self.hosts);
        self.hosts.merge(&hosts, translation, names);
        self.last_ip = None;
        self.last_activity = u32::MAX;
        self
    }
}

fn derived(version: Version, kind: Kind, names: &mut Names) -> (Name, Name) {
    (names.id(version.name()), names.id(kind.name()))
}

impl TokenNames {
    /// The columns of a token. `secrets` are asked for only if a text is not shorter than all of them.
    pub(super) fn new<'s>(
        entry: &Entry,
        secrets: impl Fn() -> &'s Secrets<'s>,
        secret_bytes_min: usize,
        names: &mut Names,
    ) -> Self {
        let mut cell = |text: Option<&str>| Some(written(text?, secret_bytes_min, &secrets, names));
        let mut columns = Self::default();
        let facts = &entry.facts;
        if let Some(header) = facts.header() {
            columns.kid = cell(header.kid);
            columns.alg = cell(header.alg);
            columns.typ = cell(header.typ);
        }
        if let Some(claims) = facts.token.claims() {
            columns.iss = cell(claims.iss);
            columns.aud = cell(claims.audience.column().as_deref());
            columns.tid = cell(claims.tid.as_deref());
            columns.oid = cell(claims.oid.as_deref());
            columns.sub = cell(claims.sub);
            columns.client_id = cell(claims.client_id.as_deref());
            columns.uti = cell(claims.uti);
            columns.sid = cell(claims.sid);
            let mut list = |items: &[&str]| {
                let items = items.get(..limits::LIST_ITEMS_MAX).unwrap_or(items);
                if items.iter().all(|item| item.len() < secret_bytes_min) {
                    names.list_of_redacted(items, |item| redact::cell(item, &[]))
                } else {
                    names.list(items.iter().map(|item| secrets().cell(item)))
                }
            };
            columns.scp = claims.scp.as_deref().map(&mut list);
            columns.roles = claims.roles.as_deref().map(list);
        }
        columns
    }

    /// Keeps the lesser of two spellings of each text, so that the order of merging does not matter. Packed lists are compared
    /// as they are: any order will do that two partials agree on.
    pub(super) fn keep_least(&mut self, other: &Self, names: &Names) {
        if self == other {
            return;
        }
        let mut theirs = *other;
        let mut all = Vec::new();
        theirs.each_mut(|name| all.push(*name));
        let mut all = all.into_iter();
        self.each_mut(|mine| {
            let theirs = all.next().flatten();
            if *mine != theirs && names.optional(theirs) < names.optional(*mine) {
                *mine = theirs;
            }
        });
    }

    fn each_mut(&mut self, mut change: impl FnMut(&mut Option<Name>)) {
        let Self { iss, aud, tid, oid, sub, client_id, uti, sid, kid, alg, typ, scp, roles } = self;
        for name in [iss, aud, tid, oid, sub, client_id, uti, sid, kid, alg, typ, scp, roles] {
            change(name);
        }
    }
}

/// A text as it may be written. One that no secret can stand in is looked at once.
pub(super) fn written<'s>(
    text: &str,
    secret_bytes_min: usize,
    secrets: impl Fn() -> &'s Secrets<'s>,
    names: &mut Names,
) -> Name {
    if text.len() < secret_bytes_min {
        names.id_of_redacted(text, || redact::cell(text, &[]))
    } else {
        names.id(&secrets().cell(text))
    }
}

/// The tokens by number, and their numbers by fingerprint.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    places: Places,
    summaries: Segments<TokenSummary>,
}

impl Tokens {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.summaries.len()
    }

    /// The number of a token.
    pub(super) fn number(&self, fingerprint: Fingerprint) -> Option<TokenNumber> {
        let same = |at: usize| self.summaries.get(at).is_some_and(|token| token.fingerprint == fingerprint);
        self.places.find(self.places.hash(&fingerprint.0), same).map(TokenNumber)
    }

    /// Adds a token that is not there yet.
    pub(super) fn push(&mut self, summary: TokenSummary) -> TokenNumber {
        let number = u32::try_from(self.summaries.len()).unwrap_or(u32::MAX);
        self.places.insert(self.places.hash(&summary.fingerprint.0), number);
        self.summaries.push(summary);
        TokenNumber(number)
    }

    pub(super) fn get(&self, number: TokenNumber) -> Option<&TokenSummary> {
        self.summaries.get(number.at())
    }

    pub(super) fn get_mut(&mut self, number: TokenNumber) -> Option<&mut TokenSummary> {
        self.summaries.get_mut(number.at())
    }

    /// All of them in the order of their numbers.
    pub(super) fn summaries(&self) -> impl Iterator<Item = &TokenSummary> {
        self.summaries.iter()
    }

    /// Takes in another part's tokens; the result translates their numbers.
    pub(super) fn absorb(
        &mut self,
        other: Self,
        names: &Names,
        translation: &Translation,
    ) -> Vec<TokenNumber> {
        let absorbed = other.summaries.into_iter().map(|theirs| {
            let theirs = theirs.translated(translation, names);
            match self.number(theirs.fingerprint) {
                None => self.push(theirs),
                Some(number) => {
                    if let Some(mine) = self.get_mut(number) {
                        mine.merge(&theirs, names);
                    }
                    number
                }
            }
        });
        absorbed.collect()
    }
}
