//! JSON records: one parse with `simd-json`, one walk along the trie of the format's paths.

use super::credential;
use super::draft::{Draft, Field, Scalar, Target};
use super::path::{Leaf, Trie, TrieNode};
use super::repair;
use super::shape::How;
use super::template::Template;
use super::{Reject, Unit};
use bumpalo::Bump;
use simd_json::{Buffers, Node, StaticNode, Tape};

/// The memory of one parse, kept for the next.
pub(super) struct Parser {
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Parser {
    fn default() -> Self {
        Self { buffers: Buffers::with_max_depth(4096, 512), tape: Tape(Vec::new()) }
    }
}

/// The paths of a JSON format.
#[derive(Debug, Default)]
pub(super) struct JsonPlan {
    pub(super) trie: Trie,
    /// Texts of several fields in one value, as `escape=json` templates may have them.
    pub(super) composites: Vec<Template>,
}

/// Reads one unit into the draft.
pub(super) fn read<'a>(
    plan: &'a JsonPlan,
    unit: &'a [u8],
    parsers: &mut Vec<Parser>,
    draft: &mut Draft<'a, '_>,
) -> Result<Unit, Reject> {
    if unit.trim_ascii().is_empty() {
        return Ok(Unit::Ignored);
    }
    let Some(root) = plan.trie.root() else { return Ok(Unit::Record) };
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
        Walk { plan, tape: &tape.0, line_end }.visit(root, Spot { at: 0, penalty: 0, group: 0 }, parsers, draft);
        Ok(if draft.is_skipped() { Unit::Ignored } else { Unit::Record })
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
        if let Some([Node::String("records"), Node::Array { .. }, Node::Object { .. }]) = tape.get(at..at + 3) {
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

#[derive(Clone, Copy)]
struct Spot {
    /// Place on the tape.
    at: usize,
    /// 1 if a letter case on the way was not the path's.
    penalty: u16,
    /// Number of the array that the walk is in; 0 outside.
    group: u32,
}

struct Walk<'w, 'a> {
    plan: &'a JsonPlan,
    tape: &'w [Node<'a>],
    /// Length of the line if its last text was cut.
    line_end: Option<usize>,
}

impl<'a> Walk<'_, 'a> {
    fn visit(&self, here: &'a TrieNode, spot: Spot, parsers: &mut Vec<Parser>, draft: &mut Draft<'a, '_>) {
        let Some(node) = self.tape.get(spot.at).copied() else { return };
        for leaf in &here.leaves {
            self.deliver(*leaf, spot, draft);
        }
        if here.edges.is_empty() && here.every.is_none() {
            return;
        }
        match node {
            Node::Object { len, .. } => self.members(here, spot, len, parsers, draft),
            Node::Array { len, .. } => self.elements(here, spot, len, parsers, draft),
            Node::String(text) => enter_text(self.plan, text, here, spot, parsers, draft),
            Node::Static(_) => {}
        }
    }

    fn members(&self, here: &'a TrieNode, spot: Spot, len: usize, parsers: &mut Vec<Parser>, draft: &mut Draft<'a, '_>) {
        let mut at = spot.at + 1;
        for _ in 0..len {
            let (Some(Node::String(name)), Some(value)) = (self.tape.get(at), self.tape.get(at + 1)) else { return };
            for edge in &here.edges {
                if edge.name.len() != name.len() {
                    continue;
                }
                let exact = edge.name == *name;
                if exact || (edge.fold && edge.name.eq_ignore_ascii_case(name)) {
                    if let Some(child) = self.plan.trie.node(edge.child) {
                        let penalty = spot.penalty | u16::from(!exact);
                        self.visit(child, Spot { at: at + 1, penalty, group: spot.group }, parsers, draft);
                    }
                }
            }
            at += 1 + size(*value);
        }
    }

    fn elements(&self, here: &'a TrieNode, spot: Spot, len: usize, parsers: &mut Vec<Parser>, draft: &mut Draft<'a, '_>) {
        let mut at = spot.at + 1;
        // An array is named by its place, which no other array shares.
        let group = if spot.group == 0 { u32::try_from(at).unwrap_or(u32::MAX) } else { spot.group };
        for index in 0..len {
            let Some(element) = self.tape.get(at) else { return };
            let counted = here.edges.iter().filter(|edge| edge.index == Some(index)).map(|edge| edge.child);
            for child in counted.chain(here.every) {
                if let Some(child) = self.plan.trie.node(child) {
                    self.visit(child, Spot { at, group, ..spot }, parsers, draft);
                }
            }
            at += size(*element);
        }
    }

    fn deliver(&self, leaf: Leaf, spot: Spot, draft: &mut Draft<'a, '_>) {
        let Some(node) = self.tape.get(spot.at).copied() else { return };
        match leaf.target {
            Target::Role(role) => {
                if let Some(value) = self.first_scalar(spot.at) {
                    let rank = leaf.rank.saturating_mul(2).saturating_add(spot.penalty);
                    draft.offer(role, value, rank, spot.group);
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
                    (Some(How::Header(name)), Node::Array { .. } | Node::Object { .. }) => {
                        self.named_values(name, spot.at, &mut |at| self.texts(at, source, draft));
                    }
                    _ => self.texts(spot.at, source, draft),
                }
            }
        }
    }

    /// Every text at a place: the text itself, or the texts of an array.
    fn texts(&self, at: usize, source: usize, draft: &mut Draft<'a, '_>) {
        match self.tape.get(at) {
            Some(Node::String(text)) => draft.take_field(source, self.field(text, at)),
            Some(Node::Array { len, .. }) => {
                let mut at = at + 1;
                for _ in 0..*len {
                    let Some(element) = self.tape.get(at) else { return };
                    if let Node::String(text) = element {
                        draft.take_field(source, self.field(text, at));
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
            Some(Node::Object { len, .. }) => self.each_member(at, *len, &mut |key, value| {
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

    fn each_member(&self, at: usize, len: usize, take: &mut impl FnMut(&str, usize)) {
        let mut at = at + 1;
        for _ in 0..len {
            let (Some(Node::String(key)), Some(value)) = (self.tape.get(at), self.tape.get(at + 1)) else { return };
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
            Node::Object { len, .. } => {
                let (mut is_named, mut place) = (false, None);
                self.each_member(at, *len, &mut |key, value| match key {
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
    if parsed && matches!(tape.0.first(), Some(Node::Object { .. } | Node::Array { .. })) {
        let inner = Walk { plan, tape: &tape.0, line_end: None };
        let Spot { penalty, group, .. } = spot;
        match tape.0.first() {
            Some(Node::Object { len, .. }) => inner.members(here, Spot { at: 0, penalty, group }, *len, parsers, draft),
            Some(Node::Array { len, .. }) => inner.elements(here, Spot { at: 0, penalty, group }, *len, parsers, draft),
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
        Node::Static(StaticNode::U64(number)) => i64::try_from(number).map_or(Scalar::Large(number), Scalar::Integer),
        Node::Static(StaticNode::F64(number)) => Scalar::Float(number),
        Node::Static(StaticNode::Bool(flag)) => Scalar::Bool(flag),
        _ => return None,
    })
}
