//! What a log shows of the APIs behind a gateway. A rule that never speaks: the engine shows it every request with its
//! verdict, and what it has seen merges like every rule's state.
//!
//! Values are learned from tokens with a valid signature alone. Of other requests only the place is kept, for review.

use super::bounded::Bounded;
use super::permissions::{Permissions, Wanted};
use super::seen::{Seen, Sighting};
use crate::entra::IssuerKind;
use crate::facts::{Facts, Outcome, Tokenless};
use crate::policy::{normal_host, normal_path};
use crate::redact;
use crate::rules::kit::{Cells, Judge, Needs};
use crate::rules::run::{Conclusion, RestoreError, RunRule, RunState};
use crate::rules::{Category, Confidence, Lane, Rule};
use crate::token::Claims;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Places that are kept.
const PLACES_MAX: usize = 500;
/// Values of a kind that are kept at a place.
pub(super) const VALUES_MAX: usize = 200;
/// Longest value that is learned, in bytes; no id, audience or role is longer.
const VALUE_BYTES_MAX: usize = 256;
/// Longest segment of a path that is taken for a name.
const SEGMENT_BYTES_MAX: usize = 40;

/// What an audience brought along at a place.
#[derive(Clone, Debug)]
pub(super) struct OfAudience {
    pub(super) seen: Seen,
    pub(super) clients: Bounded<Seen>,
    pub(super) permissions: Permissions,
    pub(super) tenants: Bounded<Seen>,
    pub(super) algorithms: Bounded<Seen>,
    /// Issuers that are none of Entra's.
    pub(super) issuers: Bounded<Seen>,
    /// Families of Entra's issuers.
    pub(super) kinds: Bounded<Seen>,
}

/// What was seen at a place.
#[derive(Clone, Debug)]
pub struct Group {
    /// Requests with a genuine token.
    pub seen: Seen,
    pub(super) audiences: Bounded<OfAudience>,
    /// Accepted requests with a genuine token that says something that no policy can hold.
    pub unusable: u64,
    /// Accepted requests whose token nobody vouches for.
    pub unverified: u64,
    /// Accepted requests without a token.
    pub without_token: u64,
}

/// Where a request leads: an entry of the policy that is added to, else a host and leading segments of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The name of an entry.
    Known(String),
    /// Anywhere else.
    At {
        /// Host, as entries are compared with it.
        host: String,
        /// First segment of the path, if it names something.
        first: Option<String>,
        /// The one behind it.
        second: Option<String>,
    },
}

/// Everything that was seen.
#[derive(Clone, Debug)]
pub struct Learned {
    /// By accepted requests with a genuine token.
    genuine: Bounded<Group>,
    /// By all others, so that whoever makes up places cannot crowd out real ones.
    others: Bounded<Group>,
    /// Accepted requests whose host or path no entry can name.
    pub unnamed: u64,
}

/// Where the end of a run leaves what was learned.
#[derive(Clone, Debug, Default)]
pub struct Left(Arc<Mutex<Option<Learned>>>);

impl Left {
    /// Takes it; nothing before the end of the run.
    pub fn take(&self) -> Learned {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.take().unwrap_or_else(Learned::new)
    }
}

/// The rule, and where it leaves what it has learned. It lives as long as the process.
pub fn rule() -> (&'static Rule, Left) {
    let left = Left::default();
    let learn: &'static Learn = Box::leak(Box::new(Learn { left: left.clone() }));
    let rule = Rule {
        id: "policy-init",
        manual: "",
        category: Category::Behaviour,
        cells: Cells::new('-', '-'),
        lane: Lane::BlindSpot,
        confidence: Confidence::Heuristic,
        references: &[],
        needs: &[],
        needs_of: Needs::of(&[]),
        cause: &[],
        judge: Judge::Run(learn),
    };
    (Box::leak(Box::new(rule)), left)
}

struct Learn {
    left: Left,
}

struct Learning {
    learned: Learned,
    left: Left,
}

impl RunRule for Learn {
    fn start(&self) -> Box<dyn RunState> {
        Box::new(Learning { learned: Learned::new(), left: self.left.clone() })
    }

    fn restore(&self, _saved: &[u8]) -> Result<Box<dyn RunState>, RestoreError> {
        Err(RestoreError { rule: "policy-init" })
    }
}

impl RunState for Learning {
    fn observe(&mut self, facts: &Facts<'_>) {
        let place = place_of(facts.api.map(|api| api.name.as_str()), facts.record.host, facts.record.path);
        let accepted = facts.outcome == Outcome::Accepted;
        let claims = facts.token.claims().filter(|_| facts.is_vouched());
        let Some(group) = self.group(place, accepted, accepted && claims.is_some()) else { return };
        let Some(claims) = claims else {
            group.unverified += u64::from(accepted);
            return;
        };
        let sighting = Sighting::of(claims, facts.time.map(|time| time.at), accepted);
        group.seen.add(sighting);
        let algorithm = facts.token.header().and_then(|header| header.alg);
        let wanted = Wanted::of(facts, claims);
        let mut usable = claims.audience.stated().next().is_some();
        for audience in claims.audience.stated() {
            usable &= learnable(audience).is_some();
            if let Some(of_audience) = learnable(audience).and_then(|text| group.audiences.entry(text)) {
                usable &= of_audience.add(claims, &wanted, algorithm, sighting);
            }
        }
        group.unusable += u64::from(accepted && !usable);
    }

