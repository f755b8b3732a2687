//! Scalar values of a policy: durations, lifetimes, times, ids and key hashes.

use super::error::Fault;
use super::error::PolicyError;
use super::located::Located;
use super::located::TextFile;
use super::raw::Text;
use super::raw::TimeText;
use super::settings::Lifetime;
use crate::codec::base64url;
use crate::codec::base64url::Spelling;
use crate::entra;
use crate::redact;
use crate::time::DAY;
use crate::time::HOUR;
use crate::time::Period;
use crate::time::SECOND;
use crate::time::UtcMicros;

const A_DURATION: &str = "a duration; write a whole number and a unit, such as `90s`, `5m`, `12h` or `1d`";
const A_LIFETIME: &str =
    "a class of lifetimes; write one duration such as `2h`, or a range such as `60m..90m`";
const A_TIME: &str = "a time; write RFC 3339 with an offset such as `2026-10-01T00:00:00Z`, or a date";
const A_GUID: &str = "a GUID such as `72f988bf-86f1-41af-91ab-2d7cd011db47`";
const A_SHA256: &str = "a SHA-256; write 64 hexadecimal digits, or base64 of the 32 bytes";

fn not(file: &TextFile, text: &Text, expected: &'static str) -> PolicyError {
    file.error(text.start, Fault::Value { text: text.value.clone(), expected })
}

/// Microseconds of `90s`, `5m`, `12h`, `1d`; a day has 24 hours.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    let micros = match unit {
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(micros)
}

/// A duration in microseconds.
pub(super) fn duration(file: &TextFile, text: &Text) -> Result<i64, PolicyError> {
    parse_duration(&text.value).ok_or_else(|| not(file, text, A_DURATION))
}

/// A duration in seconds.
pub(super) fn seconds(file: &TextFile, text: &Text) -> Result<i64, PolicyError> {
    Ok(duration(file, text)? / SECOND)
}

/// `2h` or `60m..90m`, widened by the tolerance of [`Lifetime::class`].
pub(super) fn lifetime(file: &TextFile, text: &Text) -> Result<Lifetime, PolicyError> {
    let (least, most) = text.value.split_once("..").unwrap_or((&text.value, &text.value));
    let bounds = parse_duration(least.trim()).zip(parse_duration(most.trim()));
    let (least, most) = bounds.ok_or_else(|| not(file, text, A_LIFETIME))?;
    if least > most {
        return Err(file.error(text.start, Fault::Reversed));
    }
    Ok(Lifetime::class(least / SECOND, most / SECOND))
}

/// A time that may be a whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    Day(UtcMicros),
    Instant(UtcMicros),
}

fn parse_time(text: &str) -> Option<Time> {
    const DATE_BYTES: usize = "2026-10-01".len();
    if text.len() == DATE_BYTES {
        let date: jiff::civil::Date = text.parse().ok()?;
        let start = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        return Some(Time::Day(UtcMicros(start.as_microsecond())));
    }
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    Some(Time::Instant(UtcMicros(timestamp.as_microsecond())))
}

/// An instant; a date is its first one.
pub(super) fn parse_instant(text: &str) -> Option<UtcMicros> {
    match parse_time(text)? {
        Time::Day(at) | Time::Instant(at) => Some(at),
    }
}

pub(super) fn not_a_time(file: &TextFile, text: &Located<TimeText>) -> PolicyError {
    file.error(text.start, Fault::Value { text: text.value.0.clone(), expected: A_TIME })
}

/// A half-open period from its optional ends; a date is its first instant.
pub(super) fn period(
    file: &TextFile,
    since: Option<&Located<TimeText>>,
    until: Option<&Located<TimeText>>,
) -> Result<Period, PolicyError> {
    let instant =
        |text: &Located<TimeText>| parse_instant(&text.value.0).ok_or_else(|| not_a_time(file, text));
    let period = Period { since: since.map(instant).transpose()?, until: until.map(instant).transpose()? };
    match (period.since, period.until, until) {
        (Some(from), Some(to), Some(text)) if from > to => Err(file.error(text.start, Fault::Reversed)),
        _ => Ok(period),
    }
}

/// The first instant after an inclusive end: a date holds to the end of its day, an instant is itself inside.
pub(super) fn end_inclusive(file: &TextFile, text: &Located<TimeText>) -> Result<UtcMicros, PolicyError> {
    match parse_time(&text.value.0) {
        Some(Time::Day(start)) => Ok(start.plus(DAY)),
        Some(Time::Instant(at)) => Ok(at.plus(1)),
        None => Err(not_a_time(file, text)),
    }
}

