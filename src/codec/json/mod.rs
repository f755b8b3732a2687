//! Small JSON documents (token headers, claims) with every member kept in order, duplicates among them.

mod flat;
pub(crate) mod marks;
pub(crate) mod number;

use flat::Flat;
use simd_json::{Buffers, Node, StaticNode, Tape};
use std::fmt::Write as _;

/// A JSON number as it was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number below 2^63.
    Integer(i64),
    /// A whole number from 2^63 to 2^64 - 1.
    Large(u64),
    /// Anything with a fraction or an exponent, and whole numbers beyond the others.
    Float(f64),
}

/// A JSON value whose texts lie in the bytes that were read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string, unescaped.
    String(&'t str),
    /// An array.
    Array(Vec<Value<'t>>),
    /// An object.
    Object(Object<'t>),
}

/// A JSON object whose members stand in the order of the text, each occurrence of a name of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'t> {
    members: Vec<(&'t str, Value<'t>)>,
    /// A bit for each name: rules ask a token for many claims that hardly any token has.
    names: u128,
}

/// Why a text is no object that a token may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not one JSON value in UTF-8 with nothing behind it.
    #[error("not JSON")]
    Syntax,
    /// JSON, but not an object.
    #[error("not a JSON object")]
    NotAnObject,
    /// Nested deeper than the limit.
    #[error("nested too deeply")]
    TooDeep,
}

/// Bytes that must follow a text that is parsed in place.
pub const PADDING: usize = simd_json::INPUT_PADDING;

/// The memory of parsing, used again from text to text.
pub struct Parser {
    /// `None` if objects are not to be read without a tape.
    flat: Option<Flat>,
    buffers: Buffers,
    tape: Option<Tape<'static>>,
}

impl Default for Parser {
    fn default() -> Self {
        Self { flat: Flat::detect(), ..Self::portable() }
    }
}

impl std::fmt::Debug for Parser {
    /// Never what it parsed last.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parser")
    }
}

impl Parser {
    /// A parser that uses nothing that only some processors have.
    pub fn portable() -> Self {
        Self { flat: None, buffers: Buffers::default(), tape: None }
    }

    /// Reads one object from the first `length` bytes of `text`, which at least [`PADDING`] bytes follow. Strings are
    /// unescaped in place, and the object points to them.
    ///
    /// # Errors
    ///
    /// See [`JsonError`].
    pub fn object<'t>(
        &mut self,
        text: &'t mut [u8],
        length: usize,
        depth_max: usize,
    ) -> Result<Object<'t>, JsonError> {
        if let Some(flat) = &mut self.flat
            && flat.scan(text.get(..length).unwrap_or_default(), depth_max)
        {
            return flat.object(text).ok_or(JsonError::Syntax);
        }
        let mut tape = self.tape.take().map_or_else(|| Tape(Vec::new()), Tape::reset);
        let parsed = simd_json::fill_tape_padded(text, length, &mut self.buffers, &mut tape);
        let object = match parsed.map_err(|_| JsonError::Syntax) {
            Ok(()) => match value(&mut tape.0.iter(), depth_max) {
                Ok(Value::Object(object)) => Ok(object),
                Ok(_) => Err(JsonError::NotAnObject),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        self.tape = Some(tape.reset());
        object
    }
}

fn value<'n, 't: 'n>(
    nodes: &mut impl Iterator<Item = &'n Node<'t>>,
    depth_left: usize,
) -> Result<Value<'t>, JsonError> {
    let node = nodes.next().ok_or(JsonError::Syntax)?;
    Ok(match node {
        Node::Static(StaticNode::Null) => Value::Null,
        Node::Static(StaticNode::Bool(flag)) => Value::Bool(*flag),
        Node::Static(StaticNode::I64(number)) => Value::Number(Number::Integer(*number)),
        Node::Static(StaticNode::U64(number)) => {
            Value::Number(i64::try_from(*number).map_or(Number::Large(*number), Number::Integer))
        }
        Node::Static(StaticNode::F64(number)) => Value::Number(Number::Float(*number)),
        Node::String(text) => Value::String(text),
        Node::Array { len, .. } => {
            let deeper = depth_left.checked_sub(1).ok_or(JsonError::TooDeep)?;
            let mut items = Vec::with_capacity(*len);
            for _ in 0..*len {
                items.push(value(nodes, deeper)?);
            }
            Value::Array(items)
        }
        Node::Object { len, .. } => {
            let deeper = depth_left.checked_sub(1).ok_or(JsonError::TooDeep)?;
            let mut members = Vec::with_capacity(*len);
            for _ in 0..*len {
                let Some(Node::String(name)) = nodes.next() else { return Err(JsonError::Syntax) };
                members.push((*name, value(nodes, deeper)?));
            }
            Value::Object(Object::new(members))
        }
    })
}

