//! `implicit-oversight`

use crate::facts::{Facts, Pairing};
use crate::policy::ApiSettings;
use crate::rules::kit::{Check, Evidence, Quiet, Reason, rule};
use crate::token::{Claims, Kind};

rule! {
    /// An administrative route accepted a token that allows no more than to call the API at all.
    ///
    /// Why it matters: `user_impersonation` and `access_as_user` are scopes that every client of the API holds. If nothing else is
    /// asked for, each user of each client is an administrator as far as the gateway can see.
    ///
    /// What to do: let administrative routes ask for a role or a scope of their own, and state it as an operation of the API.
    ///
    /// Known false positives: APIs with a single scope. An API whose policy defines one scope and no roles, or names the scope
    /// for this very route, is not judged. That a route is administrative is guessed from a segment of its path such as `admin`.
    "implicit-oversight", Authorization, "L/-", Overreach, Heuristic,
    references: ["RFC 9700 section 2.3", "OWASP API5:2023", "CWE-1220"],
    needs: [Claims, Policy],
    judge: Timed(quiet, check),
}

/// Scopes that say nothing about what may be done.
const BROAD: [&str; 2] = ["user_impersonation", "access_as_user"];
/// Segments of paths that only administrators should reach.
const ADMINISTRATIVE: [&str; 8] =
    ["admin", "admins", "administration", "administrator", "manage", "management", "superuser", "sysadmin"];

/// Most tokens grant something more.
fn quiet(pairing: &Pairing<'_>) -> Quiet {
    Quiet::always_if(pairing.token.claims().and_then(only_broad).is_none())
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(claims) = facts.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(scope) = only_broad(claims) else { return Check::Quiet };
    let Some(path) = facts.record.path else { return Check::NotEvaluable(Reason::NO_PATH) };
    let segment =
        path.split('/').find(|segment| ADMINISTRATIVE.iter().any(|name| segment.eq_ignore_ascii_case(name)));
    let Some(segment) = segment else { return Check::Quiet };
    match facts.api {
        None => Check::NotEvaluable(Reason::NO_API),
        Some(api) if suffices(api, scope) => Check::Quiet,
        Some(_) => Check::fires(
            Evidence::new(
                "An administrative route accepted a token that allows no more than to call the API at all.",
            )
            .expected("a role, or a scope of its own")
            .actual(scope)
            .fact("segment", segment),
        ),
    }
}

/// The scope of a user's token that has no other permission.
fn only_broad<'c>(claims: &'c Claims<'_>) -> Option<&'c str> {
    let scopes = claims.scp.as_deref().filter(|_| claims.kind == Kind::Delegated)?;
    let first = scopes.first()?;
    let broad = scopes.iter().all(|scope| BROAD.contains(scope));
    let roles = claims.roles.as_deref().unwrap_or_default();
    (broad && roles.is_empty()).then_some(*first)
}

/// True if the policy says that the scope is enough here.
fn suffices(api: &ApiSettings, scope: &str) -> bool {
    let names = |scopes: &Vec<String>| scopes.iter().any(|named| named == scope);
    let single = |scopes: &Vec<String>| scopes.len() == 1 && names(scopes);
    let no_roles = api.defined_roles.as_ref().is_none_or(Vec::is_empty);
    api.scopes.as_ref().is_some_and(names) || (no_roles && api.defined_scopes.as_ref().is_some_and(single))
}
