//! Family F: authorization data.

pub(super) mod email_authz;
