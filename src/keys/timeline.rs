//! One key in one source through time, and what may be concluded from it (rules.md 4.4 and 2.11).
//!
//! Every doubt goes against a conclusion: a capture that only names its day counts with the end of the day that proves
//! less. Captures are *consecutive* if no capture with the key lies between them. A failed fetch looked and got nothing:
//! it proves no absence, and no presence of the key beside it.

use super::KeyId;
use super::Presence;
use super::Standing;
use super::coverage::Stretch;
use super::history::Sighting;
use super::when::CaptureTime;
use crate::time::DAY;
use crate::time::HOUR;
use crate::time::UtcMicros;

/// Complete captures without the key that prove its retirement, and the time that they span.
const RETIRED_CAPTURES: usize = 3;
const RETIRED_SPAN: i64 = DAY;
/// Time between two complete captures without the key that prove that it was not yet published.
const UNPUBLISHED_SPAN: i64 = 6 * HOUR;

/// A key in one source.
#[derive(Debug)]
pub(super) struct SourceStanding {
    pub(super) first_seen: UtcMicros,
    pub(super) last_seen: UtcMicros,
    /// Captures with the key, by start.
    holding: Vec<Holding>,
    /// The latest complete capture before the key's first sighting by any source.
    last_absent_before: Option<UtcMicros>,
    /// The latest instant before which the key is proven to have been absent.
    absent_before_until: Option<UtcMicros>,
    first_absent_after: Option<UtcMicros>,
    /// The capture that completes the proof that the key is gone.
    retired_at: Option<UtcMicros>,
}

#[derive(Clone, Copy, Debug)]
struct Holding {
    start: UtcMicros,
    /// Latest end of this and every earlier capture with the key.
    end: UtcMicros,
    /// True if the next capture of the source holds the key too.
    lasts: bool,
}

impl SourceStanding {
    /// The time line of a key that the source listed; `first_seen` is its first sighting by any source. `None` if the
    /// source never listed it.
    pub(super) fn new(captures: &[Sighting], key: KeyId, first_seen: UtcMicros) -> Option<Self> {
        let holds = |sighting: &Sighting| sighting.keys.binary_search(&key).is_ok();
        let mut holding: Vec<Holding> = Vec::new();
        let mut end_so_far = None;
        for (at, sighting) in captures.iter().enumerate().filter(|(_, sighting)| holds(sighting)) {
            let end = end_so_far.map_or(sighting.time.end, |end| sighting.time.end.max(end));
            end_so_far = Some(end);
            let lasts = captures.get(at + 1).is_some_and(holds);
            holding.push(Holding { start: sighting.time.start, end, lasts });
        }
        let first = holding.first()?.start;
        let last = holding.last()?.end;
        let complete = |sighting: &&Sighting| sighting.complete && !holds(sighting);
        let before: Vec<CaptureTime> = captures
            .iter()
            .filter(complete)
            .map(|sighting| sighting.time)
            .filter(|time| time.end < first_seen)
            .collect();
        let after: Vec<CaptureTime> = captures
            .iter()
            .filter(complete)
            .map(|sighting| sighting.time)
            .filter(|time| time.start > last)
            .collect();
        Some(Self {
            first_seen: first,
            last_seen: last,
            holding,
            last_absent_before: before.last().map(|time| time.start),
            absent_before_until: unpublished_until(&before),
            first_absent_after: after.first().map(|time| time.end),
            retired_at: retired_at(&after),
        })
    }

    /// Captures that hold the key.
    pub(super) fn captures(&self) -> usize {
        self.holding.len()
    }

    /// The captures that hold the key, as stretches of time.
    pub(super) fn known(&self) -> impl Iterator<Item = Stretch> {
        self.holding.iter().map(|holding| (holding.start, holding.end))
    }

    /// The stretches in which the key is known or presumed to have been listed.
    pub(super) fn presumed(&self) -> Vec<Stretch> {
        let mut runs: Vec<Stretch> = Vec::new();
        let mut lasts = false;
        for holding in &self.holding {
            match runs.last_mut() {
                Some(run) if lasts => run.1 = holding.end,
                _ => runs.push((holding.start, holding.end)),
            }
            lasts = holding.lasts;
        }
        runs
    }

    /// The stretches between the first and the last sighting in which the key may have been gone: a capture without it or a
    /// failed fetch lies between the captures on either side.
    pub(super) fn gaps(&self) -> Vec<Stretch> {
        let next = self.holding.iter().skip(1);
        let pairs = self.holding.iter().zip(next).filter(|(before, _)| !before.lasts);
        pairs.map(|(before, after)| (before.end, after.start)).filter(|(from, to)| from < to).collect()
    }

