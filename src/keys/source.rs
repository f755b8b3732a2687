//! What the name of a source tells: whose keys it serves (contract section 4, rules.md 4.2).

use crate::entra;
use crate::entra::Cloud;
use crate::entra::IssuerKind;

/// Whose keys a source serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// An endpoint of Entra for work, school and personal accounts.
    Entra(EntraSource),
    /// Any other source that starts with a host: serves the issuers that metadata of the same source name, else every
    /// issuer on that host.
    Host {
        /// Host, lower case, without port.
        host: String,
    },
    /// A label without a host, or the archive's own directory: serves every issuer.
    Label,
}

/// An Entra endpoint, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntraSource {
    /// Clouds of its host.
    pub clouds: &'static [Cloud],
    /// Whose keys.
    pub tenant: EntraTenant,
    /// 2 for a v2.0 endpoint, else 1.
    pub version: u8,
    /// Application whose custom keys are included, in lower case.
    pub appid: Option<String>,
}

/// The tenant segment of an Entra endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntraTenant {
    /// A tenant GUID in lower case.
    One(String),
    /// `common`, `organizations` or `consumers`.
    Shared,
}

impl SourceKind {
    /// Recognises a source by its name: the URL that was fetched, or a directory of the archive with `/` separators.
    pub fn of(source: &str) -> Self {
        let source = source.trim();
        let (has_scheme, rest) = match source.split_once("://") {
            Some((_, rest)) => (true, rest),
            None => (false, source),
        };
        let rest = rest.trim_start_matches('/');
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let query = query.split('#').next().unwrap_or_default();
        let first = path.split('/').next().unwrap_or_default();
        let host = host_of(first).filter(|host| has_scheme || is_plausible_host(host));
        let Some(host) = host else {
            return match entra_source(&[Cloud::Global], path.split('/'), query) {
                Some(entra) if !has_scheme => Self::Entra(entra),
                _ => Self::Label,
            };
        };
        if let Some(clouds) = entra::host_clouds(&host)
            && let Some(entra) = entra_source(clouds, path.split('/').skip(1), query)
        {
            return Self::Entra(entra);
        }
        Self::Host { host }
    }

    /// True if the source serves the issuer; `issuers` are those that metadata of the same source name.
    pub(super) fn serves(&self, issuer: &Issuer<'_>, issuers: &[String]) -> bool {
        match self {
            Self::Label => true,
            Self::Host { host } if issuers.is_empty() => issuer.host.as_deref() == Some(host),
            Self::Host { .. } => issuers.iter().any(|known| template_matches(known, issuer.text)),
            Self::Entra(source) => issuer.workforce.as_ref().is_some_and(|(clouds, tenant)| {
                clouds.iter().any(|cloud| source.clouds.contains(cloud))
                    && match &source.tenant {
                        EntraTenant::Shared => true,
                        EntraTenant::One(own) => own == tenant,
                    }
            }),
        }
    }
}

/// An `iss`, taken apart once for all sources.
pub(super) struct Issuer<'i> {
    text: &'i str,
    host: Option<String>,
    /// Clouds and lower-cased tenant of a workforce issuer.
    workforce: Option<(&'static [Cloud], String)>,
}

impl<'i> Issuer<'i> {
    pub(super) fn of(text: &'i str) -> Self {
        let workforce = entra::parse_issuer(text)
            .filter(|issuer| issuer.kind == IssuerKind::Workforce && !issuer.tenant.is_empty())
            .map(|issuer| (issuer.clouds, issuer.tenant.to_ascii_lowercase()));
        Self { text, host: entra::url_host(text).map(str::to_ascii_lowercase), workforce }
    }
}

/// True if an issuer is the known one, or fits its `{tenantid}` template (any letter case) with one segment.
fn template_matches(known: &str, issuer: &str) -> bool {
    const HOLE: &str = "{tenantid}";
    if known == issuer {
        return true;
    }
    // ASCII lower-casing keeps every offset.
    let Some(at) = known.to_ascii_lowercase().find(HOLE) else { return false };
    let (Some(before), Some(after)) = (known.get(..at), known.get(at + HOLE.len()..)) else { return false };
    let tenant = issuer.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    tenant.is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
}

fn host_of(segment: &str) -> Option<String> {
    let host = segment.rsplit('@').next()?.split(':').next()?;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// A host name with at least one dot whose last label could be a top-level domain, or an IPv4 address: `idp.example.com`
/// is one, `contoso`, `v2.0` and `2026.11` are labels.
fn is_plausible_host(host: &str) -> bool {
    let label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            && bytes.first() != Some(&b'-')
            && bytes.last() != Some(&b'-')
    };
    let domain = |last: &str| last.starts_with("xn--") || last.bytes().all(|byte| byte.is_ascii_alphabetic());
    host.parse::<std::net::Ipv4Addr>().is_ok()
        || host.rsplit_once('.').is_some_and(|(rest, last)| {
            last.len() >= 2 && domain(last) && label(last) && rest.split('.').all(label)
        })
}

