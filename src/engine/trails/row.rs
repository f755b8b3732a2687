//! What is kept of a token's uses in one context: 72 bytes, and a list of some hundred more once uses differ in time, id
//! or route.

use super::ContextNumber;
use crate::engine::names::{Names, Translation};
use crate::engine::order::At;
use crate::rules::trails::{APART, IDS_MAX, PROBED_MAX, ROUTES_MAX, STEPS_MAX, Samples, Span, add_span};

/// Uses of a token in one context.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Row {
    pub(super) context: ContextNumber,
    /// Hash of the request id, 0 for none; of the first use only, where there is `more`.
    id: u32,
    /// Hash of the route, 0 for none; of the first use only, where there is `more`.
    route: u32,
    /// True for requests that were denied with 403, whose routes matter each.
    probes: bool,
    /// True if one of its requests has no time.
    pub(super) undated: bool,
    pub(super) count: i64,
    pub(super) first: At,
    /// Time of the last use; `i64::MIN` if none has a time.
    last: i64,
    /// None while all uses have id and route in common and lie near one another.
    more: Option<Box<More>>,
}

/// What differs between uses.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
struct More {
    spans: Vec<Span>,
    /// By hash.
    ids: Vec<(u32, i64)>,
    /// By hash, then time.
    routes: Vec<(u32, Span)>,
}

/// A use as it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) at: At,
    /// Hash of the request id, 0 for none.
    pub(super) id: u32,
    /// Hash of the route, 0 for none.
    pub(super) route: u32,
    pub(super) probes: bool,
}

impl Row {
    /// One use.
    pub(super) fn of(context: ContextNumber, used: Used) -> Self {
        let Used { at, id, route, probes } = used;
        let time = at.time().map(|time| time.0);
        Self {
            context,
            id,
            // Without a time a route tells nothing.
            route: time.map_or(0, |_| route),
            probes,
            undated: time.is_none(),
            count: 1,
            first: at,
            last: time.unwrap_or(i64::MIN),
            more: None,
        }
    }

    /// What an earlier run wrote.
    pub(super) fn restored(
        context: ContextNumber,
        probes: bool,
        (count, first): (i64, At),
        spans: Vec<Span>,
        ids: Vec<(u32, i64)>,
        routes: Vec<(u32, Span)>,
    ) -> Self {
        let last = spans.last().map_or(i64::MIN, |span| span.1);
        let more = Some(Box::new(More { spans, ids, routes }));
        // Whether all had a time matters for what is reported, and these are not reported again.
        Self { context, id: 0, route: 0, probes, undated: false, count, first, last, more }
    }

    /// Adds uses in the same context.
    pub(super) fn merge(&mut self, other: &Self, names: &Names) {
        self.count += other.count;
        self.undated |= other.undated;
        let alike = self.more.is_none() && other.more.is_none();
        if !(alike && (self.id, self.route) == (other.id, other.route) && self.is_near(other)) {
            self.merge_lists(other);
        }
        if other.first.order(&self.first, names).is_lt() {
            self.first = other.first;
        }
        self.last = self.last.max(other.last);
    }

    /// True if both are one span together.
    fn is_near(&self, other: &Self) -> bool {
        match (self.span(), other.span()) {
            (Some(mine), Some(theirs)) => mine.0.max(theirs.0).saturating_sub(mine.1.min(theirs.1)) < APART,
            (None, None) => true,
            _ => false,
        }
    }

    fn merge_lists(&mut self, other: &Self) {
        let probes = self.probes;
        if self.more.is_none() {
            let more = More {
                spans: self.spans().as_slice().to_vec(),
                ids: self.ids().as_slice().to_vec(),
                routes: self.routes().as_slice().to_vec(),
            };
            self.more = Some(Box::new(more));
        }
        let Some(more) = &mut self.more else { return };
        // A use alone is what is added nearly always.
        if other.more.is_none() {
            if let Some(span) = other.span() {
                add_span(&mut more.spans, span, APART);
                if other.route != 0 {
                    add_route(&mut more.routes, (other.route, span), probes);
                }
            }
            if other.id != 0 {
                add_id(&mut more.ids, (other.id, other.first.time().map_or(i64::MAX, |time| time.0)));
            }
            return;
        }
        other.spans().as_slice().iter().for_each(|span| add_span(&mut more.spans, *span, APART));
        other.ids().as_slice().iter().for_each(|id| add_id(&mut more.ids, *id));
        other.routes().as_slice().iter().for_each(|route| add_route(&mut more.routes, *route, probes));
    }

    fn span(&self) -> Option<Span> {
        (self.last != i64::MIN).then(|| (self.first.time().map_or(self.last, |time| time.0), self.last))
    }

