//! Decimal digits of whole numbers, for columns of millions of them: the formatter of the standard library takes ten times
//! as long.

/// Appends a number as [`std::fmt::Display`] writes it.
pub fn push(number: i64, out: &mut String) {
    if number < 0 {
        out.push('-');
    }
    push_unsigned(number.unsigned_abs(), out);
}

/// The same for a number that is never negative.
pub fn push_unsigned(mut number: u64, out: &mut String) {
    // Twenty digits are the most.
    let mut digits = [b'0'; 20];
    let mut from = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        from = at;
        if number == 0 {
            break;
        }
    }
    let digits = digits.get(from..).unwrap_or_default();
    out.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_writes_what_the_standard_library_writes() {
        for number in [0, 7, 10, 99, 100, 1_700_000_000_000_000, i64::MAX] {
            for number in [number, -number, number.wrapping_sub(i64::MAX)] {
                let mut text = "x".to_owned();
                push(number, &mut text);
                assert_eq!(text, format!("x{number}"));
            }
        }
        let mut text = String::new();
        push(i64::MIN, &mut text);
        push_unsigned(u64::MAX, &mut text);
        assert_eq!(text, format!("{}{}", i64::MIN, u64::MAX));
    }
}
