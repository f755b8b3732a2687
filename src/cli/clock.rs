//! The clock and the environment, which nothing but the command line reads.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokentrail::time;
use tokentrail::time::UtcMicros;

/// The present instant.
pub(super) fn now() -> UtcMicros {
    UtcMicros(Timestamp::now().as_microsecond())
}

/// An instant as `--since`, `--until` and `--captured-at` take it: RFC 3339, a date (its first instant, UTC), or a
/// length of time before now (`24h`, `7d`).
pub(super) fn instant(text: &str, now: UtcMicros) -> Result<UtcMicros, String> {
    if let Some(micros) = before_now(text) {
        return Ok(now.plus(-micros));
    }
    if let Ok(date) = text.parse::<Date>()
        && text.len() == "2026-11-22".len()
    {
        let start = date.to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
        return Ok(UtcMicros(start.timestamp().as_microsecond()));
    }
    match text.parse::<Timestamp>() {
        Ok(timestamp) => Ok(UtcMicros(timestamp.as_microsecond())),
        Err(_) => {
            Err("write 2026-11-22T10:00:00Z (with Z or an offset), 2026-11-22, or 24h for a day before now"
                .into())
        }
    }
}

/// `90m`, `24h`, `7d`, `2w` in microseconds.
fn before_now(text: &str) -> Option<i64> {
    let unit = match text.chars().next_back()? {
        's' => time::SECOND,
        'm' => 60 * time::SECOND,
        'h' => time::HOUR,
        'd' => time::DAY,
        'w' => 7 * time::DAY,
        _ => return None,
    };
    let number: u32 = text.get(..text.len() - 1)?.parse().ok()?;
    i64::from(number).checked_mul(unit)
}
