//! Times of capture: in lines and at the start of file names, in any ISO 8601 spelling that a file name allows.

use crate::time::DAY;
use crate::time::SECOND;
use crate::time::UtcMicros;

/// When a capture was made: an instant, or (start before end) a period in which it was made. Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaptureTime {
    /// Earliest.
    pub start: UtcMicros,
    /// Latest.
    pub end: UtcMicros,
}

impl CaptureTime {
    /// A single instant.
    pub fn instant(at: UtcMicros) -> Self {
        Self { start: at, end: at }
    }

    /// Reads a whole text: a date (the interval of that day), or a date and a time, UTC unless it states an offset.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, rest) = leading_time(text.trim())?;
        rest.is_empty().then_some(time)
    }

    /// Reads the time at the start of a file name; `None` if it does not begin with one.
    pub fn of_file_name(name: &str) -> Option<Self> {
        let (time, rest) = leading_time(name)?;
        (!rest.starts_with(|next: char| next.is_ascii_digit())).then_some(time)
    }

    /// The text that states this time in a line: a date for a whole day, else the start.
    pub fn text(&self) -> String {
        if self.end == self.start.plus(DAY - 1) {
            self.start.to_string().split('T').next().unwrap_or_default().to_owned()
        } else {
            self.start.to_string()
        }
    }
}

fn leading_time(text: &str) -> Option<(CaptureTime, &str)> {
    let (midnight, rest) = date(text)?;
    if let Some((micros, rest)) = time_of_day(rest) {
        return Some((CaptureTime::instant(midnight.plus(micros)), rest));
    }
    // `2026-11-22T9x.json` was meant as a time: better refused than taken for a whole day.
    let meant = rest
        .strip_prefix(['T', 't'])
        .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
    let day = CaptureTime { start: midnight, end: midnight.plus(DAY - 1) };
    (!meant).then_some((day, rest))
}

/// `2026-11-22` or `20261122`; also the week date `2026-W47-7` and the day of the year `2026-326`.
fn date<'t>(text: &'t str) -> Option<(UtcMicros, &'t str)> {
    let (year, rest) = digits(text, 4)?;
    let year = i16::try_from(year).ok()?;
    let (extended, rest) = strip(rest, &['-']);
    let dash = |rest: &'t str| if extended { rest.strip_prefix('-') } else { Some(rest) };
    let (day, rest) = if let Some(rest) = rest.strip_prefix('W') {
        let (week, rest) = digits(rest, 2)?;
        let (weekday, rest) = digits(dash(rest)?, 1)?;
        let weekday = jiff::civil::Weekday::from_monday_one_offset(i8::try_from(weekday).ok()?).ok()?;
        (jiff::civil::ISOWeekDate::new(year, i8::try_from(week).ok()?, weekday).ok()?.date(), rest)
    } else if let Some((ordinal, rest)) = digits(rest, 3).filter(|(_, rest)| !begins_with_digit(rest)) {
        let first = jiff::civil::Date::new(year, 1, 1).ok()?;
        let days = i32::try_from(ordinal).ok()?.checked_sub(1)?;
        let day = first.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
        (Some(day).filter(|day| days >= 0 && day.year() == year)?, rest)
    } else {
        let (month, rest) = digits(rest, 2)?;
        let (day, rest) = digits(dash(rest)?, 2)?;
        (jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?, rest)
    };
    let seconds = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some((UtcMicros(seconds.checked_mul(SECOND)?), rest))
}

/// Microseconds after midnight UTC: `T10-34-27Z`, `T103427.5+0100`, `T10:34`, `_103427`, or `103427` right behind the date.
fn time_of_day(text: &str) -> Option<(i64, &str)> {
    let (marked, rest) = strip(text, &['T', 't', '_', ' ']);
    let (hour, rest) = digits(rest, 2)?;
    let (mut minute, mut second, mut micros) = (0, 0, 0);
    let mut rest = rest;
    let mut parts = 1;
    let separator = rest.chars().next().filter(|next| [':', '-', '.'].contains(next));
    if let Some((found, next)) = part(rest, separator) {
        (minute, rest, parts) = (found, next, 2);
        if let Some((found, next)) = part(rest, separator) {
            (second, rest, parts) = (found, next, 3);
            (micros, rest) = fraction(rest);
        }
    }
    if parts < 3 && rest.strip_prefix(['.', ',']).is_some_and(begins_with_digit) {
        return None; // a fraction of an hour or minute
    }
    // Without `T`, only a full time is no part of something else.
    let strict = text.starts_with(['T', 't']);
    if !strict && (parts < 3 || (!marked && separator.is_some())) {
        return None;
    }
    let (offset, rest) = offset(rest);
    let last = hour == 24 && minute == 0 && second == 0 && micros == 0;
    if begins_with_digit(rest) || minute > 59 || second > 60 || (hour > 23 && !last) {
        return None;
    }
    // A leap second counts as the last second of its minute.
    let seconds = hour * 3600 + minute * 60 + second.min(59) - offset;
    Some((seconds * SECOND + micros, rest))
}

fn part(rest: &str, separator: Option<char>) -> Option<(i64, &str)> {
    let rest = match separator {
        Some(separator) => rest.strip_prefix(separator)?,
        None => rest,
    };
    digits(rest, 2)
}

