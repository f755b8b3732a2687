//! What the application authorised on, compared with the token that came along.

use super::claim;
use super::kit::{Check, Reason};
use crate::codec;
use crate::codec::json::Value;
use crate::entra;
use crate::facts::Facts;
use crate::token::Claims;
use unicode_normalization::UnicodeNormalization;

/// Claims that can change or be claimed by others, in the order in which findings name them.
const MUTABLE: [&str; 7] = [
    "email",
    "upn",
    "preferred_username",
    "unique_name",
    "verified_primary_email",
    "verified_secondary_email",
    "name",
];

/// What joins the parts of a compound principal.
const SEPARATORS: [char; 5] = [':', '/', '.', '@', '|'];
/// Characters of a GUID.
const GUID_BYTES: usize = 36;

/// How a principal hangs together with a token; the first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bond {
    /// It is `tid` with `oid` or `sub`.
    Compound,
    /// It is this one of `oid` and `sub`, alone.
    Alone(&'static str),
    /// It is the id of the client.
    Client,
    /// It is this claim, which can change.
    Mutable(&'static str),
    /// It is some other claim.
    Other,
    /// It is made of ids, and they are not the token's.
    Mismatch,
    /// It looks like an address or user name, and the token holds none.
    Shape,
    /// It has nothing to do with the token.
    None,
}

/// The claims and the principal of a use; else what to say in place of them.
pub(super) fn of<'f>(facts: &'f Facts<'_>) -> Result<(&'f Claims<'f>, &'f str), Check> {
    let Some(claims) = facts.token.claims() else { return Err(Check::NotEvaluable(Reason::NO_CLAIMS)) };
    match facts.principal.map(str::trim) {
        None | Some("") => Err(Check::NotEvaluable(Reason::NO_PRINCIPAL)),
        Some(principal) => Ok((claims, principal)),
    }
}

/// How a principal, without white space around it, hangs together with a token.
pub(super) fn bond(principal: &str, claims: &Claims<'_>) -> Bond {
    let ids = [("oid", claims.oid.as_deref()), ("sub", claims.sub)];
    let ids = || ids.into_iter().filter_map(|(name, id)| Some((name, id?)));
    if let Some(tenant) = claims.tenant()
        && ids().any(|(_, id)| is_compound(principal, tenant, id) || is_compound(principal, id, tenant))
    {
        return Bond::Compound;
    }
    if let Some((name, _)) = ids().find(|(_, id)| same_id(principal, id)) {
        return Bond::Alone(name);
    }
    let clients = [claims.client_id.as_deref(), claims.text("azp"), claims.text("appid")];
    if clients.into_iter().flatten().any(|client| same_id(principal, client)) {
        return Bond::Client;
    }
    if let Some(claim) = mutable(principal, claims).next() {
        return Bond::Mutable(claim);
    }
    if claims.object.members().iter().any(|(_, value)| says(value, principal)) {
        return Bond::Other;
    }
    if is_of_other_ids(principal, claims) {
        return Bond::Mismatch;
    }
    let carries_address =
        || MUTABLE.into_iter().flat_map(|name| claim::texts(claims, name)).any(is_mail_like);
    if is_mail_like(principal) && !carries_address() { Bond::Shape } else { Bond::None }
}

/// Every claim that can change and equals the principal.
pub(super) fn mutable<'c>(
    principal: &'c str,
    claims: &'c Claims<'_>,
) -> impl Iterator<Item = &'static str> + 'c {
    MUTABLE
        .into_iter()
        .filter(move |name| claim::texts(claims, name).any(|value| same_value(principal, value)))
}

/// True if a value, or an item of a list, says what the principal says.
fn says(value: &Value<'_>, principal: &str) -> bool {
    match value {
        Value::String(text) => !codec::is_blank(text) && same_value(principal, text),
        Value::Number(_) => value.to_json() == principal,
        Value::Array(items) => {
            items.iter().any(|item| matches!(item, Value::String(_)) && says(item, principal))
        }
        _ => false,
    }
}

/// True for the spellings of an identity's own id: alone, or with its tenant on either side.
pub(super) fn is_own(principal: &str, tenant: &str, id: &str) -> bool {
    same_id(principal, id) || is_compound(principal, tenant, id) || is_compound(principal, id, tenant)
}

/// True if the principal is two ids joined by one of the separators.
fn is_compound(principal: &str, first: &str, second: &str) -> bool {
    let (Some(head), Some(tail)) = (principal.get(..first.len()), principal.get(first.len()..)) else {
        return false;
    };
    same_id(head, first) && tail.strip_prefix(SEPARATORS).is_some_and(|rest| same_id(rest, second))
}

