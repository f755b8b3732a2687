//! Whose keys the tokens at the policy's APIs are signed with, as far as the policy says.

use super::Policy;
use super::merge::CLOUDS;
use super::settings::{ApiSettings, Auth, IssuerKindName};
use crate::entra::{Cloud, IssuerKind, PERSONAL_TENANT};
use crate::keys::KeyNeed;
use std::collections::{BTreeMap, BTreeSet};

/// What is needed, and the names of the APIs that need it; none where the policy says it of all.
pub type KeyNeeds<'p> = BTreeMap<KeyNeed, BTreeSet<&'p str>>;

impl Policy {
    /// Whose keys an archive must have. What the policy leaves open is needed as far as anybody would expect: any tenant, work
    /// or school accounts.
    pub fn key_needs(&self) -> KeyNeeds<'_> {
        let mut needs = KeyNeeds::new();
        let guarded: Vec<&ApiSettings> =
            self.every_settings().filter(|settings| settings.auth != Auth::None).collect();
        for settings in &guarded {
            for need in self.needs_of(settings) {
                needs.entry(need).or_default().insert(&settings.name);
            }
        }
        if self.apis().is_empty() {
            let any = ApiSettings { issuer_kinds: vec![IssuerKindName::Workforce], ..ApiSettings::default() };
            needs.extend(self.needs_of(&any).into_iter().map(|need| (need, BTreeSet::new())));
        }
        for iss in &self.validation(None).issuers {
            needs.entry(KeyNeed::Issuer(iss.clone())).or_default();
        }
        for appid in &self.keys().custom_key_apps {
            let own: Vec<&ApiSettings> =
                guarded.iter().copied().filter(|settings| takes(settings, appid)).collect();
            // An application that no API's audience names may be behind any.
            let behind = if own.is_empty() { &guarded } else { &own };
            let tenants: BTreeSet<&String> =
                behind.iter().flat_map(|settings| self.tenants_of(settings)).collect();
            let open = behind.iter().any(|settings| self.tenants_of(settings).is_empty());
            let tenants = if open { Vec::new() } else { tenants.into_iter().cloned().collect() };
            let need = KeyNeed::App { appid: appid.to_ascii_lowercase(), tenants, clouds: self.clouds() };
            needs.entry(need).or_default().extend(own.iter().map(|settings| settings.name.as_str()));
        }
        needs
    }

    /// Tenants whose tokens an API takes; empty for any.
    fn tenants_of<'p>(&'p self, settings: &'p ApiSettings) -> &'p [String] {
        let allowed = self.tenancy().allowed.as_deref();
        settings.tenants.as_deref().or(allowed).unwrap_or_default()
    }

    /// Empty for any.
    fn clouds(&self) -> Vec<Cloud> {
        let named = self.validation(None).clouds.as_deref().unwrap_or_default();
        CLOUDS.into_iter().filter(|cloud| named.iter().any(|name| name == cloud.name())).collect()
    }

    fn needs_of(&self, settings: &ApiSettings) -> Vec<KeyNeed> {
        let clouds = self.clouds();
        let kinds: Vec<IssuerKind> =
            settings.issuer_kinds.iter().copied().map(kind).collect::<BTreeSet<_>>().into_iter().collect();
        let tenants = self.tenants_of(settings);
        let mut needs = Vec::new();
        let mut need = |tenants: &[String], kinds: &[IssuerKind], clouds: &[Cloud]| {
            needs.push(KeyNeed::Tenant {
                tenants: tenants.to_vec(),
                kinds: kinds.to_vec(),
                clouds: clouds.to_vec(),
            });
        };
        // The policy does not tell which tenant is of which kind, or in which cloud: any will do.
        for tenant in tenants {
            need(std::slice::from_ref(tenant), &kinds, &clouds);
        }
        let one_kind_of_tenants = !tenants.is_empty() && kinds.len() == 1;
        for kind in kinds.iter().filter(|_| !one_kind_of_tenants) {
            match kind {
                IssuerKind::Workforce if !tenants.is_empty() => {}
                // Each cloud has keys of its own.
                IssuerKind::Workforce if !clouds.is_empty() => {
                    for cloud in &clouds {
                        need(&[], &[*kind], &[*cloud]);
                    }
                }
                // A kind that is taken is some tenant's.
                _ => need(tenants, &[*kind], &[]),
            }
        }
        if settings.personal_accounts && !tenants.is_empty() {
            need(&[PERSONAL_TENANT.to_owned()], &[IssuerKind::Workforce], &[Cloud::Global]);
        }
        needs
    }
}

/// True if an audience of the API is an application: its client id, alone or in a URI.
fn takes(settings: &ApiSettings, appid: &str) -> bool {
    let appid = appid.to_ascii_lowercase();
    let audiences = settings.audiences.iter().flatten();
    audiences.into_iter().any(|audience| audience.to_ascii_lowercase().contains(&appid))
}

fn kind(name: IssuerKindName) -> IssuerKind {
    match name {
        IssuerKindName::Workforce => IssuerKind::Workforce,
        IssuerKindName::B2c => IssuerKind::B2c,
        IssuerKindName::Ciam => IssuerKind::Ciam,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `need: apis`, one a line.
    fn needs(text: &str) -> Vec<String> {
        let policy = Policy::parse(&format!("version = 1\n{text}")).unwrap();
        let told = |(need, apis): (&KeyNeed, &BTreeSet<&str>)| {
            format!("{need}: {}", apis.iter().copied().collect::<Vec<_>>().join(" "))
        };
        policy.key_needs().iter().map(told).collect()
    }

    #[test]
    fn what_is_left_open_is_any_tenant() {
        assert_eq!(needs(""), ["any tenant: "]);
        assert_eq!(
            needs("[[api]]\nname = \"a\"\n[[api]]\nname = \"b\"\npaths = [\"/b\"]"),
            ["any tenant: a b"]
        );
        assert_eq!(needs("[[api]]\nname = \"a\"\nauth = \"none\""), [""; 0], "no token is expected");
        let clouds = "[validation]\nclouds = [\"china\", \"us-government\"]\n[[api]]\nname = \"a\"";
        assert_eq!(needs(clouds), ["any tenant (china): a", "any tenant (us-government): a"]);
    }

    #[test]
    fn tenants_kinds_and_applications_are_needed_by_their_apis() {
        let [one, two] = ["72f988bf-86f1-41af-91ab-2d7cd011db47", "11111111-2222-4333-8444-555555555555"];
        let app = "6e74172b-be56-4843-9ff4-e66a39bb12e3";
        let text = format!(
            r#"
            [tenancy]
            allowed = ["{one}"]
            [validation]
            issuers = ["https://idp.partner.example/"]
            [keys]
            custom-key-apps = ["{app}"]
            [[api]]
            name = "orders"
            audiences = ["api://{app}"]
            [[api]]
            name = "partner"
            paths = ["/partner/**"]
            tenants = ["{two}"]
            issuer-kinds = ["workforce", "ciam"]
            personal-accounts = true
            operations = [{{ paths = ["/partner/x"], tenants = ["{one}"], issuer-kinds = ["workforce"] }}]
            "#
        );
        let mut expected = [
            "issuer https://idp.partner.example/: ".to_owned(),
            format!("tenant {two} (workforce or ciam): partner"),
            format!("tenant {two} (ciam): partner"),
            format!("tenant {one}: orders partner"),
            format!("tenant {PERSONAL_TENANT} (global): partner"),
            format!("application {app} with keys of its own, tenant {one}: orders"),
        ];
        let mut found = needs(&text);
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }
}
