//! Log times: RFC 3339, CLF and epochs by hand, because they are read once a record; everything else through `jiff`.
//!
//! Every parser takes bytes that anybody may have written and answers `None` for whatever is not a time of its form.

use super::SECOND;
use super::UtcMicros;

/// What a text says about when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// An instant.
    Utc(UtcMicros),
    /// A civil time without zone, in microseconds as if it were UTC.
    Civil(i64),
}

/// Unit of a number that counts from the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochUnit {
    /// By magnitude: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
    Auto,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

/// Microseconds of 0001-01-01 and of the last one of 9999.
const EPOCH_MICROS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// RFC 3339 and its relatives at the start of a text: `T` or a space between date and time, 0 to 12 fraction digits after
/// a dot or a comma, offset `Z`, `UTC`, `+01:00`, `+0100`, `+01` or none. Gives the stamp and the bytes it took.
pub fn rfc3339_prefix(text: &[u8]) -> Option<(Stamp, usize)> {
    let (date, behind) = text.split_first_chunk::<11>()?;
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T' | b't' | b' ' | b'_'] = *date else { return None };
    let year = two_digits(y0, y1)? * 100 + two_digits(y2, y3)?;
    let (month, day) = (two_digits(m0, m1)?, two_digits(d0, d1)?);
    let (clock, used) = clock(behind)?;
    let civil = civil_micros(year, month, day)?.checked_add(clock)?;
    let at = 11 + used;
    let rest = text.get(at..)?;
    Some(match offset(rest) {
        Some((seconds, used)) => (Stamp::Utc(UtcMicros(civil - seconds * SECOND)), at + used),
        None => (Stamp::Civil(civil), at),
    })
}

/// RFC 3339 and its relatives, the whole text; see [`rfc3339_prefix`].
pub fn rfc3339(text: &[u8]) -> Option<Stamp> {
    whole(text, rfc3339_prefix(text)?)
}

/// The common log format's time at the start of a text, with or without brackets: `22/Nov/2026:10:34:27.118 +0000`;
/// HAProxy writes it without zone.
pub fn clf_prefix(text: &[u8]) -> Option<(Stamp, usize)> {
    let bracket = usize::from(text.first() == Some(&b'['));
    let body = text.get(bracket..)?;
    let (date, behind) = body.split_first_chunk::<12>()?;
    let [d0, d1, b'/', m0, m1, m2, b'/', y0, y1, y2, y3, b':'] = *date else { return None };
    let (day, month) = (two_digits(d0, d1)?, month_number([m0, m1, m2])?);
    let year = two_digits(y0, y1)? * 100 + two_digits(y2, y3)?;
    let (clock, used) = clock(behind)?;
    let civil = civil_micros(year, month, day)?.checked_add(clock)?;
    let mut at = 12 + used;
    let zone = body.get(at..)?.strip_prefix(b" ").and_then(offset);
    let stamp = match zone {
        Some((seconds, used)) => {
            at += 1 + used;
            Stamp::Utc(UtcMicros(civil - seconds * SECOND))
        }
        None => Stamp::Civil(civil),
    };
    if bracket == 1 && body.get(at) == Some(&b']') {
        at += 1;
    }
    Some((stamp, bracket + at))
}

/// The common log format's time, the whole text; see [`clf_prefix`].
pub fn clf(text: &[u8]) -> Option<Stamp> {
    whole(text, clf_prefix(text)?)
}

/// A decimal number since the epoch, with or without fraction; rounded to the nearest microsecond.
pub fn epoch(text: &[u8], unit: EpochUnit) -> Option<Stamp> {
    usual_epoch(text, unit).or_else(|| any_epoch(text, unit))
}

