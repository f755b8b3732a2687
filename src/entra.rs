//! What is fixed about Microsoft Entra: clouds, hosts, issuer forms, tenant and resource ids.
//!
//! Floor 0, because keys (which source serves which issuer) and tokens (which tenant an issuer names) both stand on it.
//! Source of the forms: Microsoft's issuer and national-cloud pages, and the issuer tests of Microsoft.IdentityModel.

use std::borrow::Cow;

/// Tenant of personal Microsoft accounts.
pub const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// A separate deployment of Entra with hosts and keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cloud {
    /// 21Vianet, China.
    China,
    /// Microsoft Cloud Germany, closed in 2021; old logs still hold its tokens.
    Germany,
    /// The worldwide cloud.
    Global,
    /// Azure for US government.
    UsGovernment,
}

impl Cloud {
    /// Name as it is written in a policy's `clouds`.
    pub fn name(self) -> &'static str {
        match self {
            Self::China => "china",
            Self::Germany => "germany",
            Self::Global => "global",
            Self::UsGovernment => "us-government",
        }
    }

    /// The `cloud_instance_name` of its metadata and keys.
    pub fn instance_name(self) -> &'static str {
        match self {
            Self::China => "partner.microsoftonline.cn",
            Self::Germany => "microsoftonline.de",
            Self::Global => "microsoftonline.com",
            Self::UsGovernment => "microsoftonline.us",
        }
    }

    /// Host of the v1 issuer.
    pub fn v1_host(self) -> &'static str {
        match self {
            Self::China => "sts.chinacloudapi.cn",
            Self::Germany => "sts.microsoftonline.de",
            Self::Global | Self::UsGovernment => "sts.windows.net",
        }
    }

    /// Host of the v2 issuer, where the cloud has one.
    pub fn v2_host(self) -> Option<&'static str> {
        match self {
            Self::China => Some("login.partner.microsoftonline.cn"),
            Self::Germany => None,
            Self::Global => Some("login.microsoftonline.com"),
            Self::UsGovernment => Some("login.microsoftonline.us"),
        }
    }
}

/// Which family of issuers an `iss` belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IssuerKind {
    /// Work or school tenants, v1 or v2.
    Workforce,
    /// Azure AD B2C.
    B2c,
    /// Entra External ID.
    Ciam,
}

impl IssuerKind {
    /// Name as it is written in a policy's `issuer-kinds`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Workforce => "workforce",
            Self::B2c => "b2c",
            Self::Ciam => "ciam",
        }
    }
}

/// An `iss` on one of Entra's hosts, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntraIssuer<'a> {
    /// Family of the issuer.
    pub kind: IssuerKind,
    /// Clouds that it can belong to; the v1 issuer of US government equals the global one.
    pub clouds: &'static [Cloud],
    /// Token version that the form belongs to: 1 or 2.
    pub version: u8,
    /// The tenant segment as written; a GUID where the form is right, lower-cased by the caller.
    pub tenant: &'a str,
    /// True if the text is exactly one of the documented forms.
    pub exact: bool,
}

/// Hosts of v1 issuers with their clouds.
const V1_HOSTS: &[(&str, &[Cloud])] = &[
    ("sts.windows.net", &[Cloud::Global, Cloud::UsGovernment]),
    ("sts.chinacloudapi.cn", &[Cloud::China]),
    ("sts.microsoftonline.de", &[Cloud::Germany]),
];

/// Hosts that serve keys or issue v2 tokens, with their clouds.
const V2_HOSTS: &[(&str, &[Cloud])] = &[
    ("login.microsoftonline.com", &[Cloud::Global]),
    ("login.windows.net", &[Cloud::Global]),
    ("login.microsoftonline.us", &[Cloud::UsGovernment]),
    ("login.partner.microsoftonline.cn", &[Cloud::China]),
    ("login.microsoftonline.de", &[Cloud::Germany]),
];

/// Ends of hosts that Azure gives to what its customers run, with their clouds (Microsoft's pages on endpoints of Azure
/// Government and of Azure in China).
const HOSTING: &[(&str, Cloud)] = &[
    (".azurewebsites.net", Cloud::Global),
    (".azure-api.net", Cloud::Global),
    (".azurefd.net", Cloud::Global),
    (".azurecontainerapps.io", Cloud::Global),
    (".cloudapp.azure.com", Cloud::Global),
    (".azurewebsites.us", Cloud::UsGovernment),
    (".azure-api.us", Cloud::UsGovernment),
    (".azurefd.us", Cloud::UsGovernment),
    (".usgovcloudapi.net", Cloud::UsGovernment),
    (".chinacloudsites.cn", Cloud::China),
    (".azure-api.cn", Cloud::China),
    (".chinacloudapi.cn", Cloud::China),
    (".azurewebsites.de", Cloud::Germany),
    (".cloudapi.de", Cloud::Germany),
];

