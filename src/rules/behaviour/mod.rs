//! Family G: behaviour across records.
