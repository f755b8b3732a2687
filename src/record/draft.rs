//! What a walk over a unit collects, whatever the format: one value a role, every token, and what is known of its absence.

use super::Presence;
use super::Scheme;
use super::credential;
use super::query;
use super::scan;
use super::shape::How;
use super::shape::Shape;
use bumpalo::Bump;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// The roles of formats.md 3.2 that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Time,
    Duration,
    Status,
    Method,
    Scheme,
    Host,
    Path,
    Query,
    Url,
    Request,
    Route,
    ClientIp,
    UserAgent,
    RequestId,
    Principal,
    DataTenant,
    Location,
    GrpcStatus,
    Upstream,
}

/// Number of [`Role`]s.
const ROLES: usize = 19;

/// For whom a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A role.
    Role(Role),
    /// A token source, by its place in [`Shape::sources`].
    Token(usize),
    /// A condition, by its place in [`Shape::conditions`].
    Condition(usize),
    /// A text of several fields, by its place in the format's templates.
    Composite(usize),
}

/// A value as the log has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'a> {
    Text(&'a str),
    Integer(i64),
    Large(u64),
    Float(f64),
    Bool(bool),
}

impl<'a> Scalar<'a> {
    /// The value as text; numbers are written into the arena.
    pub(super) fn text(self, arena: &'a Bump) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Integer(number) => printed(format_args!("{number}"), arena),
            Self::Large(number) => printed(format_args!("{number}"), arena),
            Self::Float(number) => printed(format_args!("{number}"), arena),
            Self::Bool(flag) => {
                if flag {
                    "true"
                } else {
                    "false"
                }
            }
        }
    }

    #[inline]
    fn is_absent(self) -> bool {
        let Self::Text(text) = self else { return false };
        // What is long and has no white space at its ends is some value; this spares nearly all the closer look.
        let is_plain = matches!(text.as_bytes(), [first, _, _, _, .., last] if *first > b' ' && *last > b' ');
        !is_plain && credential::is_absent(text)
    }
}

fn printed<'a>(value: std::fmt::Arguments<'_>, arena: &'a Bump) -> &'a str {
    use std::io::Write as _;
    // The longest float in plain notation has 327 bytes; what does not fit is no id.
    let mut buffer = [0_u8; 344];
    let mut free = buffer.as_mut_slice();
    let whole = free.write_fmt(value).is_ok();
    let used = 344 - free.len();
    let text = buffer.get(..used).and_then(|bytes| std::str::from_utf8(bytes).ok());
    arena.alloc_str(text.filter(|_| whole).unwrap_or_default())
}

/// The best value of a role so far.
#[derive(Clone, Copy, Debug, Default)]
struct Slot<'a> {
    value: Option<Scalar<'a>>,
    rank: u16,
    group: u32,
}

/// A token before repetitions are dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawToken<'a> {
    pub(super) value: &'a str,
    pub(super) scheme: Scheme,
    pub(super) source: usize,
    pub(super) at_cut: bool,
}

/// The source number of tokens that the query of a URL carries, behind all listed ones.
pub(super) const FROM_QUERY: usize = usize::MAX;
/// What every such query has in it.
static ACCESS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("ccess"));
/// What their [`super::TokenHit::place`] says.
pub(super) const ACCESS_TOKEN_PLACE: &str = "query:access_token";

/// A text that may hold tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) text: &'a str,
    /// Length of the field as it was logged, in bytes.
    pub(super) length: usize,
    /// Length of the line if the field is the last thing on it.
    pub(super) line_end: Option<usize>,
}

impl<'a> Field<'a> {
    /// A field that is followed by more of its line.
    pub(super) fn inner(text: &'a str) -> Self {
        Self { text, length: text.len(), line_end: None }
    }
}

/// What has been collected.
#[derive(Debug)]
pub(super) struct Draft<'a, 's> {
    pub(super) shape: &'a Shape,
    pub(super) arena: &'a Bump,
    pub(super) tokens: &'s mut Vec<RawToken<'a>>,
    pub(super) presence: Presence,
    pub(super) repaired: bool,
    slots: [Slot<'a>; ROLES],
    conditions_seen: u64,
    conditions_met: u64,
    groups: u32,
}

impl<'a, 's> Draft<'a, 's> {
    pub(super) fn new(shape: &'a Shape, arena: &'a Bump, tokens: &'s mut Vec<RawToken<'a>>) -> Self {
        tokens.clear();
        Self {
            shape,
            arena,
            tokens,
            presence: Presence::Absent,
            repaired: false,
            slots: [Slot::default(); ROLES],
            conditions_seen: 0,
            conditions_met: 0,
            groups: 0,
        }
    }

    /// Forgets what was collected.
    pub(super) fn restart(&mut self) {
        self.tokens.clear();
        self.presence = Presence::Absent;
        self.repaired = false;
        self.slots = [Slot::default(); ROLES];
        (self.conditions_seen, self.conditions_met, self.groups) = (0, 0, 0);
    }

    /// A number for an array, which no other array of the unit has.
    pub(super) fn next_group(&mut self) -> u32 {
        self.groups = self.groups.saturating_add(1);
        self.groups
    }

    /// The value of a role.
    pub(super) fn role(&self, role: Role) -> Option<Scalar<'a>> {
        self.slots.get(index(role))?.value
    }