    fn observe_tokenless(&mut self, request: &Tokenless<'_>) {
        let accepted = request.outcome == Outcome::Accepted;
        let is_preflight = request.record.method.is_some_and(|method| method.eq_ignore_ascii_case("OPTIONS"));
        if !accepted || is_preflight {
            return;
        }
        let record = request.record;
        let place = place_of(request.api.map(|api| api.name.as_str()), record.host, record.path);
        if let Some(group) = self.group(place, accepted, false) {
            group.without_token += 1;
        }
    }

    fn merge(&mut self, other: Box<dyn RunState>) {
        let Ok(other) = other.into_any().downcast::<Self>() else { return };
        self.learned.unnamed += other.learned.unnamed;
        self.learned.genuine.merge(other.learned.genuine, Group::merge);
        self.learned.others.merge(other.learned.others, Group::merge);
    }

    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    fn conclude(self: Box<Self>) -> Conclusion {
        *self.left.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.learned);
        Conclusion::default()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl Learning {
    fn group(&mut self, place: Option<Place>, accepted: bool, genuine: bool) -> Option<&mut Group> {
        let Some(place) = place else {
            self.learned.unnamed += u64::from(accepted);
            return None;
        };
        let places = if genuine { &mut self.learned.genuine } else { &mut self.learned.others };
        places.entry(&place.key())
    }
}

impl Learned {
    fn new() -> Self {
        Self { genuine: Bounded::new(PLACES_MAX), others: Bounded::new(PLACES_MAX), unnamed: 0 }
    }

    /// What was seen, by place; true if there were too many places.
    pub fn finish(self) -> (BTreeMap<Place, Group>, bool) {
        let (genuine, dropped) = self.genuine.finish();
        let (others, others_dropped) = self.others.finish();
        let mut places: BTreeMap<Place, Group> = BTreeMap::new();
        for (key, group) in genuine.into_iter().chain(others) {
            places.entry(Place::of_key(&key)).or_default().merge(group);
        }
        (places, dropped || others_dropped)
    }
}

impl Place {
    /// A text from which the place can be told; the parts hold no tab.
    fn key(&self) -> String {
        match self {
            Self::Known(name) => format!("api\t{name}"),
            Self::At { host, first, second } => {
                let segments = [first, second].map(|segment| segment.as_deref().unwrap_or_default());
                format!("at\t{host}\t{}\t{}", segments[0], segments[1])
            }
        }
    }

    fn of_key(key: &str) -> Self {
        let mut parts = key.split('\t');
        if parts.next() == Some("api") {
            return Self::Known(key.strip_prefix("api\t").unwrap_or_default().to_owned());
        }
        let mut part = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        Self::At { host: part().unwrap_or_default(), first: part(), second: part() }
    }
}

/// The place of a request; `None` if its host is missing or could not stand in a policy.
fn place_of(api: Option<&str>, host: Option<&str>, path: Option<&str>) -> Option<Place> {
    if let Some(api) = api {
        return Some(Place::Known(api.to_owned()));
    }
    let host = normal_host(host?);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if host.len() > 253 || !host.split('.').all(is_label) || redact::redact(&host, &[]) != host {
        return None;
    }
    let path = normal_path(path.unwrap_or_default());
    let mut segments = path.strip_prefix('/').unwrap_or(&path).split('/');
    let first = segments.next().filter(|segment| is_name(segment)).map(str::to_owned);
    let second = first.as_ref().and(segments.next()).filter(|segment| is_name(segment)).map(str::to_owned);
    Some(Place::At { host: host.into_owned(), first, second })
}

/// True for a segment that names a part of an API; false for ids, and for what looks like one.
fn is_name(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let is_version = segment.len() <= 8 && segment.starts_with(['v', 'V']);
    !segment.is_empty()
        && segment.len() <= SEGMENT_BYTES_MAX
        && segment.bytes().all(plain)
        && (is_version || digits <= 2 || digits * 4 < segment.len())
        && segment.bytes().any(|byte| byte.is_ascii_alphabetic())
        && redact::redact(segment, &[]) == segment
}

/// A value that may stand in a policy.
pub(super) fn learnable(text: &str) -> Option<&str> {
    let clean =
        text.len() <= VALUE_BYTES_MAX && !text.trim().is_empty() && !text.chars().any(char::is_control);
    (clean && redact::redact(text, &[]) == text).then_some(text)
}

impl OfAudience {
    /// True if a policy can hold everything that was said.
    fn add(
        &mut self,
        claims: &Claims<'_>,
        wanted: &Wanted<'_>,
        algorithm: Option<&str>,
        sighting: Sighting,
    ) -> bool {
        self.seen.add(sighting);
        let mut usable = self.permissions.add(wanted, sighting);
        let mut note = |values: &mut Bounded<Seen>, text: &str| {
            usable &= learnable(text).is_some();
            if let Some(seen) = learnable(text).and_then(|text| values.entry(text)) {
                seen.add(sighting);
            }
        };
        for (values, text) in [
            (&mut self.clients, claims.client_id.as_deref()),
            (&mut self.tenants, claims.tenant()),
            (&mut self.algorithms, algorithm),
        ] {
            if let Some(text) = text {
                note(values, text);
            }
        }
        match claims.issuer {
            Some(issuer) => note(&mut self.kinds, kind_name(issuer.kind)),
            None => note(&mut self.issuers, claims.iss.unwrap_or_default()),
        }
        usable
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.seen.merge(&other.seen);
        self.permissions.merge(other.permissions);
        for (mine, theirs) in [
            (&mut self.clients, other.clients),
            (&mut self.tenants, other.tenants),
            (&mut self.algorithms, other.algorithms),
            (&mut self.issuers, other.issuers),
            (&mut self.kinds, other.kinds),
        ] {
            mine.merge(theirs, |mine, theirs| mine.merge(&theirs));
        }
    }
}

/// As a policy names a family of issuers.
fn kind_name(kind: IssuerKind) -> &'static str {
    match kind {
        IssuerKind::Workforce => "workforce",
        IssuerKind::B2c => "b2c",
        IssuerKind::Ciam => "ciam",
    }
}

