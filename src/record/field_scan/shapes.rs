//! The shapes of the lines before: which bytes stand between the values, and where each value leads.
//!
//! A log has few of them. Where a line has a known one, its names are not taken apart and looked up again: the bytes
//! between the values are compared as they are, and each value goes where its place in the shape says. A shape is learned
//! from a line that the walk has read, so equal bytes mean what they meant to the walk; whatever differs is left to it.

use super::cursor::{self, Cursor};
use super::escape;
use crate::codec::json::marks::{Marks, Vectors, plain};
use crate::record::draft::{Draft, Role, Scalar, Target};
use crate::record::json::{JsonPlan, Spot};
use crate::record::path::{Leaf, TrieNode};
use crate::record::shape::{How, Shape};
use bumpalo::Bump;

/// Most steps of all shapes; a shape that does not fit takes the place of all others.
const STEPS_MAX: usize = 1024;
/// Most steps of one shape.
const LENGTH_MAX: usize = 256;
/// Most ways on from one place, so that a line is not compared with many.
const WAYS_MAX: usize = 8;
/// Deepest nesting that is learned.
const DEPTH_MAX: usize = 32;
/// After so many lines in a row of no known shape only some are learned: they may be all different.
const PATIENCE: u64 = 64;
/// Bytes that are compared at once.
const WIDTH: usize = 32;
/// No step.
const NONE: u32 = u32::MAX;

/// What follows the bytes of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// More of the bytes before a value.
    Pass,
    /// A text or scalar that no path leads to.
    Skip,
    /// A text or scalar for a role.
    Offer { role: Role, rank: u16 },
    /// A text or scalar for the leaves of a node.
    Take { node: usize, penalty: u16 },
    /// Nothing: the line ends.
    End,
}

/// Bytes that stand between two values, and what comes then.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// The bytes and zeros.
    bytes: [u8; WIDTH],
    /// All ones where there are bytes.
    mask: [u8; WIDTH],
    length: usize,
    act: Act,
    /// The first step behind this one.
    next: u32,
    /// Another step that may come in this one's place.
    other: u32,
}

impl Step {
    fn new(bytes: &[u8], act: Act) -> Self {
        let (mut padded, mut mask) = ([0_u8; WIDTH], [0_u8; WIDTH]);
        for ((to, mask), from) in padded.iter_mut().zip(&mut mask).zip(bytes) {
            (*to, *mask) = (*from, u8::MAX);
        }
        Self { bytes: padded, mask, length: bytes.len(), act, next: NONE, other: NONE }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.length == other.length && self.act == other.act
    }

    /// True if a line goes on with this step.
    #[inline]
    fn fits(&self, rest: &[u8]) -> bool {
        let begins = match rest.first_chunk() {
            Some(chunk) => {
                let (own, masks) = (words(&self.bytes), words(&self.mask));
                let mut differs = 0;
                for ((word, own), mask) in words(chunk).iter().zip(&own).zip(&masks) {
                    differs |= (word ^ own) & mask;
                }
                differs == 0
            }
            // Near the end of the line.
            None => rest.get(..self.length).is_some_and(|rest| self.bytes.get(..self.length) == Some(rest)),
        };
        begins
            && match self.act {
                Act::Pass => true,
                // The bytes may be the beginning of those of another step, which goes into an object or array.
                Act::Skip | Act::Offer { .. } | Act::Take { .. } => {
                    !matches!(rest.get(self.length), Some(b'{' | b'[') | None)
                }
                Act::End => rest.len() == self.length,
            }
    }
}

#[inline]
fn words(bytes: &[u8; WIDTH]) -> [u64; WIDTH / 8] {
    let mut words = [0; WIDTH / 8];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_ne_bytes(*chunk);
    }
    words
}

