//! Family F: authorization data.

pub(super) mod acr_low;
pub(super) mod app_only_on_delegated;
pub(super) mod app_only_public;
pub(super) mod auth_context_missing;
pub(super) mod client_is_subject_unproven;
pub(super) mod client_missing;
pub(super) mod client_not_allowed;
pub(super) mod client_public;
pub(super) mod client_secret_weak;
pub(super) mod client_version;
pub(super) mod cnf_ignored;
pub(super) mod delegated_on_app_only;
pub(super) mod email_authz;
pub(super) mod email_unverified;
pub(super) mod group_missing;
pub(super) mod groups_overage;
pub(super) mod groups_overage_endpoint;
pub(super) mod implicit_oversight;
pub(super) mod kind_conflict;
pub(super) mod mfa_missing;
pub(super) mod mfa_unknown;
pub(super) mod mutable_id_collision;
pub(super) mod no_permission;
pub(super) mod oid_without_tid;
pub(super) mod principal_mismatch;
pub(super) mod principal_unbound;
pub(super) mod role_missing;
pub(super) mod scope_missing;
pub(super) mod scope_undefined;
pub(super) mod subject_missing;
pub(super) mod wids_privileged;

use super::claim;
use super::kit::{Check, Confidence, Evidence, Reason};
use crate::codec::json::Value;
use crate::facts::Pairing;
use crate::policy::ApiSettings;
use crate::token::{Claims, ClientAuth, Kind};

/// Words of `amr` for a second factor (Entra's access token claims).
const MULTI_FACTOR: [&str; 3] = ["mfa", "ngcmfa", "wiaormfa"];
/// How federated identity providers say it.
const FEDERATED_MULTI_FACTOR: &str = "http://schemas.microsoft.com/claims/multipleauthn";

/// The claims of a token and what the policy says of the API; else what to say in place of them.
fn at_api<'p>(pairing: &'p Pairing<'_>) -> Result<(&'p Claims<'p>, &'p ApiSettings), Check> {
    let Some(claims) = pairing.token.claims() else { return Err(Check::NotEvaluable(Reason::NO_CLAIMS)) };
    let Some(api) = pairing.api else { return Err(Check::NotEvaluable(Reason::NO_API)) };
    Ok((claims, api))
}

/// How sure a finding is that rests on the token's kind.
fn sure(claims: &Claims<'_>) -> Confidence {
    match claims.kind {
        Kind::App { certain: true } | Kind::Delegated => Confidence::Strong,
        Kind::App { certain: false } | Kind::Unknown => Confidence::Heuristic,
    }
}

/// True if one of the listed permissions is held.
fn holds_any(held: Option<&[&str]>, listed: &[String]) -> bool {
    held.unwrap_or_default().iter().any(|held| listed.iter().any(|listed| listed == held))
}

/// Fires where the client proved itself so, and the API asks for more.
fn client_below(pairing: &Pairing<'_>, shown: ClientAuth, evidence: impl FnOnce() -> Evidence) -> Check {
    let (claims, api) = match at_api(pairing) {
        Ok(both) => both,
        Err(check) => return check,
    };
    let level = |auth: ClientAuth| match auth {
        ClientAuth::Public => 0,
        ClientAuth::Secret => 1,
        ClientAuth::Certificate => 2,
    };
    if api.client_auth <= level(shown) {
        return Check::Quiet;
    }
    match claims.client_auth {
        None => Check::NotEvaluable(Reason::CLAIM_ABSENT),
        Some(auth) if auth == shown => {
            let asked =
                if api.client_auth == 1 { "a secret (1) or a certificate (2)" } else { "a certificate (2)" };
            Check::fires(evidence().expected(asked).actual(level(auth).to_string()))
        }
        Some(_) => Check::Quiet,
    }
}

/// True if the sign-in had a second factor.
fn shows_multi_factor(claims: &Claims<'_>) -> bool {
    claim::texts(claims, "amr")
        .any(|method| MULTI_FACTOR.contains(&method) || method == FEDERATED_MULTI_FACTOR)
}

/// The claim that stands in place of groups that are too many.
fn overage<'c>(claims: &'c Claims<'_>) -> Option<&'c str> {
    if claim::flag(claims, "hasgroups") == Some(true) {
        return Some("hasgroups");
    }
    if let Some(Value::Object(names)) = claims.member("_claim_names")
        && names.last("groups").is_some()
    {
        return Some("_claim_names");
    }
    let names = claims.object.members().iter().map(|(name, _)| *name);
    names.into_iter().find(|name| name.starts_with("groups:src"))
}
