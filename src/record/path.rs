//! Paths into a JSON record, and the trie that finds all of them in one walk.

use super::draft::Target;
use super::errors::Problem;

/// Deepest path, in segments; bounds the recursion of the walk.
const SEGMENTS_MAX: usize = 32;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// A member, or (if it is a number) an element.
    Key(String),
    /// An element.
    Index(usize),
    /// Every element.
    Every,
}

/// A path as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) segments: Vec<Segment>,
    /// The whole dotted text, which wins over nesting where it is a key itself (ECS, Zeek).
    pub(super) literal: Option<String>,
}

impl Path {
    /// Reads `/a/b/0` (RFC 6901) or `a.b[0]["c.d"][*]`.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = |why| Problem::Path { path: text.to_owned(), why };
        let segments = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(pointer_segment).collect(),
            None => dotted(text).map_err(wrong)?,
        };
        if segments.len() > SEGMENTS_MAX {
            return Err(wrong("it has more than 32 segments"));
        }
        let literal = (!text.starts_with('/') && segments.len() > 1).then(|| text.to_owned());
        Ok(Self { segments, literal })
    }
}

fn pointer_segment(text: &str) -> Segment {
    Segment::Key(text.replace("~1", "/").replace("~0", "~"))
}

fn dotted(text: &str) -> Result<Vec<Segment>, &'static str> {
    let mut segments = Vec::new();
    let mut rest = text;
    loop {
        if let Some(inside) = rest.strip_prefix('[') {
            let (segment, after) = bracketed(inside)?;
            segments.push(segment);
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let name = rest.get(..end).unwrap_or_default();
            if name.is_empty() {
                return Err("a name is empty");
            }
            segments.push(Segment::Key(name.to_owned()));
            rest = rest.get(end..).unwrap_or_default();
        }
        if rest.is_empty() {
            return Ok(segments);
        }
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
        } else if !rest.starts_with('[') {
            return Err("a dot is missing after a bracket");
        }
    }
}

fn bracketed(inside: &str) -> Result<(Segment, &str), &'static str> {
    if let Some(quoted) = inside.strip_prefix('"') {
        let (name, rest) = quoted.split_once("\"]").ok_or("a bracket is not closed")?;
        return Ok((Segment::Key(name.to_owned()), rest));
    }
    let (index, rest) = inside.split_once(']').ok_or("a bracket is not closed")?;
    if index == "*" {
        return Ok((Segment::Every, rest));
    }
    let index = index.parse().map_err(|_| "brackets hold a number, `*` or a quoted name")?;
    Ok((Segment::Index(index), rest))
}

/// Where a path ends, and for whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) target: Target,
    /// Lower wins.
    pub(super) rank: u16,
}

/// All paths of a format.
#[derive(Debug, Default)]
pub(super) struct Trie {
    nodes: Vec<TrieNode>,
}

/// One place in the trie.
#[derive(Debug)]
pub(super) struct TrieNode {
    pub(super) edges: Vec<Edge>,
    pub(super) every: Option<usize>,
    pub(super) leaves: Vec<Leaf>,
    /// For each value of [`bucket`] the first edge of that kind.
    first: [u32; BUCKETS],
    /// True if an edge may lead to an element.
    is_counted: bool,
}

/// A step to a named member or a counted element.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) name: String,
    pub(super) index: Option<usize>,
    /// True if the letter case of the member does not matter: it is a header, or the last segment of a path.
    pub(super) fold: bool,
    pub(super) child: usize,
    /// The next edge of the same bucket.
    next: u32,
}

/// Kinds of names that are told apart before they are compared.
const BUCKETS: usize = 64;
/// No edge.
const NONE: u32 = u32::MAX;

/// The kind of a name, whatever its letter case: most members of a record are no edge, and this tells it without a search.
#[inline]
fn bucket(name: &[u8]) -> usize {
    let ([first, ..], [.., last]) = (name, name) else { return 0 };
    let fold = |byte: u8| usize::from(byte | 0x20);
    (name.len().wrapping_mul(5) ^ fold(*first) ^ fold(*last).wrapping_mul(3)) % BUCKETS
}

impl Default for TrieNode {
    fn default() -> Self {
        Self { edges: Vec::new(), every: None, leaves: Vec::new(), first: [NONE; BUCKETS], is_counted: false }
    }
}

impl TrieNode {
    /// True if no path goes on from here.
    pub(super) fn is_end(&self) -> bool {
        self.edges.is_empty() && self.every.is_none()
    }

