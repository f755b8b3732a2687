//! Family D: issuer and tenant.

pub(super) mod cross_tenant_data;
pub(super) mod iss_tid_mismatch;
pub(super) mod iss_unknown;
pub(super) mod tenant_not_allowed;
