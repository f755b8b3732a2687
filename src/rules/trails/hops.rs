//! One request that several hops log is one request: a mesh must not look like replay.

use super::{IDS_MAX, Step};
use std::cmp::Reverse;
use std::collections::HashMap;

/// Microseconds within which the hops of one request lie.
const HOP_MAX: i64 = 60 * crate::time::SECOND;
/// One id of so many has to be found elsewhere where the others may have been dropped there.
const PROVEN_SHARE: usize = 4;
/// Steps that one request id may stand in: more than a request has hops. Whoever sends one id with everything proves
/// nothing by it, and makes nobody compare each step with each other.
const STANDS_IN_MAX: usize = 16;

/// Marks steps whose requests were all logged in other steps too, as far as request ids tell, and puts steps in the
/// order of their first use.
///
/// Of each step the least hashes of its ids are known, so that steps that saw the same requests know the same ones. An id
/// that another step had to drop proves nothing; one that nobody else had, or that stands in more than sixteen steps,
/// makes the step its own. The step with the most
/// requests is looked at first: behind a hop that sees everybody, each client remains a step of its own. Whoever wants
/// to hide a replay as a hop has to repeat the ids of requests within a minute of them.
pub fn mark_echoes(steps: &mut [Step<'_>]) {
    steps.sort_by(|a, b| a.first.cmp(&b.first).then_with(|| told_apart(a).cmp(&told_apart(b))));
    if steps.len() < 2 {
        return;
    }
    let mut seen: HashMap<u32, Vec<(usize, i64)>> = HashMap::new();
    for (at, step) in steps.iter().enumerate() {
        for (hash, time) in step.ids.as_slice() {
            seen.entry(*hash).or_default().push((at, *time));
        }
    }
    seen.retain(|_, steps| steps.len() <= STANDS_IN_MAX);
    if seen.values().all(|steps| steps.len() < 2) {
        return;
    }
    // Beyond these hashes a step may have had to drop what it saw.
    let full = |step: &Step<'_>| {
        let ids = step.ids.as_slice();
        if ids.len() < IDS_MAX { None } else { ids.last().map(|id| id.0) }
    };
    let mut bounds: Vec<(u32, usize)> =
        steps.iter().enumerate().filter_map(|(at, step)| Some((full(step)?, at))).collect();
    bounds.sort_unstable();
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|at| Reverse((steps.get(*at).map(|step| step.count), *at)));
    let mut dropped = vec![false; steps.len()];
    for at in order {
        let Some(step) = steps.get_mut(at) else { continue };
        let ids = step.ids.as_slice();
        let elsewhere = |(hash, time): &(u32, i64)| {
            seen.get(hash).into_iter().flatten().any(|(other, seen)| {
                *other != at
                    && !dropped.get(*other).copied().unwrap_or_default()
                    && seen.abs_diff(*time) <= HOP_MAX.unsigned_abs()
            })
        };
        let known_up_to = bounds.iter().find(|(_, other)| *other != at).map_or(u32::MAX, |bound| bound.0);
        let found = ids.iter().filter(|id| elsewhere(id)).count();
        let is_own = ids.iter().any(|id| id.0 <= known_up_to && !elsewhere(id));
        step.echo = found > 0 && !is_own && found * PROVEN_SHARE >= ids.len();
        if let Some(dropped) = dropped.get_mut(at) {
            *dropped = step.echo;
        }
    }
}

/// An order of steps that were first seen at the same instant in the same unit.
fn told_apart<'s>(step: &'s Step<'_>) -> impl Ord + use<'s> {
    let texts = (step.gateway, step.host, step.api, step.principal, step.agent, step.spot());
    (step.outcome, texts, step.marks.bits(), step.spelling, step.earlier)
}

#[cfg(test)]
mod tests {
    use super::super::testing::step;
    use super::super::{Samples, Step};
    use super::*;

    fn echoes(ids: &[&[(u32, i64)]]) -> Vec<bool> {
        let of = |(at, ids): (usize, &&'static [(u32, i64)])| {
            let mut step: Step<'static> = step(i64::try_from(at).unwrap());
            step.ids = Samples::Many(ids);
            step.count = i64::try_from(ids.len()).unwrap();
            step
        };
        let ids: Vec<&'static [(u32, i64)]> = ids.iter().map(|ids| &*ids.to_vec().leak()).collect();
        let mut steps: Vec<Step<'_>> = ids.iter().enumerate().map(of).collect();
        mark_echoes(&mut steps);
        steps.iter().map(|step| step.echo).collect()
    }

    #[test]
    fn the_same_requests_at_a_second_hop_are_an_echo() {
        assert_eq!(echoes(&[&[(1, 0), (2, 9)], &[(1, 1), (2, 9)]]), [false, true]);
        // The second hop sees a part of them, or what two clients sent.
        assert_eq!(echoes(&[&[(1, 0), (2, 9)], &[(2, 9)]]), [false, true]);
        assert_eq!(echoes(&[&[(1, 0)], &[(2, 9)], &[(1, 0), (2, 9)]]), [false, false, true]);
        assert_eq!(echoes(&[&[(1, 0), (2, 9)], &[(1, 0)], &[(2, 9)]]), [true, false, false]);
    }

    #[test]
    fn requests_of_their_own_are_no_echo() {
        assert_eq!(echoes(&[&[(1, 0)], &[(2, 0)]]), [false, false]);
        assert_eq!(echoes(&[&[(1, 0)], &[(1, 0), (2, 0)]]), [true, false]);
        assert_eq!(echoes(&[&[], &[]]), [false, false]);
        // The same id an hour later is a replay.
        assert_eq!(echoes(&[&[(1, 0)], &[(1, 3_600_000_000)]]), [false, false]);
    }

    #[test]
    fn an_id_that_stands_everywhere_proves_nothing() {
        let one: &[(u32, i64)] = &[(1, 0)];
        let hops = [one; STANDS_IN_MAX];
        assert_eq!(echoes(&hops).iter().filter(|echo| **echo).count(), STANDS_IN_MAX - 1);
        let everywhere = [one; STANDS_IN_MAX + 1];
        assert!(!echoes(&everywhere).contains(&true));
    }

    #[test]
    fn what_a_full_sample_dropped_proves_nothing() {
        let many: Vec<(u32, i64)> = (1..17).map(|hash| (hash, 0)).collect();
        assert_eq!(echoes(&[&many, &[(3, 0), (900, 0)]]), [false, true]);
        assert_eq!(echoes(&[&many, &[(800, 0), (900, 0)]]), [false, false]);
        // One id that was copied hides nothing else.
        assert_eq!(echoes(&[&many, &[(3, 0), (700, 0), (800, 0), (850, 0), (900, 0)]]), [false, false]);
    }
}
