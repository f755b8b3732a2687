//! Family D: issuer and tenant.

pub(super) mod b2c_issuer;
pub(super) mod ciam_issuer;
pub(super) mod cloud_mismatch;
pub(super) mod cross_tenant_data;
pub(super) mod data_tenant_unresolved;
pub(super) mod guest_user;
pub(super) mod idp_unexpected;
pub(super) mod iss_malformed;
pub(super) mod iss_missing;
pub(super) mod iss_tid_mismatch;
pub(super) mod iss_unknown;
pub(super) mod iss_version_mismatch;
pub(super) mod personal_account;
pub(super) mod tenant_not_allowed;
pub(super) mod tid_missing;
pub(super) mod tid_not_guid;

use super::kit::{Check, Evidence, Reason};
use crate::codec;
use crate::entra::{self, EntraIssuer, IssuerKind};
use crate::facts::Pairing;
use crate::policy::IssuerKindName;
use crate::token::{Claims, Kind, Version};

/// Tenant segments that stand for many tenants.
const ALIASES: [&str; 3] = ["common", "organizations", "consumers"];

/// Who signed the user in, where the token tells.
enum Provider<'t> {
    /// The tenant that issued the token.
    Home,
    /// Somebody else: `idp` as written.
    Other(&'t str),
    /// The token does not tell.
    Untold,
}

/// Compares `idp` with `iss`. A v1 token without it, and one of an application, speaks of its own tenant; a v2 token
/// carries it only on demand, so that its absence proves nothing.
fn provider<'t>(claims: &Claims<'t>) -> Provider<'t> {
    let Some(idp) = claims.text("idp").filter(|idp| !codec::is_blank(idp)) else {
        let own = claims.version == Version::V1 || matches!(claims.kind, Kind::App { .. });
        return if own { Provider::Home } else { Provider::Untold };
    };
    let same_tenant = || {
        let (issuer, idp) = (claims.issuer?, entra::parse_issuer(idp)?);
        let one_cloud = issuer.clouds.iter().any(|cloud| idp.clouds.contains(cloud));
        (one_cloud && issuer.tenant.eq_ignore_ascii_case(idp.tenant)).then_some(())
    };
    if claims.iss == Some(idp) || same_tenant().is_some() { Provider::Home } else { Provider::Other(idp) }
}

/// Fires where the issuer is of a kind that the API is not for.
fn foreign_kind(
    pairing: &Pairing<'_>,
    (kind, name): (IssuerKind, IssuerKindName),
    evidence: impl FnOnce(EntraIssuer<'_>) -> Evidence,
) -> Check {
    let Some(claims) = pairing.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(iss) = claims.iss else { return Check::NotEvaluable(Reason::CLAIM_ABSENT) };
    let Some(issuer) = claims.issuer.filter(|issuer| issuer.kind == kind) else { return Check::Quiet };
    match pairing.api {
        None => Check::NotEvaluable(Reason::NO_API),
        Some(api) if api.issuer_kinds.contains(&name) => Check::Quiet,
        Some(_) => Check::fires(evidence(issuer).expected("an issuer of the API's issuer-kinds").actual(iss)),
    }
}
