//! Tokens that a gateway sends on in its own name: its managed identity's, or one that it got on behalf of the user. Where
//! a record has them beside what the client sent (formats.md section 0 item 5), they are judged against what they are sent
//! to, and nothing of the client is theirs: neither its address nor its user agent, nor what the API took it for.

use super::front::Front;
use super::scan::Scanned;
use super::write::Seat;
use super::{Engine, Input, Partial, Rows};
use crate::record::{Record, TokenHit};

/// A record, or the part of it that is about some of its tokens.
pub(super) struct Part<'p> {
    pub(super) scanned: &'p Scanned<'p>,
    /// Slots of its tokens, in order.
    pub(super) slots: &'p [usize],
    /// Slots of all tokens of the record, none of which may stand in any cell.
    pub(super) all: &'p [usize],
    /// True for what the gateway sends on: the record itself is counted with the other part.
    pub(super) onward: bool,
}

/// Some tokens of a record with their slots.
type Sent<'r> = (Vec<TokenHit<'r>>, Vec<usize>);

impl Engine {
    /// Judges a record with all of its tokens; `slots` are theirs, in order.
    pub(super) fn judge_record(
        &self,
        input: &Input,
        scanned: &Scanned<'_>,
        seat: Seat,
        (front, slots): (&mut Front, &[usize]),
        partial: &mut Partial,
        rows: &mut Rows,
    ) {
        let rows_before = rows.occurrences.len();
        let whole = Part { scanned, slots, all: slots, onward: false };
        match parted(&scanned.record, slots) {
            None => {
                self.judge(input, &whole, seat, front, partial, rows);
            }
            Some([(hits, client), (onward_hits, onward)]) => {
                let of = |record| Scanned { record, position: scanned.position, raw: scanned.raw };
                let asked = of(of_client(&scanned.record, &hits));
                let asked = Part { scanned: &asked, slots: &client, ..whole };
                if self.judge(input, &asked, seat, front, partial, rows) {
                    let beyond = of(passed_on(&scanned.record, &onward_hits));
                    let beyond = Part { scanned: &beyond, slots: &onward, all: slots, onward: true };
                    self.judge(input, &beyond, seat, front, partial, rows);
                }
            }
        }
        if let Some(mine) = rows.occurrences.get_mut(rows_before..)
            && mine.len() > 1
        {
            mine.sort_by(|a, b| (a.texts().rule, a.token).cmp(&(b.texts().rule, b.token)));
        }
    }
}

/// What the client sent, and what the gateway sent on; `None` for nearly all records, which have no two such tokens. A
/// token that stands in the gateway's own headers alone may be the client's, passed on as it came.
fn parted<'r>(record: &Record<'r>, slots: &[usize]) -> Option<[Sent<'r>; 2]> {
    if record.tokens.len() < 2 || !record.tokens.iter().any(TokenHit::is_of_gateway) {
        return None;
    }
    let pairs = || record.tokens.iter().copied().zip(slots.iter().copied());
    let parts =
        [false, true].map(|of_gateway| pairs().filter(|(hit, _)| hit.is_of_gateway() == of_gateway).unzip());
    let [(client, _), _]: &[Sent<'r>; 2] = &parts;
    (!client.is_empty()).then_some(parts)
}

/// The record without what the gateway sent on.
fn of_client<'p>(record: &Record<'p>, tokens: &'p [TokenHit<'p>]) -> Record<'p> {
    Record { tokens, ..record.clone() }
}

/// The gateway's own request to what lies behind it.
fn passed_on<'p>(record: &Record<'p>, tokens: &'p [TokenHit<'p>]) -> Record<'p> {
    let to = record.upstream_parts();
    Record {
        scheme: to.scheme,
        host: to.host,
        path: to.path,
        query: to.query,
        route: None,
        client_ip: None,
        user_agent: None,
        principal: None,
        data_tenant: None,
        location: None,
        tokens,
        ..record.clone()
    }
}
