//! A token at an API of the policy: what rules say of both is said once, however many requests follow.

use super::Engine;
use super::entry::Entry;
use super::front::Front;
use super::plans::Plan;
use super::settled::Settled;
use super::shared::Shared;
use crate::facts::Pairing;
use crate::rules::kit::{Check, Evidence, Judge, Rule};
use crate::rules::trails::Marks;
use crate::rules::{self, Quiet, Silence};
use std::cell::Cell;
use std::sync::Arc;

/// APIs that a token is remembered at; at a further one the first is given up.
const PAIRINGS_MAX: usize = 8;

/// What is known of a token, by API.
#[derive(Default)]
pub(super) struct Pairings {
    known: Vec<Known>,
    /// The one of the record that is judged.
    current: Cell<usize>,
}

/// What is known of a token at an API, and what rules said of its uses there.
struct Known {
    paired: Arc<Paired>,
    settled: Cell<Option<Box<Settled>>>,
}

/// What is known of a token at an API.
pub(super) struct Paired {
    at: PairingPlace,
    /// Rules of token and API that fire at every use, by their places.
    pub(super) fires: Box<[(usize, Box<Evidence>)]>,
    /// What is left to do at a use.
    pub(super) plan: Arc<Plan>,
    /// When the plan's timed rules say nothing.
    pub(super) quiet: Quiet,
    /// What trails know of the token there.
    pub(super) marks: Marks,
}

/// An API and what its gateway enforces, by their places in memory: the engine keeps its policy as long as a front that
/// belongs to it is used. A forgery that was refused is another matter than one that was not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PairingPlace {
    api: usize,
    validation: usize,
    silence: Silence,
}

impl PairingPlace {
    fn of(pairing: &Pairing<'_>, silence: Silence) -> Self {
        Self {
            api: pairing.api.map_or(0, |api| std::ptr::from_ref(api).addr()),
            validation: std::ptr::from_ref(pairing.validation).addr(),
            silence,
        }
    }
}

impl Paired {
    /// The families that have nothing to say here.
    pub(super) fn silence(&self) -> Silence {
        self.at.silence
    }
}

impl Pairings {
    /// Makes the pairing at an API the current one; false if the token was not judged there.
    pub(super) fn turn_to(&self, at: PairingPlace) -> bool {
        if self.current().is_some_and(|paired| paired.at == at) {
            return true;
        }
        let found = self.known.iter().position(|known| known.paired.at == at);
        found.inspect(|at| self.current.set(*at)).is_some()
    }

    /// Remembers a pairing, which becomes the current one.
    pub(super) fn add(&mut self, paired: Arc<Paired>) {
        if self.known.len() == PAIRINGS_MAX {
            self.known.remove(0);
        }
        self.current.set(self.known.len());
        self.known.push(Known { paired, settled: Cell::default() });
    }

    /// The pairing that was turned to or added last.
    pub(super) fn current(&self) -> Option<&Paired> {
        self.known.get(self.current.get()).map(|known| &*known.paired)
    }

    /// What rules said of the token's uses there.
    pub(super) fn settled(&self) -> Option<&Cell<Option<Box<Settled>>>> {
        self.known.get(self.current.get()).map(|known| &known.settled)
    }
}

impl Engine {
    /// Turns to the pairings of a record's tokens with its API; tokens are judged there if they were not before.
    pub(super) fn pair(&self, front: &mut Front, slots: &[usize], shared: &Shared<'_>) {
        for slot in slots {
            let Some(entry) = front.entry(*slot) else { continue };
            let verdict = self.verdict(&entry.facts.signature, shared.time);
            let silence = Silence::of(shared.api, verdict, shared.outcome);
            let pairing = Pairing {
                token: &entry.facts,
                api: shared.api,
                validation: shared.validation,
                context: self.context(),
            };
            let at = PairingPlace::of(&pairing, silence);
            if !front.turn_to(*slot, at) {
                let paired = || {
                    let mut plan = front.scratch().take();
                    let paired = self.paired(at, entry, &pairing, &mut plan);
                    front.scratch().set(plan);
                    Arc::new(paired)
                };
                let first = entry.kept.first_paired.get_or_init(paired);
                let paired = if first.at == at { Arc::clone(first) } else { paired() };
                front.pair(*slot, paired);
            }
        }
    }

    /// What is known of a token at an API; `plan` is where its plan is put together.
    fn paired(&self, at: PairingPlace, entry: &Entry, pairing: &Pairing<'_>, plan: &mut Plan) -> Paired {
        let speaks = |rule: &Rule| !at.silence.covers(rule.category);
        let of_token =
            entry.kept.unlooked.iter().filter(|(at, _)| self.rules.get(*at).is_some_and(|rule| speaks(rule)));
        plan.clear();
        plan.unlooked.extend(of_token.copied());
        let mut fires = Vec::new();
        let lacks = rules::lacks_of(pairing);
        for (at, rule) in self.api_rules.iter().filter(|(_, rule)| speaks(rule)) {
            match rule.judge_pairing(pairing, lacks) {
                Check::Quiet => {}
                Check::NotEvaluable(reason) => plan.unlooked.push((*at, reason)),
                Check::Fires(evidence) => fires.push((*at, evidence)),
            }
        }
        let mut quiet = Quiet::ALWAYS;
        for (place, known) in self.use_rules.iter().enumerate().filter(|(_, known)| speaks(known.rule)) {
            if let Some(reason) = known.rule.lacking_of(pairing, lacks) {
                plan.unlooked.push((known.at, reason));
                continue;
            }
            let its = known.rule.quiet(pairing);
            if matches!(known.rule.judge, Judge::Use(_)) {
                plan.settled.push(place);
            } else if its.is_never() {
                plan.asked.push(place);
            } else {
                plan.timed.push(place);
                quiet = quiet.and(its);
            }
        }
        let marks = if self.keeps_trails { Marks::of_pairing(pairing) } else { Marks::default() };
        Paired { at, fires: fires.into(), plan: self.plans.of(plan), quiet, marks }
    }
}
