//! `json-duplicate`

use crate::codec::json::Object;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use std::borrow::Cow;
use std::collections::HashMap;

/// Members that lenient validators read in any letter case.
const SECURITY_MEMBERS: [&str; 11] =
    ["tid", "oid", "iss", "aud", "exp", "scp", "roles", "azp", "appid", "kid", "alg"];

rule! {
    /// A member name occurs twice in the header or the payload.
    ///
    /// Why it matters: parsers disagree about which occurrence counts, so the gateway may check one value and the API act
    /// on the other. For the members that decide about access, spellings that differ in letter case count as well.
    ///
    /// What to do: treat an accepted request as an attack until the signer is known; let the gateway refuse duplicates.
    /// The other rules use the last value, as most validators do.
    ///
    /// Known false positives: none expected from Entra.
    "json-duplicate", Form, "H/M", Attack, Proven,
    references: [
        "RFC 7515 section 4", "RFC 7515 section 10.12", "RFC 7519 section 4", "RFC 8725 section 2.6", "CWE-436",
        "ATT&CK T1606",
    ],
    needs: [],
    judge: Token(check),
}

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let header = token.token.header().map(|header| &header.object);
    let payload = token.token.claims().map(|claims| &claims.object);
    for (part, object) in [("header", header), ("payload", payload)] {
        if let Some(spellings) = object.and_then(duplicates) {
            let names = spellings.join(", ");
            return Check::fires(
                Evidence::new(format!("The token's {part} names one member {} times.", spellings.len()))
                    .expected("every member name once")
                    .actual(names)
                    .fact("part", part)
                    .fact("occurrences", spellings.len()),
            );
        }
    }
    match (header, payload) {
        (Some(_), Some(_)) => Check::Quiet,
        (None, _) => Check::NotEvaluable(Reason::NO_HEADER),
        (_, None) => Check::NotEvaluable(Reason::NO_CLAIMS),
    }
}

/// The spellings of the first member that occurs more than once, in order of the text.
fn duplicates<'t>(object: &Object<'t>) -> Option<Vec<&'t str>> {
    if all_differ(object) {
        return None;
    }
    let mut spellings: HashMap<Cow<'_, str>, Vec<&str>> = HashMap::new();
    for (name, _) in object.members() {
        spellings.entry(compared(name)).or_default().push(name);
    }
    let names = object.members().iter().map(|(name, _)| compared(name));
    names.into_iter().find_map(|name| spellings.get(&name).filter(|found| found.len() > 1).cloned())
}

/// True if no two names can be the same in any letter case, told by a mark for each that depends on a few of its letters.
/// Nearly every object is done with here.
fn all_differ(object: &Object<'_>) -> bool {
    let mut marks = [0_u64; 64];
    object.members().iter().all(|(name, _)| {
        let name = name.as_bytes();
        let letter = |at: usize| name.get(at).map_or(0, |byte| usize::from(byte.to_ascii_lowercase()));
        let (middle, last) = (letter(name.len() / 2), letter(name.len().saturating_sub(1)));
        let place = name.len() + 7 * letter(0) + 61 * middle + 331 * last;
        let Some(word) = marks.get_mut(place / 64 % 64) else { return false };
        let known = *word >> (place % 64) & 1 == 1;
        *word |= 1 << (place % 64);
        !known
    })
}

/// A name as it is compared: security members in any letter case.
fn compared(name: &str) -> Cow<'_, str> {
    match SECURITY_MEMBERS.iter().find(|member| member.eq_ignore_ascii_case(name)) {
        Some(member) => Cow::Borrowed(member),
        None => Cow::Borrowed(name),
    }
}
