//! Steps for tests.

use super::{First, Marks, Samples, Step};
use crate::facts::Outcome;

/// A step with one use at an instant, and nothing else known.
pub(super) fn step<'t>(time: i64) -> Step<'t> {
    Step {
        row: 0,
        gateway: None,
        api: None,
        outcome: Outcome::Accepted,
        place: None,
        agent: None,
        host: None,
        principal: None,
        marks: Marks::default(),
        spelling: 0,
        count: 1,
        undated: false,
        first: First { time, source: None, line: None, offset: None },
        spans: Samples::One(Some((time, time))),
        ids: Samples::One(None),
        routes: Samples::One(None),
        earlier: false,
        echo: false,
    }
}