impl Group {
    /// Adds what was seen elsewhere.
    pub(super) fn merge(&mut self, other: Self) {
        self.seen.merge(&other.seen);
        self.audiences.merge(other.audiences, OfAudience::merge);
        self.unusable += other.unusable;
        self.unverified += other.unverified;
        self.without_token += other.without_token;
    }
}

impl Default for OfAudience {
    fn default() -> Self {
        let values = || Bounded::new(VALUES_MAX);
        Self {
            seen: Seen::default(),
            clients: values(),
            permissions: Permissions::default(),
            tenants: values(),
            algorithms: values(),
            issuers: values(),
            kinds: values(),
        }
    }
}

impl Default for Group {
    fn default() -> Self {
        let audiences = Bounded::new(VALUES_MAX);
        Self { seen: Seen::default(), audiences, unusable: 0, unverified: 0, without_token: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_leave_out_ids_and_what_could_not_stand_in_a_policy() {
        let at = |host: &str, first: Option<&str>, second: Option<&str>| {
            let (first, second) = (first.map(str::to_owned), second.map(str::to_owned));
            Some(Place::At { host: host.to_owned(), first, second })
        };
        for (host, path, place) in [
            ("A.example:443", "/v1/orders/7", at("a.example", Some("v1"), Some("orders"))),
            ("a.example", "/v1/72f988bf-86f1-41af-91ab-2d7cd011db47/x", at("a.example", Some("v1"), None)),
            ("a.example", "/12345/x", at("a.example", None, None)),
            ("a.example", "/v1/alice@contoso.example", at("a.example", Some("v1"), None)),
            ("a.example", "/v1/%22%0a[x]", at("a.example", Some("v1"), None)),
            ("a.example", "", at("a.example", None, None)),
            ("a\"\nb.example", "/", None),
            ("*.example", "/", None),
            ("", "/", None),
        ] {
            assert_eq!(place_of(None, Some(host), Some(path)), place, "{host} {path}");
            if let Some(place) = place {
                assert_eq!(Place::of_key(&place.key()), place);
            }
        }
        assert_eq!(place_of(None, None, Some("/v1")), None);
        let known = place_of(Some("orders\tx"), None, None).unwrap();
        assert_eq!(Place::of_key(&known.key()), known);
    }

    #[test]
    fn made_up_places_crowd_out_no_real_one() {
        let mut learning = Learning { learned: Learned::new(), left: Left::default() };
        let at = |host: String| Some(Place::At { host, first: None, second: None });
        learning.group(at("real.example".to_owned()), true, true).unwrap().seen.accepted += 1;
        for number in 0..5 * PLACES_MAX {
            if let Some(group) = learning.group(at(format!("h{number}.example")), true, false) {
                group.unverified += 1;
            }
        }
        let (places, dropped) = learning.learned.finish();
        assert!(dropped && places.len() <= PLACES_MAX + 1);
        assert!(places.values().any(|group| group.seen.accepted == 1));
    }

    #[test]
    fn nothing_that_could_be_a_token_is_learned() {
        let jwt = crate::codec::base64url::encode(br#"{"alg":"none"}"#);
        assert!(!is_name(&jwt) && learnable(&jwt).is_none());
        assert!(learnable("a\nb").is_none() && learnable(" ").is_none());
        assert_eq!(learnable("api://orders"), Some("api://orders"));
    }
}
