//! Family: form.
