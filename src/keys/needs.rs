//! Whose keys somebody needs: which sources of an archive have them, and which would be captured (rules.md 4.2).

use super::SourceId;
use super::coverage::sources_of;
use super::history::{KeyHistory, Source};
use super::source::{EntraSource, EntraTenant, SourceKind};
use crate::entra;
use crate::entra::{Cloud, IssuerKind};
use std::fmt;

/// Tenants whose documents are named one by one; of more a template is.
const TENANTS_NAMED_MAX: usize = 5;

/// Whose keys are needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyNeed {
    /// Those of an issuer that is none of Entra's.
    Issuer(String),
    /// Those of a tenant. Each list says which will do.
    Tenant {
        /// Ids in lower case; empty for any tenant, which takes a source that all of them share.
        tenants: Vec<String>,
        /// Families of issuers.
        kinds: Vec<IssuerKind>,
        /// Clouds; empty for any.
        clouds: Vec<Cloud>,
    },
    /// Those of an application with signing keys of its own, from a source with `appid`.
    App {
        /// Its client id.
        appid: String,
        /// As for tenants.
        tenants: Vec<String>,
        /// As for tenants.
        clouds: Vec<Cloud>,
    },
}

impl KeyNeed {
    /// The key documents that would do, as URLs to capture; `{tenant}` and the like stand for what nobody stated.
    pub fn sources(&self) -> Vec<String> {
        match self {
            Self::Issuer(iss) => sources_of(iss),
            Self::Tenant { tenants, kinds, clouds } => {
                let of_kind = |kind: &IssuerKind| match kind {
                    IssuerKind::Workforce => documents(tenants, "common", clouds, ""),
                    IssuerKind::B2c => named(tenants).map(b2c).collect(),
                    IssuerKind::Ciam => named(tenants).map(ciam).collect(),
                };
                kinds.iter().flat_map(of_kind).collect()
            }
            Self::App { appid, tenants, clouds } => {
                documents(tenants, "{tenant}", clouds, &format!("?appid={appid}"))
            }
        }
    }

    fn is_met_by(&self, source: &Source) -> bool {
        match (self, &source.kind) {
            (Self::App { appid, tenants, clouds }, SourceKind::Entra(own)) => {
                let of_app = own.appid.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(appid));
                of_app && is_in(own, clouds) && (tenants.is_empty() || is_of(own, tenants))
            }
            (Self::Tenant { tenants, kinds, clouds }, SourceKind::Entra(own)) => {
                kinds.contains(&IssuerKind::Workforce) && is_in(own, clouds) && is_of(own, tenants)
            }
            (Self::Tenant { tenants, kinds, .. }, SourceKind::Host { host }) => {
                let of_kind = |kind: &IssuerKind| match kind {
                    IssuerKind::Workforce => false,
                    IssuerKind::B2c => host.ends_with(".b2clogin.com"),
                    IssuerKind::Ciam => host.ends_with(".ciamlogin.com"),
                };
                kinds.iter().any(of_kind) && names_any(source, tenants)
            }
            (Self::Tenant { .. }, SourceKind::Label) => true,
            // Who lists one path of a host lists them all.
            (Self::Issuer(iss), SourceKind::Host { .. }) => {
                let host = entra::url_host(iss);
                let known = source.issuers.iter().filter_map(|known| entra::url_host(known));
                host.is_some_and(|host| known.into_iter().any(|known| known.eq_ignore_ascii_case(host)))
            }
            _ => false,
        }
    }
}

fn is_in(source: &EntraSource, clouds: &[Cloud]) -> bool {
    clouds.is_empty() || source.clouds.iter().any(|cloud| clouds.contains(cloud))
}

/// True for an endpoint of one of the tenants, or of all.
fn is_of(source: &EntraSource, tenants: &[String]) -> bool {
    match &source.tenant {
        EntraTenant::Shared => true,
        EntraTenant::One(own) => tenants.iter().any(|tenant| tenant.eq_ignore_ascii_case(own)),
    }
}

