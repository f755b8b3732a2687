//! `ip-claim-mismatch`

use crate::facts::Facts;
use crate::policy::Network;
use crate::rules::kit::{Check, Evidence, Reason, rule};
use crate::token::{Claims, ClientAuth};
use std::net::IpAddr;

rule! {
    /// The request came from elsewhere than the sign-in.
    ///
    /// Why it matters: `ipaddr` is where the user signed in. A token that is used from another network may have been taken along
    /// by somebody else.
    ///
    /// What to do: look for other signs (another user agent, `token-many-ip`) before you act; name your own networks under
    /// `[networks]`.
    ///
    /// Known false positives: many, above all roaming. Addresses of one /24 or /56, of one named network, and an IPv4 with an
    /// IPv6 address count as one place. A private address is a proxy's and is not evaluable. Tokens of clients with a credential
    /// are not judged: they are used by servers, on behalf of users who signed in elsewhere.
    "ip-claim-mismatch", Behaviour, "L/I", Leak, Heuristic,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "CWE-294", "ATT&CK T1550.001",
    ],
    needs: [Claims],
    judge: Use(check),
}

fn is_server(claims: &Claims<'_>) -> bool {
    matches!(claims.client_auth, Some(ClientAuth::Secret | ClientAuth::Certificate))
}

fn check(facts: &Facts<'_>) -> Check {
    let Some(claims) = facts.token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(claimed) = claims.ipaddr else { return Check::NotEvaluable(Reason::CLAIM_ABSENT) };
    if is_server(claims) {
        return Check::Quiet;
    }
    let Some(shown) = facts.record.client_ip else { return Check::NotEvaluable(Reason::NO_CLIENT_ADDRESS) };
    if claimed == shown {
        return Check::Quiet;
    }
    let Some(from) = public(shown) else { return Check::NotEvaluable(Reason::NO_CLIENT_ADDRESS) };
    let Some(signed_in) = public(claimed) else { return Check::NotEvaluable(Reason::CLAIM_ABSENT) };
    if is_one_place(facts, from, signed_in) {
        return Check::Quiet;
    }
    Check::fires(
        Evidence::new("The request came from elsewhere than the sign-in.")
            .expected(signed_in.to_string())
            .actual(from.to_string()),
    )
}

/// An address that tells who sent a request; one of a private range is that of some proxy.
fn public(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().ok()?.to_canonical();
    let inside = match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let carrier = first == 100 && (64..128).contains(&second);
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || carrier
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
    };
    (!inside).then_some(address)
}

fn is_one_place(facts: &Facts<'_>, a: IpAddr, b: IpAddr) -> bool {
    let prefix = match (a, b) {
        (IpAddr::V4(_), IpAddr::V4(_)) => 24,
        (IpAddr::V6(_), IpAddr::V6(_)) => 56,
        // One machine has both.
        _ => return true,
    };
    let named = |address| facts.context.policy.and_then(|policy| policy.network_of(address));
    Network::around(a, prefix).is_some_and(|network| network.contains(b))
        || named(a).is_some_and(|network| named(b) == Some(network))
}
