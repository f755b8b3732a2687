//! What to ask, from the arguments or from `sources.toml` (rules.md 4.2 lists the endpoints of Entra).

use super::address;
use crate::cli::args::{FetchCloud, SourceArgs};
use crate::cli::exit::Failure;
use serde::Deserialize;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use tokentrail::entra;
use tokentrail::entra::Cloud;
use ureq::http::Uri;

/// Sources that are captured where the arguments name none.
const SOURCES_FILE: &str = "sources.toml";

/// Tenants of Entra that share their keys with others.
const SHARED: [&str; 3] = ["common", "organizations", "consumers"];

/// One document to begin with.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// An openid-configuration, or a key document.
    pub(super) address: Uri,
    /// The key document's usual address, under which a failure to find it is recorded.
    pub(super) source: String,
    /// Further hosts whose keys an openid-configuration may name.
    pub(super) key_hosts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourcesFile {
    source: Vec<SourceArgs>,
}

/// Everything to ask, in the order in which it is named, nothing twice.
pub(super) fn targets(args: &SourceArgs, archive: &Path) -> Result<Vec<Target>, Failure> {
    let mut all = if *args == SourceArgs::default() {
        let path = archive.join(SOURCES_FILE);
        let place = path.display();
        let mut all = Vec::new();
        for source in sources_file(&path)? {
            all.extend(named(&source, "").map_err(|why| Failure::say(format!("{place}: {why}")))?);
        }
        all
    } else {
        named(args, "--").map_err(Failure::say)?
    };
    let mut seen = std::collections::HashSet::new();
    all.retain(|target| seen.insert(target.address.clone()));
    Ok(all)
}

fn sources_file(path: &Path) -> Result<Vec<SourceArgs>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Failure::say(format!(
                "no source to capture; name one, as with `--tenant common`, or list them in {}",
                path.display()
            )));
        }
        Err(error) => return Err(Failure::say(format!("{}: {error}", path.display()))),
    };
    let file: SourcesFile = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Failure::say(format!("{}:{line}: {}", path.display(), error.message().replace('\n', " ")))
    })?;
    Ok(file.source)
}

/// The documents that one set of arguments names; `dashes` stand before a name that is at fault.
fn named(args: &SourceArgs, dashes: &str) -> Result<Vec<Target>, String> {
    let mut found: Vec<(String, String)> = Vec::new();
    let bad = |name: &str, value: &str, why: &str| format!("{dashes}{name} {value}: {why}");
    for tenant in &args.tenant {
        let lower = tenant.to_ascii_lowercase();
        if !SHARED.contains(&lower.as_str()) && !entra::is_guid(&lower) {
            return Err(bad("tenant", tenant, "write its GUID, common, organizations or consumers"));
        }
        found.extend(of_tenant(args, &lower));
    }
    if let Some(appid) = args.appid.iter().find(|appid| !entra::is_guid(appid)) {
        return Err(bad("appid", appid, "write the API's client id, a GUID"));
    }
    for policy in &args.b2c {
        let parts: Vec<&str> = policy.split('/').collect();
        let [host, tenant, policy] = parts.as_slice() else {
            return Err(bad("b2c", policy, "write HOST/TENANT/POLICY"));
        };
        let base = format!("https://{host}/{tenant}/{policy}");
        found.push((openid(&format!("{base}/v2.0"), ""), format!("{base}/discovery/v2.0/keys")));
    }
    for tenant in &args.ciam {
        let name = tenant.strip_suffix(".onmicrosoft.com").unwrap_or(tenant).to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(bad("ciam", tenant, "write the tenant's GUID, or the name before .ciamlogin.com"));
        }
        let path = if entra::is_guid(&name) { name.clone() } else { format!("{name}.onmicrosoft.com") };
        // The two hosts have key sets of their own.
        for host in [format!("{name}.ciamlogin.com"), "login.microsoftonline.com".to_owned()] {
            let base = format!("https://{host}/{path}");
            found.push((openid(&format!("{base}/v2.0"), ""), format!("{base}/discovery/v2.0/keys")));
        }
    }
    found.extend(args.url.iter().map(|url| (url.clone(), url.clone())));
    if found.is_empty() {
        return Err(format!(
            "no source is named: give {dashes}tenant, {dashes}b2c, {dashes}ciam or {dashes}url"
        ));
    }
    if args.tenant.is_empty() && (args.v1 || args.v2 || args.cloud.is_some() || !args.appid.is_empty()) {
        return Err(format!("v1, v2, cloud and appid go with {dashes}tenant"));
    }
    let target = |(asked, source): (String, String)| match address::https(&asked) {
        Ok(address) => Ok(Target { address, source, key_hosts: args.key_host.clone() }),
        Err(why) => Err(format!("{asked}: {why}")),
    };
    found.into_iter().map(target).collect()
}

/// Both versions of a tenant's document, plain and with each application's keys.
fn of_tenant(args: &SourceArgs, tenant: &str) -> Vec<(String, String)> {
    let cloud = args.cloud.map_or(Cloud::Global, FetchCloud::cloud);
    let host = cloud.v2_host().unwrap_or_default();
    let base = format!("https://{host}/{tenant}");
    let both = args.v1 == args.v2;
    let mut found = Vec::new();
    for (wanted, version) in [(args.v1, ""), (args.v2, "/v2.0")] {
        if !wanted && !both {
            continue;
        }
        let queries = args.appid.iter().map(|appid| format!("?appid={}", appid.to_ascii_lowercase()));
        for query in std::iter::once(String::new()).chain(queries) {
            let keys = format!("{base}/discovery{version}/keys{query}");
            found.push((openid(&format!("{base}{version}"), &query), keys));
        }
    }
    found
}

/// The address of an openid-configuration (OpenID Connect Discovery 1.0 section 4).
fn openid(issuer: &str, query: &str) -> String {
    format!("{issuer}/.well-known/openid-configuration{query}")
}
