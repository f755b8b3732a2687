//! Objects as the headers and claims of tokens are: names, strings without escapes, whole numbers, lists of them. Most
//! of the time of a full parser goes into what they do not have.
//!
//! A pass over the quotes finds where strings end; a walk looks at every byte between them. It declines at whatever is no
//! JSON or not that plain, and then the full parser says what the text is.

use super::marks::{Ends, Vectors, mark};
use super::{Number, Object, Value, number};
use std::slice;

/// Deepest nesting that is read here; what is deeper is for the full parser, which knows the limit of the caller.
const DEPTH_MAX: usize = 4;

/// What was found in a text, by its places there. A container stands before what is in it.
#[derive(Clone, Copy)]
enum Node {
    Null,
    Bool(bool),
    Integer(i64),
    Text {
        start: usize,
        end: usize,
    },
    Array {
        items: usize,
    },
    /// Each member is a text, its name, and then its value.
    Object {
        members: usize,
    },
}

/// The memory of reading, used again from text to text.
pub(super) struct Flat {
    vectors: Vectors,
    ends: Ends,
    nodes: Vec<Node>,
}

impl Flat {
    /// `None` on a processor without the vector instructions.
    pub(super) fn detect() -> Option<Self> {
        Some(Self { vectors: Vectors::detect()?, ends: Ends::default(), nodes: Vec::new() })
    }

    /// Goes over a text; false if it is for the full parser.
    pub(super) fn scan(&mut self, text: &[u8], depth_max: usize) -> bool {
        self.nodes.clear();
        let Some(marks) = mark(self.vectors, text, &mut self.ends) else { return false };
        if marks.has_backslash || marks.has_control {
            return false;
        }
        let mut walk = Walk { text, ends: marks.ends.iter(), at: 0, nodes: &mut self.nodes };
        walk.next() == b'{' && walk.value(depth_max.min(DEPTH_MAX)).is_some() && walk.is_at_end()
    }

    /// The object of the text that was gone over last.
    pub(super) fn object<'t>(&self, text: &'t [u8]) -> Option<Object<'t>> {
        let end = self
            .nodes
            .iter()
            .rev()
            .find_map(|node| if let Node::Text { end, .. } = node { Some(*end) } else { None });
        let text = simdutf8::basic::from_utf8(text.get(..end.unwrap_or_default())?).ok()?;
        match value(&mut self.nodes.iter(), text)? {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// A place in a text that goes forward value by value. Each step answers `None` at the first byte that is not as expected.
struct Walk<'w> {
    text: &'w [u8],
    /// Places of the closing quotes that are still ahead.
    ends: slice::Iter<'w, u32>,
    at: usize,
    nodes: &'w mut Vec<Node>,
}

