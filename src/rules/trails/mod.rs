//! Trails: where, when and how each token was used, for rules that look at many uses (family G).
//!
//! Uses of a token that differ in nothing that a rule asks for are one [`Step`]. What is kept of a step merges by union, so
//! that workers, nights and distributed engines may cut the input anywhere.

mod agent;
mod hops;
mod marks;
mod places;
mod tell;
#[cfg(test)]
mod testing;
mod times;

pub use agent::{family, is_browser};
pub use hops::mark_echoes;
pub use marks::Marks;
pub use places::{Place, Prefix, Spot, count_spots};
pub use tell::listed;
pub use times::Class::Single;
pub use times::{APART, Class, Crowd, Span, add_span, are_near, overlaps};

use super::kit::{Reason, Rule};
use super::run::Conclusion;
use crate::facts::{Facts, Outcome};
use crate::policy::Behaviour;
use crate::redact::Fingerprint;
use crate::verify::Verdict;
use std::borrow::Cow;
use std::cell::OnceCell;

/// Groups of so many trails are made once; of larger ones each trail is made when it is looked at, so that a group may be
/// as large as a run.
const MADE_MAX: usize = 1024;

/// What a rule groups trails by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each token alone.
    Token,
    /// The session (`sid`) of tokens that a key vouches for.
    Session,
    /// Who a token that a key vouches for stands for: (`tid`, `oid`), else (`tid`, `sub`, `aud`).
    Identity,
    /// `uti`, whoever signed.
    Uti,
    /// Who asks: the client of app-only tokens, each other token alone; only tokens that were denied with 403.
    Actor,
    /// Where forged and misdirected tokens came from; a token is in the group of each such place.
    Place,
    /// An API and what it took for the key of its callers, where that can change hands.
    Principal,
    /// The tenant of accepted tokens that a key vouches for, unless an earlier run knew it.
    Tenant,
}

/// A rule over trails.
#[derive(Clone, Copy)]
pub struct TrailRule {
    /// How trails are grouped.
    pub by: By,
    /// Judges one group.
    pub check: fn(&Rule, &Group<'_>, &mut Conclusion),
}

/// Trails that have something in common.
pub struct Group<'g> {
    /// Where the trails are made; for a group by [`By::Place`] or [`By::Principal`] with the steps that belong there only.
    pub store: &'g dyn Store,
    /// Which trails, by number.
    pub members: &'g [u32],
    /// The trails themselves once a rule looks at them, if they are few enough to be made once.
    pub made: OnceCell<Vec<Trail<'g>>>,
    /// Thresholds.
    pub behaviour: &'g Behaviour,
    /// The place that a group by [`By::Place`] has in common.
    pub spot: Option<Spot<'g>>,
    /// API and principal that a group by [`By::Principal`] has in common.
    pub principal: Option<(Option<&'g str>, &'g str)>,
    /// True for those that do not tell what they would be grouped by: they have nothing in common, and a rule only counts
    /// what it could not look at.
    pub keyless: bool,
}

impl<'g> Group<'g> {
    /// The trails one after another: a group may hold all tokens of a run.
    pub fn trails(&self) -> impl Iterator<Item = Cow<'_, Trail<'g>>> {
        let store = self.store;
        let (few, many) =
            if self.members.len() <= MADE_MAX { (self.members, &[][..]) } else { (&[][..], self.members) };
        let made = self.made.get_or_init(|| few.iter().map(|number| store.trail(*number)).collect());
        made.iter().map(Cow::Borrowed).chain(many.iter().map(move |number| Cow::Owned(store.trail(*number))))
    }
}

/// Makes trails by number.
pub trait Store {
    /// A trail.
    fn trail(&self, number: u32) -> Trail<'_>;
}

/// A token with everything that was seen of its uses. Texts are as they may be written.
#[derive(Clone, Debug)]
pub struct Trail<'t> {
    /// The token.
    pub token: Fingerprint,
    /// Beginning of the digest of header and payload; `None` where there are no three parts that decode.
    pub signed: Option<u64>,
    /// The least verdict of its uses.
    pub verdict: Verdict,
    /// True if its claims may count against others: a key vouches for them, or the run has no keys.
    pub believed: bool,
    /// `iss`
    pub iss: Option<&'t str>,
    /// `aud`
    pub aud: Option<&'t str>,
    /// `tid`
    pub tid: Option<&'t str>,
    /// `oid`
    pub oid: Option<&'t str>,
    /// `sub`
    pub sub: Option<&'t str>,
    /// Client id.
    pub client: Option<&'t str>,
    /// `uti`
    pub uti: Option<&'t str>,
    /// `sid`
    pub sid: Option<&'t str>,
    /// `kid`
    pub kid: Option<&'t str>,
    /// True for an application's own token.
    pub app: bool,
    /// `iat`, seconds.
    pub iat: Option<i64>,
    /// `exp`, seconds.
    pub exp: Option<i64>,
    /// Its steps, by their first use.
    pub steps: Vec<Step<'t>>,
}

impl<'t> Trail<'t> {
    /// Who it stands for, as far as a finding names it.
    pub fn identity(&self) -> Option<(&'t str, &'t str)> {
        Some((self.tid.unwrap_or_default(), self.oid.or(self.sub)?))
    }

