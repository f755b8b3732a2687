//! Makes JSON of what loggers write instead of it (formats.md pitfalls 1, 2, 19): `\xHH`, `\v`, raw control characters,
//! invalid UTF-8, empty or listed numbers, a brace too many. Only broken lines come here.

use super::query::hex_value;

/// A repaired object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repaired {
    pub(super) text: String,
    /// True if the input ended inside of the object, which was then closed behind its last whole value or inside its last
    /// text.
    pub(super) cut: bool,
}

/// Repairs one object and drops whatever follows it; `None` if the text is beyond repair.
pub(super) fn object(unit: &[u8]) -> Option<Repaired> {
    let mut work = Work {
        rest: unit.trim_ascii_start(),
        out: Vec::with_capacity(unit.len() + 64),
        open: Vec::new(),
        safe: 0,
    };
    if work.rest.first() != Some(&b'{') {
        return None;
    }
    let cut = match work.run() {
        Ok(()) => false,
        Err(End::Broken) => return None,
        Err(End::Cut) => {
            work.close();
            true
        }
    };
    let text = String::from_utf8(work.out)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Some(Repaired { text, cut })
}

enum End {
    Cut,
    Broken,
}

struct Work<'u> {
    rest: &'u [u8],
    out: Vec<u8>,
    open: Vec<u8>,
    /// Length of the output behind its last whole value.
    safe: usize,
}

impl Work<'_> {
    fn run(&mut self) -> Result<(), End> {
        self.value()?;
        while let Some(container) = self.open.last().copied() {
            match self.next_byte()? {
                b',' => {
                    self.eat();
                    let next = self.next_byte()?;
                    if matches!(next, b'}' | b']') {
                        continue;
                    }
                    self.out.push(b',');
                    if container == b'{' {
                        self.key()?;
                    }
                    self.value()?;
                }
                b'}' if container == b'{' => self.end(b'}'),
                b']' if container == b'[' => self.end(b']'),
                _ => return Err(End::Broken),
            }
        }
        Ok(())
    }

    fn value(&mut self) -> Result<(), End> {
        match self.next_byte()? {
            opening @ (b'{' | b'[') => {
                if self.open.len() >= 512 {
                    return Err(End::Broken);
                }
                self.eat();
                self.out.push(opening);
                self.open.push(opening);
                self.safe = self.out.len();
                let next = self.next_byte()?;
                if next == b'}' || next == b']' {
                    return Ok(());
                }
                if opening == b'{' {
                    self.key()?;
                }
                return self.value();
            }
            b'"' => self.string(true)?,
            _ => self.scalar(),
        }
        self.safe = self.out.len();
        Ok(())
    }

    fn key(&mut self) -> Result<(), End> {
        if self.next_byte()? != b'"' {
            return Err(End::Broken);
        }
        self.string(false)?;
        if self.next_byte()? != b':' {
            return Err(End::Broken);
        }
        self.eat();
        self.out.push(b':');
        Ok(())
    }

    /// A number, `true`, `false`, `null`, or what stands in its place: nothing and `-` become `null`, lists a text.
    fn scalar(&mut self) {
        let in_object = self.open.last() == Some(&b'{');
        let mut end = 0;
        while let Some(byte) = self.rest.get(end) {
            let ends = match byte {
                b',' if in_object => next_is_key(self.rest.get(end + 1..).unwrap_or_default()),
                b',' | b'}' | b']' => true,
                _ => false,
            };
            if ends {
                break;
            }
            end += 1;
        }
        let (text, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        let text = text.trim_ascii();
        if matches!(text, b"" | b"-") {
            self.out.extend_from_slice(b"null");
        } else if matches!(text, b"true" | b"false" | b"null") || is_number(text) {
            self.out.extend_from_slice(text);
        } else {
            self.out.push(b'"');
            for byte in text {
                self.push_decoded(*byte);
            }
            self.out.push(b'"');
        }
    }

    fn string(&mut self, is_value: bool) -> Result<(), End> {
        self.eat();
        self.out.push(b'"');
        loop {
            match self.rest {
                [] => {
                    if is_value {
                        self.out.push(b'"');
                        self.safe = self.out.len();
                    }
                    return Err(End::Cut);
                }
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    self.out.push(b'"');
                    return Ok(());
                }
                [b'\\', rest @ ..] => {
                    self.rest = rest;
                    self.escape();
                }
                [byte, rest @ ..] => {
                    self.rest = rest;
                    if *byte < 0x20 { self.push_decoded(*byte) } else { self.out.push(*byte) }
                }
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) {
        match self.rest {
            [byte @ (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'), rest @ ..] => {
                self.out.extend_from_slice(&[b'\\', *byte]);
                self.rest = rest;
            }
            [b'v', rest @ ..] => {
                self.out.extend_from_slice(b"\\u000b");
                self.rest = rest;
            }
            [b'x', high, low, rest @ ..] if hex_value(*high).is_some() && hex_value(*low).is_some() => {
                let byte = hex_value(*high).unwrap_or(0) << 4 | hex_value(*low).unwrap_or(0);
                self.push_decoded(byte);
                self.rest = rest;
            }
            [b'u', rest @ ..] => match utf16(rest) {
                Some(0xD800..=0xDBFF) if low_surrogate(rest) => self.copy_escape(10),
                Some(0xD800..=0xDFFF) => {
                    self.out.extend_from_slice(b"\\ufffd");
                    self.rest = rest.get(4..).unwrap_or_default();
                }
                Some(_) => self.copy_escape(4),
                None => self.out.extend_from_slice(b"\\\\"),
            },
            [] => {}
            _ => self.out.extend_from_slice(b"\\\\"),
        }
    }

    /// Copies `u` and the bytes behind it, after the backslash.
    fn copy_escape(&mut self, after_u: usize) {
        self.out.push(b'\\');
        let (copied, rest) = self.rest.split_at_checked(1 + after_u).unwrap_or((self.rest, &[]));
        self.out.extend_from_slice(copied);
        self.rest = rest;
    }

    /// A byte that stands for itself; NUL becomes the replacement character.
    fn push_decoded(&mut self, byte: u8) {
        match byte {
            b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
            0 => self.out.extend_from_slice(b"\\ufffd"),
            1..0x20 => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                self.out.extend_from_slice(b"\\u00");
                self.out.extend(
                    [byte >> 4, byte & 15].iter().filter_map(|digit| DIGITS.get(usize::from(*digit))),
                );
            }
            _ => self.out.push(byte),
        }
    }

    fn end(&mut self, closing: u8) {
        self.eat();
        self.out.push(closing);
        self.open.pop();
        self.safe = self.out.len();
    }

    fn close(&mut self) {
        self.out.truncate(self.safe);
        while let Some(container) = self.open.pop() {
            self.out.push(if container == b'{' { b'}' } else { b']' });
        }
    }

    fn next_byte(&mut self) -> Result<u8, End> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied().ok_or(End::Cut)
    }

    fn eat(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }
}