/// The cloud that serves a host, with or without port, where its name tells it.
pub fn hosting_cloud(host: &str) -> Option<Cloud> {
    let host = host.get(..memchr::memchr(b':', host.as_bytes()).unwrap_or(host.len()))?;
    // This is asked at every use, and many hosts end in other letters.
    let letters = host.as_bytes().last_chunk::<3>()?.map(|letter| letter.to_ascii_lowercase());
    if !matches!(&letters, b"net" | b".io" | b"com" | b".us" | b".cn" | b".de") {
        return None;
    }
    let mut ends = HOSTING.iter().filter(|(end, _)| end.as_bytes().ends_with(&letters));
    ends.find(|(end, _)| ends_with(host, end)).map(|(_, cloud)| *cloud)
}

/// Clouds that a key-serving or issuing host belongs to; `None` for a host that is not Entra's own (B2C and External
/// ID hosts carry the customer's name and are not in this table).
pub fn host_clouds(host: &str) -> Option<&'static [Cloud]> {
    V1_HOSTS
        .iter()
        .chain(V2_HOSTS)
        .find(|(name, _)| name.eq_ignore_ascii_case(host))
        .map(|(_, clouds)| *clouds)
}

/// True if the host belongs to the Entra table: its own hosts, B2C and External ID ones.
pub fn is_entra_host(host: &str) -> bool {
    host_clouds(host).is_some() || ends_with(host, ".b2clogin.com") || ends_with(host, ".ciamlogin.com")
}

/// Host of an issuer URL: the text between `https://` and the next `/`, `?`, `#` or end, without user info and port.
pub fn url_host(url: &str) -> Option<&str> {
    let rest = behind_scheme(url)?;
    let end = memchr::memchr3(b'/', b'?', b'#', rest.as_bytes()).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let host = authority.get(memchr::memrchr(b'@', authority.as_bytes()).map_or(0, |at| at + 1)..)?;
    let host = host.get(..memchr::memchr(b':', host.as_bytes()).unwrap_or(host.len()))?;
    (!host.is_empty()).then_some(host)
}

/// What follows `https://` or `http://`, in any letter case.
fn behind_scheme(url: &str) -> Option<&str> {
    ["https://", "http://"].into_iter().find_map(|scheme| {
        let (head, rest) = url.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Takes an `iss` apart if its host is one of Entra's; `None` for every other issuer.
///
/// The tenant is found in near-miss spellings too (`exact` is false then), so that a forged issuer can be named.
pub fn parse_issuer(iss: &str) -> Option<EntraIssuer<'_>> {
    let host = url_host(iss)?;
    let rest = behind_scheme(iss)?;
    let path = memchr::memchr(b'/', rest.as_bytes()).and_then(|at| rest.get(at + 1..)).unwrap_or_default();
    let path = path.get(..memchr::memchr2(b'?', b'#', path.as_bytes()).unwrap_or(path.len()))?;
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let first = segments.next().unwrap_or("");
    let listed = |hosts: &'static [(&str, &'static [Cloud])]| {
        hosts.iter().find(|(name, _)| name.eq_ignore_ascii_case(host)).map(|(name, clouds)| (*name, *clouds))
    };
    // One of the documented forms, letter for letter but for the GUID's.
    let exact = |name: &str, tail: &str| {
        let tenant = iss.strip_prefix("https://").and_then(|rest| rest.strip_prefix(name));
        is_guid(first) && tenant.and_then(|rest| rest.strip_prefix('/')?.strip_prefix(first)) == Some(tail)
    };
    let workforce = |clouds, version, exact| {
        Some(EntraIssuer { kind: IssuerKind::Workforce, clouds, version, tenant: first, exact })
    };
    if let Some((name, clouds)) = listed(V1_HOSTS) {
        return workforce(clouds, 1, exact(name, "/"));
    }
    if let Some((name, clouds)) = listed(V2_HOSTS) {
        let version = if path.trim_end_matches('/').ends_with("v2.0") { 2 } else { 1 };
        // Some of these hosts serve keys and issue nothing.
        let issues = clouds.iter().any(|cloud| cloud.v2_host() == Some(name));
        return workforce(clouds, version, issues && exact(name, "/v2.0"));
    }
    let clouds: &[Cloud] = &[Cloud::Global];
    let lower = !host.bytes().any(|byte| byte.is_ascii_uppercase());
    if ends_with(host, ".b2clogin.com") {
        let tenant = if first.eq_ignore_ascii_case("tfp") { segments.next().unwrap_or("") } else { first };
        let exact = lower && is_exact_b2c(iss, host, tenant);
        return Some(EntraIssuer { kind: IssuerKind::B2c, clouds, version: 2, tenant, exact });
    }
    if ends_with(host, ".ciamlogin.com") {
        let exact = lower && exact(host, "/v2.0");
        return Some(EntraIssuer { kind: IssuerKind::Ciam, clouds, version: 2, tenant: first, exact });
    }
    None
}

