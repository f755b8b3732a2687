//! base64url (RFC 4648 section 5, RFC 7515 section 2): strict first, lenient where validators in the field are, and
//! always telling which of the two it was.

/// How a text was spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spelling {
    /// The one spelling that RFC 7515 allows.
    Canonical,
    /// Decodes only leniently: padding, `+` or `/`, white space, or unused bits that are not zero.
    NonCanonical,
    /// Does not decode: a foreign character, or a length of one beyond a multiple of four.
    Invalid,
}

/// Decodes into `out`, which is cleared first. `out` is empty after [`Spelling::Invalid`].
pub fn decode(text: &[u8], out: &mut Vec<u8>) -> Spelling {
    out.clear();
    decode_append(text, out)
}

/// Decodes behind what `out` holds; nothing is added after [`Spelling::Invalid`].
pub fn decode_append(text: &[u8], out: &mut Vec<u8>) -> Spelling {
    let start = out.len();
    if base64_simd::URL_SAFE_NO_PAD.decode_append(text, out).is_ok() {
        return Spelling::Canonical;
    }
    out.truncate(start);
    if decode_leniently(text, out) {
        Spelling::NonCanonical
    } else {
        out.truncate(start);
        Spelling::Invalid
    }
}

/// Decodes as much of a cut text as can be: stops at the first foreign character and drops a lone last character.
pub fn decode_prefix(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    // Most are whole, and a vector decoder takes a fraction of the time.
    if base64_simd::URL_SAFE_NO_PAD.decode_append(text, &mut *out).is_ok() {
        return;
    }
    out.clear();
    let mut bits = 0u32;
    let mut held = 0u32;
    for byte in text {
        match sextet(*byte) {
            Sextet::Value(value) => push(value, &mut bits, &mut held, out),
            Sextet::Skipped => {}
            Sextet::Foreign => return,
        }
    }
}

/// Encodes without padding.
pub fn encode(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// True for a byte of the base64url alphabet.
pub fn is_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn decode_leniently(text: &[u8], out: &mut Vec<u8>) -> bool {
    let mut bits = 0u32;
    let mut held = 0u32;
    let mut count = 0usize;
    for byte in text {
        match sextet(*byte) {
            Sextet::Value(value) => {
                count += 1;
                push(value, &mut bits, &mut held, out);
            }
            Sextet::Skipped => {}
            Sextet::Foreign => return false,
        }
    }
    count % 4 != 1
}

enum Sextet {
    Value(u32),
    Skipped,
    Foreign,
}

fn sextet(byte: u8) -> Sextet {
    match byte {
        b'A'..=b'Z' => Sextet::Value(u32::from(byte - b'A')),
        b'a'..=b'z' => Sextet::Value(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Sextet::Value(u32::from(byte - b'0') + 52),
        b'-' | b'+' => Sextet::Value(62),
        b'_' | b'/' => Sextet::Value(63),
        b'=' | b' ' | b'\t' | b'\r' | b'\n' => Sextet::Skipped,
        _ => Sextet::Foreign,
    }
}

fn push(value: u32, bits: &mut u32, held: &mut u32, out: &mut Vec<u8>) {
    *held = (*held << 6) | value;
    *bits += 6;
    if *bits >= 8 {
        *bits -= 8;
        out.push(u8::try_from((*held >> *bits) & 0xff).unwrap_or(0));
        *held &= (1 << *bits) - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> (Spelling, Vec<u8>) {
        let mut out = Vec::new();
        let spelling = decode(text.as_bytes(), &mut out);
        (spelling, out)
    }

    #[test]
    fn spellings_are_told_apart() {
        assert_eq!(spelled("YWI"), (Spelling::Canonical, b"ab".to_vec()));
        assert_eq!(spelled(""), (Spelling::Canonical, Vec::new()));
        for lenient in ["YWI=", "YW I", "YWJ", "Y\nWI"] {
            assert_eq!(spelled(lenient), (Spelling::NonCanonical, b"ab".to_vec()), "{lenient}");
        }
        assert_eq!(spelled("-_-_"), (Spelling::Canonical, vec![0xfb, 0xff, 0xbf]));
        assert_eq!(spelled("+/+/"), (Spelling::NonCanonical, vec![0xfb, 0xff, 0xbf]));
        for broken in ["Y", "YWJjZ", "Y*I", "Y.I", "YW\u{e9}"] {
            assert_eq!(spelled(broken).0, Spelling::Invalid, "{broken}");
        }
    }

    #[test]
    fn a_prefix_stops_at_the_cut() {
        let mut out = Vec::new();
        decode_prefix(b"eyJhbGciO***", &mut out);
        assert_eq!(out, b"{\"alg\"");
    }
}
