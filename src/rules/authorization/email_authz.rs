//! `email-authz`

use crate::codec::json::Value;
use crate::entra;
use crate::facts::Facts;
use crate::rules::kit::{Check, Confidence, Evidence, Reason, rule};
use crate::token::Claims;
use unicode_normalization::UnicodeNormalization;

rule! {
    /// The application authorised the caller by a name or address that can change or be claimed by others.
    ///
    /// Why it matters: `email`, `upn`, `preferred_username`, `unique_name` and `name` are not unique across tenants, and in
    /// many tenants an administrator may write any address into them. An application that takes them as its key hands
    /// accounts to whoever copies the text (nOAuth).
    ///
    /// What to do: let the application key on `tid` with `oid` (or `sub`) and migrate stored addresses once.
    ///
    /// Known false positives: a field that is logged for display only (`authorizes-on` must name the key that the
    /// application authorised on); applications in migration that check `tid` and `oid` as well. `shape-only` findings
    /// rest on the look of the logged value alone.
    "email-authz", Authorization, "H/L", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/claims-validation", "RFC 8725 section 3.10",
        "OWASP API1:2023", "OWASP API2:2023", "CWE-287", "CWE-290", "CWE-302", "CWE-639", "ATT&CK T1078.004",
    ],
    needs: [Claims, AuthorizesOn],
    cause: [Claim, Client],
    judge: Use(check),
}

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

const EXPECTED: &str = "tid with oid or sub";

fn check(facts: &Facts<'_>) -> Check {
    let Some(claims) = facts.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(principal) = facts.principal.filter(|principal| !principal.trim().is_empty()) else {
        return Check::NotEvaluable(Reason::NO_PRINCIPAL);
    };
    if is_stable(principal.trim(), claims) {
        return Check::Quiet;
    }
    let wanted = normal(principal);
    let matched: Vec<&str> =
        MUTABLE.into_iter().filter(|name| texts(claims, name).any(|value| normal(value) == wanted)).collect();
    let multi_tenant = facts.api.is_some_and(|api| api.multi_tenant);
    if let Some(claim) = matched.first().copied() {
        return Check::fires(
            Evidence::new(format!("The application authorised the caller by the claim {claim}."))
                .expected(EXPECTED)
                .actual(principal)
                .fact("claim", claim)
                .fact("claims", matched)
                .fact("multi_tenant", multi_tenant),
        );
    }
    let carries_address = MUTABLE.into_iter().flat_map(|name| texts(claims, name)).any(is_mail_like);
    if carries_address || !is_mail_like(principal) {
        return Check::Quiet;
    }
    let mut evidence =
        Evidence::new("The application authorised the caller by what looks like an address or user name.")
            .expected(EXPECTED)
            .actual(principal)
            .fact("reason", "shape-only")
            .fact("multi_tenant", multi_tenant);
    evidence.confidence = Some(Confidence::Heuristic);
    Check::fires(evidence)
}

/// The strings of a claim: one, or those of an array.
fn texts<'c>(claims: &'c Claims<'_>, name: &str) -> impl Iterator<Item = &'c str> {
    let values = match claims.member(name) {
        Some(Value::Array(items)) => items.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    values.iter().filter_map(Value::as_text).filter(|text| !text.trim().is_empty())
}

/// True for a principal that cannot move to somebody else: an id of the identity, with its tenant or alone, or the
/// client.
fn is_stable(principal: &str, claims: &Claims) -> bool {
    let ids = [claims.oid.as_deref(), claims.sub];
    let is_id = |id: Option<&str>| id.is_some_and(|id| same_id(principal, id));
    if ids.into_iter().any(is_id) || is_id(claims.client_id.as_deref()) {
        return true;
    }
    let Some(tenant) = claims.tenant() else { return is_client(principal, claims) };
    let with_tenant = |id: &str| is_compound(principal, tenant, id) || is_compound(principal, id, tenant);
    ids.into_iter().flatten().any(with_tenant) || is_client(principal, claims)
}

/// True if the principal is a client that a token names beside the one that counts.
fn is_client(principal: &str, claims: &Claims) -> bool {
    ["azp", "appid"].into_iter().filter_map(|name| claims.text(name)).any(|id| same_id(principal, id))
}

/// True if the principal is two ids joined by one of the separators.
fn is_compound(principal: &str, first: &str, second: &str) -> bool {
    let (Some(head), Some(tail)) = (principal.get(..first.len()), principal.get(first.len()..)) else {
        return false;
    };
    same_id(head, first) && tail.strip_prefix(SEPARATORS).is_some_and(|rest| same_id(rest, second))
}

/// Ids are compared letter for letter, GUIDs in any letter case.
fn same_id(text: &str, id: &str) -> bool {
    !id.is_empty()
        && text.len() == id.len()
        && (text == id || (text.eq_ignore_ascii_case(id) && entra::is_guid(id)))
}

/// A value as it is compared (rules.md 1.4): trimmed, GUIDs in lower case, addresses composed and in lower case.
fn normal(text: &str) -> String {
    let text = text.trim();
    if is_mail_like(text) {
        text.nfc().collect::<String>().to_lowercase()
    } else {
        entra::normal_guid(text).into_owned()
    }
}

/// True for what looks like an address or user name: `x@y`, `live.com#x`, or the `#EXT#` of guests.
fn is_mail_like(text: &str) -> bool {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("live.com#") || lower.contains("#ext#") {
        return true;
    }
    text.rsplit_once('@').is_some_and(|(user, domain)| {
        !user.is_empty()
            && !domain.is_empty()
            && !entra::is_guid(domain)
            && !text.contains(char::is_whitespace)
    })
}
