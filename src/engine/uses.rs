//! The uses of a record's tokens: counted, put on their trails, and shown to the rules.

use super::entry::{self, Entry};
use super::pairings::Paired;
use super::plans::Plan;
use super::settled::{Repeats, Settled, Trailed};
use super::shared::Shared;
use super::tokens::TokenNumber;
use super::trails::Observed;
use super::write::{Place, Tokens};
use super::{Engine, Partial, Rows};
use crate::facts::Facts;
use crate::rules::kit::{Check, Reason};
use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;

/// A use of a token while its rules run.
#[derive(Clone, Copy)]
pub(super) struct Use<'u, 'p> {
    pub(super) facts: &'u Facts<'u>,
    pub(super) entry: &'u Entry,
    /// What is known of the token at the API.
    pub(super) paired: &'u Paired,
    pub(super) token: TokenNumber,
    pub(super) place: &'u Place<'p>,
}

/// What some of the rules of uses said.
#[derive(Default)]
struct Said {
    /// True if one of them could not look.
    unlooked: bool,
    fires: bool,
}

impl Engine {
    /// Judges the uses of a record's tokens. Gives the slots of those that the worker had not counted in this partial
    /// yet, and their numbers; and whether a rule could not look.
    pub(super) fn judge_uses(
        &self,
        shared: &Shared<'_>,
        tokens: Tokens<'_>,
        place: &Place<'_>,
        partial: &mut Partial,
        rows: &mut Rows,
    ) -> (Vec<(usize, TokenNumber)>, bool) {
        let mut new = Vec::new();
        let mut not_evaluable = false;
        let mut seen = (tokens.slots.len() > 1).then(HashSet::new);
        for (hit, (slot, entry)) in shared.record.tokens.iter().zip(tokens.each()) {
            // Two spellings of one token are one use.
            let repeated = seen.as_mut().is_some_and(|seen| !seen.insert(entry.facts.token.fingerprint));
            if repeated || (self.filters_tokens && !entry::passes(&self.filters, &entry.facts)) {
                continue;
            }
            let verdict = self.verdict(&entry.facts.signature, shared.time);
            let foreign_key = entry.foreign_key(self, shared.outcome, verdict);
            let facts = Facts { foreign_key, ..shared.with(*hit, &entry.facts, verdict, self.context()) };
            let known = tokens.front.counted(slot, partial.id);
            let token = self.count_use(&facts, entry, known, place, partial);
            if known.is_none() {
                new.push((slot, token));
            }
            if let Some(paired) = tokens.front.paired(slot) {
                let uses = Use { facts: &facts, entry, paired, token, place };
                // What is met for the first time may never come again.
                let settled = known.and_then(|_| tokens.front.settled(slot));
                not_evaluable |= self.judge_use(&uses, settled, partial, rows);
            }
        }
        (new, not_evaluable)
    }

