//! Which trails a rule sees together.

use super::parts::Parts;
use super::store::{TrailStore, is_app};
use super::{Context, Earlier};
use crate::engine::names::Name;
use crate::engine::places::index;
use crate::facts::Outcome;
use crate::policy::Behaviour;
use crate::redact::Fingerprint;
use crate::rules::Rule;
use crate::rules::kit::Judge;
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, Spot, Store, TrailRule};
use hashbrown::DefaultHashBuilder;
use std::cell::OnceCell;
use std::hash::BuildHasher as _;

/// A rule by its place among the engine's, and what it says.
pub(in crate::engine) type Judged = (usize, Conclusion);

/// What the tokens of a group have in common.
#[derive(Hash)]
enum Key<'k> {
    /// A tenant and an id in it.
    Id(Option<&'k str>, &'k str),
    /// A tenant, a `sub` and the audience that it is for.
    Subject(Option<&'k str>, &'k str, Option<&'k str>),
    /// Nothing.
    Token(Fingerprint),
    /// Nobody knows what.
    Missing,
}

/// What the steps of a group have in common.
#[derive(Clone, Copy, Default)]
struct Shared<'k> {
    spot: Option<Spot<'k>>,
    principal: Option<(Option<&'k str>, &'k str)>,
    keyless: bool,
}

/// Tokens by what they have in common: the hash of it before the number of the token, in order. One number, because that is
/// sorted in a third of the time of a pair.
#[derive(Default)]
struct Grouped {
    members: Vec<u128>,
    /// The hash of those that do not tell.
    missing: u64,
}