/// Seconds with up to six decimals, milliseconds with up to three, or whole microseconds: what loggers write. They need no
/// rounding and fit a machine word; everything else is left to [`any_epoch`], which says the same about them.
fn usual_epoch(text: &[u8], unit: EpochUnit) -> Option<Stamp> {
    if text.len() > 18 || !text.first()?.is_ascii_digit() {
        return None;
    }
    let (mut number, mut decimals) = (0_i64, None::<u32>);
    for byte in text {
        match (byte, decimals) {
            (b'0'..=b'9', _) => {
                number = number * 10 + i64::from(*byte - b'0');
                decimals = decimals.map(|count| count + 1);
            }
            (b'.', None) => decimals = Some(0),
            _ => return None,
        }
    }
    if decimals == Some(0) {
        return None;
    }
    let decimals = decimals.unwrap_or(0);
    let unit = match unit {
        EpochUnit::Auto => resolved(unit, (number / 10_i64.checked_pow(decimals)?).unsigned_abs()),
        stated => stated,
    };
    let places: u32 = match unit {
        EpochUnit::Auto | EpochUnit::Seconds => 6,
        EpochUnit::Millis => 3,
        EpochUnit::Micros => 0,
        EpochUnit::Nanos => return None,
    };
    in_range(number.checked_mul(10_i64.checked_pow(places.checked_sub(decimals)?)?)?)
}

fn any_epoch(text: &[u8], unit: EpochUnit) -> Option<Stamp> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let dot = memchr::memchr(b'.', digits).unwrap_or(digits.len());
    let (whole, fraction) = (digits.get(..dot)?, digits.get(dot + 1..).unwrap_or_default());
    if whole.is_empty() || whole.len() > 20 || (fraction.is_empty() && dot < digits.len()) {
        return None;
    }
    let mut nanos_of_unit: i128 = 0;
    for byte in whole {
        nanos_of_unit = nanos_of_unit * 10 + i128::from(digit(*byte)?);
    }
    let unit = resolved(unit, u64::try_from(nanos_of_unit).unwrap_or(u64::MAX));
    // Nine fraction digits are more than a microsecond needs in any unit.
    let mut billionths: i128 = 0;
    for place in 0..9 {
        billionths = billionths * 10 + i128::from(fraction.get(place).map_or(Some(0), |byte| digit(*byte))?);
    }
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let scaled = (nanos_of_unit * 1_000_000_000 + billionths).checked_mul(micros_of(unit).0)?;
    let divisor = micros_of(unit).1.checked_mul(1_000_000_000)?;
    let micros = i64::try_from((scaled + divisor / 2) / divisor).ok()?;
    in_range(if negative { -micros } else { micros })
}

/// A JSON integer since the epoch.
pub fn epoch_integer(number: i64, unit: EpochUnit) -> Option<Stamp> {
    in_range(match resolved(unit, number.unsigned_abs()) {
        EpochUnit::Auto | EpochUnit::Seconds => number.checked_mul(SECOND)?,
        EpochUnit::Millis => number.checked_mul(1000)?,
        EpochUnit::Micros => number,
        EpochUnit::Nanos => number.div_euclid(1000),
    })
}

/// A JSON number with a fraction since the epoch; rounded to the nearest microsecond.
pub fn epoch_float(number: f64, unit: EpochUnit) -> Option<Stamp> {
    if !number.is_finite() || number.abs() >= 1e20 {
        return None;
    }
    let (factor, divisor) = match (unit, number.abs()) {
        (EpochUnit::Seconds, _) => (1e6, 1.0),
        (EpochUnit::Millis, _) => (1e3, 1.0),
        (EpochUnit::Micros, _) => (1.0, 1.0),
        (EpochUnit::Auto, size) if size < 1e11 => (1e6, 1.0),
        (EpochUnit::Auto, size) if size < 1e14 => (1e3, 1.0),
        (EpochUnit::Auto, size) if size < 1e17 => (1.0, 1.0),
        (EpochUnit::Nanos | EpochUnit::Auto, _) => (1.0, 1e3),
    };
    let micros = (number * factor / divisor).round();
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "`as` saturates, far outside of the range that follows"
    )]
    let micros = micros as i64;
    in_range(micros)
}