/// A GUID in lower case.
pub(super) fn guid(file: &TextFile, text: &Text) -> Result<String, PolicyError> {
    if entra::is_guid(&text.value) {
        Ok(text.value.to_ascii_lowercase())
    } else {
        Err(not(file, text, A_GUID))
    }
}

/// Lower-case hexadecimal digits of a SHA-256 that is spelled in hexadecimal, base64 or base64url.
pub(super) fn parse_sha256(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text.to_ascii_lowercase());
    }
    let mut bytes = Vec::new();
    let decoded = base64url::decode(text.as_bytes(), &mut bytes) != Spelling::Invalid;
    (decoded && bytes.len() == 32).then(|| redact::hex(&bytes))
}

/// See [`parse_sha256`].
pub(super) fn sha256(file: &TextFile, text: &Text) -> Result<String, PolicyError> {
    parse_sha256(&text.value).ok_or_else(|| not(file, text, A_SHA256))
}

/// A fingerprint as it stands in the `token_sha256` column; a raw token is refused without being repeated.
pub(super) fn fingerprint(file: &TextFile, text: &Text) -> Result<String, PolicyError> {
    if text.value.len() == 64 && text.value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.value.to_ascii_lowercase());
    }
    let expected =
        "a fingerprint; write the 64 hexadecimal digits of the column `token_sha256`, never the token";
    Err(file.error(text.start, Fault::Value { text: "***".to_owned(), expected }))
}

/// A value of the column `actual` that names one thing: not one in which the redactor blackened what differs.
pub(super) fn told_apart(file: &TextFile, text: &Text) -> Result<String, PolicyError> {
    if text.value.contains("***") {
        let expected = "a value that can be told from others, since a part of it was blackened; name the token with \
                        `token` (column `token_sha256`) instead";
        return Err(not(file, text, expected));
    }
    Ok(text.value.clone())
}

/// A text with something visible in it.
pub(super) fn visible(file: &TextFile, key: &'static str, text: &Text) -> Result<String, PolicyError> {
    if text.value.trim().is_empty() {
        return Err(file.error(text.start, Fault::Blank(key)));
    }
    Ok(text.value.clone())
}

/// A name that is written into findings: visible, one line.
pub(super) fn name(file: &TextFile, text: &Text) -> Result<String, PolicyError> {
    let name = visible(file, "name", text)?;
    if name.chars().any(char::is_control) {
        return Err(not(file, text, "a name; remove line ends and control characters"));
    }
    Ok(name)
}

/// A value where GUIDs are compared in lower case and everything else exactly.
pub(super) fn id(file: &TextFile, key: &'static str, text: &Text) -> Result<String, PolicyError> {
    Ok(entra::normal_guid(&visible(file, key, text)?).into_owned())
}

/// [`id`] of each.
pub(super) fn ids(file: &TextFile, key: &'static str, texts: &[Text]) -> Result<Vec<String>, PolicyError> {
    texts.iter().map(|text| id(file, key, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_number_and_one_unit() {
        for (text, micros) in [
            ("90s", Some(90 * SECOND)),
            ("5m", Some(300 * SECOND)),
            ("28h", Some(28 * HOUR)),
            ("1d", Some(DAY)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("m", None),
            ("-5m", None),
            ("5 m", None),
            ("5min", None),
            ("9223372036854775807d", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(parse_duration(text), micros, "{text}");
        }
    }

    #[test]
    fn times_are_rfc_3339_or_dates() {
        let at = UtcMicros(1_790_812_800_000_000);
        assert_eq!(parse_time("2026-10-01T00:00:00Z"), Some(Time::Instant(at)));
        assert_eq!(parse_time("2026-10-01T02:00:00+02:00"), Some(Time::Instant(at)));
        assert_eq!(parse_time("2026-10-01"), Some(Time::Day(at)));
        for text in ["2026-10-01T00:00:00", "01/10/2026", "2026-13-01", "yesterday", ""] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn hashes_are_spelled_in_three_ways() {
        let hex = "fb".repeat(32);
        let bytes = [0xfb; 32];
        let url = base64url::encode(&bytes);
        let plain = format!("{}=", url.replace('-', "+").replace('_', "/"));
        for text in [hex.clone(), hex.to_uppercase(), url, plain] {
            assert_eq!(parse_sha256(&text), Some(hex.clone()), "{text}");
        }
        assert_eq!(parse_sha256("fb"), None);
        assert_eq!(parse_sha256(&"g".repeat(64)), None);
    }
}
