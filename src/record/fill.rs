//! From what a walk collected to the record.

use super::draft::{ACCESS_TOKEN_PLACE, Draft, FROM_QUERY, RawToken, Role, Scalar};
use super::query;
use super::shape::{Shape, TimeForm, TimeRule};
use super::{LoggedTime, Presence, Record, TokenHit};
use crate::time::parse::{self, Stamp};
use std::collections::HashSet;

/// Builds the record; `zone_assumed` is set if its time names no zone and neither does the format.
pub(super) fn record<'a>(draft: &mut Draft<'a, '_>, zone_assumed: &mut bool) -> Record<'a> {
    let arena = draft.arena;
    let (method, target) = match draft.text(Role::Request) {
        Some(line) => query::split_request(line),
        None => (None, ""),
    };
    let url_text = draft.text(Role::Url);
    let url = query::split_url(url_text.unwrap_or(target));
    let path_text = draft.text(Role::Path);
    let path = path_text.map(query::split_url).unwrap_or_default();
    let query_text = draft.text(Role::Query).map(|text| text.strip_prefix('?').unwrap_or(text));
    if let Some(text) = query_text {
        draft.take_access_token(text);
    }
    if let Some(text) = path_text {
        draft.take_access_token(text);
    }
    if let Some(text) = url_text {
        draft.take_access_token(text);
    }
    draft.take_access_token(target);
    let time = draft.role(Role::Time).and_then(|value| time(&draft.shape.time, value, zone_assumed));
    Record {
        time,
        duration: draft.role(Role::Duration).and_then(|value| duration(draft.shape, value)),
        status: draft.role(Role::Status).and_then(status),
        grpc_status: draft.role(Role::GrpcStatus).and_then(grpc_status),
        method: draft.text(Role::Method).or(method),
        scheme: draft.text(Role::Scheme).or(url.scheme).or(path.scheme),
        host: draft.text(Role::Host).or(url.host).or(path.host),
        path: path.path.or(url.path),
        query: query_text.filter(|text| !text.is_empty()).or(path.query).or(url.query),
        route: draft.text(Role::Route),
        client_ip: draft.text(Role::ClientIp).and_then(query::client_ip),
        user_agent: draft.text(Role::UserAgent),
        request_id: draft.text(Role::RequestId),
        principal: draft.text(Role::Principal),
        data_tenant: draft.text(Role::DataTenant),
        location: draft.text(Role::Location),
        upstream: draft.text(Role::Upstream),
        gateway: None,
        presence: draft.presence,
        repaired: draft.repaired,
        tokens: hits(draft.shape, draft.tokens, draft.presence, arena),
    }
}

/// Tokens of a record that are compared with each other one by one; more are put into a set.
const FEW: usize = 16;

/// Each value once, at its first place in the order of the format's sources.
fn hits<'a>(
    shape: &'a Shape,
    tokens: &mut [RawToken<'a>],
    presence: Presence,
    arena: &'a bumpalo::Bump,
) -> &'a [TokenHit<'a>] {
    if presence != Presence::Present {
        return &[];
    }
    if tokens.len() > 1 {
        tokens.sort_by_key(|token| token.source);
    }
    let out = arena.alloc_slice_fill_copy(tokens.len(), TokenHit::default());
    let mut used = 0;
    let mut many = (tokens.len() > FEW).then(HashSet::new);
    for token in tokens.iter() {
        let is_known = match &mut many {
            Some(known) => !known.insert(token.value),
            None => out.iter().take(used).any(|known| known.value == token.value),
        };
        if is_known {
            continue;
        }
        let place = match shape.sources.get(token.source) {
            Some(source) => source.label.as_str(),
            None if token.source == FROM_QUERY => ACCESS_TOKEN_PLACE,
            None => "",
        };
        if let Some(free) = out.get_mut(used) {
            *free = TokenHit { value: token.value, place, scheme: token.scheme, at_cut: token.at_cut };
            used += 1;
        }
    }
    out.get(..used).unwrap_or_default()
}

