//! Times of uses as spans: how they grow, and where many things happen at once.

use std::collections::BTreeMap;

/// First and last use of a stretch, in microseconds.
pub type Span = (i64, i64);

/// Uses less than so many microseconds apart are one span. A window of this length or more that lies inside of a span
/// holds a use of it, so rules with such windows lose nothing.
pub const APART: i64 = 5 * crate::time::HOUR / 60;

/// Adds a span to spans in order, joining those less than `apart` from it. The result is the same for any order of adding.
pub fn add_span(spans: &mut Vec<Span>, added: Span, apart: i64) {
    if let Some(last) = spans.last_mut()
        && added.0 >= last.0
        && added.0.saturating_sub(last.1) < apart
    {
        // Logs are nearly in order.
        last.1 = last.1.max(added.1);
        return;
    }
    let from = spans.partition_point(|span| added.0.saturating_sub(span.1) >= apart);
    let joined = spans.iter().skip(from).take_while(|span| span.0.saturating_sub(added.1) < apart).count();
    let whole = spans
        .iter()
        .skip(from)
        .take(joined)
        .fold(added, |whole, span| (whole.0.min(span.0), whole.1.max(span.1)));
    spans.splice(from..from + joined, [whole]);
}

/// True if a closed span meets a half-open stretch.
pub fn overlaps(span: Span, stretch: Span) -> bool {
    span.0 < stretch.1 && span.1 >= stretch.0
}

/// True if uses of one list lie less than `window` from uses of the other.
pub fn are_near(a: &[Span], b: &[Span], window: i64) -> bool {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some(mine), Some(theirs)) = (a.peek(), b.peek()) {
        let gap = mine.0.max(theirs.0).saturating_sub(mine.1.min(theirs.1));
        if gap < window {
            return true;
        }
        let done = if mine.1 < theirs.1 { &mut a } else { &mut b };
        done.next();
    }
    false
}

/// Which things happen at the same time.
#[derive(Debug)]
pub struct Crowd<K> {
    uses: Vec<(K, Class, Span)>,
}

/// Things of the classes `Left` and `Right` go in pairs: a pair counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Counts by itself.
    Single,
    /// Goes with a right one.
    Left,
    /// Goes with a left one.
    Right,
}

impl<K> Default for Crowd<K> {
    fn default() -> Self {
        Self { uses: Vec::new() }
    }
}

impl<K: Ord + Clone> Crowd<K> {
    /// Adds when a thing was seen.
    pub fn add(&mut self, thing: &K, class: Class, spans: &[Span]) {
        self.uses.extend(spans.iter().map(|span| (thing.clone(), class, *span)));
    }

    /// The most that were seen within one window, and the stretches of time that windows with at least `least` cover;
    /// see `crowded`.
    pub fn within(&self, window: i64, least: u64) -> (u64, Vec<Span>) {
        match self.uses.as_slice() {
            // Most crowds are one.
            [_] if least > 1 => (1, Vec::new()),
            uses => crowded(uses, window, least),
        }
    }
}

/// Where at least `least` distinct things have uses within a window: the half-open stretches that such windows cover, in
/// order, and the most distinct things in any window.
///
/// A thing with a span is in every window `(x - window, x]` with `first <= x < last + window`.
fn crowded<K: Ord + Clone>(uses: &[(K, Class, Span)], window: i64, least: u64) -> (u64, Vec<Span>) {
    // Ends come before beginnings at the same instant, for windows are half-open.
    let mut events: Vec<(i64, bool, usize)> = Vec::with_capacity(2 * uses.len());
    for (at, (_, _, span)) in uses.iter().enumerate() {
        events.push((span.0, true, at));
        events.push((span.1.saturating_add(window), false, at));
    }
    events.sort_unstable();
    let mut active: BTreeMap<&K, usize> = BTreeMap::new();
    let mut counts = [0_u64; 3];
    let (mut most, mut since, mut stretches) = (0, None, Vec::new());
    for (time, begins, at) in events {
        let Some((thing, class, _)) = uses.get(at) else { continue };
        let place = match class {
            Class::Single => 0,
            Class::Left => 1,
            Class::Right => 2,
        };
        let Some(count) = counts.get_mut(place) else { continue };
        let spans = active.entry(thing).or_default();
        if begins {
            *spans += 1;
            *count += u64::from(*spans == 1);
        } else {
            *spans -= 1;
            if *spans == 0 {
                active.remove(thing);
                *count -= 1;
            }
        }
        let [single, left, right] = counts;
        let now = single + left.max(right);
        most = most.max(now);
        match since {
            None if now >= least => since = Some(time),
            Some(begun) if now < least => {
                push(&mut stretches, (begun.saturating_sub(window).saturating_add(1), time));
                since = None;
            }
            _ => {}
        }
    }
    (most, stretches)
}

