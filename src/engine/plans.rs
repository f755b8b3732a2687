//! What is left to do at a use of a token at an API, once everything is said that no request can change: whom to ask, and
//! which rules cannot look whatever the request is.
//!
//! Tokens of one kind at one API have the same plan, so a use that a hundred rules cannot judge counts one number.

use crate::rules::kit::Reason;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::{Arc, PoisonError, RwLock};

/// Plans with a number. What tokens lack is up to whoever writes them, so there may be any number of plans; the uses of
/// further ones are counted rule by rule.
const NUMBERED_MAX: usize = 1 << 12;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Places of rules that cannot look, and why.
    pub(super) unlooked: Vec<(usize, Reason)>,
    /// Which of the engine's rules of uses are asked.
    pub(super) asked: Vec<usize>,
    /// Which of them are asked unless the use repeats an earlier one.
    pub(super) settled: Vec<usize>,
    /// Which of them are asked at times at which it is not known that they say nothing.
    pub(super) timed: Vec<usize>,
    /// Its place among the engine's plans, if it has one.
    pub(super) number: Option<usize>,
}

impl Plan {
    /// Makes it an empty plan whose memory is used again.
    pub(super) fn clear(&mut self) {
        let Self { unlooked, asked, settled, timed, number } = self;
        unlooked.clear();
        for places in [asked, settled, timed] {
            places.clear();
        }
        *number = None;
    }

    fn says_the_same(&self, other: &Self) -> bool {
        let same =
            |((a, why), (b, because)): (&(usize, Reason), &(usize, Reason))| a == b && why.is(*because);
        self.unlooked.len() == other.unlooked.len()
            && self.unlooked.iter().zip(&other.unlooked).all(same)
            && (&self.asked, &self.settled, &self.timed) == (&other.asked, &other.settled, &other.timed)
    }
}

/// The plans of an engine, each held once.
#[derive(Debug, Default)]
pub(super) struct Plans {
    secret: DefaultHashBuilder,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    plans: Vec<Arc<Plan>>,
    /// Their places by hash.
    places: HashTable<(u64, usize)>,
}

impl Known {
    fn find(&self, hash: u64, plan: &Plan) -> Option<&Arc<Plan>> {
        let same = |at: usize| self.plans.get(at).filter(|known| known.says_the_same(plan));
        let (_, at) = self.places.find(hash, |(known, at)| *known == hash && same(*at).is_some())?;
        self.plans.get(*at)
    }
}

impl Plans {
    /// The plan that says the same, with its number.
    pub(super) fn of(&self, plan: &Plan) -> Arc<Plan> {
        let hash = self.hash(plan);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.find(hash, plan) {
            return Arc::clone(known);
        }
        drop(known);
        self.add(hash, plan)
    }

    fn add(&self, hash: u64, plan: &Plan) -> Arc<Plan> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have been first.
        if let Some(known) = known.find(hash, plan) {
            return Arc::clone(known);
        }
        let number = known.plans.len();
        if number == NUMBERED_MAX {
            return Arc::new(plan.clone());
        }
        let plan = Arc::new(Plan { number: Some(number), ..plan.clone() });
        known.plans.push(Arc::clone(&plan));
        known.places.insert_unique(hash, (hash, number), |(hash, _)| *hash);
        plan
    }

    /// Words are hashed by where they lie: a second copy of one makes a second plan, and nothing else.
    fn hash(&self, plan: &Plan) -> u64 {
        let mut hasher = self.secret.build_hasher();
        for (at, Reason(word)) in &plan.unlooked {
            (at, word.as_ptr().addr()).hash(&mut hasher);
        }
        (&plan.asked, &plan.settled, &plan.timed).hash(&mut hasher);
        hasher.finish()
    }

    /// The plan of a number.
    pub(super) fn numbered(&self, number: usize) -> Option<Arc<Plan>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).plans.get(number).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::counts::NotEvaluable;
    use super::*;

    fn plan(rule: usize, reason: Reason) -> Plan {
        Plan { unlooked: vec![(rule, reason), (7, Reason::NO_TIME)], ..Plan::default() }
    }

    fn counted(uses: &NotEvaluable, plans: &Plans) -> Vec<(usize, Reason, u64)> {
        let mut all = Vec::new();
        uses.by_rule(plans).each_rule(|rule, reason, uses| all.push((rule, reason, uses)));
        all
    }

    #[test]
    fn plans_that_say_the_same_are_one() {
        let plans = Plans::default();
        let [a, b, c] = [Reason::NO_API, Reason::NO_API, Reason::NO_TIME].map(|why| plans.of(&plan(1, why)));
        assert!(Arc::ptr_eq(&a, &b));
        assert_ne!(a.number, c.number);
        let asking = plans.of(&Plan { asked: vec![3], ..plan(1, Reason::NO_API) });
        assert_ne!(a.number, asking.number);
    }

    #[test]
    fn uses_count_alike_with_and_without_a_number() {
        let plans = Plans::default();
        let mut uses = [NotEvaluable::default(), NotEvaluable::default()];
        for rule in 0..NUMBERED_MAX + 2 {
            let plan = plans.of(&plan(10 + rule, Reason::NO_API));
            assert_eq!(plan.number.is_some(), rule < NUMBERED_MAX);
            uses[rule % 2].add_plan(&plan);
        }
        let [mut all, odd] = uses;
        all.merge(&odd);
        let counted = counted(&all, &plans);
        assert_eq!(counted.len(), NUMBERED_MAX + 3);
        assert_eq!(counted[0], (7, Reason::NO_TIME, u64::try_from(NUMBERED_MAX + 2).unwrap()));
        assert!(counted[1..].iter().all(|(_, reason, uses)| (*reason, *uses) == (Reason::NO_API, 1)));
    }
}
