//! Family: authorization.
