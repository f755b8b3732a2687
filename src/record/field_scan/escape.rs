//! Escapes of JSON strings.

use crate::record::query::hex_value;
use bumpalo::Bump;

/// True if every escape of a string is one of JSON's.
pub(super) fn is_valid(raw: &str) -> bool {
    unescape(raw, &mut |_| {}).is_some()
}

/// The string without escapes, in the arena; `None` if one is wrong.
pub(super) fn unescaped<'a>(raw: &str, arena: &'a Bump) -> Option<&'a str> {
    // No escape is shorter than what it stands for.
    let out = arena.alloc_slice_fill_copy(raw.len(), 0_u8);
    let mut used = 0;
    unescape(raw, &mut |piece| {
        if let Some(free) = out.get_mut(used..used + piece.len()) {
            free.copy_from_slice(piece.as_bytes());
        }
        used += piece.len();
    })?;
    std::str::from_utf8(out.get(..used)?).ok()
}

fn unescape(raw: &str, emit: &mut impl FnMut(&str)) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        emit(rest.get(..at)?);
        let escape = rest.as_bytes().get(at + 1)?;
        let (stands_for, length) = match escape {
            b'"' => ('"', 2),
            b'\\' => ('\\', 2),
            b'/' => ('/', 2),
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => code_point(rest.as_bytes().get(at..)?)?,
            _ => return None,
        };
        emit(stands_for.encode_utf8(&mut [0; 4]));
        rest = rest.get(at + length..)?;
    }
    emit(rest);
    Some(())
}

/// The character of a `\uXXXX`, or of two that are a surrogate pair, and the bytes that were read.
fn code_point(escape: &[u8]) -> Option<(char, usize)> {
    let first = code_unit(escape)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = code_unit(escape.get(6..)?).filter(|unit| (0xdc00..0xe000).contains(unit))?;
    Some((char::from_u32(0x1_0000 + ((first - 0xd800) << 10 | (second - 0xdc00)))?, 12))
}

fn code_unit(escape: &[u8]) -> Option<u32> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | u32::from(hex_value(*digit)?)))
}