    /// The value of a role as text.
    #[inline]
    pub(super) fn text(&self, role: Role) -> Option<&'a str> {
        match self.role(role)? {
            Scalar::Text(text) => Some(text),
            other => Some(other.text(self.arena)),
        }
    }

    /// Offers a value for a role. Lower ranks win; of equal ones the last, but the first of one array (`group`, 0 for
    /// none).
    pub(super) fn offer(&mut self, role: Role, value: Scalar<'a>, rank: u16, group: u32) {
        if value.is_absent() {
            return;
        }
        let Some(slot) = self.slots.get_mut(index(role)) else { return };
        let better = slot.value.is_none() || rank < slot.rank;
        let later = rank == slot.rank && (group == 0 || group != slot.group);
        if better || later {
            *slot = Slot { value: Some(value), rank, group };
        }
    }

    /// Tests a condition against a value; `None` is a value that is no scalar.
    pub(super) fn test(&mut self, condition: usize, value: Option<Scalar<'a>>) {
        let Some(test) = self.shape.conditions.get(condition) else { return };
        let Some(bit) = u32::try_from(condition).ok().and_then(|shift| 1_u64.checked_shl(shift)) else {
            return;
        };
        self.conditions_seen |= bit;
        if value.is_some_and(|value| test.is_met_by(value.text(self.arena))) {
            self.conditions_met |= bit;
        }
    }

    /// True if a condition of `skip_if` holds.
    pub(super) fn is_skipped(&self) -> bool {
        self.shape.conditions.iter().zip(0_u32..64).any(|(condition, shift)| {
            let bit = 1_u64 << shift;
            self.conditions_met & bit != 0 || (condition.absent && self.conditions_seen & bit == 0)
        })
    }

    /// Looks for tokens in a field as its source says.
    pub(super) fn take_field(&mut self, source: usize, field: Field<'a>) {
        let Some(known) = self.shape.sources.get(source) else { return };
        match &known.how {
            How::Value => self.take_credentials(source, field.text, field),
            How::Cookie(name) => {
                for value in query::cookies(field.text, name) {
                    self.take_credentials(source, value, field);
                }
            }
            How::Query(name) => self.take_query(source, field.text, name, field),
            How::Header(name) => {
                for value in query::header_lines(field.text, name) {
                    self.take_credentials(source, value, field);
                }
            }
            How::Scan => self.take_scan(source, field),
        }
    }

    /// Notes an empty array in a token's place.
    pub(super) fn take_emptiness(&mut self) {
        if self.shape.caddy_masks {
            self.presence = self.presence.min(Presence::Masked);
        }
    }

    /// Looks for tokens in a header's own value.
    pub(super) fn take_value(&mut self, source: usize, field: Field<'a>) {
        self.take_credentials(source, field.text, field);
    }

    /// Looks for `access_token` in a URL, path or query, which every format does.
    pub(super) fn take_access_token(&mut self, text: &'a str) {
        // Nearly all URLs carry none: hardly any has an underscore, and most have no parameter.
        if memchr::memchr(b'_', text.as_bytes()).is_some()
            && memchr::memchr(b'=', text.as_bytes()).is_some()
            && ACCESS.find(text.as_bytes()).is_some()
        {
            self.take_query(FROM_QUERY, text, "access_token", Field::inner(text));
        }
    }

    fn take_query(&mut self, source: usize, text: &'a str, name: &str, field: Field<'a>) {
        // Where there is no referer, a dash stands in its place.
        if memchr::memchr(b'=', text.as_bytes()).is_none() {
            return;
        }
        for raw in query::parameters(text, name) {
            let value = query::percent_decoded(raw, self.arena);
            let ends = field.text.ends_with(raw);
            let field = if ends {
                Field { text: value, ..field }
            } else {
                Field { length: 0, line_end: None, text: value }
            };
            self.take_credentials(source, value, field);
        }
    }

    fn take_scan(&mut self, source: usize, field: Field<'a>) {
        let arena = self.arena;
        let found = scan::tokens(field.text, arena, &mut |hit| {
            let at_cut = hit.at_end && self.is_cut(field);
            self.tokens.push(RawToken { value: hit.value, scheme: Scheme::None, source, at_cut });
        });
        self.presence = self.presence.min(found);
    }

    fn take_credentials(&mut self, source: usize, text: &'a str, field: Field<'a>) {
        let cut = self.is_cut(field);
        let hashes_are_masks = self.shape.caddy_masks;
        let (tokens, presence) = (&mut *self.tokens, &mut self.presence);
        credential::read(text, hashes_are_masks, &mut |found| {
            *presence = (*presence).min(found.presence());
            if let credential::Found::Token(value, scheme) = found {
                tokens.push(RawToken { value, scheme, source, at_cut: cut && field.text.ends_with(value) });
            }
        });
    }

    fn is_cut(&self, field: Field<'_>) -> bool {
        credential::is_cut_length(field.length, self.shape.field_limit)
            || field.line_end.is_some_and(|length| credential::is_cut_length(length, self.shape.line_limit))
    }
}

#[expect(clippy::as_conversions, reason = "the number of a role without fields")]
fn index(role: Role) -> usize {
    role as usize
}
