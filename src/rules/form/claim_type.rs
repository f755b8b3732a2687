//! `claim-type`

use crate::codec::json::Value;
use crate::entra;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::rules::signature::VerifyingKey;

rule! {
    /// A claim that decides about access has another JSON type than it should.
    ///
    /// Why it matters: libraries convert, skip or refuse such a value as they like, so that gateway and API may read different
    /// things. Entra writes every claim in one type.
    ///
    /// What to do: find the signer; let the API refuse what it does not expect instead of converting it.
    ///
    /// Known false positives: claims mapping gives claims other types: of tokens under an application's own key only the
    /// registered claims and the ids are judged. Issuers other than Entra have their own `tid`, `oid`, `scp`, `roles`, `wids`,
    /// `groups` and `ver`; of them only the registered claims are judged.
    "claim-type", Form, "M/L", Attack, Proven,
    references: [
        "RFC 7519 section 4.1", "RFC 8725 section 3.10", "CWE-20",
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference",
    ],
    needs: [Claims],
    judge: Token(check),
}

/// Whose habits a claim's type follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// RFC 7519: every issuer's.
    Registered,
    /// Entra's, whatever an application maps.
    Entra,
    /// Entra's, unless an application maps it.
    Mapped,
}

/// The claims that have a type, in the order in which they are judged.
const NAMES: [&str; 11] = ["exp", "nbf", "iat", "aud", "tid", "oid", "ver", "scp", "roles", "wids", "groups"];

/// What a claim should be: type in words, test, habit.
type Expected = (&'static str, fn(&Value<'_>) -> bool, Habit);

fn expected(name: &str) -> Option<Expected> {
    // As bytes, so that the length is looked at first.
    Some(match name.as_bytes() {
        b"exp" | b"nbf" | b"iat" => ("a number", is_number, Habit::Registered),
        b"aud" => ("a string or an array of strings", is_audience, Habit::Registered),
        b"tid" | b"oid" => ("a GUID", is_guid, Habit::Entra),
        b"ver" => ("a string", is_text, Habit::Entra),
        b"scp" => ("a string", is_text, Habit::Mapped),
        b"roles" | b"wids" | b"groups" => ("an array", is_array, Habit::Mapped),
        _ => return None,
    })
}

fn check(token: &TokenFacts, context: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    // One look at each member is enough for nearly every token.
    let is_right =
        |(name, value): &(&str, Value<'_>)| expected(name).is_none_or(|(_, is_right, _)| is_right(value));
    if claims.object.members().iter().all(is_right) {
        return Check::Quiet;
    }
    let foreign = claims.iss.is_some() && claims.issuer.is_none();
    let wrong = NAMES.into_iter().filter_map(|name| {
        let (right, is_right, habit) = expected(name)?;
        let value = claims.member(name).filter(|value| !is_right(value))?;
        (habit == Habit::Registered || !foreign).then_some((name, right, value, habit))
    });
    let mut wrong: Vec<_> = wrong.collect();
    if wrong.iter().any(|(.., habit)| *habit == Habit::Mapped) && has_own_key(token, context) {
        wrong.retain(|(.., habit)| *habit != Habit::Mapped);
    }
    let Some((name, right, value, _)) = wrong.first() else { return Check::Quiet };
    let names: Vec<&str> = wrong.iter().map(|(name, ..)| *name).collect();
    Check::fires(
        Evidence::new(format!("The token's {name} is not {right}."))
            .expected(*right)
            .actual(kind(value))
            .fact("claim", *name)
            .fact("claims", names),
    )
}

/// True for a token under the key of one application, which claims mapping takes.
fn has_own_key(token: &TokenFacts, context: Context<'_>) -> bool {
    VerifyingKey::of(token, context).is_ok_and(|key| !key.custom_apps().is_empty())
}

fn is_number(value: &Value<'_>) -> bool {
    matches!(value, Value::Number(_))
}

fn is_text(value: &Value<'_>) -> bool {
    value.as_text().is_some()
}

fn is_array(value: &Value<'_>) -> bool {
    matches!(value, Value::Array(_))
}

fn is_audience(value: &Value<'_>) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_text),
        other => is_text(other),
    }
}

fn is_guid(value: &Value<'_>) -> bool {
    value.as_text().is_some_and(entra::is_guid)
}

/// The type of a value in words; the value itself is another rule's.
fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(items) if items.iter().all(is_text) => "an array of strings",
        Value::Array(_) => "an array of mixed types",
        Value::Object(_) => "an object",
    }
}
