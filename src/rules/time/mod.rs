//! Family: time.