/// The segments after the host: a tenant, then only what Entra's key and metadata endpoints have.
fn entra_source<'s>(
    clouds: &'static [Cloud],
    mut segments: impl Iterator<Item = &'s str>,
    query: &str,
) -> Option<EntraSource> {
    let tenant = match segments.next()?.to_ascii_lowercase() {
        alias if ["common", "organizations", "consumers"].contains(&alias.as_str()) => EntraTenant::Shared,
        guid if entra::is_guid(&guid) => EntraTenant::One(guid),
        _ => return None,
    };
    let mut source = EntraSource { clouds, tenant, version: 1, appid: None };
    for segment in segments {
        match segment.to_ascii_lowercase().as_str() {
            "" | "discovery" | "keys" | ".well-known" | "openid-configuration" => {}
            "v2.0" => source.version = 2,
            other => source.appid = Some(appid(other)?),
        }
    }
    for parameter in query.split('&').map(str::to_ascii_lowercase) {
        if parameter.starts_with("appid=") {
            source.appid = Some(appid(&parameter)?);
        }
    }
    Some(source)
}

fn appid(text: &str) -> Option<String> {
    text.strip_prefix("appid=").filter(|id| entra::is_guid(id)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const OTHER: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
    const APP: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

    fn serves(source: &str, iss: &str) -> bool {
        SourceKind::of(source).serves(&Issuer::of(iss), &[])
    }

    #[test]
    fn entra_sources_are_recognised_in_every_spelling() {
        let version = |source: &str| match SourceKind::of(source) {
            SourceKind::Entra(source) => Some(source.version),
            _ => None,
        };
        for host in
            ["", "login.microsoftonline.com/", "https://login.microsoftonline.com/", "LOGIN.windows.net/"]
        {
            for tenant in [TENANT, "common", "Organizations", "consumers"] {
                assert_eq!(version(&format!("{host}{tenant}")), Some(1), "{host}{tenant}");
                assert_eq!(version(&format!("{host}{tenant}/discovery/keys")), Some(1));
                assert_eq!(version(&format!("{host}{tenant}/v2.0")), Some(2));
                assert_eq!(version(&format!("{host}{tenant}/discovery/v2.0/keys")), Some(2));
                for appid in [format!("/appid={APP}"), format!("?appid={APP}")] {
                    let SourceKind::Entra(source) = SourceKind::of(&format!("{host}{tenant}/v2.0{appid}"))
                    else {
                        panic!()
                    };
                    assert_eq!(source.appid.as_deref(), Some(APP));
                }
            }
        }
        for no in [
            "login.microsoftonline.com/contoso",
            "common/2026",
            "commonplace",
            "https://idp.example.com/common",
        ] {
            assert_eq!(version(no), None, "{no}");
        }
    }

    #[test]
    fn labels_and_hosts_are_told_apart() {
        for label in ["", "contoso", "v2.0", "2026.11", "keys/idp.example.com", "-a.example.com"] {
            assert_eq!(SourceKind::of(label), SourceKind::Label, "{label}");
        }
        for host in ["idp.example.com/keys", "https://idp.example.com:8443/x?y=1", "IDP.example.com"] {
            assert_eq!(SourceKind::of(host), SourceKind::Host { host: "idp.example.com".into() }, "{host}");
        }
        assert_eq!(SourceKind::of("http://localhost/keys"), SourceKind::Host { host: "localhost".into() });
    }

    #[test]
    fn a_tenant_is_served_by_its_own_and_by_the_shared_sources_of_its_cloud() {
        let v1 = format!("https://sts.windows.net/{TENANT}/");
        let v2 = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
        for iss in [&v1, &v2] {
            assert!(
                serves("common", iss)
                    && serves("https://login.windows.net/consumers/discovery/v2.0/keys", iss)
            );
            assert!(
                serves(TENANT, iss) && serves(&format!("{}/v2.0?appid={APP}", TENANT.to_uppercase()), iss)
            );
            assert!(serves("contoso", iss) && serves("", iss));
            assert!(!serves(OTHER, iss) && !serves("idp.example.com", iss));
            assert!(!serves("login.partner.microsoftonline.cn/common", iss));
        }
        assert!(
            serves("login.microsoftonline.us/common", &v1) && !serves("login.microsoftonline.us/common", &v2)
        );
        assert!(serves("sts.windows.net/common", &format!("https://login.microsoftonline.us/{TENANT}/v2.0")));
        assert!(serves(
            "https://login.partner.microsoftonline.cn/common",
            &format!("https://sts.chinacloudapi.cn/{TENANT}/")
        ));
    }

    #[test]
    fn other_hosts_serve_their_own_issuers() {
        let b2c = format!("https://contoso.b2clogin.com/{TENANT}/v2.0/");
        assert!(serves("contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_sign/discovery/v2.0/keys", &b2c));
        assert!(!serves("fabrikam.b2clogin.com/x", &b2c) && !serves("common", &b2c) && !serves(TENANT, &b2c));
        let source = SourceKind::of("idp.example.com/keys");
        let named = ["https://issuer.example.org/".to_owned()];
        assert!(source.serves(&Issuer::of("https://issuer.example.org/"), &named));
        assert!(!source.serves(&Issuer::of("https://idp.example.com/"), &named));
        let template = ["https://login.example.org/{TenantId}/v2.0".to_owned()];
        assert!(source.serves(&Issuer::of("https://login.example.org/a/v2.0"), &template));
        assert!(!source.serves(&Issuer::of("https://login.example.org/a/b/v2.0"), &template));
        assert!(!serves("idp.example.com", "no url") && serves("contoso", "no url"));
    }
}
