//! Which trails a rule sees together.

use super::Earlier;
use super::store::{TrailStore, is_app};
use crate::engine::names::Name;
use crate::facts::Outcome;
use crate::policy::Behaviour;
use crate::redact::Fingerprint;
use crate::rules::Rule;
use crate::rules::kit::Judge;
use crate::rules::run::Conclusion;
use crate::rules::trails::{By, Group, Marks, Place, Spot, Store as _, Trail, TrailRule};
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
        let mut judge_members = |members: &[u32], spot, principal| {
            if !members.iter().any(|number| *number < present) {
                return;
            }
            let few = members.len() <= MADE_MAX;
            let made: Vec<Trail<'_>> =
                members.iter().filter(|_| few).map(|number| self.trail(*number)).collect();
            judge(&Group { store: self, members, made: &made, behaviour, spot, principal });
        };
        match kind {
            By::Token => (0..present).for_each(|number| judge_members(&[number], None, None)),
            By::Place => {
                self.by_place().each(|spot, members| judge_members(members, Some(*spot), None));
            }
            By::Principal => {
                self.by_principal().each(|principal, members| judge_members(members, None, Some(*principal)));
            }
            By::Session | By::Identity | By::Uti | By::Actor | By::Tenant => {
                let secret = DefaultHashBuilder::default();
                let keyed = |number| Some((secret.hash_one(self.key(kind, number, earlier)?), number));
                let grouped = Grouped { members: (0..self.count()).filter_map(keyed).collect() };
                grouped.each(|_, members| judge_members(members, None, None));
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
            By::Session => Some(Key::Id(tenant, text(texts.sid).filter(|_| believed)?)),
            By::Identity if believed => match (text(texts.oid), text(texts.sub)) {
                (Some(oid), _) => Some(Key::Id(tenant, oid)),
                (None, Some(sub)) => Some(Key::Subject(tenant, sub, text(texts.aud))),
                (None, None) => None,
            },
            By::Uti => Some(Key::Id(None, text(texts.uti)?)),
            By::Actor if self.is_denied(number) => match text(texts.client_id) {
                Some(client) if believed && is_app(summary, known.names) => Some(Key::Id(tenant, client)),
                _ => Some(Key::Token(summary.fingerprint)),
            },
            By::Tenant if believed => {
                let tenant = tenant.filter(|tenant| !earlier.is_some_and(|earlier| earlier.knows(tenant)))?;
                Some(Key::Id(None, tenant))
            }
            _ => None,
        }
    }

    fn is_denied(&self, number: u32) -> bool {
        self.known(number).any(|(known, token)| {
            known
                .trails
                .rows_of(token, known.names)
                .any(|(.., context)| context.outcome == Outcome::DeniedAuthz)
        })
    }

    /// Places that forged and misdirected tokens came from.
    fn by_place(&self) -> Grouped<Spot<'_>> {
        let mut members = Vec::new();
        for number in 0..self.count() {
            for (known, token) in self.known(number) {
                for (.., context) in known.trails.rows_of(token, known.names) {
                    if let Some(origin) = context.origin.filter(|_| context.marks.any(Marks::OF_PLACES)) {
                        let network = known.names.optional(origin.network);
                        members.push((Place { network, prefix: origin.prefix }.spot(), number));
                    }
                }
            }
        }
        Grouped { members }
    }

    /// What APIs took for the key of accepted callers, where it can change hands.
    fn by_principal(&self) -> Grouped<(Option<&str>, &str)> {
        let mut members = Vec::new();
        for number in 0..self.count() {
            for (known, token) in self.known(number) {
                let verdict = known.tokens.get(token).map(|token| token.verdict);
                if !verdict.is_some_and(|verdict| self.believes(verdict)) {
                    continue;
                }
                for (.., context) in known.trails.rows_of(token, known.names) {
                    let takes =
                        context.outcome == Outcome::Accepted && context.marks.any(Marks::MUTABLE_PRINCIPAL);
                    if let Some(principal) = known.names.optional(context.principal).filter(|_| takes) {
                        members.push(((known.names.optional(context.api), principal), number));
                    }
                }
            }
        }
        Grouped { members }
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
