//! The policy, the formats and the description that lie beside the logs.

use super::archive::instant;
use super::corner::Corner;
use super::keyring::{KeyRing, Signer};
use super::line::NGINX_TEMPLATE;
use super::plan::{GenerateError, LogFormat, Plan, Summary};
use super::scenes::{DRIFTING, EGRESS};
use super::world::{Api, DAY, STRETCH, Style, TRAFFIC_START, Tenant, World};
use std::fmt::Write;

/// The policy under which the planting table is right.
pub(super) fn policy(world: &World, ring: &KeyRing) -> Result<String, GenerateError> {
    let mut text =
        String::from("# Written by `tokentrail generate`; fits the logs beside it.\nversion = 1\n");
    let allowed = world.tenants.iter().chain([&world.government, &world.newcomer]);
    let _ = write!(text, "\n[tenancy]\nallowed = {}\npartners = [\"live.com\"]\n", ids(allowed));
    text.push_str("\n[tenancy.aliases]\n");
    for tenant in &world.tenants {
        let _ = writeln!(text, "{} = \"{}\"", tenant.label, tenant.id);
    }
    let _ = write!(
        text,
        "\n[validation]\npreset = \"dotnet\"\nalgorithms = [\"{}\"]\nclouds = [\"global\", \"us-government\"]\n",
        world.alg.name()
    );
    let (since, until) = (TRAFFIC_START - DAY, TRAFFIC_START + world.seconds + 3 * DAY);
    let _ = write!(
        text,
        "\n[keys]\ncompromised = [{{ kid = \"{}\", since = \"{}\", until = \"{}\" }}]\ncustom-key-apps = [\"{}\"]\n",
        ring.key(Signer::Compromised)?.kid,
        instant(since),
        instant(until),
        world.custom_app
    );
    let _ = write!(text, "\n[networks]\negress = [\"{EGRESS}\"]\n");
    text.push_str("\n[watch]\nfiles = [\"watch.jsonl\"]\nrevocations = [\"revoked.csv\"]\n");
    for gateway in 1..=DRIFTING {
        let _ = write!(
            text,
            "\n[[gateway]]\nname = \"edge-{gateway:02}\"\nsources = [\"**/edge-{gateway:02}-*\"]\n"
        );
    }
    for (index, api) in world.apis.iter().enumerate() {
        api_entry(world, api, index == 0, &mut text);
    }
    Ok(text)
}

fn api_entry(world: &World, api: &Api, serves_health: bool, text: &mut String) {
    let _ = write!(
        text,
        "\n[[api]]\nname = \"{}\"\nhosts = [\"{}\"]\npaths = [\"{}\"]\naudiences = [\"{}\", \"{}\"]\n",
        api.name,
        api.host_pattern(),
        api.path_pattern(),
        api.app_id,
        api.uri
    );
    if api.style == Style::Narrow {
        let admitted = world.tenants.get(..world.narrow_tenants()).unwrap_or_default();
        let _ = writeln!(text, "tenants = {}", ids(admitted.iter()));
    }
    if api.style == Style::Plain {
        let clients: Vec<String> = world.clients.iter().map(|client| format!("\"{client}\"")).collect();
        let _ = write!(
            text,
            "max-auth-age = \"12h\"\nscopes = [\"Items.Read\"]\nroles = [\"Items.Read.All\"]\n\
             defined-scopes = [\"Items.Read\", \"Items.Write\", \"Items.List\", \"access_as_user\"]\n\
             defined-roles = [\"Items.Read.All\", \"Items.Write.All\", \"Reports.Read.All\", \"Metadata.Read.All\", \
             \"Items.Approver\"]\nclients = [{}]\n",
            clients.join(", ")
        );
    }
    if api.style == Style::Principal {
        // Envoy's access log does not name a principal; the key is stated all the same, as an operator would.
        let _ = writeln!(text, "authorizes-on = \"principal\"\nmulti-tenant = true");
    }
    if let Some(pattern) = api.data_tenant() {
        let _ = writeln!(text, "data-tenant = \"{pattern}\"");
    }
    let health = serves_health.then(|| "{ paths = [\"/v1/health\"], auth = \"none\" }".to_owned());
    let corners: &[Corner] = if api.style == Style::Plain { &Corner::ALL } else { &[] };
    let corners = corners.iter().map(|corner| corner.operation(world));
    let operations: Vec<String> = health.into_iter().chain(corners).collect();
    if !operations.is_empty() {
        let _ = writeln!(text, "operations = [\n    {},\n]", operations.join(",\n    "));
    }
}

