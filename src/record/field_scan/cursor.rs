//! A place in a JSON text that goes forward value by value and looks at every byte outside of strings.
//!
//! Each step answers `None` at the first byte that is not JSON, or that is for the full parser.

use super::escape;
use crate::codec::json::marks::Marks;
use crate::codec::json::number;
use crate::record::draft::Scalar;
use bumpalo::Bump;

/// A string between its quotes, as it stands in the text.
#[derive(Clone, Copy)]
pub(super) struct Raw {
    start: usize,
    end: usize,
    is_escaped: bool,
}

/// Where a cursor stands, to come back to it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    at: usize,
    strings: usize,
    /// Where the next byte is that needs a look, in a string that ends behind it.
    odd: usize,
}

pub(super) struct Cursor<'t, 'e> {
    text: &'t str,
    ends: &'e [u32],
    has_control: bool,
    here: Place,
}

impl<'t, 'e> Cursor<'t, 'e> {
    /// A cursor at the first byte.
    pub(super) fn new(marks: Marks<'t, 'e>) -> Self {
        let Marks { text, ends, has_backslash, has_control } = marks;
        let mut cursor = Self { text, ends, has_control, here: Place { at: 0, strings: 0, odd: usize::MAX } };
        if has_backslash || has_control {
            cursor.find_odd(0);
        }
        cursor
    }

    pub(super) fn place(&self) -> Place {
        self.here
    }

    /// Bytes in front of the cursor.
    pub(super) fn offset(&self) -> usize {
        self.here.at
    }

    pub(super) fn go_back(&mut self, place: Place) {
        self.here = place;
    }

    /// The next byte that is no white space; 0 at the end.
    #[inline]
    pub(super) fn next(&mut self) -> u8 {
        let byte = self.byte();
        if byte > b' ' { byte } else { self.next_behind_space() }
    }

