//! Which trails a rule sees together.

use super::parts::Parts;
use super::store::{TrailStore, is_app};
use super::{Context, Earlier};
use crate::engine::names::Name;
use crate::facts::Outcome;
use crate::policy::Behaviour;
use crate::redact::Fingerprint;
use crate::rules::Rule;
use crate::rules::kit::Judge;
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, Spot, Store, Trail, TrailRule};
use hashbrown::DefaultHashBuilder;
use std::hash::BuildHasher as _;

/// Groups of so many trails are made once; of larger ones each trail is made when it is looked at, so that a group may be
/// as large as a run.
const MADE_MAX: usize = 1024;

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

/// Members by what they have in common; members with the same key lie side by side once sorted.
struct Grouped<K> {
    members: Vec<(K, u32)>,
}

impl TrailStore<'_> {
    /// What the rules over trails say.
    pub(in crate::engine) fn judge(
        &self,
        rules: &[&'static Rule],
        behaviour: &Behaviour,
        earlier: Option<&Earlier>,
    ) -> Vec<Judged> {
        let mut judged: Vec<Judged> = Vec::new();
        let of = |wanted: By| -> Vec<(usize, &'static Rule, TrailRule)> {
            let of_kind = rules.iter().enumerate().filter_map(|(at, rule)| match rule.judge {
                Judge::Trails(trails) if trails.by == wanted => Some((at, *rule, trails)),
                _ => None,
            });
            of_kind.collect()
        };
        let kinds =
            [By::Token, By::Session, By::Identity, By::Uti, By::Actor, By::Place, By::Principal, By::Tenant];
        for kind in kinds {
            let rules = of(kind);
            if rules.is_empty() {
                continue;
            }
            let mut conclusions: Vec<Conclusion> = rules.iter().map(|_| Conclusion::default()).collect();
            self.each_group(kind, behaviour, earlier, |group| {
                for ((_, rule, trails), conclusion) in rules.iter().zip(&mut conclusions) {
                    (trails.check)(rule, group, conclusion);
                }
            });
            judged.extend(rules.iter().map(|(at, ..)| *at).zip(conclusions));
        }
        judged
    }

    /// Calls `judge` with every group that has a token of this run.
    fn each_group(
        &self,
        kind: By,
        behaviour: &Behaviour,
        earlier: Option<&Earlier>,
        mut judge: impl FnMut(&Group<'_>),
    ) {
        let present = self.present_count();
        let mut judge_members = |store: &dyn Store, members: &[u32], shared: Shared<'_>| {
            if !members.iter().any(|number| *number < present) {
                return;
            }
            let few = members.len() <= MADE_MAX;
            let made: Vec<Trail<'_>> =
                members.iter().filter(|_| few).map(|number| store.trail(*number)).collect();
            let Shared { spot, principal, keyless } = shared;
            judge(&Group { store, members, made: &made, behaviour, spot, principal, keyless });
        };
        match kind {
            By::Token => (0..present).for_each(|number| judge_members(self, &[number], Shared::default())),
            By::Place => self.by_place().each(self, |spot, store, members| {
                let shared = Shared { spot: spot.copied(), keyless: spot.is_none(), ..Shared::default() };
                judge_members(store, members, shared);
            }),
            By::Principal => self.by_principal().each(self, |principal, store, members| {
                let (principal, keyless) = (principal.copied(), principal.is_none());
                judge_members(store, members, Shared { principal, keyless, ..Shared::default() });
            }),
            By::Session | By::Identity | By::Uti | By::Actor | By::Tenant => {
                let secret = DefaultHashBuilder::default();
                let keyed = |number| Some((secret.hash_one(self.key(kind, number, earlier)?), number));
                let missing = secret.hash_one(Key::Missing);
                let grouped = Grouped { members: (0..self.count()).filter_map(keyed).collect() };
                grouped.each(|key, members| {
                    judge_members(self, members, Shared { keyless: *key == missing, ..Shared::default() });
                });
            }
        }
    }

    /// What a token has in common with others of its group.
    fn key(&self, kind: By, number: u32, earlier: Option<&Earlier>) -> Option<Key<'_>> {
        let (known, token) = self.known(number).next()?;
        let summary = known.tokens.get(token)?;
        let text = |name: Option<Name>| known.names.optional(name);
        let texts = &summary.texts;
        let believed = self.believes(summary.verdict);
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

impl<K: Ord> Grouped<K> {
    /// Calls `take` with every key and its members.
    fn each(mut self, mut take: impl FnMut(&K, &[u32])) {
        self.members.sort_unstable();
        self.members.dedup();
        let mut members = Vec::new();
        for group in self.members.chunk_by(|a, b| a.0 == b.0) {
            members.clear();
            members.extend(group.iter().map(|(_, number)| *number));
            if let Some((key, _)) = group.first() {
                take(key, &members);
            }
        }
    }
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
            store.each_group(kind, &Behaviour::default(), None, |group| {
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
