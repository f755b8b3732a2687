//! Family: tenant.
