//! What an archive covers: stretches of time about which it has no opinion, and the endpoints that an issuer's keys come from
//! (`keys check`).

use super::Authority;
use super::history::KeyHistory;
use super::history::wide;
use crate::entra;
use crate::entra::{EntraIssuer, IssuerKind};
use crate::limits;
use crate::time::{DAY, UtcMicros};

/// A stretch of time, both ends included.
pub type Stretch = (UtcMicros, UtcMicros);

impl KeyHistory {
    /// The stretches of a period in which no complete capture of an authority lies within seven days, so that a token issued
    /// then is `not-covered` if its key is not known.
    pub fn uncovered(&self, authority: &Authority, (since, until): Stretch) -> Vec<Stretch> {
        let reach = limits::COVERAGE_DAYS * DAY;
        let sources = authority.sources.iter().filter_map(|id| self.sources.get(wide(id.0)));
        let captures = sources.flat_map(|source| &source.captures).filter(|capture| capture.complete);
        let mut covered: Vec<Stretch> =
            captures.map(|capture| (capture.time.end.plus(-reach), capture.time.start.plus(reach))).collect();
        covered.sort_unstable();
        let mut stretches = Vec::new();
        let mut from = since;
        for (first, last) in covered {
            if first > from && from <= until {
                stretches.push((from, first.min(until)));
            }
            from = from.max(last);
        }
        if from < until {
            stretches.push((from, until));
        }
        stretches
    }
}

/// The key documents that serve an issuer, as URLs to capture; `{policy}` and the like stand for what an `iss` does not tell.
/// Nothing for a text that is no URL.
pub fn sources_of(iss: &str) -> Vec<String> {
    if let Some(issuer) = entra::parse_issuer(iss) {
        return if entra::is_guid(issuer.tenant) { entra_sources(iss, &issuer) } else { Vec::new() };
    }
    if entra::url_host(iss).is_none() {
        return Vec::new();
    }
    vec![format!("{}/.well-known/openid-configuration (its jwks_uri)", iss.trim_end_matches('/'))]
}

fn entra_sources(iss: &str, issuer: &EntraIssuer<'_>) -> Vec<String> {
    let tenant = issuer.tenant.to_ascii_lowercase();
    let host = entra::url_host(iss).unwrap_or_default();
    match issuer.kind {
        IssuerKind::Workforce => {
            let version = if issuer.version == 2 { "v2.0/" } else { "" };
            let hosts = issuer.clouds.iter().filter_map(|cloud| cloud.v2_host());
            hosts
                .flat_map(|host| [tenant.as_str(), "common"].map(|tenant| format!("https://{host}/{tenant}")))
                .map(|base| format!("{base}/discovery/{version}keys"))
                .collect()
        }
        IssuerKind::B2c => vec![format!("https://{host}/{tenant}/{{policy}}/discovery/v2.0/keys")],
        // The tenant's other host, login.microsoftonline.com, has keys of its own for an issuer of its own.
        IssuerKind::Ciam => vec![format!("https://{host}/{tenant}/discovery/v2.0/keys")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::{TestKey, history};

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    fn at(day: i64) -> UtcMicros {
        UtcMicros(day * DAY)
    }

    #[test]
    fn stretches_lie_further_than_a_week_from_any_capture() {
        let keys = || Some(vec![TestKey::RsaA.jwk("a")]);
        let history = history(&[
            ("common", 10, keys()),
            ("common", 12, keys()),
            ("common", 25, None),
            ("common/v2.0", 40, keys()),
        ]);
        let authority = history.authority(&format!("https://sts.windows.net/{TENANT}/")).unwrap();
        let uncovered = |since, until| {
            let stretches = history.uncovered(&authority, (at(since), at(until)));
            stretches.iter().map(|(from, to)| (from.0 / DAY, to.0 / DAY)).collect::<Vec<_>>()
        };
        // A failed fetch covers nothing.
        assert_eq!(uncovered(0, 60), [(0, 3), (19, 33), (47, 60)]);
        assert_eq!(uncovered(5, 15), []);
        assert_eq!(uncovered(20, 22), [(20, 22)]);
        assert_eq!(uncovered(100, 101), [(100, 101)]);
    }

    #[test]
    fn an_issuer_tells_where_its_keys_are() {
        let v2 = sources_of(&format!("https://login.microsoftonline.us/{TENANT}/v2.0"));
        let host = "https://login.microsoftonline.us";
        let expected = [TENANT, "common"].map(|tenant| format!("{host}/{tenant}/discovery/v2.0/keys"));
        assert_eq!(v2, expected);
        let v1 = sources_of(&format!("https://sts.windows.net/{TENANT}/"));
        assert!(v1.contains(&format!("https://login.microsoftonline.com/{TENANT}/discovery/keys")), "{v1:?}");
        let b2c = sources_of(&format!("https://contoso.b2clogin.com/{TENANT}/v2.0/"));
        assert_eq!(b2c, [format!("https://contoso.b2clogin.com/{TENANT}/{{policy}}/discovery/v2.0/keys")]);
        let other = sources_of("https://idp.partner.example/");
        assert_eq!(other, ["https://idp.partner.example/.well-known/openid-configuration (its jwks_uri)"]);
        assert!(sources_of("contoso").is_empty());
        assert!(sources_of("https://login.microsoftonline.com/common/v2.0").is_empty());
        // Every suggestion but the templates is a source that serves the issuer.
        for iss in [
            format!("https://sts.windows.net/{TENANT}/"),
            format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
            format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"),
        ] {
            assert!(!sources_of(&iss).is_empty(), "{iss}");
            for url in sources_of(&iss) {
                let history = history(&[(&url, 1, Some(vec![TestKey::RsaA.jwk("a")]))]);
                assert!(history.authority(&iss).is_some(), "{url}");
            }
        }
    }
}
