//! How gateways escape what clients sent.

use super::{begins_with, find, literal_in};
use crate::codec::json::marks::Vectors;
use crate::record::query::hex_value;
use bumpalo::Bump;
use std::borrow::Cow;

/// Escaping of field values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::record) enum Escapes {
    /// nginx by default: quote, backslash, control bytes and everything from 0x7F up as `\xHH`.
    Nginx,
    /// nginx with `escape=json`.
    Json,
    /// nginx with `escape=none`: nothing, so that clients can forge fields.
    None,
    /// Apache: backslashes before quote and backslash, letters for control bytes, `\xhh` for the rest.
    Apache,
}

impl Escapes {
    /// Where the quoted value at the start of a text ends, if the literal `after` follows there. `plain` texts hold no
    /// backslash.
    pub(super) fn closing_quote(self, text: &str, after: &str, plain: bool) -> Option<usize> {
        let end = match self {
            Self::None => return literal_in(text, after),
            Self::Json | Self::Apache if !plain => unescaped_quote(text)?,
            Self::Nginx | Self::Json | Self::Apache => find(b'"', text.as_bytes())?,
        };
        begins_with(text.as_bytes().get(end..)?, after.as_bytes()).then_some(end)
    }

    /// The value as the client sent it. Bytes that are no UTF-8 are replaced, and `repaired` is set.
    #[inline]
    pub(super) fn decoded<'a>(self, raw: &'a str, arena: &'a Bump, repaired: &mut bool) -> &'a str {
        if self == Self::None {
            return raw;
        }
        self.unescaped(raw, arena, repaired)
    }

    fn unescaped<'a>(self, raw: &'a str, arena: &'a Bump, repaired: &mut bool) -> &'a str {
        if memchr::memchr(b'\\', raw.as_bytes()).is_none() {
            return raw;
        }
        if self == Self::Json {
            let quoted = format!("\"{raw}\"");
            if let Ok(text) = serde_json::from_str::<String>(&quoted) {
                return arena.alloc_str(&text);
            }
            *repaired = true;
        }
        let bytes = decoded_bytes(raw.as_bytes());
        as_text_copy(&bytes, arena, repaired)
    }
}

/// The first quote that is not escaped.
fn unescaped_quote(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', text.as_bytes().get(from..)?)?;
        if text.as_bytes().get(at) == Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

fn decoded_bytes(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    loop {
        rest = match rest {
            [] => return out,
            [b'\\', b'x', high, low, after @ ..]
                if hex_value(*high).is_some() && hex_value(*low).is_some() =>
            {
                out.push(hex_value(*high).unwrap_or(0) << 4 | hex_value(*low).unwrap_or(0));
                after
            }
            [b'\\', letter, after @ ..] => {
                match letter {
                    b'b' => out.push(8),
                    b'n' => out.push(b'\n'),
                    b'r' => out.push(b'\r'),
                    b't' => out.push(b'\t'),
                    b'v' => out.push(11),
                    b'"' | b'\\' | b'/' => out.push(*letter),
                    _ => out.extend_from_slice(&[b'\\', *letter]),
                }
                after
            }
            [byte, after @ ..] => {
                out.push(*byte);
                after
            }
        };
    }
}

/// A unit as text; invalid UTF-8 and NUL are replaced, and `repaired` is set.
pub(in crate::record) fn as_text<'a>(unit: &'a [u8], arena: &'a Bump, repaired: &mut bool) -> &'a str {
    as_plain_text(unit, None, arena, repaired).0
}

/// [`as_text`], and true if the text holds no backslash, so that nothing in it is escaped. Both marks are looked for at
/// once: a line is nearly always free of either.
pub(super) fn as_plain_text<'a>(
    unit: &'a [u8],
    vectors: Option<Vectors>,
    arena: &'a Bump,
    repaired: &mut bool,
) -> (&'a str, bool) {
    if let Some(text) = vectors.and_then(|vectors| vectors.unescaped(unit)) {
        return (text, true);
    }
    let mark = memchr::memchr2(0, b'\\', unit);
    let behind = mark.and_then(|mark| unit.get(mark..)).unwrap_or_default();
    let has_nul = memchr::memchr(0, behind).is_some();
    match simdutf8::basic::from_utf8(unit) {
        Ok(text) if !has_nul => (text, mark.is_none()),
        _ => (as_text_copy(unit, arena, repaired), false),
    }
}

fn as_text_copy<'a>(bytes: &[u8], arena: &'a Bump, repaired: &mut bool) -> &'a str {
    let text = String::from_utf8_lossy(bytes);
    let broken = matches!(text, Cow::Owned(_)) || text.contains('\0');
    *repaired |= broken;
    if broken { arena.alloc_str(&text.replace('\0', "\u{fffd}")) } else { arena.alloc_str(&text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn vectors_say_the_same_of_a_line(
            mut line in prop::collection::vec(b' '..0x7f_u8, 0..100),
            odd in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(vec![0, 1, b'\\', b'|', 0x7f, 0x80, 0xc3, 0xdc])), 0..3),
        ) {
            for (at, byte) in odd {
                if !line.is_empty() {
                    let at = at.index(line.len());
                    line[at] = byte;
                }
            }
            let arena = Bump::new();
            let read = |vectors| {
                let mut repaired = false;
                let (text, plain) = as_plain_text(&line, vectors, &arena, &mut repaired);
                (text, plain, repaired)
            };
            prop_assert_eq!(read(Vectors::detect()), read(None));
        }
    }
}