/// Microseconds of `.123` or `,123`; further digits are cut.
fn fraction(text: &str) -> (i64, &str) {
    let Some(rest) = text.strip_prefix(['.', ',']).filter(|rest| begins_with_digit(rest)) else {
        return (0, text);
    };
    let end = rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    let micros = digits.bytes().chain(std::iter::repeat(b'0')).take(6);
    (micros.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')), rest)
}

/// Seconds east of UTC: `Z`, `+01`, `+0100`, `+01:00`, `+01-00`, and `-0500`. A lone `-05` is no offset, because file names go on
/// with a dash and a number.
fn offset(text: &str) -> (i64, &str) {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return (0, rest);
    }
    let sign = match text.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => return (0, text),
    };
    let Some((hours, rest)) = text.get(1..).and_then(|rest| digits(rest, 2)) else { return (0, text) };
    let (_, minutes) = strip(rest, &[':', '-']);
    match digits(minutes, 2).filter(|(value, rest)| *value < 60 && !begins_with_digit(rest)) {
        Some((minutes, rest)) if hours < 24 => (sign * (hours * 3600 + minutes * 60), rest),
        _ if sign > 0 && hours < 24 && !begins_with_digit(rest) => (hours * 3600, rest),
        _ => (0, text),
    }
}

fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let (digits, rest) = text.split_at_checked(count)?;
    let all = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| all)?, rest))
}

fn begins_with_digit(text: &str) -> bool {
    text.starts_with(|next: char| next.is_ascii_digit())
}

fn strip<'t>(text: &'t str, any: &[char]) -> (bool, &'t str) {
    text.strip_prefix(any).map_or((false, text), |rest| (true, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(name: &str) -> String {
        let time = CaptureTime::of_file_name(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(time.start, time.end, "{name}");
        time.start.to_string()
    }

    #[test]
    fn instants_at_the_start_of_file_names() {
        for name in [
            "2026-11-22T10-34-27Z.json",
            "2026-11-22T103427Z.json",
            "20261122T103427Z.json",
            "20261122T103427.json",
            "2026-11-22T10:34:27Z.json",
            "2026-11-22T10.34.27Z.json",
            "2026-11-22T10-34-27Z-common.v2.json",
            "2026-11-22T10-34-27-common.json",
            "2026-11-22T10-34-27-01.json",
            "2026-11-22t10-34-27z.json",
            "2026-11-22_103427.json",
            "20261122103427.json",
            "2026-11-22T113427+0100.json",
            "2026-11-22T11-34-27+01-00.json",
            "2026-11-22T11:34:27+01.json",
            "2026-11-22T05-34-27-0500.json",
            "2026-W47-7T10-34-27Z.json",
            "2026-326T103427Z.json",
            "2026326T103427Z.json",
        ] {
            assert_eq!(instant(name), "2026-11-22T10:34:27Z", "{name}");
        }
        assert_eq!(instant("20261122T103427.25Z.json"), "2026-11-22T10:34:27.25Z");
        assert_eq!(instant("20261122T103427,1234567Z"), "2026-11-22T10:34:27.123456Z");
        assert_eq!(instant("20261122T1034Z.json"), "2026-11-22T10:34:00Z");
        assert_eq!(instant("2026-11-22T10Z.json"), "2026-11-22T10:00:00Z");
        assert_eq!(instant("20261231T240000Z.json"), "2027-01-01T00:00:00Z");
        assert_eq!(instant("20161231T235960Z.json"), "2016-12-31T23:59:59Z");
    }

    #[test]
    fn a_date_alone_is_a_day() {
        for name in [
            "2026-11-22.json",
            "20261122.json",
            "2026-11-22-common.json",
            "2026-11-22_common.json",
            "2026-11-22_2.json",
        ] {
            let time = CaptureTime::of_file_name(name).unwrap();
            assert_eq!(time.start.to_string(), "2026-11-22T00:00:00Z", "{name}");
            assert_eq!(time.end.to_string(), "2026-11-22T23:59:59.999999Z", "{name}");
            assert_eq!(time.text(), "2026-11-22");
        }
    }

    #[test]
    fn other_names_have_no_time() {
        for name in [
            "keys.json",
            "common-2026-11-22.json",
            "1763807667.json",
            "2026-13-01.json",
            "2026-02-30.json",
            "2026-11-22T99-00-00Z.json",
            "2026-11-22T1.json",
            "202611221.json",
            "2026-000.json",
            "2026-W60-1.json",
            "2026.json",
            "",
            "\u{e9}\u{e9}\u{e9}",
        ] {
            assert_eq!(CaptureTime::of_file_name(name), None, "{name}");
        }
        assert_eq!(CaptureTime::parse("2026-11-22T10:34:27Z x"), None);
        assert_eq!(CaptureTime::parse("2026-11-22T10:34:27.5Z").unwrap().text(), "2026-11-22T10:34:27.5Z");
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(name: String, digits in "[0-9TZW:.+-]{0,40}") {
            let _ = CaptureTime::of_file_name(&name);
            let _ = CaptureTime::of_file_name(&digits);
        }
    }
}