/// All shapes of one format, as a tree: shapes that begin alike share their first steps.
#[derive(Default)]
pub(super) struct Shapes {
    /// The plan that the nodes are of.
    plan: u64,
    steps: Vec<Step>,
    /// Steps of the shape that is being learned.
    fresh: Vec<Step>,
    /// Lines without a known shape since the last one with one.
    misses: u64,
}

impl Shapes {
    /// Reads a line of a known shape; `None` if it has none, and then the draft may hold a part of it.
    pub(super) fn read<'a>(
        &mut self,
        plan: &'a JsonPlan,
        vectors: Vectors,
        unit: &'a [u8],
        draft: &mut Draft<'a, '_>,
    ) -> Option<()> {
        if self.plan != plan.id.0 {
            (self.plan, self.misses) = (plan.id.0, 0);
            self.steps.clear();
        }
        vectors.read(self, plan, unit, draft)?;
        self.misses = 0;
        Some(())
    }

    #[inline]
    fn step(&self, place: u32) -> Option<&Step> {
        self.steps.get(usize::try_from(place).ok()?)
    }

    /// Remembers the shape of a line that the walk has read.
    pub(super) fn learn<'a>(
        &mut self,
        plan: &'a JsonPlan,
        root: &'a TrieNode,
        shape: &'a Shape,
        marks: Marks<'a, '_>,
        arena: &'a Bump,
    ) {
        self.misses += 1;
        if self.misses > PATIENCE && !self.misses.is_multiple_of(PATIENCE) {
            return;
        }
        self.fresh.clear();
        let (text, cursor) = (marks.text, Cursor::new(marks));
        let mut learner = Learner { plan, shape, arena, text, cursor, from: 0, steps: &mut self.fresh };
        if learner.line(root).is_some() {
            self.add();
        }
    }

    fn add(&mut self) {
        if self.steps.len() + self.fresh.len() > STEPS_MAX {
            self.steps.clear();
        }
        let fresh = std::mem::take(&mut self.fresh);
        let mut before = None;
        for step in &fresh {
            let Some(place) = self.add_step(before, *step) else { break };
            before = Some(place);
        }
        self.fresh = fresh;
    }

    /// Puts a step behind another one; `None` if there are too many already.
    fn add_step(&mut self, before: Option<u32>, step: Step) -> Option<u32> {
        let fresh = u32::try_from(self.steps.len()).ok()?;
        let first = match before {
            None if self.steps.is_empty() => NONE,
            None => 0,
            Some(before) => self.step(before)?.next,
        };
        let (mut place, mut last, mut ways) = (first, None, 0);
        while let Some(known) = self.step(place) {
            if known.is_like(&step) {
                return Some(place);
            }
            ways += 1;
            (last, place) = (Some(place), known.other);
        }
        if ways >= WAYS_MAX {
            return None;
        }
        match (last.or(before).and_then(|place| self.steps.get_mut(usize::try_from(place).ok()?)), last) {
            (Some(sibling), Some(_)) => sibling.other = fresh,
            (Some(parent), None) => parent.next = fresh,
            (None, _) => {}
        }
        self.steps.push(step);
        Some(fresh)
    }
}

/// Takes the steps of a line.
struct Learner<'l, 'a, 'e> {
    plan: &'a JsonPlan,
    shape: &'a Shape,
    arena: &'a Bump,
    text: &'a str,
    cursor: Cursor<'a, 'e>,
    /// Where the last value ended.
    from: usize,
    steps: &'l mut Vec<Step>,
}

/// A node with its number, and the penalty of the way to it.
#[derive(Clone, Copy)]
struct Way<'a> {
    node: &'a TrieNode,
    id: usize,
    penalty: u16,
}

impl Way<'_> {
    fn act(self) -> Act {
        if let ([leaf], true) = (self.node.leaves.as_slice(), self.node.is_end())
            && let Target::Role(role) = leaf.target
        {
            let spot = Spot { penalty: self.penalty, ..Spot::ROOT };
            return Act::Offer { role, rank: spot.rank(*leaf) };
        }
        Act::Take { node: self.id, penalty: self.penalty }
    }
}