fn time(rule: &TimeRule, value: Scalar<'_>, zone_assumed: &mut bool) -> Option<LoggedTime> {
    let stamp = match (&rule.form, value) {
        (TimeForm::Epoch(unit), Scalar::Integer(number)) => parse::epoch_integer(number, *unit),
        (TimeForm::Epoch(unit), Scalar::Float(number)) => parse::epoch_float(number, *unit),
        (TimeForm::Auto, Scalar::Integer(number)) => parse::epoch_integer(number, parse::EpochUnit::Auto),
        (TimeForm::Auto, Scalar::Float(number)) => parse::epoch_float(number, parse::EpochUnit::Auto),
        (form, Scalar::Text(text)) => {
            let text = text.trim_ascii();
            match form {
                TimeForm::Auto => parse::auto(text.as_bytes()),
                TimeForm::Epoch(unit) => parse::epoch(text.as_bytes(), *unit),
                TimeForm::Rfc3339 => parse::rfc3339(text.as_bytes()),
                TimeForm::Clf => parse::clf(text.as_bytes()),
                TimeForm::Strftime(format) => parse::strftime(format, text.as_bytes()),
            }
        }
        _ => None,
    };
    instant(rule, stamp?, zone_assumed)
}

/// A stamp under a format's rule.
pub(super) fn instant(rule: &TimeRule, stamp: Stamp, zone_assumed: &mut bool) -> Option<LoggedTime> {
    let at = match stamp {
        Stamp::Utc(at) => at,
        Stamp::Civil(civil) => {
            *zone_assumed |= matches!(rule.zone, crate::time::Zone::Assumed);
            rule.zone.instant(civil)?
        }
    };
    Some(LoggedTime { at, is: rule.is })
}

/// A code from 100 to 999; 0, 000 and -1 mean that there was no response.
fn status(value: Scalar<'_>) -> Option<i32> {
    let code = match value {
        Scalar::Integer(code) => i32::try_from(code).ok()?,
        Scalar::Text(text) => text.trim_ascii().parse().ok()?,
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "`as` saturates; the range follows"
        )]
        Scalar::Float(code) if code.fract() == 0.0 => code as i32,
        _ => return None,
    };
    (100..=999).contains(&code).then_some(code)
}

/// Codes of gRPC by their names, without what gateways write differently: `Unauthenticated`, `PERMISSION_DENIED`
/// (<https://grpc.io/docs/guides/status-codes/>).
const GRPC_CODES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalidargument",
    "deadlineexceeded",
    "notfound",
    "alreadyexists",
    "permissiondenied",
    "resourceexhausted",
    "failedprecondition",
    "aborted",
    "outofrange",
    "unimplemented",
    "internal",
    "unavailable",
    "dataloss",
    "unauthenticated",
];

/// A code of gRPC as a number or a name.
fn grpc_status(value: Scalar<'_>) -> Option<u8> {
    let code = match value {
        Scalar::Integer(code) => u8::try_from(code).ok()?,
        Scalar::Text(text) => {
            let text = text.trim_ascii();
            let is_named = |name: &&str| {
                let letters = text.bytes().filter(|byte| !matches!(byte, b'_' | b' ' | b'-'));
                letters.map(|letter| letter.to_ascii_lowercase()).eq(name.bytes())
            };
            match text.parse() {
                Ok(code) => code,
                // Envoy writes one l where gRPC writes two.
                Err(_) if text.eq_ignore_ascii_case("canceled") => 1,
                Err(_) => (0..).zip(&GRPC_CODES).find(|(_, name)| is_named(name))?.0,
            }
        }
        _ => return None,
    };
    (usize::from(code) < GRPC_CODES.len()).then_some(code)
}

/// A number, or a text with or without unit, in microseconds.
fn duration(shape: &Shape, value: Scalar<'_>) -> Option<i64> {
    use super::shape::DurationUnit;
    let (number, unit) = match value {
        Scalar::Integer(number) => {
            (i32::try_from(number).map_or_else(|_| to_float(number), f64::from), shape.duration)
        }
        Scalar::Float(number) => (number, shape.duration),
        Scalar::Text(text) => {
            let text = text.trim_ascii();
            let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
            let unit = match text.get(digits.len()..)? {
                "" => shape.duration,
                unit => DurationUnit::named(unit)?,
            };
            (query::number(digits)?, unit)
        }
        _ => return None,
    };
    let micros = (number * unit.micros()).round();
    // A century; whatever is longer is no duration.
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "the range is checked before"
    )]
    (0.0..=3.2e15).contains(&micros).then_some(micros as i64)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "durations this long need no exact unit"
)]
fn to_float(number: i64) -> f64 {
    number as f64
}
