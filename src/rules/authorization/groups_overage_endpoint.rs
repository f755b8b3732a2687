//! `groups-overage-endpoint`

use crate::codec::json::Value;
use crate::entra;
use crate::facts::{Context, TokenFacts};
use crate::rules::kit::{Check, Evidence, Reason, rule};

rule! {
    /// The token sends the API elsewhere than to Microsoft Graph for the user's groups.
    ///
    /// Why it matters: an API that follows the address sends its own token there, and believes the groups that come back.
    ///
    /// What to do: let the API ask Microsoft Graph at an address of its own, never at the token's; look at who can sign tokens
    /// of this API.
    ///
    /// Known false positives: none. Entra names Microsoft Graph or its predecessor.
    "groups-overage-endpoint", Authorization, "H/M", Overreach, Strong,
    references: [
        "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference", "OWASP API7:2023", "CWE-918",
        "ATT&CK T1606",
    ],
    needs: [Claims],
    judge: Token(check),
}

/// Hosts of Microsoft Graph and of Azure AD Graph in every cloud.
const GRAPH_HOSTS: [&str; 9] = [
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
    "graph.microsoft.de",
    "graph.windows.net",
    "graph.microsoftazure.us",
    "graph.chinacloudapi.cn",
    "graph.cloudapi.de",
];

fn check(token: &TokenFacts, _: Context<'_>) -> Check {
    let Some(claims) = token.claims() else { return Check::NotEvaluable(Reason::NO_CLAIMS) };
    let Some(Value::Object(sources)) = claims.member("_claim_sources") else { return Check::Quiet };
    let endpoints = sources.members().iter().filter_map(|(_, source)| match source {
        Value::Object(source) => source.last("endpoint"),
        _ => None,
    });
    for endpoint in endpoints {
        let text = endpoint.as_text().unwrap_or_default();
        if !is_graph(text) {
            return Check::fires(
                Evidence::new(
                    "The token sends the API elsewhere than to Microsoft Graph for the user's groups.",
                )
                .expected("https://graph.microsoft.com or https://graph.windows.net")
                .actual(text),
            );
        }
    }
    Check::Quiet
}

fn is_graph(endpoint: &str) -> bool {
    let secure = endpoint.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let host = entra::url_host(endpoint);
    // Libraries disagree about what follows a backslash.
    secure
        && !endpoint.contains('\\')
        && host.is_some_and(|host| GRAPH_HOSTS.iter().any(|known| known.eq_ignore_ascii_case(host)))
}