impl<'a> Learner<'_, 'a, '_> {
    /// `None` if the line has something that only the walk can do.
    fn line(&mut self, root: &'a TrieNode) -> Option<()> {
        self.cursor.next();
        self.object(Some(Way { node: root, id: 0, penalty: 0 }), 0)?;
        self.step(self.text.len(), Act::End)
    }

    /// The bytes up to here.
    fn step(&mut self, end: usize, act: Act) -> Option<()> {
        let mut bytes = self.text.as_bytes().get(self.from..end)?;
        while let Some((piece, rest)) =
            bytes.split_first_chunk::<WIDTH>().filter(|(_, rest)| !rest.is_empty())
        {
            self.steps.push(Step::new(piece, Act::Pass));
            bytes = rest;
        }
        self.steps.push(Step::new(bytes, act));
        (self.steps.len() <= LENGTH_MAX).then_some(())
    }

    fn object(&mut self, way: Option<Way<'a>>, depth: usize) -> Option<()> {
        self.cursor.pass();
        if self.cursor.next() == b'}' {
            self.cursor.pass();
            return Some(());
        }
        loop {
            let raw = self.cursor.key()?;
            let name = self.cursor.bytes(raw, self.arena)?;
            // May be an envelope.
            if depth == 0 && name == b"records" {
                return None;
            }
            let next = match way {
                Some(way) => self.edge(way, name)?,
                None => None,
            };
            self.value(next, depth)?;
            if !self.goes_on(b'}')? {
                return Some(());
            }
        }
    }

    /// Where a member leads; the `None` outside if to several places.
    #[expect(
        clippy::option_option,
        reason = "the outer one is doubt, the inner one a member that no path has"
    )]
    fn edge(&self, way: Way<'a>, name: &[u8]) -> Option<Option<Way<'a>>> {
        let mut matching = way.node.matching(name);
        let Some((edge, is_exact)) = matching.next(name) else { return Some(None) };
        if matching.next(name).is_some() {
            return None;
        }
        let penalty = way.penalty | u16::from(!is_exact);
        Some(Some(Way { node: self.plan.trie.node(edge.child)?, id: edge.child, penalty }))
    }

    fn goes_on(&mut self, closing: u8) -> Option<bool> {
        let byte = self.cursor.next();
        self.cursor.pass();
        if byte == closing {
            return Some(false);
        }
        self.cursor.next();
        (byte == b',').then_some(true)
    }

    fn value(&mut self, way: Option<Way<'a>>, depth: usize) -> Option<()> {
        match self.cursor.next() {
            b'{' | b'[' if depth >= DEPTH_MAX => None,
            b'{' if way.is_none_or(|way| way.node.leaves.is_empty()) => self.object(way, depth + 1),
            b'{' => None,
            b'[' => self.array(way, depth + 1),
            _ => {
                let act = way.map_or(Act::Skip, Way::act);
                self.step(self.cursor.offset(), act)?;
                self.cursor.skip()?;
                self.from = self.cursor.offset();
                Some(())
            }
        }
    }

    /// An array that nobody wants, or one of a single scalar, which means what the scalar alone means to some leaves.
    fn array(&mut self, way: Option<Way<'a>>, depth: usize) -> Option<()> {
        let is_alike = |leaf: &Leaf| match leaf.target {
            Target::Role(_) => true,
            Target::Token(source) => !matches!(
                self.shape.sources.get(source).map(|source| &source.how),
                Some(How::Header(_)) | None
            ),
            Target::Condition(_) | Target::Composite(_) => false,
        };
        if way.is_some_and(|way| !way.node.is_end() || !way.node.leaves.iter().all(is_alike)) {
            return None;
        }
        self.cursor.pass();
        if self.cursor.next() == b']' {
            self.cursor.pass();
            return way.is_none().then_some(());
        }
        if way.is_some() && matches!(self.cursor.next(), b'{' | b'[') {
            return None;
        }
        loop {
            self.value(way, depth)?;
            let goes_on = self.goes_on(b']')?;
            if !goes_on {
                return Some(());
            }
            if way.is_some() {
                return None;
            }
        }
    }
}