/// True if a source of a customer's host is one of the tenants': by its metadata, else by its name. Any is, where none is named.
fn names_any(source: &Source, tenants: &[String]) -> bool {
    let name = source.name.to_ascii_lowercase();
    let of_metadata = |tenant: &String| {
        let known = source.issuers.iter().filter_map(|known| entra::parse_issuer(known));
        known.into_iter().any(|known| known.tenant.eq_ignore_ascii_case(tenant))
    };
    tenants.is_empty() || tenants.iter().any(|tenant| of_metadata(tenant) || name.contains(tenant.as_str()))
}

/// The tenants that are to be named in addresses.
fn named(tenants: &[String]) -> impl Iterator<Item = &str> {
    let listed = if tenants.len() > TENANTS_NAMED_MAX { &[][..] } else { tenants };
    let template = listed.is_empty().then_some("{tenant}");
    listed.iter().map(String::as_str).chain(template)
}

/// Both versions of the documents of Entra's own hosts; of the global cloud where none is stated.
fn documents(tenants: &[String], any: &str, clouds: &[Cloud], query: &str) -> Vec<String> {
    let clouds = if clouds.is_empty() { &[Cloud::Global][..] } else { clouds };
    let of_cloud = |host: &'static str| {
        let tenants = named(tenants).map(|tenant| if tenants.is_empty() { any } else { tenant });
        tenants.flat_map(move |tenant| {
            ["", "/v2.0"].map(|version| format!("https://{host}/{tenant}/discovery{version}/keys{query}"))
        })
    };
    clouds.iter().filter_map(|cloud| cloud.v2_host()).flat_map(of_cloud).collect()
}

fn b2c(tenant: &str) -> String {
    format!("https://{{name}}.b2clogin.com/{tenant}/{{policy}}/discovery/v2.0/keys")
}

fn ciam(tenant: &str) -> String {
    format!("https://{tenant}.ciamlogin.com/{tenant}/discovery/v2.0/keys")
}

impl fmt::Display for KeyNeed {
    /// `tenant 72f988bf-… (workforce or ciam; us-government)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |tenants: &[String]| match tenants {
            [] => "any tenant".to_owned(),
            [one] => format!("tenant {one}"),
            [first, ..] if tenants.len() > TENANTS_NAMED_MAX => {
                format!("one of {} tenants from {first} on", tenants.len())
            }
            _ => format!("tenant {}", tenants.join(" or ")),
        };
        let of = |clouds: &[Cloud]| clouds.iter().map(|cloud| cloud.name()).collect::<Vec<_>>().join(" or ");
        let mut limits = Vec::new();
        match self {
            Self::Issuer(iss) => return write!(f, "issuer {iss}"),
            Self::Tenant { tenants, kinds, clouds } => {
                f.write_str(&all(tenants))?;
                if *kinds != [IssuerKind::Workforce] {
                    limits.push(kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or "));
                }
                limits.push(of(clouds));
            }
            Self::App { appid, tenants, clouds } => {
                write!(f, "application {appid} with keys of its own, {}", all(tenants))?;
                limits.push(of(clouds));
            }
        }
        limits.retain(|limit| !limit.is_empty());
        if limits.is_empty() { Ok(()) } else { write!(f, " ({})", limits.join("; ")) }
    }
}

