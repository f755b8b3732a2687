//! The mapped fields of a JSON line without a parse of the line.
//!
//! A vector pass finds where the strings end ([`crate::codec::json::marks`]), then a walk goes over the bytes between them ([`cursor`]) along the
//! trie of the format's paths. It gives what the walk over a parsed tape gives ([`super::json`]), or it declines: at whatever is
//! not plain JSON, and at the rare shapes that are not worth a second implementation. Declining costs a little time,
//! never a record.

mod cursor;
mod escape;
mod shapes;

use super::credential;
use super::draft::{Draft, Field, Scalar, Target};
use super::json::{JsonPlan, Spot};
use super::path::{Edge, Leaf, TrieNode};
use super::shape::How;
use crate::codec::json::marks::{Ends, Marks, Vectors, mark};
use cursor::Cursor;
use shapes::Shapes;

/// What the fast path needs from line to line.
pub(super) struct Scanner {
    /// `None` if the fast path is off.
    pub(super) vectors: Option<Vectors>,
    /// Buffers; more than one is in use where a text is JSON itself.
    pool: Vec<Ends>,
    shapes: Shapes,
    /// Units that the fast path has read.
    pub(super) units: u64,
}

impl Scanner {
    /// On if this processor has the vector instructions.
    pub(super) fn detect() -> Self {
        Self { vectors: Vectors::detect(), pool: Vec::new(), shapes: Shapes::default(), units: 0 }
    }

    /// Off.
    pub(super) fn off() -> Self {
        Self { vectors: None, pool: Vec::new(), shapes: Shapes::default(), units: 0 }
    }

    /// Reads a unit; `None` if it declines, and then the draft is as it was.
    pub(super) fn read<'a>(
        &mut self,
        plan: &'a JsonPlan,
        root: &'a TrieNode,
        unit: &'a [u8],
        draft: &mut Draft<'a, '_>,
    ) -> Option<()> {
        let vectors = self.vectors?;
        if self.shapes.read(plan, vectors, unit, draft).is_some() {
            self.units += 1;
            return Some(());
        }
        draft.restart();
        let mut walk = Walk { plan, vectors, pool: &mut self.pool };
        let done = walk.unit(root, unit, &mut self.shapes, draft);
        if done.is_some() {
            self.units += 1;
        } else {
            draft.restart();
        }
        done
    }
}

struct Walk<'w, 'a> {
    plan: &'a JsonPlan,
    vectors: Vectors,
    pool: &'w mut Vec<Ends>,
}

