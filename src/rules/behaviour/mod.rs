//! Family: behaviour.