    #[inline]
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.here.at).copied().unwrap_or(0)
    }

    fn next_behind_space(&mut self) -> u8 {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.here.at += 1;
        }
        self.byte()
    }

    /// Goes over the byte that was just seen.
    #[inline]
    pub(super) fn pass(&mut self) {
        self.here.at += 1;
    }

    /// True if nothing but white space follows.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.next() == 0 && self.here.at == self.text.len()
    }

    /// Goes over a string.
    #[inline]
    pub(super) fn string(&mut self) -> Option<Raw> {
        if self.byte() != b'"' {
            return None;
        }
        let start = self.here.at + 1;
        let end = usize::try_from(*self.ends.get(self.here.strings)?).ok()?;
        self.here.strings += 1;
        self.here.at = end + 1;
        let is_escaped = self.here.odd < end && self.odd_string(start, end)?;
        Some(Raw { start, end, is_escaped })
    }

    /// Looks at a string that has an escape, or may have control characters, which JSON forbids; tells whether it has
    /// escapes.
    #[cold]
    #[inline(never)]
    fn odd_string(&mut self, start: usize, end: usize) -> Option<bool> {
        let raw = self.text.get(start..end)?;
        // The lowest byte rather than the first low one: that takes vectors of bytes.
        if self.has_control && raw.bytes().fold(u8::MAX, u8::min) < b' ' {
            return None;
        }
        let is_escaped = memchr::memchr(b'\\', raw.as_bytes()).is_some();
        if is_escaped && !escape::is_valid(raw) {
            return None;
        }
        self.find_odd(end);
        Some(is_escaped)
    }

    fn find_odd(&mut self, from: usize) {
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        // Where there are control characters every string is looked at.
        self.here.odd =
            if self.has_control { 0 } else { memchr::memchr(b'\\', rest).map_or(usize::MAX, |at| from + at) };
    }

    /// The text of a string that was gone over.
    #[inline]
    pub(super) fn text(&self, raw: Raw, arena: &'t Bump) -> Option<&'t str> {
        let text = self.text.get(raw.start..raw.end)?;
        if raw.is_escaped { escape::unescaped(text, arena) } else { Some(text) }
    }

    /// The bytes of a string that was gone over.
    #[inline]
    pub(super) fn bytes(&self, raw: Raw, arena: &'t Bump) -> Option<&'t [u8]> {
        if raw.is_escaped {
            return self.text(raw, arena).map(str::as_bytes);
        }
        self.text.as_bytes().get(raw.start..raw.end)
    }

    /// Goes over a key and its colon, to the value.
    #[inline]
    pub(super) fn key(&mut self) -> Option<Raw> {
        let key = self.string()?;
        if self.next() != b':' {
            return None;
        }
        self.pass();
        self.next();
        Some(key)
    }

    /// Goes over a number, `true`, `false` or `null`, which is the `None` inside.
    #[expect(clippy::option_option, reason = "the outer one is doubt, the inner one JSON's null")]
    pub(super) fn scalar(&mut self) -> Option<Option<Scalar<'t>>> {
        let (value, length) = scalar(self.text.as_bytes().get(self.here.at..)?)?;
        self.here.at += length;
        Some(value)
    }

    /// Goes over any value.
    #[inline]
    pub(super) fn skip(&mut self) -> Option<()> {
        match self.byte() {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_container(),
            _ => self.skip_scalar(),
        }
    }

    fn skip_scalar(&mut self) -> Option<()> {
        self.here.at += scalar_length(self.text.as_bytes().get(self.here.at..)?)?;
        Some(())
    }

    /// Goes over an object or array with all that is in it, down to 64 levels.
    fn skip_container(&mut self) -> Option<()> {
        // A bit a level, the innermost lowest: set for an object. The bit above them ends the stack.
        let mut open = 1_u64;
        loop {
            match self.byte() {
                opening @ (b'{' | b'[') => {
                    if open.leading_zeros() == 0 {
                        return None;
                    }
                    open = open << 1 | u64::from(opening == b'{');
                    self.pass();
                    let next = self.next();
                    if next != opening + 2 {
                        if opening == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                _ => self.skip_scalar()?,
            }
            loop {
                let is_object = open & 1 == 1;
                match self.next() {
                    b',' => break,
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    _ => return None,
                }
                self.pass();
                open >>= 1;
                if open == 1 {
                    return Some(());
                }
            }
            self.pass();
            self.next();
            if open & 1 == 1 {
                self.key()?;
            }
        }
    }
}

/// The number, `true`, `false` or `null` (the `None` inside) that the bytes begin with, and its length.
#[inline]
pub(super) fn scalar(bytes: &[u8]) -> Option<(Option<Scalar<'static>>, usize)> {
    // No number begins with a letter, and `null` is what most fields without a value say.
    if bytes.first().is_some_and(u8::is_ascii_lowercase) {
        return word(bytes);
    }
    let number = number::read(bytes)?;
    let value = match number.integer {
        Some(integer) => Scalar::Integer(integer),
        // Both parsers round to the nearest; what has more digits than an integer holds is the other's.
        None if number.is_float => {
            Scalar::Float(std::str::from_utf8(bytes.get(..number.length)?).ok()?.parse().ok()?)
        }
        None => return None,
    };
    Some((Some(value), number.length))
}

/// The length of such a value.
#[inline]
pub(super) fn scalar_length(bytes: &[u8]) -> Option<usize> {
    if bytes.first().is_some_and(u8::is_ascii_lowercase) {
        return word(bytes).map(|(_, length)| length);
    }
    number::read(bytes).map(|number| number.length)
}

/// `true`, `false` or `null` in front, and its length.
#[inline]
fn word(bytes: &[u8]) -> Option<(Option<Scalar<'static>>, usize)> {
    match bytes {
        [b't', b'r', b'u', b'e', ..] => Some((Some(Scalar::Bool(true)), 4)),
        [b'f', b'a', b'l', b's', b'e', ..] => Some((Some(Scalar::Bool(false)), 5)),
        [b'n', b'u', b'l', b'l', ..] => Some((None, 4)),
        _ => None,
    }
}
