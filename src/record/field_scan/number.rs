//! Numbers of JSON: their grammar, checked without working them out.

/// Most digits of a number, and with two more of an exponent it is still finite; longer ones are for the full parser.
const DIGITS_MAX: usize = 100;

/// A number as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// Its bytes.
    pub(super) length: usize,
    /// Its value if it has neither point nor exponent, and at most 18 digits.
    pub(super) integer: Option<i64>,
    /// True if it has a point or an exponent.
    pub(super) is_float: bool,
}

/// The number that the bytes begin with; `None` if they begin with none, or with an unusually long one.
pub(super) fn read(bytes: &[u8]) -> Option<Number> {
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let (digits, value) = digits(bytes.get(sign..)?);
    let leads_with_zero = bytes.get(sign) == Some(&b'0');
    if digits == 0 || digits > DIGITS_MAX || (leads_with_zero && digits > 1) {
        return None;
    }
    let mut length = sign + digits;
    let value = (digits <= 18).then_some(if sign == 1 { -value } else { value });
    if !matches!(bytes.get(length), Some(b'.' | b'e' | b'E')) {
        return Some(Number { length, integer: value, is_float: false });
    }
    if bytes.get(length) == Some(&b'.') {
        let (digits, _) = self::digits(bytes.get(length + 1..)?);
        if digits == 0 || digits > DIGITS_MAX {
            return None;
        }
        length += 1 + digits;
    }
    if let Some(b'e' | b'E') = bytes.get(length) {
        length += 1;
        length += usize::from(matches!(bytes.get(length), Some(b'+' | b'-')));
        let (digits, _) = self::digits(bytes.get(length..)?);
        if digits == 0 || digits > 2 {
            return None;
        }
        length += digits;
    }
    Some(Number { length, integer: None, is_float: true })
}

/// How many digits the bytes begin with, and their value, which is right up to 18 of them.
#[inline]
fn digits(bytes: &[u8]) -> (usize, i64) {
    let mut value = 0_i64;
    let mut count = 0;
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        count += 1;
    }
    (count, value)
}