/// Any of the forms that can be told apart without being named: numbers by magnitude, RFC 3339, CLF, log4j's comma.
pub fn auto(text: &[u8]) -> Option<Stamp> {
    let text = text.trim_ascii();
    match text.get(..5)? {
        [b'0'..=b'9', _, _, _, b'-'] => rfc3339(text),
        [b'[', b'0'..=b'9', ..] if text.get(5) == Some(&b'-') => {
            rfc3339(text.strip_prefix(b"[")?.strip_suffix(b"]")?)
        }
        [b'[', ..] | [_, _, b'/', ..] => clf(text),
        _ => epoch(text, EpochUnit::Auto),
    }
}

/// A time in the notation of `strftime`, through `jiff`; seconds since the epoch (`%s`) with a fraction too.
pub fn strftime(format: &str, text: &[u8]) -> Option<Stamp> {
    let text = text.trim_ascii();
    if matches!(format, "%s" | "%s.%3f" | "%s.%6f" | "%s.%9f" | "%s.%f" | "%s%.f") {
        return epoch(text, EpochUnit::Seconds);
    }
    let broken_down = jiff::fmt::strtime::BrokenDownTime::parse(format, text).ok()?;
    if broken_down.offset().is_some()
        || broken_down.iana_time_zone().is_some()
        || broken_down.timestamp().is_some()
    {
        let instant =
            broken_down.to_timestamp().or_else(|_| broken_down.to_zoned().map(|zoned| zoned.timestamp()));
        return Some(Stamp::Utc(UtcMicros(instant.ok()?.as_microsecond())));
    }
    let civil = broken_down.to_datetime().ok()?;
    let as_utc = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
    Some(Stamp::Civil(as_utc.as_microsecond()))
}

/// True if times written in this `strftime` notation say where they are.
pub fn strftime_names_a_zone(format: &str) -> bool {
    ["%z", "%:z", "%Z", "%Q", "%:Q", "%s", "%c"].iter().any(|directive| format.contains(directive))
        || format.ends_with('Z')
}

/// `+01:00`, `-0530` or `+01` as seconds east of UTC; `None` for anything else.
pub(super) fn offset_seconds(text: &[u8]) -> Option<i64> {
    if !matches!(text.first(), Some(b'+' | b'-')) {
        return None;
    }
    offset(text).filter(|(_, used)| *used == text.len()).map(|(seconds, _)| seconds)
}

fn whole(text: &[u8], (stamp, used): (Stamp, usize)) -> Option<Stamp> {
    (used == text.len()).then_some(stamp)
}

