//! Numbers of JSON: their grammar, checked without working them out.

/// Most digits of a number, and with two more of an exponent it is still finite; longer ones are for the full parser.
const DIGITS_MAX: usize = 100;

/// A number as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// Its bytes.
    pub(crate) length: usize,
    /// Its value if it has neither point nor exponent, and at most 18 digits.
    pub(crate) integer: Option<i64>,
    /// True if it has a point or an exponent.
    pub(crate) is_float: bool,
}

/// The number that the bytes begin with; `None` if they begin with none, or with an unusually long one.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> Option<Number> {
    // Nearly all are positive integers of a few digits.
    if let Some((eight, behind)) = bytes.split_first_chunk::<8>() {
        let (count, value) = up_to_eight(*eight);
        let length = usize::try_from(count).ok()?;
        let begins_usual = matches!(eight, [b'1'..=b'9', ..]) || (length == 1 && matches!(eight, [b'0', ..]));
        let is_usual =
            |behind: Option<&u8>| begins_usual && !matches!(behind, Some(b'.' | b'e' | b'E') | None);
        if is_usual(eight.get(length)) {
            return Some(Number { length, integer: Some(value), is_float: false });
        }
        // Times in milliseconds have thirteen.
        if let (8, Some(eight)) = (length, behind.first_chunk::<8>()) {
            let (count, more) = up_to_eight(*eight);
            let length = usize::try_from(count).ok()?;
            if let (Some(power), true) = (POWERS.get(length), is_usual(eight.get(length))) {
                return Some(Number {
                    length: 8 + length,
                    integer: Some(value * power + more),
                    is_float: false,
                });
            }
        }
    }
    read_any(bytes)
}

#[inline(never)]
fn read_any(bytes: &[u8]) -> Option<Number> {
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
    let (mut value, mut count) = (0_i64, 0);
    let (eights, _) = bytes.as_chunks::<8>();
    for eight in eights {
        let (found, more) = up_to_eight(*eight);
        let found_digits = usize::try_from(found).unwrap_or(0);
        let power = POWERS.get(found_digits).copied().unwrap_or(0);
        value = value.wrapping_mul(power).wrapping_add(more);
        count += found_digits;
        if found < 8 {
            return (count, value);
        }
    }
    for byte in bytes.get(count..).unwrap_or_default() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        count += 1;
    }
    (count, value)
}

/// Powers of ten, for as many digits as are read at once.
const POWERS: [i64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// How many digits eight bytes begin with, and their value, without a loop.
#[inline]
fn up_to_eight(bytes: [u8; 8]) -> (u32, i64) {
    let word = u64::from_le_bytes(bytes) ^ 0x3030_3030_3030_3030;
    // A digit is below 10 now. A carry goes only into bytes behind one that is none.
    let others = (word | word.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0;
    let count = others.trailing_zeros() / 8;
    // The digits behind as many zeros as are missing; then neighbours are joined: to pairs, to fours, to eight.
    let word = word.checked_shl(64 - 8 * count).unwrap_or(0);
    let word = (word.wrapping_mul(10).wrapping_add(word >> 8)) & 0x00ff_00ff_00ff_00ff;
    let word = (word.wrapping_mul(100).wrapping_add(word >> 16)) & 0x0000_ffff_0000_ffff;
    let word = (word.wrapping_mul(10_000).wrapping_add(word >> 32)) & 0xffff_ffff;
    (count, word.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_are_counted_and_read(text in "[0-9]{0,18}([^0-9]|[/:@e.\u{ff}-\u{7ff}])?.{0,9}") {
            let count = text.bytes().take_while(u8::is_ascii_digit).count();
            let bytes = text.as_bytes();
            prop_assert_eq!(read(bytes), read_any(bytes));
            let (found, value) = digits(bytes);
            prop_assert_eq!(found, count);
            if (1..=18).contains(&count) {
                prop_assert_eq!(value, text[..count].parse::<i64>().unwrap());
            }
        }
    }
}