/// True for `https://{host}/{tenant}/v2.0/` and `https://{host}/tfp/{tenant}/{policy}/v2.0/`.
fn is_exact_b2c(iss: &str, host: &str, tenant: &str) -> bool {
    let path = iss.strip_prefix("https://").and_then(|rest| rest.strip_prefix(host)?.strip_prefix('/'));
    let Some(path) = path.filter(|_| is_guid(tenant)) else { return false };
    match path.strip_prefix("tfp/") {
        None => path.strip_prefix(tenant) == Some("/v2.0/"),
        Some(path) => {
            let policy =
                path.strip_prefix(tenant).and_then(|rest| rest.strip_prefix('/')?.strip_suffix("/v2.0/"));
            policy.is_some_and(|policy| !policy.is_empty() && !policy.contains(['/', '?', '#']))
        }
    }
}

/// True for a host that ends so, in any letter case.
fn ends_with(host: &str, end: &str) -> bool {
    let start = host.len().checked_sub(end.len());
    start.and_then(|start| host.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// True for the 8-4-4-4-12 hexadecimal shape of a GUID, in any letter case and without braces.
pub fn is_guid(text: &str) -> bool {
    let Ok(bytes) = <&[u8; 36]>::try_from(text.as_bytes()) else { return false };
    // No early end, so that many bytes are looked at together.
    bytes.iter().zip(GUID_HYPHENS).fold(true, |so_far, (byte, hyphen)| {
        so_far & if hyphen { *byte == b'-' } else { byte.is_ascii_hexdigit() }
    })
}

/// Where a GUID has hyphens.
const GUID_HYPHENS: [bool; 36] = {
    let mut hyphens = [false; 36];
    (hyphens[8], hyphens[13], hyphens[18], hyphens[23]) = (true, true, true, true);
    hyphens
};

/// Lower-cases a GUID-shaped value and leaves everything else as it is.
pub fn normal_guid(text: &str) -> Cow<'_, str> {
    let upper = text.bytes().fold(false, |so_far, byte| so_far | byte.is_ascii_uppercase());
    if upper && is_guid(text) { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) }
}

/// A Microsoft resource that tokens are issued for, with every audience text that names it.
#[derive(Debug)]
pub struct FirstParty {
    /// Name for messages.
    pub name: &'static str,
    /// Application id and resource URIs, without a final slash.
    pub audiences: &'static [&'static str],
}

/// Microsoft Graph.
pub const GRAPH: FirstParty = FirstParty {
    name: "Microsoft Graph",
    audiences: &[
        "00000003-0000-0000-c000-000000000000",
        "https://graph.microsoft.com",
        "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
    ],
};

/// The other first-party resources that turn up in front of customers' APIs.
pub const FIRST_PARTIES: &[FirstParty] = &[
    FirstParty {
        name: "Azure AD Graph",
        audiences: &["00000002-0000-0000-c000-000000000000", "https://graph.windows.net"],
    },
    FirstParty {
        name: "Azure Resource Manager",
        audiences: &[
            "797f4846-ba00-4fd7-ba43-dac1f8f63013",
            "https://management.azure.com",
            "https://management.core.windows.net",
        ],
    },
    FirstParty {
        name: "Exchange Online",
        audiences: &[
            "00000002-0000-0ff1-ce00-000000000000",
            "https://outlook.office365.com",
            "https://outlook.office.com",
        ],
    },
    FirstParty { name: "SharePoint Online", audiences: &["00000003-0000-0ff1-ce00-000000000000"] },
    FirstParty {
        name: "Key Vault",
        audiences: &["cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "https://vault.azure.net"],
    },
    FirstParty {
        name: "Azure Storage",
        audiences: &["e406a681-f3d4-42a8-90b6-c2b029497af1", "https://storage.azure.com"],
    },
    FirstParty {
        name: "Azure SQL",
        audiences: &["022907d3-0f1b-48f7-badc-1ba6abab6d66", "https://database.windows.net"],
    },
    FirstParty { name: "Azure DevOps", audiences: &["499b84ac-1321-427f-aa17-267ca6975798"] },
];

impl FirstParty {
    /// True if the audience names this resource, one final slash and letter case aside.
    pub fn is_named_by(&self, audience: &str) -> bool {
        self.has(bare(audience))
    }

    /// The place among [`FIRST_PARTIES`] of the one that an audience names.
    pub fn place_of(audience: &str) -> Option<usize> {
        let audience = bare(audience);
        FIRST_PARTIES.iter().position(|party| party.has(audience))
    }

    fn has(&self, audience: &str) -> bool {
        self.audiences.iter().any(|known| known.eq_ignore_ascii_case(audience))
            || (self.name == "SharePoint Online"
                && url_host(audience).is_some_and(|host| ends_with(host, ".sharepoint.com")))
    }
}

/// An audience without white space around it and without a final slash.
fn bare(audience: &str) -> &str {
    let audience = audience.trim();
    audience.strip_suffix('/').unwrap_or(audience)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_hosting_cloud_is_found() {
        for (end, cloud) in HOSTING {
            assert_eq!(hosting_cloud(&format!("app{end}")), Some(*cloud), "{end}");
            assert_eq!(
                hosting_cloud(&format!("APP{}:8443", end.to_ascii_uppercase())),
                Some(*cloud),
                "{end}"
            );
        }
        for host in ["orders.contoso.example", "azurewebsites.net.example", "orders.contoso.com", "us", ""] {
            assert_eq!(hosting_cloud(host), None, "{host}");
        }
    }
}