/// True if a principal that is not the token's has the form of a compound one: two GUIDs, or a GUID and another text of
/// which one is an id of the token.
fn is_of_other_ids(principal: &str, claims: &Claims<'_>) -> bool {
    let parts = |at: usize| {
        let (head, rest) = principal.split_at_checked(at)?;
        let tail = rest.strip_prefix(SEPARATORS).filter(|tail| !tail.is_empty())?;
        // `id@domain` is the user name that Entra makes up for accounts without one.
        let is_mail = rest.starts_with('@') && !entra::is_guid(tail);
        (!is_mail && !head.is_empty()).then_some((head, tail))
    };
    let own = |id: &str| {
        let ids = [claims.tenant(), claims.oid.as_deref(), claims.sub];
        ids.into_iter().flatten().any(|own| same_id(id, own))
    };
    // The separator is one byte, so a GUID at the end begins this far from it.
    let ends = [Some(GUID_BYTES), principal.len().checked_sub(GUID_BYTES + 1)];
    ends.into_iter().flatten().filter_map(parts).any(|(head, tail)| {
        let guids = [head, tail].into_iter().filter(|part| entra::is_guid(part)).count();
        guids == 2 || (guids == 1 && (own(head) || own(tail)))
    })
}

/// Ids are compared letter for letter, GUIDs in any letter case.
fn same_id(text: &str, id: &str) -> bool {
    !id.is_empty()
        && (text == id || (text.len() == id.len() && entra::is_guid(id) && text.eq_ignore_ascii_case(id)))
}

/// Compares a principal with a value as rules.md 1.4 has it: trimmed, GUIDs in any letter case, addresses composed (NFC)
/// and in any letter case, everything else letter for letter.
pub(super) fn same_value(principal: &str, value: &str) -> bool {
    let (a, b) = (principal.trim(), value.trim());
    if a == b {
        return true;
    }
    if a.is_ascii() && b.is_ascii() {
        return a.len() == b.len() && a.eq_ignore_ascii_case(b) && (is_mail_like(a) || entra::is_guid(a));
    }
    is_mail_like(a) && is_mail_like(b) && folded(a).eq(folded(b))
}

/// A principal as [`same_value`] compares it, and with the ids of a compound one in lower case.
pub(super) fn normal(principal: &str) -> String {
    let principal = principal.trim();
    if is_mail_like(principal) {
        // There is nothing to compose in ASCII.
        let is_ascii = principal.is_ascii();
        return if is_ascii { principal.to_ascii_lowercase() } else { folded(principal).collect() };
    }
    let head = principal.split_at_checked(GUID_BYTES).filter(|(head, _)| entra::is_guid(head));
    let lower = head
        .map_or_else(|| principal.to_owned(), |(head, rest)| format!("{}{rest}", head.to_ascii_lowercase()));
    let at = lower.len().saturating_sub(GUID_BYTES);
    match lower.split_at_checked(at) {
        Some((rest, tail)) if entra::is_guid(tail) => format!("{rest}{}", tail.to_ascii_lowercase()),
        _ => lower,
    }
}

/// True if the application authorised the caller by a claim that can change hands.
pub(super) fn takes_mutable_claim(facts: &Facts<'_>) -> bool {
    of(facts).is_ok_and(|(claims, principal)| matches!(bond(principal, claims), Bond::Mutable(_)))
}

/// The letters of a text in lower case, composed before and after, because some letters have no composed capital.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.nfc().flat_map(char::to_lowercase).nfc()
}

/// True for what looks like an address or user name: `x@y`, `live.com#x`, or the `#EXT#` of guests.
fn is_mail_like(text: &str) -> bool {
    let text = text.trim();
    let begins = |word: &str| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    if begins("live.com#") || text.as_bytes().windows(5).any(|part| part.eq_ignore_ascii_case(b"#ext#")) {
        return true;
    }
    text.rsplit_once('@').is_some_and(|(user, domain)| {
        !user.is_empty()
            && !domain.is_empty()
            && !entra::is_guid(domain)
            && !text.contains(char::is_whitespace)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A value as rules.md 1.4 writes it down for comparison.
    fn normal(text: &str) -> String {
        let text = text.trim();
        if is_mail_like(text) { folded(text).collect() } else { entra::normal_guid(text).into_owned() }
    }

    proptest! {
        /// Comparing without writing anything down says the same.
        #[test]
        fn values_are_the_same_if_their_normal_forms_are(
            a in "[ ]?[aA\u{e9}\u{c9}][e\u{301}]{0,2}(@[xX][.]y)?[ ]?|[aA]{8}-1111-2222-3333-[aA]{12}",
            b in "[ ]?[aA\u{e9}\u{c9}][e\u{301}]{0,2}(@[xX][.]y)?[ ]?|[aA]{8}-1111-2222-3333-[aA]{12}",
        ) {
            prop_assert_eq!(same_value(&a, &b), normal(&a) == normal(&b));
        }
    }
}