fn next_is_key(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'"') | None)
}

fn utf16(digits: &[u8]) -> Option<u16> {
    let mut value = 0;
    for digit in digits.get(..4)? {
        value = value << 4 | u16::from(hex_value(*digit)?);
    }
    Some(value)
}

fn low_surrogate(behind_u: &[u8]) -> bool {
    let second = behind_u.get(4..).and_then(|rest| rest.strip_prefix(b"\\u")).and_then(utf16);
    matches!(second, Some(0xDC00..=0xDFFF))
}

/// RFC 8259 section 6.
fn is_number(text: &[u8]) -> bool {
    // JSON allows numbers that no float holds, and the parser refuses them: such a number is kept as text.
    let finite =
        std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite);
    if !finite {
        return false;
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || (digits > 1 && text.first() == Some(&b'0')) {
        return false;
    }
    let mut rest = text.get(digits..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = fraction.get(digits..).unwrap_or_default();
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
        return !exponent.is_empty() && exponent.iter().all(u8::is_ascii_digit);
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixed(text: &[u8]) -> String {
        let repaired = object(text).unwrap();
        assert!(!repaired.cut);
        let _: serde_json::Value = serde_json::from_str(&repaired.text).unwrap();
        repaired.text
    }

    #[test]
    fn broken_json_becomes_json() {
        assert_eq!(fixed(br#"{"a":"x\x22y\x5C\xC3\xA9"}"#), r#"{"a":"x\"y\\é"}"#);
        assert_eq!(fixed(b"{\"a\":\"\xff\x01\x00\\v\\q\"}"), r#"{"a":"�\u0001\ufffd\u000b\\q"}"#);
        assert_eq!(
            fixed(br#"{"a":-,"b":,"c":0.001, 0.002,"d":000}"#),
            r#"{"a":null,"b":null,"c":"0.001, 0.002","d":"000"}"#
        );
        assert_eq!(fixed(br#"{"a":{"b":[1,2,]}}}}"#), r#"{"a":{"b":[1,2]}}"#);
        assert_eq!(fixed(br#"{"a":"\ud800","b":"\ud83d\ude00"}"#), r#"{"a":"\ufffd","b":"\ud83d\ude00"}"#);
        for hopeless in ["", "x", "[1]", r#"{"a" 1}"#, "{a:1}", r#"{"a":[1}"#] {
            assert_eq!(object(hopeless.as_bytes()), None, "{hopeless}");
        }
    }

    #[test]
    fn a_cut_object_is_closed() {
        for (cut, closed) in [
            (r#"{"a":1,"b":"xy"#, r#"{"a":1,"b":"xy"}"#),
            (r#"{"a":1,"b"#, r#"{"a":1}"#),
            (r#"{"a":1,"b":"#, r#"{"a":1}"#),
            (r#"{"a":{"b":[1,"x"#, r#"{"a":{"b":[1,"x"]}}"#),
        ] {
            assert_eq!(
                object(cut.as_bytes()),
                Some(Repaired { text: closed.to_owned(), cut: true }),
                "{cut}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_repaired_is_json(text in "\\{[\\x00-\\x7f]{0,40}") {
            if let Some(repaired) = object(text.as_bytes()) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&repaired.text).is_ok(), "{}", repaired.text);
            }
        }

        #[test]
        fn nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = object(&text);
        }
    }
}
