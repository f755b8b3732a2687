//! Family: audience.
