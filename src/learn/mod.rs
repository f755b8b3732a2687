//! Learning a policy from logs: what is behind the gateways, and which tokens it takes (`policy init`).
//!
//! ```text
//! requests with verdicts -> a rule that never speaks -> places -> a draft -> TOML
//! ```
//!
//! Values are learned from tokens with a valid signature alone. One is live in the draft if its requests were accepted and it
//! was seen with five identities or on two days, and if a policy can hold it; everything else stands in lines for review. Whatever a log may hold, what
//! is kept is bounded, and the draft does not depend on how the log was cut.

mod bounded;
mod draft;
mod observe;
mod permissions;
mod seen;
mod text;

pub use draft::{Api, Draft, Lists, Open, Values, draft};
pub use observe::{Group, Learned, Left, Place, rule};
pub use permissions::{Held, Needed};
pub use seen::Seen;
pub use text::{entry, is_live_tenant, open, policy, quoted};