impl<'a> Walk<'_, 'a> {
    fn unit(
        &mut self,
        root: &'a TrieNode,
        unit: &'a [u8],
        shapes: &mut Shapes,
        draft: &mut Draft<'a, '_>,
    ) -> Option<()> {
        self.marked(unit, |walk, marks| {
            let mut cursor = Cursor::new(marks);
            if cursor.next() != b'{' || !root.leaves.is_empty() {
                return None;
            }
            walk.members(root, Spot::ROOT, true, &mut cursor, draft)?;
            if !cursor.is_at_end() {
                return None;
            }
            shapes.learn(walk.plan, root, draft.shape, marks, draft.arena);
            Some(())
        })
    }

    /// Does something with the marks of a text.
    fn marked(
        &mut self,
        bytes: &'a [u8],
        work: impl FnOnce(&mut Self, Marks<'a, '_>) -> Option<()>,
    ) -> Option<()> {
        let mut ends = self.pool.pop().unwrap_or_default();
        let done = mark(self.vectors, bytes, &mut ends).and_then(|marks| work(self, marks));
        self.pool.push(ends);
        done
    }

    /// Delivers the value at the cursor and what is in it, and goes over it.
    fn visit(
        &mut self,
        here: &'a TrieNode,
        spot: Spot,
        cursor: &mut Cursor<'a, '_>,
        draft: &mut Draft<'a, '_>,
    ) -> Option<()> {
        match cursor.next() {
            b'"' => {
                let raw = cursor.string()?;
                let text = cursor.text(raw, draft.arena)?;
                for leaf in &here.leaves {
                    deliver_text(self.plan, *leaf, spot, text, draft);
                }
                if here.is_end() { Some(()) } else { self.enter_text(here, spot, text, draft) }
            }
            b'{' => {
                for leaf in &here.leaves {
                    deliver_object(*leaf, draft)?;
                }
                if here.is_end() { cursor.skip() } else { self.members(here, spot, false, cursor, draft) }
            }
            b'[' => {
                for leaf in &here.leaves {
                    deliver_array(*leaf, spot, cursor, draft)?;
                }
                if here.is_end() { cursor.skip() } else { self.elements(here, spot, cursor, draft) }
            }
            _ => {
                let value = cursor.scalar()?;
                if let Some(value) = value {
                    for leaf in &here.leaves {
                        deliver_scalar(*leaf, spot, value, draft);
                    }
                }
                Some(())
            }
        }
    }

    fn members(
        &mut self,
        here: &'a TrieNode,
        spot: Spot,
        is_top: bool,
        cursor: &mut Cursor<'a, '_>,
        draft: &mut Draft<'a, '_>,
    ) -> Option<()> {
        cursor.pass();
        if cursor.next() == b'}' {
            cursor.pass();
            return Some(());
        }
        loop {
            let raw = cursor.key()?;
            let name = cursor.bytes(raw, draft.arena)?;
            // An envelope is no record; the other path says so.
            if is_top && cursor.next() == b'[' && name == b"records" {
                return None;
            }
            let mut matching = here.matching(name);
            match matching.next(name) {
                None => cursor.skip()?,
                Some((edge, is_exact)) => {
                    let start = cursor.place();
                    self.member(edge, is_exact, spot, cursor, draft)?;
                    // The same name in another letter case.
                    while let Some((edge, is_exact)) = matching.next(name) {
                        cursor.go_back(start);
                        self.member(edge, is_exact, spot, cursor, draft)?;
                    }
                }
            }
            match cursor.next() {
                b',' => cursor.pass(),
                b'}' => {
                    cursor.pass();
                    return Some(());
                }
                _ => return None,
            }
            cursor.next();
        }
    }

    fn member(
        &mut self,
        edge: &'a Edge,
        is_exact: bool,
        spot: Spot,
        cursor: &mut Cursor<'a, '_>,
        draft: &mut Draft<'a, '_>,
    ) -> Option<()> {
        let penalty = spot.penalty | u16::from(!is_exact);
        self.visit(self.plan.trie.node(edge.child)?, Spot { penalty, ..spot }, cursor, draft)
    }

    fn elements(
        &mut self,
        here: &'a TrieNode,
        spot: Spot,
        cursor: &mut Cursor<'a, '_>,
        draft: &mut Draft<'a, '_>,
    ) -> Option<()> {
        let spot = spot.in_array(draft);
        let plan = self.plan;
        each_element(cursor, |cursor, index| {
            let start = cursor.place();
            let mut is_passed = false;
            for child in here.elements(index, &plan.trie) {
                if is_passed {
                    cursor.go_back(start);
                }
                self.visit(child, spot, cursor, draft)?;
                is_passed = true;
            }
            if is_passed { Some(()) } else { cursor.skip() }
        })
        .map(|_| ())
    }

    /// Walks on inside of a text that is JSON itself.
    fn enter_text(
        &mut self,
        here: &'a TrieNode,
        spot: Spot,
        text: &'a str,
        draft: &mut Draft<'a, '_>,
    ) -> Option<()> {
        let text = text.trim_ascii();
        if !text.starts_with(['{', '[']) {
            return Some(());
        }
        self.marked(text.as_bytes(), |walk, marks| {
            let mut cursor = Cursor::new(marks);
            if cursor.next() == b'{' {
                walk.members(here, spot, false, &mut cursor, draft)?;
            } else {
                walk.elements(here, spot, &mut cursor, draft)?;
            }
            cursor.is_at_end().then_some(())
        })
    }
}

/// Delivers a text or scalar to a node, as [`Walk::visit`] does; `None` if it is to be entered, which is for the walk.
fn take<'a>(
    plan: &'a JsonPlan,
    here: &'a TrieNode,
    penalty: u16,
    value: Scalar<'a>,
    draft: &mut Draft<'a, '_>,
) -> Option<()> {
    let spot = Spot { penalty, ..Spot::ROOT };
    let Scalar::Text(text) = value else {
        here.leaves.iter().for_each(|leaf| deliver_scalar(*leaf, spot, value, draft));
        return Some(());
    };
    here.leaves.iter().for_each(|leaf| deliver_text(plan, *leaf, spot, text, draft));
    (here.is_end() || !text.trim_ascii().starts_with(['{', '['])).then_some(())
}

