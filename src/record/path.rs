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
#[derive(Debug, Default)]
pub(super) struct TrieNode {
    pub(super) edges: Vec<Edge>,
    pub(super) every: Option<usize>,
    pub(super) leaves: Vec<Leaf>,
}

/// A step to a named member or a counted element.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) name: String,
    pub(super) index: Option<usize>,
    /// True if the letter case of the member does not matter: it is a header, or the last segment of a path.
    pub(super) fold: bool,
    pub(super) child: usize,
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
            self.insert_segments(&[Segment::Key(literal.clone())], Leaf { target, rank: rank.saturating_mul(2) });
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
            under_headers = matches!(segment, Segment::Key(name) if name.to_ascii_lowercase().contains("header"));
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
        node.edges.push(Edge { name: name.to_owned(), index: name.parse().ok(), fold, child: fresh });
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
        assert_eq!(dotted.segments, [key("a"), key("b"), Segment::Index(0), key("c.d"), Segment::Every, key("e")]);
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
