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
#[derive(Debug)]
pub(super) struct Plan {
    /// Its place among the engine's plans.
    number: Option<usize>,
    /// Places of rules that cannot look, and why.
    unlooked: Box<[(usize, Reason)]>,
    /// Which of the engine's rules of uses are asked.
    asked: Box<[usize]>,
}

impl Plan {
    /// Its place among the engine's plans, if it has one.
    pub(super) fn number(&self) -> Option<usize> {
        self.number
    }

    /// Places of rules that cannot look, and why.
    pub(super) fn unlooked(&self) -> &[(usize, Reason)] {
        &self.unlooked
    }

    /// Which of the engine's rules of uses are asked.
    pub(super) fn asked(&self) -> &[usize] {
        &self.asked
    }

    fn is(&self, unlooked: &[(usize, Reason)], asked: &[usize]) -> bool {
        let same = |((a, why), (b, other)): (&(usize, Reason), &(usize, Reason))| a == b && why.is(*other);
        *self.asked == *asked
            && self.unlooked.len() == unlooked.len()
            && self.unlooked.iter().zip(unlooked).all(same)
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
    /// Places of plans by their hash.
    places: HashTable<(u64, usize)>,
    plans: Vec<Arc<Plan>>,
}

impl Known {
    fn find(&self, hash: u64, unlooked: &[(usize, Reason)], asked: &[usize]) -> Option<Arc<Plan>> {
        let same = |at: usize| self.plans.get(at).filter(|plan| plan.is(unlooked, asked));
        let (_, at) = self.places.find(hash, |(known, at)| *known == hash && same(*at).is_some())?;
        same(*at).cloned()
    }
}

impl Plans {
    /// The plan with these contents.
    pub(super) fn of(&self, unlooked: &[(usize, Reason)], asked: &[usize]) -> Arc<Plan> {
        let hash = self.hash(unlooked, asked);
        let found = self.known.read().unwrap_or_else(PoisonError::into_inner).find(hash, unlooked, asked);
        found.unwrap_or_else(|| self.add(hash, unlooked, asked))
    }

    fn add(&self, hash: u64, unlooked: &[(usize, Reason)], asked: &[usize]) -> Arc<Plan> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have been first.
        if let Some(plan) = known.find(hash, unlooked, asked) {
            return plan;
        }
        let number = known.plans.len();
        let numbered = number < NUMBERED_MAX;
        let plan = Arc::new(Plan {
            number: numbered.then_some(number),
            unlooked: unlooked.into(),
            asked: asked.into(),
        });
        if numbered {
            known.plans.push(Arc::clone(&plan));
            known.places.insert_unique(hash, (hash, number), |(hash, _)| *hash);
        }
        plan
    }

    /// Words are hashed by where they lie: a second copy of one makes a second plan, and nothing else.
    fn hash(&self, unlooked: &[(usize, Reason)], asked: &[usize]) -> u64 {
        let mut hasher = self.secret.build_hasher();
        for (at, Reason(word)) in unlooked {
            at.hash(&mut hasher);
            word.as_ptr().addr().hash(&mut hasher);
        }
        asked.hash(&mut hasher);
        hasher.finish()
    }

    /// The plan of a number.
    pub(super) fn numbered(&self, number: usize) -> Option<Arc<Plan>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).plans.get(number).cloned()
    }
}
