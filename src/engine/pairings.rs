//! A token at an API of the policy: what rules say of both is said once, however many requests follow.

use super::Engine;
use super::front::Front;
use crate::facts::Pairing;
use crate::policy::{ApiSettings, Validation};
use crate::rules::kit::Check;

/// APIs that a token is remembered at; at a further one the first is given up.
const PAIRINGS_MAX: usize = 4;

/// What the rules said of a token, by API.
#[derive(Default)]
pub(super) struct Pairings(Vec<Paired>);

struct Paired {
    at: PairingPlace,
    /// Where they did not stay quiet: (place of the rule, check).
    checks: Vec<(usize, Check)>,
}

/// An API and what its gateway enforces, by their places in memory: the engine keeps its policy as long as a front that
/// belongs to it is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PairingPlace {
    api: usize,
    validation: usize,
}

impl PairingPlace {
    pub(super) fn of(pairing: &Pairing<'_>) -> Self {
        Self {
            api: pairing.api.map_or(0, |api| std::ptr::from_ref(api).addr()),
            validation: std::ptr::from_ref(pairing.validation).addr(),
        }
    }
}

impl Pairings {
    /// What was said at an API, if the token was judged there.
    pub(super) fn at(&self, at: PairingPlace) -> Option<&[(usize, Check)]> {
        Some(&self.0.iter().find(|paired| paired.at == at)?.checks)
    }

    /// Remembers what was said at an API.
    pub(super) fn add(&mut self, at: PairingPlace, checks: Vec<(usize, Check)>) {
        if self.0.len() == PAIRINGS_MAX {
            self.0.remove(0);
        }
        self.0.push(Paired { at, checks });
    }
}

impl Engine {
    /// Judges tokens at an API that they were not judged at before.
    pub(super) fn pair(
        &self,
        front: &mut Front,
        slots: &[usize],
        api: Option<&ApiSettings>,
        validation: &Validation,
    ) {
        for slot in slots {
            let Some(token) = front.entry(*slot).map(|entry| &entry.facts) else { continue };
            let pairing = Pairing { token, api, validation, context: self.context() };
            let at = PairingPlace::of(&pairing);
            if front.paired(*slot, at).is_some() {
                continue;
            }
            let checks = self.api_rules.iter().map(|(at, rule)| (*at, rule.judge_pairing(&pairing)));
            let checks = checks.filter(|(_, check)| *check != Check::Quiet).collect();
            front.pair(*slot, at, checks);
        }
    }
}
