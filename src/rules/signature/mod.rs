//! Family: signature.