/// `10:34:27`, with a fraction behind a dot or a comma: microseconds of the day and bytes taken. The leap second counts
/// as the second before it.
fn clock(text: &[u8]) -> Option<(i64, usize)> {
    let [h0, h1, b':', m0, m1, b':', s0, s1] = *text.first_chunk::<8>()? else { return None };
    let (hour, minute, second) = (two_digits(h0, h1)?, two_digits(m0, m1)?, two_digits(s0, s1)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut micros = ((hour * 60 + minute) * 60 + second.min(59)) * SECOND;
    let mut used = 8;
    if matches!(text.get(8), Some(b'.' | b',')) && text.get(9).is_some_and(u8::is_ascii_digit) {
        let mut weight = SECOND / 10;
        used = 9;
        while let Some(value) = text.get(used).and_then(|byte| digit(*byte)) {
            if used > 20 {
                return None;
            }
            micros += i64::from(value) * weight;
            weight /= 10;
            used += 1;
        }
    }
    Some((micros, used))
}

/// `Z`, `UTC`, `+01:00`, `+0100` or `+01`, after at most one space: seconds east of UTC and bytes taken.
fn offset(text: &[u8]) -> Option<(i64, usize)> {
    let space = usize::from(text.first() == Some(&b' '));
    let body = text.get(space..)?;
    match body {
        [b'Z' | b'z', ..] => return Some((0, space + 1)),
        [b'U', b'T', b'C', ..] | [b'G', b'M', b'T', ..] => return Some((0, space + 3)),
        _ => {}
    }
    let sign = match body.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (&[tens, ones], behind) = body.get(1..)?.split_first_chunk::<2>()?;
    let hours = two_digits(tens, ones)?;
    let (minutes, used) = match behind {
        [b':', tens, ones, ..] => (two_digits(*tens, *ones)?, 6),
        [b':', ..] => return None,
        [tens, ones, ..] if tens.is_ascii_digit() => (two_digits(*tens, *ones)?, 5),
        [tens] if tens.is_ascii_digit() => return None,
        _ => (0, 3),
    };
    (hours <= 18 && minutes <= 59).then_some((sign * (hours * 3600 + minutes * 60), space + used))
}

fn month_number(name: [u8; 3]) -> Option<i64> {
    // Setting this bit makes letters lower case, and no other byte a letter.
    let number = match &name.map(|byte| byte | 0x20) {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    };
    Some(number)
}

/// Midnight of a date in the proleptic Gregorian calendar, in microseconds as if it were UTC.
fn civil_micros(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if year < 1 || day < 1 || day > days_of_month {
        return None;
    }
    // Years that begin in March put the leap day last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some((era * 146_097 + day_of_era - 719_468) * super::DAY)
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    Some(i64::from(digit(tens)?) * 10 + i64::from(digit(ones)?))
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

fn resolved(unit: EpochUnit, size: u64) -> EpochUnit {
    match (unit, size) {
        (EpochUnit::Auto, ..=99_999_999_999) => EpochUnit::Seconds,
        (EpochUnit::Auto, ..=99_999_999_999_999) => EpochUnit::Millis,
        (EpochUnit::Auto, ..=99_999_999_999_999_999) => EpochUnit::Micros,
        (EpochUnit::Auto, _) => EpochUnit::Nanos,
        (unit, _) => unit,
    }
}

/// Factor and divisor to microseconds.
fn micros_of(unit: EpochUnit) -> (i128, i128) {
    match unit {
        EpochUnit::Auto | EpochUnit::Seconds => (1_000_000, 1),
        EpochUnit::Millis => (1000, 1),
        EpochUnit::Micros => (1, 1),
        EpochUnit::Nanos => (1, 1000),
    }
}

fn in_range(micros: i64) -> Option<Stamp> {
    EPOCH_MICROS.contains(&micros).then_some(Stamp::Utc(UtcMicros(micros)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[expect(clippy::unnecessary_wraps, reason = "compared with what parsers give")]
    fn utc(text: &str) -> Option<Stamp> {
        let instant: jiff::Timestamp = text.parse().unwrap();
        Some(Stamp::Utc(UtcMicros(instant.as_microsecond())))
    }

    #[test]
    fn rfc3339_in_all_its_spellings() {
        let same = utc("2026-11-22T10:34:27.118Z");
        for text in [
            "2026-11-22T10:34:27.118Z",
            "2026-11-22t10:34:27.118z",
            "2026-11-22 10:34:27.118 UTC",
            "2026-11-22T11:34:27.118+01:00",
            "2026-11-22T11:34:27.118000000+0100",
            "2026-11-22T05:04:27,118-0530",
        ] {
            assert_eq!(rfc3339(text.as_bytes()), same, "{text}");
            assert_eq!(auto(text.as_bytes()), same, "{text}");
        }
        assert_eq!(rfc3339(b"2026-11-22T10:34:27.1184852Z"), utc("2026-11-22T10:34:27.118485Z"));
        assert!(matches!(rfc3339(b"2026-11-22 10:34:27,118"), Some(Stamp::Civil(_))));
        for wrong in [
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22",
            "",
            "0000-01-01T00:00:00Z",
            "2026-11-22T10:34:27Zx",
        ] {
            assert_eq!(rfc3339(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn clf_with_and_without_zone() {
        assert_eq!(clf(b"22/Nov/2026:10:34:27 +0000"), utc("2026-11-22T10:34:27Z"));
        assert_eq!(clf(b"[22/Nov/2026:10:34:27.118 -0330]"), utc("2026-11-22T14:04:27.118Z"));
        assert!(matches!(clf(b"22/Nov/2026:10:34:27.118"), Some(Stamp::Civil(_))));
        assert_eq!(clf(b"22/Nox/2026:10:34:27 +0000"), None);
        assert_eq!(auto(b"22/Nov/2026:10:34:27 +0000"), utc("2026-11-22T10:34:27Z"));
    }

    #[test]
    fn epochs_by_magnitude() {
        let same = utc("2026-11-22T10:34:27.412Z");
        for text in ["1795343667.412", "1795343667412", "1795343667412000", "1795343667412000000"] {
            assert_eq!(auto(text.as_bytes()), same, "{text}");
            assert_eq!(epoch_float(text.parse().unwrap(), EpochUnit::Auto), same, "{text}");
        }
        assert_eq!(epoch_integer(1_795_343_667_412, EpochUnit::Millis), same);
        assert_eq!(epoch(b"1795343667.4123452", EpochUnit::Seconds), utc("2026-11-22T10:34:27.412345Z"));
        for wrong in ["", "-", ".", "1.", "1.x", "99999999999999999999999", "1e9"] {
            assert_eq!(epoch(wrong.as_bytes(), EpochUnit::Auto), None, "{wrong}");
        }
        assert_eq!(epoch_integer(i64::MAX, EpochUnit::Seconds), None);
        assert_eq!(epoch_float(f64::NAN, EpochUnit::Auto), None);
    }

    #[test]
    fn strftime_through_jiff() {
        assert_eq!(strftime("%s.%3f", b"1795343667.412"), utc("2026-11-22T10:34:27.412Z"));
        assert_eq!(
            strftime("%Y-%m-%dT%H:%M:%S.%3f%z", b"2026-11-22T11:34:27.118+0100"),
            utc("2026-11-22T10:34:27.118Z")
        );
        assert!(matches!(strftime("%d.%m.%Y %H:%M:%S", b"22.11.2026 10:34:27"), Some(Stamp::Civil(_))));
        assert!(!strftime_names_a_zone("%Y-%m-%d %H:%M:%S"));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in proptest::collection::vec(any::<u8>(), 0..48), number in any::<f64>(), whole in any::<i64>()) {
            let _ = (rfc3339(&text), clf(&text), auto(&text), strftime("%Y-%m-%d %H:%M:%S %z", &text));
            for unit in [EpochUnit::Auto, EpochUnit::Seconds, EpochUnit::Nanos] {
                let _ = (epoch(&text, unit), epoch_float(number, unit), epoch_integer(whole, unit));
            }
        }

        /// Numbers that fit a word read as the exact way reads them, with any digits and in any unit.
        #[test]
        fn usual_epochs_are_exact(text in "-?[0-9]{0,19}(\\.[0-9]{0,10})?[0-9x]?", unit in 0..5_usize) {
            let unit = [EpochUnit::Auto, EpochUnit::Seconds, EpochUnit::Millis, EpochUnit::Micros, EpochUnit::Nanos][unit];
            let usual = usual_epoch(text.as_bytes(), unit);
            prop_assert!(usual.is_none() || usual == any_epoch(text.as_bytes(), unit), "{}", text);
        }

        /// JSON integers read as their digits do.
        #[test]
        fn integers_read_as_their_digits(number in any::<i64>(), shift in 0..63_u32, unit in 0..4_usize) {
            let unit = [EpochUnit::Auto, EpochUnit::Seconds, EpochUnit::Millis, EpochUnit::Micros][unit];
            let number = number >> shift;
            let text = number.to_string();
            // A text is rounded to the nearest microsecond, an integer down.
            let rounds = unit == EpochUnit::Auto && number.unsigned_abs() >= 100_000_000_000_000_000;
            let read = any_epoch(text.as_bytes(), unit);
            prop_assert!(rounds || epoch_integer(number, unit) == read, "{}", text);
        }

        #[test]
        fn every_time_reads_as_jiff_reads_it(micros in -62_135_596_800_000_000_i64..253_402_300_799_999_999) {
            let text = jiff::Timestamp::from_microsecond(micros).unwrap().to_string();
            prop_assert_eq!(rfc3339(text.as_bytes()), Some(Stamp::Utc(UtcMicros(micros))));
        }
    }
}