    /// The edges that a member takes, in their order.
    #[inline]
    pub(super) fn matching<'t>(&'t self, name: &[u8]) -> Matching<'t> {
        Matching { node: self, next: self.first.get(bucket(name)).copied().unwrap_or(NONE) }
    }

    /// Where an element leads, in the order of the edges.
    pub(super) fn elements<'t>(&'t self, index: usize, trie: &'t Trie) -> impl Iterator<Item = &'t TrieNode> {
        let edges = if self.is_counted { self.edges.as_slice() } else { &[] };
        let counted = edges.iter().filter(move |edge| edge.index == Some(index)).map(|edge| edge.child);
        counted.chain(self.every).filter_map(|child| trie.node(child))
    }

    /// Adds an edge behind the others.
    fn push(&mut self, name: &str, fold: bool, child: usize) {
        let Ok(place) = u32::try_from(self.edges.len()) else { return };
        let index = name.parse().ok();
        self.is_counted |= index.is_some();
        let kind = bucket(name.as_bytes());
        match self.edges.iter_mut().rfind(|edge| bucket(edge.name.as_bytes()) == kind) {
            Some(last) => last.next = place,
            None => self.first.iter_mut().skip(kind).take(1).for_each(|first| *first = place),
        }
        self.edges.push(Edge { name: name.to_owned(), index, fold, child, next: NONE });
    }
}

/// The edges of one bucket that are not compared yet.
#[derive(Clone, Copy)]
pub(super) struct Matching<'t> {
    node: &'t TrieNode,
    next: u32,
}

impl<'t> Matching<'t> {
    /// The next edge that has the name, and whether its letter case is the path's.
    #[inline]
    pub(super) fn next(&mut self, name: &[u8]) -> Option<(&'t Edge, bool)> {
        if self.next == NONE { None } else { self.compare(name) }
    }

    fn compare(&mut self, name: &[u8]) -> Option<(&'t Edge, bool)> {
        loop {
            let edge = self.node.edges.get(usize::try_from(self.next).ok()?)?;
            self.next = edge.next;
            let own = edge.name.as_bytes();
            let is_exact = own == name;
            if is_exact || (edge.fold && own.eq_ignore_ascii_case(name)) {
                return Some((edge, is_exact));
            }
        }
    }
}

impl Trie {
    /// The place where every walk begins.
    pub(super) fn root(&self) -> Option<&TrieNode> {
        self.nodes.first()
    }

    pub(super) fn node(&self, id: usize) -> Option<&TrieNode> {
        self.nodes.get(id)
    }

    /// Adds a path. Of two hits for one role the lower rank wins; a literal dotted key is one rank better than nesting.
    pub(super) fn insert(&mut self, path: &Path, target: Target, rank: u16) {
        if self.nodes.is_empty() {
            self.nodes.push(TrieNode::default());
        }
        if let Some(literal) = &path.literal {
            self.insert_segments(
                &[Segment::Key(literal.clone())],
                Leaf { target, rank: rank.saturating_mul(2) },
            );
        }
        self.insert_segments(&path.segments, Leaf { target, rank: rank.saturating_mul(2).saturating_add(1) });
    }

    fn insert_segments(&mut self, segments: &[Segment], leaf: Leaf) {
        let mut at = 0;
        let mut under_headers = false;
        for (position, segment) in segments.iter().enumerate() {
            let last = position + 1 == segments.len();
            at = match segment {
                Segment::Every => self.every(at),
                Segment::Index(index) => self.edge(at, &index.to_string(), false),
                Segment::Key(name) => self.edge(at, name, last || under_headers),
            };
            under_headers =
                matches!(segment, Segment::Key(name) if name.to_ascii_lowercase().contains("header"));
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.leaves.push(leaf);
        }
    }

    fn every(&mut self, at: usize) -> usize {
        let fresh = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        let child = *node.every.get_or_insert(fresh);
        if child == fresh {
            self.nodes.push(TrieNode::default());
        }
        child
    }

    fn edge(&mut self, at: usize, name: &str, fold: bool) -> usize {
        let fresh = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        if let Some(edge) = node.edges.iter_mut().find(|edge| edge.name == name) {
            edge.fold |= fold;
            return edge.child;
        }
        node.push(name, fold, fresh);
        self.nodes.push(TrieNode::default());
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str) -> Segment {
        Segment::Key(name.to_owned())
    }

    #[test]
    fn both_notations_are_read() {
        assert_eq!(Path::parse("/a~1b/~0c/0").unwrap().segments, [key("a/b"), key("~c"), key("0")]);
        let dotted = Path::parse("a.b[0][\"c.d\"][*].e").unwrap();
        assert_eq!(
            dotted.segments,
            [key("a"), key("b"), Segment::Index(0), key("c.d"), Segment::Every, key("e")]
        );
        assert_eq!(Path::parse("[\"id.orig_h\"]").unwrap().segments, [key("id.orig_h")]);
        for wrong in ["", "a..b", "a[", "a[x]", "a[0]b", ".a", "a."] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_path_panics(text in "\\PC{0,24}") {
            let _ = Path::parse(&text);
        }
    }
}