/// Rules that see trails grouped alike, and what they say.
struct Asked {
    by: By,
    rules: Vec<(usize, &'static Rule, TrailRule)>,
    conclusions: Vec<Conclusion>,
    grouped: Grouped,
}

const KINDS: [By; 8] =
    [By::Token, By::Session, By::Identity, By::Uti, By::Actor, By::Place, By::Principal, By::Tenant];

impl TrailStore<'_> {
    /// What the rules over trails say.
    pub(in crate::engine) fn judge(
        &self,
        rules: &[&'static Rule],
        behaviour: &Behaviour,
        earlier: Option<&Earlier>,
    ) -> Vec<Judged> {
        let asked = KINDS.into_iter().map(|by| Asked::new(by, rules));
        let mut asked: Vec<Asked> = asked.filter(|asked| !asked.rules.is_empty()).collect();
        for asked in &mut asked {
            asked.grouped = self.grouped(asked.by, earlier);
        }
        // Most tokens share nothing with another: their trail is made once for all rules, in the order in which they lie.
        for (number, alone) in (0..).zip(self.alone(&asked)) {
            let members = [number];
            let group = group(self, &members, Shared::default(), behaviour);
            for (_, asked) in asked.iter_mut().enumerate().filter(|(at, _)| alone >> at & 1 == 1) {
                asked.judge(&group);
            }
        }
        for asked in &mut asked {
            let grouped = std::mem::take(&mut asked.grouped);
            self.each_group(asked.by, &grouped, behaviour, |group| asked.judge(group));
        }
        let judged = |Asked { rules, conclusions, .. }| rules.into_iter().map(|rule| rule.0).zip(conclusions);
        asked.into_iter().flat_map(judged).collect()
    }

    /// For each token of this run, a bit for those of `asked` that have it in no group with others.
    fn alone(&self, asked: &[Asked]) -> Vec<u8> {
        let of_token = |(at, asked): (usize, &Asked)| u8::from(asked.by == By::Token) << at;
        let always = asked.iter().enumerate().map(of_token).sum();
        let mut alone = vec![always; index(self.present_count())];
        for (at, asked) in asked.iter().enumerate() {
            for (key, members) in asked.grouped.groups() {
                if let ([only], false) = (members, key == asked.grouped.missing)
                    && let Some(alone) = alone.get_mut(index(number_of(*only)))
                {
                    *alone |= 1 << at;
                }
            }
        }
        alone
    }

    /// Tokens by what they have in common, where that is theirs and not of their steps.
    fn grouped(&self, by: By, earlier: Option<&Earlier>) -> Grouped {
        if matches!(by, By::Token | By::Place | By::Principal) {
            return Grouped::default();
        }
        let secret = DefaultHashBuilder::default();
        let keyed = |number: u32| {
            let key = secret.hash_one(self.key(by, number, earlier)?);
            Some(u128::from(key) << 32 | u128::from(number))
        };
        let mut members: Vec<u128> = (0..self.count()).filter_map(keyed).collect();
        members.sort_unstable();
        Grouped { members, missing: secret.hash_one(Key::Missing) }
    }

    /// Calls `judge` with every group that has a token of this run, but for tokens alone ([`Self::alone`]).
    fn each_group(
        &self,
        by: By,
        grouped: &Grouped,
        behaviour: &Behaviour,
        mut judge: impl FnMut(&Group<'_>),
    ) {
        let present = self.present_count();
        let mut judge_members = |store: &dyn Store, members: &[u32], shared: Shared<'_>| {
            if members.iter().any(|number| *number < present) {
                judge(&group(store, members, shared, behaviour));
            }
        };
        match by {
            By::Place => self.by_place().each(self, |spot, store, members| {
                let shared = Shared { spot: spot.copied(), keyless: spot.is_none(), ..Shared::default() };
                judge_members(store, members, shared);
            }),
            By::Principal => self.by_principal().each(self, |principal, store, members| {
                let (principal, keyless) = (principal.copied(), principal.is_none());
                judge_members(store, members, Shared { principal, keyless, ..Shared::default() });
            }),
            By::Token | By::Session | By::Identity | By::Uti | By::Actor | By::Tenant => {
                let mut numbers = Vec::new();
                for (key, members) in grouped.groups() {
                    let keyless = key == grouped.missing;
                    if members.len() > 1 || keyless {
                        numbers.clear();
                        numbers.extend(members.iter().map(|member| number_of(*member)));
                        judge_members(self, &numbers, Shared { keyless, ..Shared::default() });
                    }
                }
            }
        }
    }

    /// What a token has in common with others of its group.
    fn key(&self, kind: By, number: u32, earlier: Option<&Earlier>) -> Option<Key<'_>> {
        let (known, token) = self.known(number).next()?;
        let summary = known.tokens.get(token)?;
        let text = |name: Option<Name>| known.names.optional(name);
        let texts = &summary.texts;
        let believed = self.believes(number);
        let tenant = text(texts.tid);
        match kind {
            By::Session if believed => Some(text(texts.sid).map_or(Key::Missing, |sid| Key::Id(tenant, sid))),
            By::Identity if believed => match (text(texts.oid), text(texts.sub)) {
                (Some(oid), _) => Some(Key::Id(tenant, oid)),
                (None, Some(sub)) => Some(Key::Subject(tenant, sub, text(texts.aud))),
                (None, None) => None,
            },
            By::Uti => Some(text(texts.uti).map_or(Key::Missing, |uti| Key::Id(None, uti))),
            By::Actor if self.is_denied(number) => match text(texts.client_id) {
                Some(client) if believed && is_app(summary, known.names) => Some(Key::Id(tenant, client)),
                _ => Some(Key::Token(summary.fingerprint)),
            },
            By::Tenant if believed => {
                let Some(tenant) = tenant else { return Some(Key::Missing) };
                let known = earlier.is_some_and(|earlier| earlier.knows(tenant));
                (!known).then_some(Key::Id(None, tenant))
            }
            _ => None,
        }
    }

    fn is_denied(&self, number: u32) -> bool {
        self.contexts(number).any(|context| context.outcome == Outcome::DeniedAuthz)
    }

    /// Places that forged and misdirected tokens came from.
    fn by_place(&self) -> Parts<Spot<'_>> {
        let may = |context: &Context| context.marks.any(Marks::OF_PLACES);
        Parts::of(self, may, |_, step| step.marks.any(Marks::OF_PLACES).then(|| step.spot()))
    }

    /// What APIs took for the key of accepted callers, where it can change hands.
    fn by_principal(&self) -> Parts<(Option<&str>, &str)> {
        let may = |context: &Context| {
            let told = if context.principal.is_some() { Marks::MUTABLE_PRINCIPAL } else { Marks::AUTHORIZES };
            context.outcome == Outcome::Accepted && context.marks.any(told)
        };
        Parts::of(self, may, |trail, step| {
            if !trail.believed || step.outcome != Outcome::Accepted {
                return None;
            }
            match step.principal {
                Some(principal) if step.marks.any(Marks::MUTABLE_PRINCIPAL) => {
                    Some(Some((step.api, principal)))
                }
                None if step.marks.any(Marks::AUTHORIZES) => Some(None),
                _ => None,
            }
        })
    }
}