/// The watch list: an identity that somebody else holds.
pub(super) fn watched(world: &World) -> String {
    format!("{{\"oid\":\"{}\",\"reason\":\"laptop stolen\"}}\n", world.watched)
}

/// The revocations: at the end of each stretch of the traffic, one user's.
pub(super) fn revoked(world: &World) -> String {
    let mut text = String::from("oid,from,reason\n");
    for stretch in 0..=world.seconds / STRETCH {
        let at = instant(TRAFFIC_START + (stretch + 1) * STRETCH);
        let _ = writeln!(text, "{},{at},left the company", world.leaver(stretch));
    }
    text
}

fn ids<'t>(tenants: impl Iterator<Item = &'t Tenant>) -> String {
    let ids: Vec<String> = tenants.map(|tenant| format!("\"{}\"", tenant.id)).collect();
    format!("[{}]", ids.join(", "))
}

/// How the logs are read; `None` for the format of a preset.
pub(super) fn formats(format: LogFormat) -> Option<String> {
    match format {
        LogFormat::EdgeJson => Some(
            r#"[format.edge]
kind = "json"
files = ["**/edge-*.log", "**/edge-*.log.gz"]
token = ["headers.authorization", "query:access_token@headers.referer", "form:access_token@body"]
time = { path = "ts", as = "epoch_ms", is = "start" }
duration = { path = "dur_ms", unit = "ms" }
method = "method"
scheme = "scheme"
host = "host"
url = "url"
status = "status"
client_ip = "client"
user_agent = "headers.user-agent"
request_id = "rid"
principal = "principal"
"#
            .to_owned(),
        ),
        LogFormat::Nginx => Some(format!(
            r#"[format.edge]
kind = "nginx"
files = ["**/edge-*.log", "**/edge-*.log.gz"]
template = '{NGINX_TEMPLATE}'
token = "query:access_token@$http_referer"
principal = "$upstream_http_x_principal"
"#
        )),
        LogFormat::EnvoyJson => None,
    }
}

/// What the corpus is, for whoever finds it.
pub(super) fn readme(plan: &Plan, summary: Summary, one_log: bool, later: bool) -> String {
    let formats = match (plan.format, one_log) {
        (LogFormat::EnvoyJson, _) => "--input-format envoy-json",
        (LogFormat::EdgeJson | LogFormat::Nginx, false) => "--formats formats.toml",
        (LogFormat::EdgeJson | LogFormat::Nginx, true) => "--formats formats.toml --input-format edge",
    };
    let (logs, logs_line) = if one_log {
        ("LOG", "LOG             the log, wherever it was written to\n")
    } else {
        ("logs", "logs/           the logs\n")
    };
    format!(
        "Synthetic gateway logs with planted misuse, written by `tokentrail generate`.\n\
         Every tenant, user, key and token is invented; the keys are thrown away.\n\
         \n\
         plan      seed {seed}, format {format}, reuse {reuse}, misuse {misuse}, {tenants} tenants, {apis} APIs, {kids} kids, \
         {captures} captures, {alg}\n\
         result    {lines} lines, {bytes} bytes, {files} files, {tokens} tokens, {planted} of them misused\n\
         period    {from} to {until} (issue of the tokens)\n\
         \n\
         {logs_line}\
         keys/           the key archive, with captures.jsonl\n\
         policy.toml     the policy under which expected.jsonl is right, with watch.jsonl and revoked.csv\n\
         {formats_line}\
         expected.jsonl  what an audit must find for each planted token: rule, token_sha256, api, outcome, count (requests), and the name of\n\
         \x20               the misuse; everything above the severity info, and of that severity what is planted by name. {others}\n\
         {later_line}\
         \n\
         tokentrail audit --keys keys --policy policy.toml {formats} -o out {logs}\n",
        seed = plan.seed,
        format = plan.format.name(),
        reuse = plan.reuse,
        misuse = plan.misuse,
        tenants = plan.tenants,
        apis = plan.apis,
        kids = plan.kids,
        captures = plan.captures,
        alg = plan.alg.name(),
        lines = summary.lines,
        bytes = summary.bytes,
        files = summary.files,
        tokens = summary.tokens,
        planted = summary.planted,
        from = instant(TRAFFIC_START),
        until = instant(TRAFFIC_START + plan.seconds()),
        others = match plan.addresses {
            None => "Nothing else\n                above info is to be found.",
            Some(_) => "What\n                follows from many addresses is not named.",
        },
        later_line = if later {
            "expected-later.jsonl  what a run over logs/*-later.* must find beside it, with --baseline on a result over the other logs\n"
        } else {
            ""
        },
        formats_line =
            if plan.format == LogFormat::EnvoyJson { "" } else { "formats.toml    how the logs are read\n" },
    )
}