    /// Whether a capture holds the key at an instant, or the captures on either side do.
    fn seen(&self, at: UtcMicros) -> Option<Presence> {
        let next = self.holding.partition_point(|holding| holding.start <= at);
        let holding = self.holding.get(next.checked_sub(1)?)?;
        if at <= holding.end {
            return Some(Presence::Known);
        }
        (holding.lasts && next < self.holding.len()).then_some(Presence::Presumed)
    }
}

/// The start of the latest capture that has another one six hours or more behind it.
fn unpublished_until(before: &[CaptureTime]) -> Option<UtcMicros> {
    let last = before.iter().map(|time| time.start).max()?;
    let proven = before.iter().filter(|time| last.0.saturating_sub(time.end.0) >= UNPUBLISHED_SPAN);
    proven.map(|time| time.start).max()
}

/// The end of the first capture that completes three over a day.
fn retired_at(after: &[CaptureTime]) -> Option<UtcMicros> {
    let first = after.iter().map(|time| time.end).min()?;
    let completing = after.iter().enumerate().find(|(at, time)| {
        at + 1 >= RETIRED_CAPTURES && time.start.0.saturating_sub(first.0) >= RETIRED_SPAN
    });
    completing.map(|(_, time)| time.end)
}

/// The strongest sighting among sources.
pub(super) fn seen<'s>(
    standings: impl Iterator<Item = &'s SourceStanding>,
    at: UtcMicros,
) -> Option<Presence> {
    let found = standings.filter_map(|standing| standing.seen(at));
    found.min_by_key(|presence| *presence != Presence::Known)
}

/// When the last of the sources proves the key's retirement; `None` if one of them does not.
pub(super) fn retired<'s>(standings: impl Iterator<Item = &'s SourceStanding>) -> Option<UtcMicros> {
    let latest = |latest: Option<UtcMicros>, retired: Option<UtcMicros>| Some(latest.max(Some(retired?)));
    standings.map(|standing| standing.retired_at).try_fold(None, latest)?
}

/// The bounds over the sources that ever listed a key. The presence is left at [`Presence::Gap`] for the caller.
///
/// A source that had no capture before the key's first sighting says nothing about the time before it. Retirement takes
/// the proof of every source, and the last of them completes it.
pub(super) fn join<'s>(standings: &(impl Iterator<Item = &'s SourceStanding> + Clone)) -> Standing {
    let each = || standings.clone();
    let looked_before = || each().filter(|standing| standing.last_absent_before.is_some());
    let unpublished = looked_before().map(|standing| standing.absent_before_until);
    Standing {
        presence: Presence::Gap,
        first_seen: each().map(|standing| standing.first_seen).min().unwrap_or(UtcMicros(i64::MAX)),
        last_seen: each().map(|standing| standing.last_seen).max().unwrap_or(UtcMicros(i64::MIN)),
        last_absent_before: looked_before().filter_map(|standing| standing.last_absent_before).min(),
        first_absent_after: of_all(each().map(|standing| standing.first_absent_after), UtcMicros::max),
        absent_before_until: of_all(unpublished, UtcMicros::min),
        retired_at: of_all(each().map(|standing| standing.retired_at), UtcMicros::max),
    }
}