impl Grouped {
    /// The hash of what each group has in common, and its members.
    fn groups(&self) -> impl Iterator<Item = (u64, &[u128])> {
        let groups = self.members.chunk_by(|a, b| a >> 32 == b >> 32);
        groups.map(|members| (members.first().map_or(0, |member| key_of(*member)), members))
    }
}

fn key_of(member: u128) -> u64 {
    u64::try_from(member >> 32).unwrap_or_default()
}

fn number_of(member: u128) -> u32 {
    u32::try_from(member & u128::from(u32::MAX)).unwrap_or_default()
}

impl Asked {
    fn new(by: By, rules: &[&'static Rule]) -> Self {
        let of_kind = rules.iter().enumerate().filter_map(|(at, rule)| match rule.judge {
            Judge::Trails(trails) if trails.by == by => Some((at, *rule, trails)),
            _ => None,
        });
        let rules: Vec<(usize, &'static Rule, TrailRule)> = of_kind.collect();
        let conclusions = rules.iter().map(|_| Conclusion::default()).collect();
        Self { by, rules, conclusions, grouped: Grouped::default() }
    }

    fn judge(&mut self, group: &Group<'_>) {
        for ((_, rule, trails), conclusion) in self.rules.iter().zip(&mut self.conclusions) {
            (trails.check)(rule, group, conclusion);
        }
    }
}

fn group<'g>(
    store: &'g dyn Store,
    members: &'g [u32],
    shared: Shared<'g>,
    behaviour: &'g Behaviour,
) -> Group<'g> {
    let Shared { spot, principal, keyless } = shared;
    Group { store, members, made: OnceCell::new(), behaviour, spot, principal, keyless }
}

#[cfg(test)]
mod tests {
    use super::super::row::Row;
    use super::super::{Origin, Trails};
    use super::*;
    use crate::engine::names::Names;
    use crate::engine::order::At;
    use crate::engine::tokens::{TokenSummary, Tokens};
    use crate::rules::trails::Prefix;
    use crate::time::UtcMicros;
    use crate::verify::Verdict;

    const TOKENS: u8 = 20;
    const PLACES: u16 = 1000;

    fn from_place(place: u16, principal: Name) -> Context {
        let [high, low] = place.to_be_bytes();
        Context {
            gateway: None,
            api: None,
            host: None,
            agent: None,
            principal: Some(principal),
            origin: Some(Origin { network: None, prefix: Prefix::V4([10, high, low]) }),
            spelling: 0,
            marks: Marks::FORGED.with(Marks::MUTABLE_PRINCIPAL),
            outcome: Outcome::Accepted,
        }
    }

    /// Each of some tokens comes from a thousand places, as a thousand principals.
    fn hostile() -> (Names, Tokens, Trails) {
        let (mut names, mut tokens, mut trails) = (Names::default(), Tokens::default(), Trails::default());
        let principals: Vec<Name> = (0..PLACES).map(|place| names.id(&place.to_string())).collect();
        for token in 0..TOKENS {
            let fingerprint = Fingerprint([token; 32]);
            let summary =
                TokenSummary::restored(fingerprint, [None; 9], None, [None; 2], Verdict::NotCovered);
            let number = tokens.push(summary);
            for (place, principal) in (0..PLACES).zip(&principals) {
                let time = i64::from(place);
                let at = At::new(Some(UtcMicros(time)), None, Some(time), None);
                let context = trails.contexts.number(from_place(place, *principal));
                let spans = vec![(time, time)];
                let row = Row::restored(context, false, (1, at), spans, Vec::new(), Vec::new());
                trails.restore_row(number, 1, row, &names);
            }
        }
        (names, tokens, trails)
    }

    #[test]
    fn groups_by_step_hold_no_more_than_there_is() {
        let (names, tokens, trails) = hostile();
        let store = TrailStore::new(&names, &tokens, &trails, None, false);
        for kind in [By::Place, By::Principal] {
            let (mut groups, mut steps) = (0, 0);
            store.each_group(kind, &Grouped::default(), &Behaviour::default(), |group| {
                groups += 1;
                for trail in group.trails() {
                    steps += trail.steps.len();
                    assert!(trail.steps.iter().all(|step| group.spot.is_none_or(|s| step.spot() == Some(s))));
                }
            });
            assert_eq!(groups, PLACES);
            assert_eq!(steps, usize::from(TOKENS) * usize::from(PLACES));
        }
    }
}
