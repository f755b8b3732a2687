//! JSON records: one parse with `simd-json`, one walk along the trie of the format's paths.
//!
//! Nearly all lines are read without it, by [`super::field_scan`]; this path reads any line, and says what a line means.

use super::credential;
use super::draft::{Draft, Field, Scalar, Target};
use super::field_scan::Scanner;
use super::path::{Leaf, Trie, TrieNode};
use super::repair;
use super::shape::How;
use super::template::Template;
use super::{Reject, Unit};
use bumpalo::Bump;
use simd_json::{Buffers, Node, StaticNode, Tape};
use std::sync::atomic::{AtomicU64, Ordering};

/// The memory of one parse, kept for the next.
struct Parser {
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Parser {
    fn default() -> Self {
        Self { buffers: Buffers::with_max_depth(4096, 512), tape: Tape(Vec::new()) }
    }
}

/// What reading JSON needs from unit to unit.
pub(super) struct JsonScratch {
    pub(super) scanner: Scanner,
    /// Parsers; more than one is in use where a text is JSON itself.
    parsers: Vec<Parser>,
}

impl JsonScratch {
    pub(super) fn new(scanner: Scanner) -> Self {
        Self { scanner, parsers: Vec::new() }
    }
}

/// A number that no other plan of this process has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlanId(pub(super) u64);

impl Default for PlanId {
    fn default() -> Self {
        // 0 is nobody's.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The paths of a JSON format.
#[derive(Debug, Default)]
pub(super) struct JsonPlan {
    pub(super) id: PlanId,
    pub(super) trie: Trie,
    /// Texts of several fields in one value, as `escape=json` templates may have them.
    pub(super) composites: Vec<Template>,
}

/// Reads one unit into the draft.
pub(super) fn read<'a>(
    plan: &'a JsonPlan,
    unit: &'a [u8],
    scratch: &mut JsonScratch,
    draft: &mut Draft<'a, '_>,
) -> Result<Unit, Reject> {
    if unit.trim_ascii().is_empty() {
        return Ok(Unit::Ignored);
    }
    let Some(root) = plan.trie.root() else { return Ok(Unit::Record) };
    let JsonScratch { scanner, parsers } = scratch;
    if scanner.read(plan, root, unit, draft).is_none() {
        read_parsed(plan, root, unit, parsers, draft)?;
    }
    Ok(if draft.is_skipped() { Unit::Ignored } else { Unit::Record })
}

/// Reads any unit.
fn read_parsed<'a>(
    plan: &'a JsonPlan,
    root: &'a TrieNode,
    unit: &'a [u8],
    parsers: &mut Vec<Parser>,
    draft: &mut Draft<'a, '_>,
) -> Result<(), Reject> {
    let arena = draft.arena;
    let mut parser = parsers.pop().unwrap_or_default();
    let mut tape = std::mem::replace(&mut parser.tape, Tape(Vec::new())).reset();
    let outcome = match parse(unit, arena, &mut parser.buffers, &mut tape) {
        Ok(()) => Ok(false),
        Err(()) => parse_repaired(unit, draft, &mut parser.buffers, &mut tape),
    };
    let result = outcome.and_then(|cut| {
        let is_record = matches!(tape.0.first(), Some(Node::Object { .. })) && !is_envelope(&tape.0);
        if !is_record {
            return Err(Reject::Json);
        }
        let line_end = cut.then_some(unit.len());
        Walk { plan, tape: &tape.0, line_end }.visit(root, 0, Spot::ROOT, parsers, draft);
        Ok(())
    });
    parser.tape = tape.reset();
    parsers.push(parser);
    result
}

fn parse<'a>(text: &[u8], arena: &'a Bump, buffers: &mut Buffers, tape: &mut Tape<'a>) -> Result<(), ()> {
    // Parsing unescapes in place, so it works on a copy; the padding spares a second one.
    let copy = arena.alloc_slice_fill_copy(text.len() + simd_json::INPUT_PADDING, 0_u8);
    copy.get_mut(..text.len()).ok_or(())?.copy_from_slice(text);
    simd_json::fill_tape_padded(copy, text.len(), buffers, tape).map_err(|_| ())
}

/// True in the `Ok` case if the logger cut the line.
fn parse_repaired<'a>(
    unit: &[u8],
    draft: &mut Draft<'a, '_>,
    buffers: &mut Buffers,
    tape: &mut Tape<'a>,
) -> Result<bool, Reject> {
    let repaired = repair::object(unit).ok_or(Reject::Json)?;
    if repaired.cut && !credential::is_cut_length(unit.len(), draft.shape.line_limit) {
        return Err(Reject::Json);
    }
    draft.repaired = true;
    parse(repaired.text.as_bytes(), draft.arena, buffers, tape).map_err(|()| Reject::Json)?;
    Ok(repaired.cut)
}