    /// When it was used.
    pub(super) fn spans(&self) -> Samples<'_, Span> {
        self.more.as_ref().map_or_else(|| Samples::One(self.span()), |more| Samples::Many(&more.spans))
    }

    /// Request ids, each with its first time.
    pub(super) fn ids(&self) -> Samples<'_, (u32, i64)> {
        let first = self.first.time().map_or(i64::MAX, |time| time.0);
        let one = || Samples::One((self.id != 0).then_some((self.id, first)));
        self.more.as_ref().map_or_else(one, |more| Samples::Many(&more.ids))
    }

    /// Routes, each with when it was used.
    pub(super) fn routes(&self) -> Samples<'_, (u32, Span)> {
        let one = || Samples::One(self.span().filter(|_| self.route != 0).map(|span| (self.route, span)));
        self.more.as_ref().map_or_else(one, |more| Samples::Many(&more.routes))
    }

    /// The same uses in another partial's numbers.
    pub(super) fn translated(self, context: ContextNumber, names: &Translation) -> Self {
        Self { context, first: self.first.translated(names), ..self }
    }
}

/// Keeps the least hashes. What is dropped is dropped wherever the input is cut, because more ids only push it further
/// back.
fn add_id(ids: &mut Vec<(u32, i64)>, (hash, time): (u32, i64)) {
    if ids.len() >= IDS_MAX && ids.last().is_some_and(|last| last.0 < hash) {
        return;
    }
    match ids.binary_search_by_key(&hash, |id| id.0) {
        Ok(at) => {
            if let Some((_, known)) = ids.get_mut(at) {
                *known = time.min(*known);
            }
        }
        Err(at) if at < IDS_MAX => {
            ids.insert(at, (hash, time));
            ids.truncate(IDS_MAX);
        }
        Err(_) => {}
    }
}

/// Keeps the least hashes. Of probed routes it is kept when they were used, of others first and last use.
fn add_route(routes: &mut Vec<(u32, Span)>, (hash, span): (u32, Span), probes: bool) {
    if !probes && routes.len() >= ROUTES_MAX && routes.last().is_some_and(|last| last.0 < hash) {
        return;
    }
    let from = routes.partition_point(|route| route.0 < hash);
    let known = routes.iter().skip(from).take_while(|route| route.0 == hash).count();
    if known == 0 {
        let most = if probes { PROBED_MAX } else { ROUTES_MAX };
        // Probed routes may have several spans.
        if from >= most && (!probes || distinct(routes.get(..from).unwrap_or_default()) >= most) {
            return;
        }
        routes.insert(from, (hash, span));
        if routes.len() > most {
            drop_greatest(routes, most);
        }
    } else if probes {
        let mut spans: Vec<Span> = routes.iter().skip(from).take(known).map(|route| route.1).collect();
        add_span(&mut spans, span, APART);
        routes.splice(from..from + known, spans.into_iter().map(|span| (hash, span)));
    } else if let Some((_, only)) = routes.get_mut(from) {
        *only = (only.0.min(span.0), only.1.max(span.1));
    }
}

fn distinct(routes: &[(u32, Span)]) -> usize {
    routes.chunk_by(|a, b| a.0 == b.0).count()
}

/// Drops the routes with the greatest hashes until there are no more than so many.
fn drop_greatest(routes: &mut Vec<(u32, Span)>, most: usize) {
    for _ in most..distinct(routes) {
        let greatest = routes.last().map(|route| route.0);
        routes.retain(|route| Some(route.0) != greatest);
    }
}

/// All rows of a token. Nearly all tokens have one.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) enum Rows {
    /// None yet.
    #[default]
    None,
    /// One.
    One(Row),
    /// Several.
    Several(Box<Several>),
}

/// Rows by the number of their context.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Several {
    rows: Vec<Row>,
    /// The row that was used last, because the next use nearly always belongs to it; nothing depends on it.
    last: usize,
    /// Contexts whose [`Contexts::hash`] is greater are not kept any more.
    ///
    /// [`Contexts::hash`]: super::Contexts::hash
    limit: u64,
}

/// Rows are thinned out when there are so many.
const THINNED_AT: usize = 2 * STEPS_MAX;

impl Rows {
    /// The context that was used last.
    pub(super) fn last(&self) -> Option<ContextNumber> {
        match self {
            Self::None => None,
            Self::One(row) => Some(row.context),
            Self::Several(several) => several.rows.get(several.last).map(|row| row.context),
        }
    }

    /// Adds uses. `hash` orders contexts for the case that there are too many; it is the same in every partial.
    pub(super) fn add(&mut self, added: Row, names: &Names, hash: impl Fn(ContextNumber) -> u64) {
        match self {
            Self::None => *self = Self::One(added),
            Self::One(row) if row.context == added.context => row.merge(&added, names),
            Self::One(row) => {
                let mut rows = vec![row.clone(), added];
                let last = usize::from(row.context < rows.last().map_or(row.context, |row| row.context));
                rows.sort_by_key(|row| row.context);
                *self = Self::Several(Box::new(Several { rows, last, limit: u64::MAX }));
            }
            Self::Several(several) => several.add(added, names, hash),
        }
    }

    /// The hash up to which contexts are kept, once there were too many of them.
    pub(super) fn limit(&self) -> Option<u64> {
        match self {
            Self::Several(several) => Some(several.limit).filter(|limit| *limit < u64::MAX),
            _ => None,
        }
    }