    /// Puts a use on its trail and runs every rule on it; true if one of them could not look. `settled` is where the token's
    /// last use at the API is remembered.
    fn judge_use(
        &self,
        uses: &Use<'_, '_>,
        settled: Option<&Cell<Option<Box<Settled>>>>,
        partial: &mut Partial,
        rows: &mut Rows,
    ) -> bool {
        let Use { facts, entry, paired, .. } = *uses;
        let mut last = settled.and_then(Cell::take);
        let repeats = last.as_ref().map_or(Repeats::Nothing, |last| last.compare(facts));
        let trail = self.keeps_trails.then(|| {
            let trail = last.as_ref().filter(|_| repeats == Repeats::Everything).and_then(|last| last.trail);
            follow(uses, trail, partial)
        });
        for (at, evidence) in entry.kept.fires.iter().chain(&paired.fires) {
            self.fire(*at, evidence, uses, partial, rows);
        }
        partial.not_evaluable.add_plan(&paired.plan);
        let quiet = facts.time.is_some_and(|time| paired.quiet.contains(time.at));
        let timed = if quiet { &[][..] } else { &paired.plan.timed };
        let said = self.ask(paired.plan.asked.iter().chain(timed), uses, drop, partial, rows);
        let mut all_looked = paired.plan.unlooked.is_empty() && !said.unlooked;
        match &mut last {
            Some(last) if repeats != Repeats::Nothing => {
                debug_assert!(self.say_again(paired, facts, &last.plan), "rules tell a repeated use apart");
                partial.not_evaluable.add_plan(&last.plan);
                all_looked &= last.plan.unlooked.is_empty();
                if repeats == Repeats::Everything {
                    last.trail = trail;
                } else if Settled::suits(facts) {
                    last.remember(facts, Arc::clone(&last.plan), trail);
                }
            }
            _ => {
                let mut unlooked = Vec::new();
                let said =
                    self.ask(paired.plan.settled.iter(), uses, |rule| unlooked.push(rule), partial, rows);
                all_looked &= !said.unlooked;
                let suits = settled.is_some() && !said.fires && Settled::suits(facts);
                last = suits.then(|| {
                    let plan = self.plans.of(&Plan { unlooked, ..Plan::default() });
                    let mut settled = last.unwrap_or_default();
                    settled.remember(facts, plan, trail);
                    settled
                });
            }
        }
        if let Some(settled) = settled {
            settled.set(last);
        }
        for state in &mut partial.runs {
            state.observe(facts);
        }
        !all_looked
    }

    /// Asks some of the rules of uses. `unlooked` is told which of them could not look.
    fn ask<'r>(
        &self,
        rules: impl Iterator<Item = &'r usize>,
        uses: &Use<'_, '_>,
        mut unlooked: impl FnMut((usize, Reason)),
        partial: &mut Partial,
        rows: &mut Rows,
    ) -> Said {
        let mut said = Said::default();
        for known in rules.filter_map(|place| self.use_rules.get(*place)) {
            match known.judge(uses.facts) {
                Check::Quiet => {}
                Check::NotEvaluable(reason) => {
                    partial.not_evaluable.add(known.at, reason, 1);
                    unlooked((known.at, reason));
                    said.unlooked = true;
                }
                Check::Fires(evidence) => {
                    said.fires = true;
                    self.fire(known.at, &evidence, uses, partial, rows);
                }
            }
        }
        said
    }

    /// True if rules that are not asked would say what they said.
    fn say_again(&self, paired: &Paired, facts: &Facts<'_>, plan: &Plan) -> bool {
        let mut unlooked = plan.unlooked.iter();
        let rules = paired.plan.settled.iter().filter_map(|place| self.use_rules.get(*place));
        let mut said = rules.map(|known| (known.at, known.judge(facts)));
        let same = said.all(|(at, check)| match check {
            Check::Quiet => true,
            Check::NotEvaluable(reason) => {
                unlooked.next().is_some_and(|(known, why)| *known == at && why.is(reason))
            }
            Check::Fires(_) => false,
        });
        same && unlooked.next().is_none()
    }
}

/// Puts a use on its trail; `last` is where the trail of one with the same texts stood.
fn follow(uses: &Use<'_, '_>, last: Option<Trailed>, partial: &mut Partial) -> Trailed {
    let Use { facts, entry, paired, place, token } = *uses;
    let observed = Observed { facts, entry, place, marks: paired.marks.at_use(facts) };
    let mut trailed = Trailed {
        partial: partial.id,
        gateway: place.gateway,
        marks: observed.marks,
        outcome: facts.outcome,
        context: last.and_then(|last| last.context),
    };
    let Partial { trails, names, .. } = &mut *partial;
    match trailed.context.filter(|_| last == Some(trailed)) {
        Some(context) => trails.add(token, context, &observed, names),
        None => trailed.context = trails.observe(token, &observed, names),
    }
    trailed
}