/// True for an object with `"records":[{…}]`, which must be cut into its elements before it comes here: read as one record
/// it would hide them all.
fn is_envelope(tape: &[Node<'_>]) -> bool {
    let Some(Node::Object { len, .. }) = tape.first() else { return false };
    let mut at = 1;
    for _ in 0..*len {
        if let Some([Node::String("records"), Node::Array { .. }, Node::Object { .. }]) = tape.get(at..at + 3)
        {
            return true;
        }
        let Some(value) = tape.get(at + 1) else { return false };
        at += 1 + size(*value);
    }
    false
}

/// Nodes that a value takes on the tape.
fn size(node: Node<'_>) -> usize {
    match node {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        _ => 1,
    }
}

/// What a walk knows of the way to a value.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    /// 1 if a letter case on the way was not the path's.
    pub(super) penalty: u16,
    /// Number of the outermost array that the walk is in; 0 outside.
    pub(super) group: u32,
}

impl Spot {
    /// Where a walk begins.
    pub(super) const ROOT: Self = Self { penalty: 0, group: 0 };

    /// The way on, into an array.
    pub(super) fn in_array(self, draft: &mut Draft<'_, '_>) -> Self {
        Self { group: if self.group == 0 { draft.next_group() } else { self.group }, ..self }
    }

    /// The rank of a value that was found on this way.
    pub(super) fn rank(self, leaf: Leaf) -> u16 {
        leaf.rank.saturating_mul(2).saturating_add(self.penalty)
    }
}

struct Walk<'w, 'a> {
    plan: &'a JsonPlan,
    tape: &'w [Node<'a>],
    /// Length of the line if its last text was cut.
    line_end: Option<usize>,
}

impl<'a> Walk<'_, 'a> {
    fn visit(
        &self,
        here: &'a TrieNode,
        at: usize,
        spot: Spot,
        parsers: &mut Vec<Parser>,
        draft: &mut Draft<'a, '_>,
    ) {
        let Some(node) = self.tape.get(at).copied() else { return };
        for leaf in &here.leaves {
            self.deliver(*leaf, at, spot, draft);
        }
        if here.is_end() {
            return;
        }
        match node {
            Node::Object { .. } => self.members(here, at, spot, parsers, draft),
            Node::Array { .. } => self.elements(here, at, spot, parsers, draft),
            Node::String(text) => enter_text(self.plan, text, here, spot, parsers, draft),
            Node::Static(_) => {}
        }
    }

    /// Visits the members of an object.
    fn members(
        &self,
        here: &'a TrieNode,
        at: usize,
        spot: Spot,
        parsers: &mut Vec<Parser>,
        draft: &mut Draft<'a, '_>,
    ) {
        self.each_member(at, &mut |name, value| {
            let mut matching = here.matching(name.as_bytes());
            while let Some((edge, is_exact)) = matching.next(name.as_bytes()) {
                let Some(child) = self.plan.trie.node(edge.child) else { return };
                let penalty = spot.penalty | u16::from(!is_exact);
                self.visit(child, value, Spot { penalty, ..spot }, parsers, draft);
            }
        });
    }

    /// Visits the elements of an array.
    fn elements(
        &self,
        here: &'a TrieNode,
        at: usize,
        spot: Spot,
        parsers: &mut Vec<Parser>,
        draft: &mut Draft<'a, '_>,
    ) {
        let Some(Node::Array { len, .. }) = self.tape.get(at) else { return };
        let spot = spot.in_array(draft);
        let mut at = at + 1;
        for index in 0..*len {
            let Some(element) = self.tape.get(at) else { return };
            for child in here.elements(index, &self.plan.trie) {
                self.visit(child, at, spot, parsers, draft);
            }
            at += size(*element);
        }
    }

    fn deliver(&self, leaf: Leaf, at: usize, spot: Spot, draft: &mut Draft<'a, '_>) {
        let Some(node) = self.tape.get(at).copied() else { return };
        match leaf.target {
            Target::Role(role) => {
                if let Some(value) = self.first_scalar(at) {
                    draft.offer(role, value, spot.rank(leaf), spot.group);
                }
            }
            Target::Condition(condition) => {
                if !matches!(node, Node::Static(StaticNode::Null)) {
                    draft.test(condition, scalar(node));
                }
            }
            Target::Composite(template) => {
                if let (Node::String(text), Some(template)) = (node, self.plan.composites.get(template)) {
                    let _ = template.read_text(text, draft);
                }
            }
            Target::Token(source) => {
                let how = draft.shape.sources.get(source).map(|source| &source.how);
                match (how, node) {
                    (_, Node::Array { len: 0, .. }) => draft.take_emptiness(),
                    (Some(How::Header(name)), Node::Array { .. } | Node::Object { .. }) => {
                        self.named_values(name, at, &mut |at| {
                            self.texts(at, &mut |field| draft.take_value(source, field));
                        });
                    }
                    _ => self.texts(at, &mut |field| draft.take_field(source, field)),
                }
            }
        }
    }

    /// Every text at a place: the text itself, or the texts of an array.
    fn texts(&self, at: usize, take: &mut dyn FnMut(Field<'a>)) {
        match self.tape.get(at) {
            Some(Node::String(text)) => take(self.field(text, at)),
            Some(Node::Array { len, .. }) => {
                let mut at = at + 1;
                for _ in 0..*len {
                    let Some(element) = self.tape.get(at) else { return };
                    if let Node::String(text) = element {
                        take(self.field(text, at));
                    }
                    at += size(*element);
                }
            }
            _ => {}
        }
    }

    fn field(&self, text: &'a str, at: usize) -> Field<'a> {
        let is_last = at + 1 == self.tape.len();
        Field { line_end: self.line_end.filter(|_| is_last), ..Field::inner(text) }
    }

    /// The scalar at a place, or the first one of an array that is there.
    fn first_scalar(&self, at: usize) -> Option<Scalar<'a>> {
        let Node::Array { len, .. } = self.tape.get(at)? else { return scalar(*self.tape.get(at)?) };
        let mut at = at + 1;
        for _ in 0..*len {
            let element = self.tape.get(at)?;
            match scalar(*element) {
                Some(Scalar::Text(text)) if credential::is_absent(text) => {}
                Some(value) => return Some(value),
                None => {}
            }
            at += size(*element);
        }
        None
    }

    /// The values of a header in a map, in a list of `{name, value}` or `{key, value}`, or in a list of pairs.
    fn named_values(&self, name: &str, at: usize, take: &mut impl FnMut(usize)) {
        match self.tape.get(at) {
            Some(Node::Object { .. }) => self.each_member(at, &mut |key, value| {
                if key.eq_ignore_ascii_case(name) {
                    take(value);
                }
            }),
            Some(Node::Array { len, .. }) => {
                let mut element = at + 1;
                for _ in 0..*len {
                    let Some(node) = self.tape.get(element) else { return };
                    if let Some(value) = self.pair_value(name, element) {
                        take(value);
                    }
                    element += size(*node);
                }
            }
            _ => {}
        }
    }

    /// Does something with the name and the place of the value of each member of an object.
    fn each_member(&self, at: usize, take: &mut dyn FnMut(&str, usize)) {
        let Some(Node::Object { len, .. }) = self.tape.get(at) else { return };
        let mut at = at + 1;
        for _ in 0..*len {
            let (Some(Node::String(key)), Some(value)) = (self.tape.get(at), self.tape.get(at + 1)) else {
                return;
            };
            take(key, at + 1);
            at += 1 + size(*value);
        }
    }

    fn pair_value(&self, name: &str, at: usize) -> Option<usize> {
        match self.tape.get(at)? {
            Node::Array { len: 2, .. } => match self.tape.get(at + 1)? {
                Node::String(key) if key.eq_ignore_ascii_case(name) => Some(at + 2),
                _ => None,
            },
            Node::Object { .. } => {
                let (mut is_named, mut place) = (false, None);
                self.each_member(at, &mut |key, value| match key {
                    "name" | "key" => {
                        is_named |= matches!(self.tape.get(value), Some(Node::String(text)) if text.eq_ignore_ascii_case(name));
                    }
                    "value" => place = Some(value),
                    _ => {}
                });
                place.filter(|_| is_named)
            }
            _ => None,
        }
    }
}