impl KeyHistory {
    /// The sources that have what is needed. One that never answered has nothing.
    pub fn meeting(&self, need: &KeyNeed) -> Vec<SourceId> {
        let serving = match need {
            KeyNeed::Issuer(iss) => self.authority(iss),
            // The form of rules.md 4.2, whatever name the host was captured by.
            KeyNeed::Tenant { tenants, kinds, .. } if kinds.contains(&IssuerKind::Ciam) => {
                let mut own =
                    tenants.iter().map(|tenant| format!("https://{tenant}.ciamlogin.com/{tenant}/v2.0"));
                own.find_map(|iss| self.authority(&iss))
            }
            _ => None,
        };
        let serves = |id: &SourceId| serving.as_ref().is_some_and(|authority| authority.sources.contains(id));
        let answered = |source: &Source| {
            source.captures.iter().any(|capture| capture.complete || !capture.keys.is_empty())
        };
        let met = self.sources().filter(|(id, source)| serves(id) || need.is_met_by(source));
        met.filter(|(_, source)| answered(source)).map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::testing::{TestKey, history};

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const OTHER: &str = "11111111-2222-4333-8444-555555555555";
    const APP: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

    fn tenant(tenants: &[&str], kinds: &[IssuerKind], clouds: &[Cloud]) -> KeyNeed {
        let tenants = tenants.iter().map(|tenant| (*tenant).to_owned()).collect();
        KeyNeed::Tenant { tenants, kinds: kinds.to_vec(), clouds: clouds.to_vec() }
    }

    fn app(tenants: &[&str]) -> KeyNeed {
        let tenants = tenants.iter().map(|tenant| (*tenant).to_owned()).collect();
        KeyNeed::App { appid: APP.to_owned(), tenants, clouds: vec![] }
    }

    fn is_met(need: &KeyNeed, source: &str) -> bool {
        !history(&[(source, 1, Some(vec![TestKey::RsaA.jwk("a")]))]).meeting(need).is_empty()
    }

    #[test]
    fn whatever_is_suggested_meets_the_need() {
        use IssuerKind::{B2c, Ciam, Workforce};
        for need in [
            tenant(&[TENANT], &[Workforce], &[]),
            tenant(&[TENANT, OTHER], &[Workforce], &[Cloud::China, Cloud::UsGovernment]),
            tenant(&[], &[Workforce], &[Cloud::UsGovernment]),
            tenant(&[], &[Workforce], &[]),
            tenant(&[TENANT], &[B2c], &[]),
            tenant(&[TENANT], &[Workforce, Ciam], &[]),
            app(&[TENANT, OTHER]),
            KeyNeed::Issuer("https://idp.partner.example/realms/x".to_owned()),
        ] {
            assert!(!need.sources().is_empty());
            for source in need.sources() {
                // What stands for a name that nobody stated could be this.
                let source = source.replace(['{', '}'], "").replace(" (its jwks_uri)", "");
                assert!(is_met(&need, &source), "{need}: {source}");
            }
        }
    }

    #[test]
    fn sources_of_others_do_not_meet_it() {
        use IssuerKind::{B2c, Ciam, Workforce};
        let own = tenant(&[TENANT], &[Workforce], &[Cloud::Global]);
        assert!(is_met(&own, "common") && is_met(&own, "contoso"), "shared by all, or a label");
        assert!(!is_met(&own, OTHER) && !is_met(&own, "idp.example.com"));
        assert!(!is_met(&own, "login.microsoftonline.us/common"), "another cloud");
        assert!(is_met(&tenant(&[TENANT], &[Workforce], &[]), "login.microsoftonline.us/common"));
        let any = tenant(&[], &[Workforce], &[]);
        assert!(is_met(&any, "organizations") && !is_met(&any, TENANT), "one tenant is not any");
        let ciam = tenant(&[TENANT], &[Ciam], &[]);
        assert!(!is_met(&ciam, &format!("login.microsoftonline.com/{TENANT}")) && !is_met(&ciam, "common"));
        let b2c = tenant(&[TENANT], &[B2c], &[]);
        assert!(is_met(&b2c, &format!("contoso.b2clogin.com/{TENANT}/b2c_1_sign")));
        assert!(!is_met(&b2c, &format!("contoso.b2clogin.com/{OTHER}/b2c_1_sign")));
        let app = app(&[TENANT]);
        assert!(is_met(&app, &format!("{TENANT}/v2.0?appid={APP}")));
        for other in [TENANT.to_owned(), format!("{OTHER}?appid={APP}"), format!("{TENANT}?appid={OTHER}")] {
            assert!(!is_met(&app, &other), "{other}");
        }
        let failed = history(&[("common", 1, None)]);
        assert!(failed.meeting(&own).is_empty(), "nobody answered");
    }

    #[test]
    fn a_need_is_told_in_words() {
        use IssuerKind::{Ciam, Workforce};
        for (need, text) in [
            (tenant(&[], &[Workforce], &[]), "any tenant".to_owned()),
            (tenant(&[], &[Workforce], &[Cloud::China]), "any tenant (china)".to_owned()),
            (tenant(&[TENANT], &[Workforce, Ciam], &[]), format!("tenant {TENANT} (workforce or ciam)")),
            (app(&[]), format!("application {APP} with keys of its own, any tenant")),
            (KeyNeed::Issuer("x".to_owned()), "issuer x".to_owned()),
        ] {
            assert_eq!(need.to_string(), text);
        }
    }
}