    /// True if it has at least so many steps, without which nothing of them can be so many.
    pub fn has_steps(&self, least: u64) -> bool {
        u64::try_from(self.steps.len()).unwrap_or(u64::MAX) >= least
    }

    /// Its steps without those that only show requests of others again.
    pub fn own_steps(&self) -> impl Iterator<Item = &Step<'t>> {
        self.steps.iter().filter(|step| !step.echo)
    }

    /// Counts uses of this run that lack what a rule looks at.
    pub fn count_lacking(
        &self,
        reason: Reason,
        lacks: impl Fn(&Step<'_>) -> bool,
        conclusion: &mut Conclusion,
    ) {
        let uses: i64 =
            self.steps.iter().filter(|step| !step.earlier && lacks(step)).map(|step| step.count).sum();
        conclusion.lacking(reason, u64::try_from(uses).unwrap_or(0));
    }
}

/// Uses of a token that have gateway, API, outcome, place, user agent, host, principal and marks in common.
#[derive(Clone, Debug)]
pub struct Step<'t> {
    /// Its number among what this run, or the earlier one, keeps of the token.
    pub row: u16,
    /// Gateway.
    pub gateway: Option<&'t str>,
    /// API.
    pub api: Option<&'t str>,
    /// Outcome.
    pub outcome: Outcome,
    /// Where the requests came from.
    pub place: Option<Place<'t>>,
    /// Family of the user agent.
    pub agent: Option<&'t str>,
    /// Host as logged.
    pub host: Option<&'t str>,
    /// What the application authorised on, in its normal form.
    pub principal: Option<&'t str>,
    /// What else is known.
    pub marks: Marks,
    /// Number of the spelling of the signature; 0 for the one that encoders write.
    pub spelling: u32,
    /// How many uses.
    pub count: i64,
    /// True if one of them has no time.
    pub undated: bool,
    /// The first of them.
    pub first: First<'t>,
    /// When: in order, [`APART`] or more from one another.
    pub spans: Samples<'t, Span>,
    /// Least hashes of request ids, each with its first time; at most [`IDS_MAX`].
    pub ids: Samples<'t, (u32, i64)>,
    /// Hashes of routes (host and path), each with when it was used: [`ROUTES_MAX`] least ones, or [`PROBED_MAX`] of
    /// requests that were denied with 403.
    pub routes: Samples<'t, (u32, Span)>,
    /// True if it is known from an earlier run: such steps explain, and are not reported again.
    pub earlier: bool,
    /// True if its requests were seen at another hop before.
    pub echo: bool,
}

/// Request ids that are kept of a step: as many as tell a hop that sees a quarter of the requests.
pub const IDS_MAX: usize = 16;
/// Routes that are kept of a step.
pub const ROUTES_MAX: usize = 8;
/// Routes that are kept of a step whose requests were denied with 403: far more than make a probe.
pub const PROBED_MAX: usize = 1024;
/// Steps that are kept of a token: those with the least hashes, which are the same for any order of merging. Counts of
/// places, user agents and the like are exact up to here.
pub const STEPS_MAX: usize = 1024;

/// A principal as it is compared: trimmed, ids in lower case, addresses composed and in lower case.
pub fn normal_principal(principal: &str) -> String {
    super::principal::normal(principal)
}

/// True if the application authorised the caller by a claim that can change hands.
pub fn takes_mutable_claim(facts: &Facts<'_>) -> bool {
    super::principal::takes_mutable_claim(facts)
}

/// Some values, of which there is nearly always one.
#[derive(Clone, Copy, Debug)]
pub enum Samples<'t, T> {
    /// At most one.
    One(Option<T>),
    /// Several.
    Many(&'t [T]),
}

impl<T> Samples<'_, T> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => value.as_slice(),
            Self::Many(values) => values,
        }
    }
}

/// Where the first of some uses stands; ordered so that the least comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct First<'t> {
    /// Time in microseconds; `i64::MAX` if there is none.
    pub time: i64,
    /// Source.
    pub source: Option<&'t str>,
    /// Line.
    pub line: Option<i64>,
    /// Offset.
    pub offset: Option<i64>,
}

impl First<'_> {
    /// The time, if there is one.
    pub fn time(&self) -> Option<i64> {
        (self.time != i64::MAX).then_some(self.time)
    }
}

impl<'t> Step<'t> {
    /// The last time, if there is one.
    pub fn last(&self) -> Option<i64> {
        self.spans.as_slice().last().map(|span| span.1)
    }

    /// First and last time.
    pub fn seen(&self) -> Option<Span> {
        Some((self.first.time()?, self.last()?))
    }

    /// The place as rules tell places apart.
    pub fn spot(&self) -> Option<Spot<'t>> {
        self.place.map(|place| place.spot())
    }

    /// True if none of its uses has a path, although they have a time.
    pub fn lacks_route(&self) -> bool {
        self.seen().is_some() && self.routes.as_slice().is_empty()
    }

    /// True if one of its uses lies in one of some half-open stretches.
    pub fn falls_into(&self, stretches: &[Span]) -> bool {
        self.spans.as_slice().iter().any(|span| stretches.iter().any(|stretch| overlaps(*span, *stretch)))
    }
}