/// Walks on inside of a text that is JSON itself.
fn enter_text<'a>(
    plan: &'a JsonPlan,
    text: &str,
    here: &'a TrieNode,
    spot: Spot,
    parsers: &mut Vec<Parser>,
    draft: &mut Draft<'a, '_>,
) {
    let text = text.trim_ascii();
    if !text.starts_with(['{', '[']) {
        return;
    }
    let mut parser = parsers.pop().unwrap_or_default();
    let mut tape = std::mem::replace(&mut parser.tape, Tape(Vec::new())).reset();
    let arena = draft.arena;
    let parsed = parse(text.as_bytes(), arena, &mut parser.buffers, &mut tape).is_ok()
        || repair::object(text.as_bytes()).is_some_and(|repaired| {
            parse(repaired.text.as_bytes(), arena, &mut parser.buffers, &mut tape).is_ok()
        });
    // A text that is no container would come back here for ever.
    if parsed {
        let inner = Walk { plan, tape: &tape.0, line_end: None };
        match tape.0.first() {
            Some(Node::Object { .. }) => inner.members(here, 0, spot, parsers, draft),
            Some(Node::Array { .. }) => inner.elements(here, 0, spot, parsers, draft),
            _ => {}
        }
    }
    parser.tape = tape.reset();
    parsers.push(parser);
}

fn scalar(node: Node<'_>) -> Option<Scalar<'_>> {
    Some(match node {
        Node::String(text) => Scalar::Text(text),
        Node::Static(StaticNode::I64(number)) => Scalar::Integer(number),
        Node::Static(StaticNode::U64(number)) => {
            i64::try_from(number).map_or(Scalar::Large(number), Scalar::Integer)
        }
        Node::Static(StaticNode::F64(number)) => Scalar::Float(number),
        Node::Static(StaticNode::Bool(flag)) => Scalar::Bool(flag),
        _ => return None,
    })
}