/// Adds a half-open stretch behind others, joining them where they touch.
fn push(stretches: &mut Vec<Span>, stretch: Span) {
    match stretches.last_mut() {
        Some(last) if stretch.0 <= last.1 => last.1 = last.1.max(stretch.1),
        _ => stretches.push(stretch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans_of(times: &[i64], apart: i64) -> Vec<Span> {
        let mut spans = Vec::new();
        for time in times {
            add_span(&mut spans, (*time, *time), apart);
        }
        spans
    }

    #[test]
    fn uses_near_one_another_are_one_span() {
        assert_eq!(spans_of(&[0, 4, 8], 5), [(0, 8)]);
        assert_eq!(spans_of(&[0, 5], 5), [(0, 0), (5, 5)]);
        assert_eq!(spans_of(&[0, 8, 4], 5), [(0, 8)]);
        assert_eq!(spans_of(&[20, 0, 10], 5), [(0, 0), (10, 10), (20, 20)]);
    }

    #[test]
    fn near_is_less_than_the_window() {
        assert!(are_near(&[(0, 3)], &[(5, 9)], 3));
        assert!(!are_near(&[(0, 3)], &[(6, 9)], 3));
        assert!(are_near(&[(0, 10)], &[(4, 5)], 1));
        assert!(are_near(&[(0, 0), (100, 100)], &[(50, 50), (101, 101)], 2));
        assert!(!are_near(&[], &[(0, 0)], 9));
    }

    #[test]
    fn pairs_count_as_one() {
        let uses = [
            ("a", Class::Left, (0, 0)),
            ("b", Class::Right, (1, 1)),
            ("c", Class::Left, (2, 2)),
            ("d", Class::Single, (3, 3)),
        ];
        assert_eq!(crowded(&uses, 10, 3), (3, vec![(-6, 10)]));
        assert_eq!(crowded(&uses, 10, 4), (3, vec![]));
        assert_eq!(crowded(&uses, 1, 2), (1, vec![]));
    }

    proptest! {
        /// Whatever the order, and however they were put together before.
        #[test]
        fn spans_do_not_depend_on_the_order(times in prop::collection::vec(0..200_i64, 0..40), cut in 0..40_usize) {
            let mut sorted = times.clone();
            sorted.sort_unstable();
            let whole = spans_of(&sorted, 7);
            let (a, b) = times.split_at(cut.min(times.len()));
            let mut merged = spans_of(a, 7);
            for span in spans_of(b, 7) {
                add_span(&mut merged, span, 7);
            }
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(spans_of(&times, 7), whole);
        }

        /// What spans say of windows is what the uses themselves say.
        #[test]
        fn windows_are_exact(uses in prop::collection::vec((0..5_u8, 0..120_i64), 0..40), least in 1..5_u64) {
            let window = 9;
            let mut by_thing: BTreeMap<u8, Vec<Span>> = BTreeMap::new();
            for (thing, time) in &uses {
                add_span(by_thing.entry(*thing).or_default(), (*time, *time), window);
            }
            let mut crowd = Crowd::default();
            for (thing, spans) in &by_thing {
                crowd.add(thing, Class::Single, spans);
            }
            let (most, stretches) = crowd.within(window, least);
            let distinct = |end: i64| -> u64 {
                let inside = uses.iter().filter(|(_, time)| *time > end - window && *time <= end);
                let things: std::collections::BTreeSet<u8> = inside.map(|(thing, _)| *thing).collect();
                u64::try_from(things.len()).unwrap()
            };
            prop_assert_eq!(most, (0..140).map(distinct).max().unwrap());
            for (_, time) in &uses {
                let qualifies = (*time..*time + window).any(|end| distinct(end) >= least);
                prop_assert_eq!(stretches.iter().any(|stretch| overlaps((*time, *time), *stretch)), qualifies);
            }
        }
    }
}