impl<'t> Object<'t> {
    fn new(members: Vec<(&'t str, Value<'t>)>) -> Self {
        let names = members.iter().fold(0, |names, (name, _)| names | bit(name));
        Self { members, names }
    }

    /// Names and values in the order of the text.
    pub fn members(&self) -> &[(&'t str, Value<'t>)] {
        &self.members
    }

    /// The last value of a member, as most validators read it; `None` if there is none.
    pub fn last(&self, name: &str) -> Option<&Value<'t>> {
        if self.names & bit(name) == 0 {
            return None;
        }
        self.members.iter().rev().find(|(member, _)| is_same(member, name)).map(|(_, value)| value)
    }

    /// The last value of a member if it is a string.
    pub fn text(&self, name: &str) -> Option<&'t str> {
        self.last(name).and_then(Value::as_text)
    }
}

/// Equality of names, most of which differ in length or in an outer letter.
#[inline]
fn is_same(member: &str, name: &str) -> bool {
    let (member, name) = (member.as_bytes(), name.as_bytes());
    member.len() == name.len()
        && member.last() == name.last()
        && member.first() == name.first()
        && member == name
}

/// The bit of a name, by its length and its outer letters; names that differ may share one. The factors keep the claims that
/// Entra's tokens always have apart from those that rules look for and that are rare.
#[inline]
fn bit(name: &str) -> u128 {
    let bytes = name.as_bytes();
    let letter = |letter: Option<&u8>| letter.map_or(0, |letter| usize::from(*letter));
    1 << ((4 * bytes.len() + letter(bytes.first()) + 29 * letter(bytes.last())) % 128)
}

impl<'t> Value<'t> {
    /// The string, if it is one.
    pub fn as_text(&self) -> Option<&'t str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The value as compact JSON text, members in their order.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(Number::Integer(number)) => drop(write!(out, "{number}")),
            Self::Number(Number::Large(number)) => drop(write!(out, "{number}")),
            Self::Number(Number::Float(number)) => drop(write!(out, "{number}")),
            Self::String(text) => out.push_str(&serde_json::Value::from(*text).to_string()),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Object(object) => {
                out.push('{');
                for (at, (name, value)) in object.members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::Value::from(*name).to_string());
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

impl Number {
    /// Whole seconds of a `NumericDate` (RFC 7519 section 2), rounded down; `None` beyond ±2^53.
    pub fn seconds(self) -> Option<i64> {
        const EXACT: i64 = 1 << 53;
        let whole = match self {
            Self::Integer(number) => number,
            Self::Large(_) => return None,
            Self::Float(number) => float_floor(number)?,
        };
        (-EXACT..=EXACT).contains(&whole).then_some(whole)
    }
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "the range is checked before")]
fn float_floor(number: f64) -> Option<i64> {
    (number.abs() <= 9_007_199_254_740_992.0).then(|| number.floor() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaks a little: it is a test.
    fn read(text: impl AsRef<[u8]>) -> Result<Object<'static>, JsonError> {
        let text = text.as_ref();
        let padded = [text, &[0; PADDING]].concat().leak();
        Parser::default().object(padded, text.len(), 32)
    }

    #[test]
    fn duplicates_are_kept_and_the_last_one_counts() {
        let object = read(r#"{"aud":"a","n":{"x":[1,2.5]},"aud":"b"}"#).unwrap();
        assert_eq!(object.members.len(), 3);
        assert_eq!(object.text("aud"), Some("b"));
        assert_eq!(object.last("n").unwrap().to_json(), r#"{"x":[1,2.5]}"#);
    }

    #[test]
    fn only_one_shallow_object_is_accepted() {
        assert_eq!(read("[]"), Err(JsonError::NotAnObject));
        assert_eq!(read("{} x"), Err(JsonError::Syntax));
        assert_eq!(read(""), Err(JsonError::Syntax));
        assert_eq!(read(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax));
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(read(nested(32)).is_ok());
        assert_eq!(read(nested(33)), Err(JsonError::TooDeep));
    }

    #[test]
    fn dates_are_floored_and_bounded() {
        let seconds = |text: &str| match read(text).unwrap().last("e") {
            Some(Value::Number(number)) => number.seconds(),
            _ => None,
        };
        assert_eq!(seconds(r#"{"e":1700000000}"#), Some(1_700_000_000));
        assert_eq!(seconds(r#"{"e":1700000000.9}"#), Some(1_700_000_000));
        assert_eq!(seconds(r#"{"e":-1.5}"#), Some(-2));
        assert_eq!(seconds(r#"{"e":99999999999999999999999}"#), None);
        assert_eq!(seconds(r#"{"e":"1700000000"}"#), None);
    }
}