/// Reads a line; see [`Shapes::read`]. The text or scalar at each value's place is all that is taken apart.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,bmi1"))]
fn read<'a>(shapes: &Shapes, plan: &'a JsonPlan, unit: &'a [u8], draft: &mut Draft<'a, '_>) -> Option<()> {
    let mut step = shapes.steps.first()?;
    let mut rest = unit;
    loop {
        while !step.fits(rest) {
            step = shapes.step(step.other)?;
        }
        rest = rest.get(step.length..)?;
        match step.act {
            Act::Pass => {}
            Act::End => return Some(()),
            Act::Skip => {
                rest = match rest {
                    [b'"', rest @ ..] => match rest.get(plain(rest).len()..)? {
                        [b'"', behind @ ..] => behind,
                        _ => odd_text(rest)?.1,
                    },
                    _ => rest.get(cursor::scalar_length(rest)?..)?,
                };
            }
            Act::Offer { .. } | Act::Take { .. } => {
                let (value, behind) = value(rest, draft.arena)?;
                match (step.act, value) {
                    (Act::Offer { role, rank }, Some(value)) => draft.offer(role, value, rank, 0),
                    (Act::Take { node, penalty }, Some(value)) => {
                        super::take(plan, plan.trie.node(node)?, penalty, value, draft)?;
                    }
                    _ => {}
                }
                rest = behind;
            }
        }
        step = shapes.step(step.next)?;
    }
}

impl Vectors {
    #[expect(clippy::unused_self, reason = "a value of this type is the proof that the call is sound")]
    #[cfg_attr(
        target_arch = "x86_64",
        expect(unsafe_code, reason = "the vectors must be in line with the reading")
    )]
    fn read<'a>(
        self,
        shapes: &Shapes,
        plan: &'a JsonPlan,
        unit: &'a [u8],
        draft: &mut Draft<'a, '_>,
    ) -> Option<()> {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `detect`, the only maker of a `Vectors`, has seen the features that `read` enables.
        let done = unsafe { read(shapes, plan, unit, draft) };
        #[cfg(not(target_arch = "x86_64"))]
        let done = read(shapes, plan, unit, draft);
        done
    }
}

/// The text or scalar that the bytes begin with (`None` inside for a null), and the bytes behind it.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2,bmi1"))]
#[inline]
fn value<'a>(bytes: &'a [u8], arena: &'a Bump) -> Option<(Option<Scalar<'a>>, &'a [u8])> {
    if let [b'"', rest @ ..] = bytes {
        let plain = plain(rest);
        if let [b'"', behind @ ..] = rest.get(plain.len()..)? {
            return Some((Some(Scalar::Text(plain)), behind));
        }
        let (raw, behind, is_escaped) = odd_text(rest)?;
        let text = if is_escaped { escape::unescaped(raw, arena)? } else { raw };
        return Some((Some(Scalar::Text(text)), behind));
    }
    let (value, length) = cursor::scalar(bytes)?;
    Some((value, bytes.get(length..)?))
}

/// A text with something in it that is not plain, behind its opening quote; the bytes behind the closing one; true if it
/// has escapes. `None` if it is not JSON's.
#[cold]
#[inline(never)]
fn odd_text(bytes: &[u8]) -> Option<(&str, &[u8], bool)> {
    let (mut at, mut is_escaped) = (0, false);
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            break;
        }
        is_escaped = true;
        at += 2;
    }
    let raw = std::str::from_utf8(bytes.get(..at)?).ok()?;
    let is_wrong = raw.bytes().fold(u8::MAX, u8::min) < b' ' || (is_escaped && !escape::is_valid(raw));
    (!is_wrong).then_some((raw, bytes.get(at + 1..)?, is_escaped))
}