impl Walk<'_> {
    /// The next byte that is no space; 0 at the end. Other white space is for the full parser.
    fn next(&mut self) -> u8 {
        loop {
            match self.text.get(self.at) {
                Some(b' ') => self.at += 1,
                Some(byte) => return *byte,
                None => return 0,
            }
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.next() == 0 && self.at == self.text.len()
    }

    fn value(&mut self, depth_left: usize) -> Option<()> {
        match self.next() {
            b'"' => self.string(),
            b'{' => self.object(depth_left.checked_sub(1)?),
            b'[' => self.array(depth_left.checked_sub(1)?),
            b'0'..=b'9' => {
                let number = number::read(self.text.get(self.at..)?)?;
                self.at += number.length;
                self.nodes.push(Node::Integer(number.integer?));
                Some(())
            }
            b't' => self.word(b"true", Node::Bool(true)),
            b'f' => self.word(b"false", Node::Bool(false)),
            b'n' => self.word(b"null", Node::Null),
            _ => None,
        }
    }

    fn word(&mut self, word: &[u8], node: Node) -> Option<()> {
        self.text.get(self.at..)?.strip_prefix(word)?;
        self.at += word.len();
        self.nodes.push(node);
        Some(())
    }

    /// Goes over a string, whose opening quote is the next byte.
    fn string(&mut self) -> Option<()> {
        let end = usize::try_from(*self.ends.next()?).ok()?;
        self.nodes.push(Node::Text { start: self.at + 1, end });
        self.at = end + 1;
        Some(())
    }

    fn array(&mut self, depth_left: usize) -> Option<()> {
        let place = self.open(Node::Array { items: 0 });
        let mut items = 0;
        if self.next() != b']' {
            loop {
                self.value(depth_left)?;
                items += 1;
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        self.at += 1;
        *self.nodes.get_mut(place)? = Node::Array { items };
        Some(())
    }

    fn object(&mut self, depth_left: usize) -> Option<()> {
        let place = self.open(Node::Object { members: 0 });
        let mut members = 0;
        if self.next() != b'}' {
            loop {
                if self.next() != b'"' {
                    return None;
                }
                self.string()?;
                if self.next() != b':' {
                    return None;
                }
                self.at += 1;
                self.value(depth_left)?;
                members += 1;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.at += 1;
        *self.nodes.get_mut(place)? = Node::Object { members };
        Some(())
    }

    /// Goes into a container; gives its place among the nodes.
    fn open(&mut self, node: Node) -> usize {
        self.at += 1;
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Goes over a comma; false before the closing byte.
    fn goes_on(&mut self, closing: u8) -> Option<bool> {
        match self.next() {
            b',' => {
                self.at += 1;
                Some(true)
            }
            byte => (byte == closing).then_some(false),
        }
    }
}

/// The value that the next nodes are, with its texts.
fn value<'t>(nodes: &mut slice::Iter<'_, Node>, text: &'t str) -> Option<Value<'t>> {
    Some(match *nodes.next()? {
        Node::Null => Value::Null,
        Node::Bool(flag) => Value::Bool(flag),
        Node::Integer(number) => Value::Number(Number::Integer(number)),
        Node::Text { start, end } => Value::String(text.get(start..end)?),
        Node::Array { items } => {
            let mut values = Vec::with_capacity(items);
            for _ in 0..items {
                values.push(value(nodes, text)?);
            }
            Value::Array(values)
        }
        Node::Object { members } => {
            let mut named = Vec::with_capacity(members);
            for _ in 0..members {
                let Some(Node::Text { start, end }) = nodes.next() else { return None };
                named.push((text.get(*start..*end)?, value(nodes, text)?));
            }
            Value::Object(Object::new(named))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::{PADDING, Parser};
    use super::*;
    use proptest::prelude::*;

    /// What both ways say; leaks a little: it is a test.
    fn both(text: &str) -> (bool, [Result<Object<'static>, super::super::JsonError>; 2]) {
        let padded = || [text.as_bytes(), &[0; PADDING]].concat().leak();
        let is_flat = Flat::detect().is_some_and(|mut flat| flat.scan(text.as_bytes(), 32));
        let read = |mut parser: Parser| parser.object(padded(), text.len(), 32);
        (is_flat, [read(Parser::default()), read(Parser::portable())])
    }

    #[test]
    fn claims_are_read_as_the_full_parser_reads_them() {
        for text in [
            r#"{"aud":"x","iat":1760435700,"scp":"a b","roles":["a","b"],"n":null,"t":true,"f":false,"o":{"a":{"b":[]}},"name":"é"}"#,
            r#"{ "a" : 1 , "b" : [ ] , "c" : { } }"#,
            "{}",
        ] {
            let (is_flat, [one, other]) = both(text);
            assert_eq!(is_flat, Flat::detect().is_some(), "{text}");
            assert_eq!(one, other, "{text}");
            assert!(one.is_ok());
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_full_parser() {
        for text in [
            r#"{"a":"\n"}"#,
            r#"{"a":1.5}"#,
            r#"{"a":-1}"#,
            r#"{"a":01}"#,
            r#"{"a":1 2}"#,
            r#"{"a":tru}"#,
            r#"{"a"}"#,
            r#"{"a":1,}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":1}}"#,
            r#"{"a":1"#,
            r#"["a"]"#,
            r#"{"a":[[[[1]]]]}"#,
            "{\"a\":\t1}",
            "",
            r#"{"a":"b" "c"}"#,
            r"{a:1}",
        ] {
            let (is_flat, [one, other]) = both(text);
            assert!(!is_flat, "{text}");
            assert_eq!(one, other, "{text}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_say_the_same(text in r#"\{("[a-cé ]{0,3}" ?: ?("[a-cé\\n]{0,2}"|-?[0-9]{1,19}(\.5)?|true|null|\[(1|"a"|,){0,3}\]|\{("a":1)?\}),?){0,4}\}? ?"#) {
            let (_, [one, other]) = both(&text);
            prop_assert_eq!(one, other);
        }
    }
}