#[inline]
fn deliver_text<'a>(plan: &'a JsonPlan, leaf: Leaf, spot: Spot, text: &'a str, draft: &mut Draft<'a, '_>) {
    match leaf.target {
        Target::Role(role) => draft.offer(role, Scalar::Text(text), spot.rank(leaf), spot.group),
        Target::Condition(condition) => draft.test(condition, Some(Scalar::Text(text))),
        Target::Composite(template) => {
            if let Some(template) = plan.composites.get(template) {
                let _ = template.read_text(text, draft);
            }
        }
        Target::Token(source) => draft.take_field(source, Field::inner(text)),
    }
}

/// Delivers a number or a flag.
fn deliver_scalar<'a>(leaf: Leaf, spot: Spot, value: Scalar<'a>, draft: &mut Draft<'a, '_>) {
    match leaf.target {
        Target::Role(role) => draft.offer(role, value, spot.rank(leaf), spot.group),
        Target::Condition(condition) => draft.test(condition, Some(value)),
        Target::Composite(_) | Target::Token(_) => {}
    }
}

fn deliver_object(leaf: Leaf, draft: &mut Draft<'_, '_>) -> Option<()> {
    match leaf.target {
        Target::Condition(condition) => draft.test(condition, None),
        Target::Token(source) if is_header(source, draft) => return None,
        _ => {}
    }
    Some(())
}

/// Delivers the array at the cursor, which stays there.
fn deliver_array<'a>(
    leaf: Leaf,
    spot: Spot,
    cursor: &mut Cursor<'a, '_>,
    draft: &mut Draft<'a, '_>,
) -> Option<()> {
    let start = cursor.place();
    match leaf.target {
        Target::Role(role) => {
            let mut first = None;
            each_scalar(cursor, draft, |value, _| {
                let is_absent = matches!(value, Scalar::Text(text) if credential::is_absent(text));
                first = first.or(Some(value).filter(|_| !is_absent));
            })?;
            if let Some(value) = first {
                draft.offer(role, value, spot.rank(leaf), spot.group);
            }
        }
        Target::Condition(condition) => draft.test(condition, None),
        Target::Composite(_) => {}
        Target::Token(source) => {
            let is_header = is_header(source, draft);
            let count = each_scalar(cursor, draft, |value, draft| {
                if let Scalar::Text(text) = value {
                    draft.take_field(source, Field::inner(text));
                }
            })?;
            if count == 0 {
                draft.take_emptiness();
            } else if is_header {
                return None;
            }
        }
    }
    cursor.go_back(start);
    Some(())
}

/// True if names stand beside the values of a source.
fn is_header(source: usize, draft: &Draft<'_, '_>) -> bool {
    matches!(draft.shape.sources.get(source).map(|source| &source.how), Some(How::Header(_)))
}

/// Does something with every scalar of the array at the cursor but `null`; tells how many elements it has.
fn each_scalar<'a, 's>(
    cursor: &mut Cursor<'a, '_>,
    draft: &mut Draft<'a, 's>,
    mut take: impl FnMut(Scalar<'a>, &mut Draft<'a, 's>),
) -> Option<usize> {
    each_element(cursor, |cursor, _| {
        let value = match cursor.next() {
            b'"' => {
                let raw = cursor.string()?;
                Some(Scalar::Text(cursor.text(raw, draft.arena)?))
            }
            b'{' | b'[' => {
                cursor.skip()?;
                None
            }
            _ => cursor.scalar()?,
        };
        if let Some(value) = value {
            take(value, draft);
        }
        Some(())
    })
}

/// Does something with every element of the array at the cursor, which must go over it; tells how many there are.
fn each_element<'a, 'e>(
    cursor: &mut Cursor<'a, 'e>,
    mut work: impl FnMut(&mut Cursor<'a, 'e>, usize) -> Option<()>,
) -> Option<usize> {
    cursor.pass();
    if cursor.next() == b']' {
        cursor.pass();
        return Some(0);
    }
    let mut count = 0;
    loop {
        work(cursor, count)?;
        count += 1;
        match cursor.next() {
            b',' => cursor.pass(),
            b']' => {
                cursor.pass();
                return Some(count);
            }
            _ => return None,
        }
        cursor.next();
    }
}

#[cfg(test)]
mod tests;