/// The one of some bounds that `choose` prefers; `None` where one of them is missing, or all.
fn of_all(
    mut bounds: impl Iterator<Item = Option<UtcMicros>>,
    choose: fn(UtcMicros, UtcMicros) -> UtcMicros,
) -> Option<UtcMicros> {
    let first = bounds.next()??;
    bounds.try_fold(first, |chosen, bound| Some(choose(chosen, bound?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: KeyId = KeyId(3);

    /// A source by hours: `+` with the key, `-` without, `!` failed, `~` with it but perhaps not whole.
    fn source(captures: &[(i64, char)]) -> Vec<Sighting> {
        captures
            .iter()
            .map(|(hour, kind)| Sighting {
                time: CaptureTime::instant(UtcMicros(hour * HOUR)),
                complete: matches!(kind, '+' | '-'),
                keys: if matches!(kind, '+' | '~') { vec![KEY] } else { Vec::new() },
                file: None,
            })
            .collect()
    }

    fn standing(captures: &[(i64, char)]) -> SourceStanding {
        let first = captures.iter().find(|(_, kind)| matches!(kind, '+' | '~')).unwrap().0;
        SourceStanding::new(&source(captures), KEY, UtcMicros(first * HOUR)).unwrap()
    }

    fn hours(at: Option<UtcMicros>) -> Option<i64> {
        at.map(|at| at.0 / HOUR)
    }

    #[test]
    fn between_two_captures_with_the_key_it_is_presumed() {
        let standing = standing(&[(0, '+'), (10, '+'), (20, '!'), (30, '+'), (40, '-'), (50, '+')]);
        let at = |hour: i64| standing.seen(UtcMicros(hour * HOUR));
        assert_eq!(at(-1), None);
        assert_eq!(at(0), Some(Presence::Known));
        assert_eq!(at(5), Some(Presence::Presumed));
        assert_eq!(at(10), Some(Presence::Known));
        assert_eq!(at(15), None, "a failed fetch follows");
        assert_eq!(at(35), None, "a capture without it follows");
        assert_eq!(at(50), Some(Presence::Known));
        assert_eq!(at(51), None);
        let hours = |(from, to): Stretch| (from.0 / HOUR, to.0 / HOUR);
        let presumed = standing.presumed().into_iter().map(hours);
        assert_eq!(presumed.collect::<Vec<_>>(), [(0, 10), (30, 30), (50, 50)]);
        let gaps = standing.gaps().into_iter().map(hours);
        assert_eq!(gaps.collect::<Vec<_>>(), [(10, 30), (30, 50)]);
    }

    #[test]
    fn a_capture_of_a_day_holds_the_key_all_day() {
        let mut captures = source(&[(0, '+'), (30, '+')]);
        captures[0].time.end = UtcMicros(DAY - 1);
        let standing = SourceStanding::new(&captures, KEY, UtcMicros(0)).unwrap();
        assert_eq!(standing.seen(UtcMicros(20 * HOUR)), Some(Presence::Known));
        assert_eq!(standing.seen(UtcMicros(25 * HOUR)), Some(Presence::Presumed));
    }

    #[test]
    fn retirement_takes_three_captures_over_a_day() {
        let retired = |captures: &[(i64, char)]| hours(standing(captures).retired_at);
        assert_eq!(retired(&[(0, '+'), (10, '-'), (20, '-')]), None, "two");
        assert_eq!(retired(&[(0, '+'), (10, '-'), (20, '-'), (33, '-')]), None, "23 hours");
        assert_eq!(retired(&[(0, '+'), (10, '-'), (20, '-'), (34, '-')]), Some(34));
        assert_eq!(retired(&[(0, '+'), (10, '-'), (34, '-'), (35, '-')]), Some(35), "the third completes it");
        assert_eq!(
            retired(&[(0, '+'), (10, '-'), (20, '!'), (34, '-')]),
            None,
            "a failed fetch is no absence"
        );
        assert_eq!(retired(&[(0, '+'), (10, '-'), (20, '-'), (34, '-'), (40, '+')]), None, "it returned");
        assert_eq!(retired(&[(0, '+'), (10, '-'), (20, '-'), (34, '-'), (40, '~')]), None, "it returned");
    }

    #[test]
    fn absence_before_takes_two_captures_six_hours_apart() {
        let until = |captures: &[(i64, char)]| hours(standing(captures).absent_before_until);
        assert_eq!(until(&[(0, '-'), (10, '+')]), None, "one");
        assert_eq!(until(&[(0, '-'), (5, '-'), (10, '+')]), None, "five hours");
        assert_eq!(until(&[(0, '-'), (6, '-'), (10, '+')]), Some(0));
        assert_eq!(until(&[(0, '-'), (6, '-'), (12, '-'), (13, '-'), (20, '+')]), Some(6));
        assert_eq!(until(&[(0, '-'), (6, '!'), (10, '+')]), None, "a failed fetch is no absence");
        let mut day = source(&[(0, '-'), (26, '-'), (40, '+')]);
        day[0].time.end = UtcMicros(DAY - 1);
        let standing = SourceStanding::new(&day, KEY, UtcMicros(40 * HOUR)).unwrap();
        assert_eq!(standing.absent_before_until, None, "the day may have ended two hours before");
    }

    #[test]
    fn sources_are_joined_by_the_weakest_proof() {
        let a = standing(&[(0, '-'), (6, '-'), (10, '+'), (20, '-'), (30, '-'), (44, '-')]);
        let still = SourceStanding::new(&source(&[(11, '+')]), KEY, UtcMicros(10 * HOUR)).unwrap();
        let later = SourceStanding::new(
            &source(&[(12, '+'), (25, '-'), (35, '-'), (50, '-')]),
            KEY,
            UtcMicros(10 * HOUR),
        );
        let both = join(&[&a, &still].into_iter());
        assert_eq!((hours(both.retired_at), hours(both.absent_before_until)), (None, Some(0)));
        assert_eq!((hours(Some(both.first_seen)), hours(Some(both.last_seen))), (Some(10), Some(11)));
        let both = join(&[&a, &later.unwrap()].into_iter());
        assert_eq!((hours(both.retired_at), hours(both.first_absent_after)), (Some(50), Some(25)));
        let unproven =
            SourceStanding::new(&source(&[(5, '-'), (12, '+')]), KEY, UtcMicros(10 * HOUR)).unwrap();
        assert_eq!(join(&[&a, &unproven].into_iter()).absent_before_until, None);
    }
}
