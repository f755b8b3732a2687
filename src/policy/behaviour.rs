//! `[behaviour]`: the thresholds of rules that look across records, each with its default.

use super::error::Fault;
use super::error::PolicyError;
use super::located::Located;
use super::located::TextFile;
use super::values;
use crate::time::HOUR;

/// Makes [`Behaviour`], its defaults and its TOML table from one list, which is also the documentation.
macro_rules! thresholds {
    ($($(#[doc = $doc:literal])+ $name:ident : $kind:ident = $default:expr,)*) => {
        /// Thresholds of the behaviour rules (rules.md, family G) and of those that conclude over a run.
        ///
        /// A count is reached at its value; a duration is in microseconds; a share is in percent.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Behaviour {
            $($(#[doc = $doc])+ pub $name: thresholds!(@merged $kind),)*
        }

        impl Default for Behaviour {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// `[behaviour]`: thresholds of rules that look across records.
        #[derive(Clone, Debug, Default, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub(super) struct BehaviourTable {
            $($(#[doc = $doc])+ $name: Option<Located<thresholds!(@raw $kind)>>,)*
        }

        impl BehaviourTable {
            pub(super) fn merged(&self, file: &TextFile) -> Result<Behaviour, PolicyError> {
                let mut behaviour = Behaviour::default();
                $(if let Some(given) = &self.$name {
                    behaviour.$name = thresholds!(@read $kind, given, file);
                })*
                Ok(behaviour)
            }
        }
    };
    (@merged count) => { u64 };
    (@merged percent) => { u64 };
    (@merged duration) => { i64 };
    (@merged window) => { i64 };
    (@raw count) => { i64 };
    (@raw percent) => { i64 };
    (@raw duration) => { String };
    (@raw window) => { String };
    (@read count, $given:ident, $file:ident) => { whole($given, $file, i64::MAX, "a whole number from 1")? };
    (@read percent, $given:ident, $file:ident) => { whole($given, $file, 100, "a percentage from 1 to 100")? };
    (@read duration, $given:ident, $file:ident) => { values::duration($file, $given)? };
    (@read window, $given:ident, $file:ident) => { window($given, $file)? };
}

fn whole(
    given: &Located<i64>,
    file: &TextFile,
    most: i64,
    expected: &'static str,
) -> Result<u64, PolicyError> {
    match u64::try_from(given.value) {
        Ok(value) if value > 0 && given.value <= most => Ok(value),
        _ => Err(file.error(given.start, Fault::Value { text: given.value.to_string(), expected })),
    }
}

/// A time within which uses are looked at together. What is kept of them is exact from [`WINDOW_MIN`] on.
fn window(given: &Located<String>, file: &TextFile) -> Result<i64, PolicyError> {
    match values::duration(file, given)? {
        window if window >= WINDOW_MIN => Ok(window),
        _ => Err(file
            .error(given.start, Fault::Value { text: given.value.clone(), expected: "a duration from 5m" })),
    }
}

const MINUTE: i64 = HOUR / 60;
/// Least time within which uses can be looked at together.
const WINDOW_MIN: i64 = 5 * MINUTE;

thresholds! {
    /// `authz-probe`: distinct routes that refuse one token or client with 403.
    authz_probe_routes: count = 10,
    /// `authz-probe`: within this time.
    authz_probe_window: window = 10 * MINUTE,
    /// `clock-drift`: share of a gateway's distinct tokens with `iat` after their request, in percent; above it.
    clock_drift_percent: percent = 20,
    /// `expired-retry`: requests with one expired token.
    expired_retry_requests: count = 20,
    /// `forged-burst`: distinct forged tokens from one address prefix.
    forged_burst_tokens: count = 10,
    /// `forged-burst`: within this time.
    forged_burst_window: window = 10 * MINUTE,
    /// `identity-many-principals`: principals that one identity acts as.
    identity_many_principals: count = 2,
    /// `kid-unknown` as an archive hole: identities that use the key.
    kid_unknown_hole_identities: count = 5,
    /// `kid-unknown` as an archive hole: time over which they use it.
    kid_unknown_hole_span: duration = HOUR,
    /// `late-first-use`: time between `iat` and the first sighting.
    late_first_use_after: duration = 50 * MINUTE,
    /// `mutable-id-collision`: identities behind one mutable identifier.
    mutable_id_collision_identities: count = 2,
    /// `principal-fanout`: principals that one token is used with.
    principal_fanout_principals: count = 2,
    /// `principal-unbound` as a mapping hole: share of an API's requests, in percent.
    principal_unbound_hole_percent: percent = 90,
    /// `session-many-ip`: address prefixes of one session in parallel.
    session_many_ip_prefixes: count = 3,
    /// `session-many-ip`: within this time.
    session_many_ip_window: window = 5 * MINUTE,
    /// `kid-spray`, `aud-spray`, `tenant-spray`: distinct values from one address prefix.
    spray_values: count = 5,
    /// `kid-spray`, `aud-spray`, `tenant-spray`: within this time.
    spray_window: window = 10 * MINUTE,
    /// `token-cleartext`: share of one source from which it is one notice a run, in percent.
    token_cleartext_notice_percent: percent = 95,
    /// `token-many-host`: APIs whose hosts one token is sent to.
    token_many_host_apis: count = 2,
    /// `token-many-ip`: address prefixes that one app-only token is accepted from: server farms share one.
    token_many_ip_app_prefixes: count = 10,
    /// `token-many-ip`: address prefixes that one token is accepted from.
    token_many_ip_prefixes: count = 3,
    /// `token-many-ip`: two prefixes with different user agents are enough within this time.
    token_many_ip_overlap: window = 5 * MINUTE,
    /// `token-many-ua`: user agent families of one token.
    token_many_ua_families: count = 2,
    /// `use-after-denied`: quiet within this time, where the first cause was an unknown key.
    use_after_denied_quiet: duration = 10 * MINUTE,
    /// `use-after-revocation`: time after a revocation in which a use is expected.
    use_after_revocation_grace: duration = 15 * MINUTE,
}