    /// The rows.
    pub(super) fn as_slice(&self) -> &[Row] {
        match self {
            Self::None => &[],
            Self::One(row) => std::slice::from_ref(row),
            Self::Several(several) => &several.rows,
        }
    }

    /// The rows by themselves.
    pub(super) fn into_rows(self) -> Vec<Row> {
        match self {
            Self::None => Vec::new(),
            Self::One(row) => vec![row],
            Self::Several(several) => several.rows,
        }
    }
}

impl Several {
    fn add(&mut self, added: Row, names: &Names, hash: impl Fn(ContextNumber) -> u64) {
        if let Some(row) = self.rows.get_mut(self.last)
            && row.context == added.context
        {
            return row.merge(&added, names);
        }
        match self.rows.binary_search_by_key(&added.context, |row| row.context) {
            Ok(at) => {
                self.last = at;
                if let Some(row) = self.rows.get_mut(at) {
                    row.merge(&added, names);
                }
            }
            Err(_) if self.limit < u64::MAX && hash(added.context) > self.limit => {}
            Err(at) => {
                self.last = at;
                self.rows.insert(at, added);
                if self.rows.len() >= THINNED_AT {
                    self.thin(hash);
                }
            }
        }
    }

    /// Keeps the rows with the least hashes. A row that is dropped has [`STEPS_MAX`] before it in whatever this is merged
    /// with.
    fn thin(&mut self, hash: impl Fn(ContextNumber) -> u64) {
        self.limit = limit_of(&self.rows, &hash);
        self.rows.retain(|row| hash(row.context) <= self.limit);
        self.last = 0;
    }
}

/// The hash up to which rows are kept.
pub(super) fn limit_of(rows: &[Row], hash: impl Fn(ContextNumber) -> u64) -> u64 {
    if rows.len() <= STEPS_MAX {
        return u64::MAX;
    }
    let mut hashes: Vec<u64> = rows.iter().map(|row| hash(row.context)).collect();
    let (_, limit, _) = hashes.select_nth_unstable(STEPS_MAX - 1);
    *limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{SECOND, UtcMicros};
    use proptest::prelude::*;

    fn row(context: u32, seconds: i64, id: u32, route: u32, probes: bool) -> Row {
        let at = At::new(Some(UtcMicros(seconds * SECOND)), None, Some(seconds), None);
        Row::of(ContextNumber(context), Used { at, id, route, probes })
    }

    fn told(rows: &Rows) -> String {
        let tell = |row: &Row| {
            let lists = (row.spans(), row.ids(), row.routes());
            let lists = (lists.0.as_slice(), lists.1.as_slice(), lists.2.as_slice());
            format!("{:?} {} {:?} {} {lists:?}\n", row.context, row.count, row.first, row.last)
        };
        rows.as_slice().iter().map(tell).collect()
    }

    #[test]
    fn one_use_takes_little_room() {
        assert_eq!(size_of::<Row>(), 72);
        assert_eq!(size_of::<Rows>(), 72);
    }

    proptest! {
        /// Merging in any order and grouping keeps the same, however many ids and routes there are.
        #[test]
        fn rows_merge_in_any_order(
            uses in prop::collection::vec((0..4_u32, 0..4000_i64, 0..60_u32, 1..30_u32), 1..80),
            probes in any::<bool>(),
            cut in 0..80_usize,
        ) {
            let names = Names::default();
            let all: Vec<Row> = uses.iter().map(|(c, at, id, route)| row(*c, *at, *id, *route, probes)).collect();
            let sum = |rows: &mut dyn Iterator<Item = Row>| {
                let mut sum = Rows::default();
                rows.for_each(|row| sum.add(row, &names, |context| u64::from(context.0)));
                sum
            };
            let whole = sum(&mut all.iter().cloned());
            prop_assert_eq!(told(&sum(&mut all.iter().rev().cloned())), told(&whole));
            let (a, b) = all.split_at(cut.min(all.len()));
            let (mut a, b) = (sum(&mut a.iter().cloned()), sum(&mut b.iter().cloned()));
            b.into_rows().into_iter().for_each(|row| a.add(row, &names, |context| u64::from(context.0)));
            prop_assert_eq!(told(&a), told(&whole));
        }
    }

    #[test]
    fn too_many_contexts_leave_the_same_ones() {
        let names = Names::default();
        let hash = |context: ContextNumber| u64::from(context.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let kept = |order: &mut dyn Iterator<Item = u32>| {
            let mut rows = Rows::default();
            order.for_each(|context| rows.add(row(context, 1, 0, 0, false), &names, hash));
            assert!(rows.as_slice().len() < THINNED_AT);
            let limit = limit_of(rows.as_slice(), hash);
            rows.into_rows()
                .into_iter()
                .map(|row| row.context.0)
                .filter(|c| hash(ContextNumber(*c)) <= limit)
                .collect::<Vec<_>>()
        };
        let forwards = kept(&mut (0..10_000).chain(0..10_000));
        assert_eq!(forwards.len(), STEPS_MAX);
        assert_eq!(kept(&mut (0..10_000).rev()), forwards);
    }
}
