//! Plays the scenes: mints their tokens and writes their requests, in a log of their own for each gateway.

use super::edit;
use super::keyring::{KeyRing, Signer};
use super::line::{self, Fixed, Use};
use super::mint::{self, Minted};
use super::part::Part;
use super::plan::{GenerateError, LogFormat, Plan, Summary};
use super::scenes::{Act, Actor, DRIFTING, Net, SCENES, Scene};
use super::spec::Spec;
use super::world::{Api, TRAFFIC_START, World};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::net::Ipv6Addr;
use std::path::Path;

/// Corpora with fewer lines have no scenes, for these would be most of them.
const LINES_MIN: u64 = 2000;
/// APIs and tenants that the scenes need.
const APIS_MIN: u32 = 12;
const TENANTS_MIN: u32 = 2;
/// The API of most scenes, of style Plain, and that of those with a principal.
const PLAIN: usize = 5;
const PRINCIPAL: usize = 1;
/// Numbers of their tokens, far from those of all others.
const FIRST_INDEX: u64 = 1 << 40;

/// The scenes that a plan has room for.
fn scenes(plan: &Plan) -> impl Iterator<Item = (usize, &'static Scene)> {
    let room = plan.lines >= LINES_MIN && plan.apis >= APIS_MIN && plan.tenants >= TENANTS_MIN;
    let (misuse, principals) = (plan.misuse > 0.0, plan.format != LogFormat::EnvoyJson);
    SCENES
        .iter()
        .enumerate()
        .filter(move |(_, scene)| room && (misuse || scene.clean) && (principals || !scene.principal))
}

/// How many lines the scenes of a plan have.
pub(super) fn lines(plan: &Plan) -> u64 {
    scenes(plan).flat_map(|(_, scene)| scene.acts).map(|act| number_of(act.times)).sum()
}

/// A token on the stage.
struct Player<'c> {
    spec: Spec<'c>,
    minted: Minted,
}

/// Requests by rule, token, API, outcome and subject.
type Expected = BTreeMap<(&'static str, String, String, &'static str, Option<String>), u64>;

/// What was played: the lines of each log with their times, and what must be found.
#[derive(Default)]
struct Played {
    /// By whether they are of this night, those of the one that follows first, and gateway.
    lines: BTreeMap<(bool, u64), Vec<(i64, String)>>,
    expected: Expected,
    /// What must be found beside it with a baseline that has not seen the later night.
    expected_later: Expected,
    named: BTreeMap<String, &'static str>,
    tokens: u64,
}

/// The scenes of a plan as they are written.
pub(super) struct Stage {
    /// Names of the logs with their lines, in order of time.
    pub logs: Vec<(String, String)>,
    /// Their share of the corpus.
    pub part: Part,
    /// Lines of `expected-later.jsonl`; empty without scenes of a night that follows.
    pub expected_later: String,
}

/// Plays every scene.
pub(super) fn play(plan: &Plan, world: &World, ring: &KeyRing) -> Result<Stage, GenerateError> {
    let mut played = Played::default();
    for (number, scene) in scenes(plan) {
        let players = players(number, scene, world, ring)?;
        played.tokens += number_of(players.len());
        for (at, act) in scene.acts.iter().enumerate() {
            perform(plan, world, (number, scene), &players, (at, act), &mut played);
        }
    }
    let Played { lines, expected, expected_later, named, tokens } = played;
    let planted: BTreeSet<&String> = expected.keys().map(|(_, token, ..)| token).collect();
    let told = |expected: &Expected| -> String {
        let line = |((rule, token, api, outcome, subject), count): (&(_, String, _, _, _), &u64)| {
            let line = json!({
                "rule": rule,
                "token_sha256": token,
                "api": api,
                "outcome": outcome,
                "subject": subject,
                "count": count,
                "planted": named.get(token),
            });
            format!("{line}\n")
        };
        expected.iter().map(line).collect()
    };
    let (expectations, expected_later) = (told(&expected), told(&expected_later));
    let mut logs = Vec::new();
    for ((tonight, gateway), mut lines) in lines {
        lines.sort_by_key(|line| line.0);
        let text: String = lines.into_iter().map(|line| line.1).collect();
        let what = if tonight { "scenes" } else { "scenes-later" };
        logs.push((format!("edge-{gateway:02}-{what}"), text));
    }
    let summary = Summary {
        lines: self::lines(plan),
        bytes: logs.iter().map(|(_, text)| number_of(text.len())).sum(),
        files: number_of(logs.len()),
        tokens,
        planted: number_of(planted.len()),
        expected: number_of(expected.len()),
    };
    Ok(Stage { logs, part: Part { summary, expected: expectations }, expected_later })
}

/// Writes the logs of the scenes beside the others.
pub(super) fn write_files(
    logs: &[(String, String)],
    plan: &Plan,
    folder: &Path,
) -> Result<(), GenerateError> {
    for (name, text) in logs {
        let extension = if plan.gzip { "log.gz" } else { "log" };
        let path = folder.join(format!("{name}.{extension}"));
        let bytes = if plan.gzip { packed(text) } else { Ok(text.as_bytes().to_vec()) };
        bytes.and_then(|bytes| fs::write(&path, bytes)).map_err(GenerateError::file(&path))?;
    }
    Ok(())
}

/// Writes the logs of the scenes behind the others.
pub(super) fn write_log(logs: &[(String, String)], log: &mut dyn io::Write) -> Result<(), GenerateError> {
    let mut texts = logs.iter().map(|(_, text)| text.as_bytes());
    let written = texts.try_for_each(|text| log.write_all(text)).and_then(|()| log.flush());
    written.map_err(GenerateError::file(Path::new("the log")))
}

fn packed(text: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

/// The tokens of a scene.
fn players<'c>(
    number: usize,
    scene: &Scene,
    world: &'c World,
    ring: &KeyRing,
) -> Result<Vec<Player<'c>>, GenerateError> {
    let mut players: Vec<Player<'c>> = Vec::new();
    let offset = i64::try_from(number).unwrap_or(0);
    let issued = TRAFFIC_START + 900 + 60 * offset;
    for actor in scene.actors.iter().flat_map(|actor| std::iter::repeat_n(actor, actor.times)) {
        let index = FIRST_INDEX + 100 * number_of(number) + number_of(players.len());
        let Some(mut spec) = Spec::new(world, ring, index, issued, None) else { continue };
        let own = world.apis.get(if scene.principal { PRINCIPAL } else { PLAIN });
        let (Some(api), Some(issued_for)) = (own, further(world, scene, actor.for_other)) else { continue };
        (spec.api, spec.issued_for, spec.corner) = (api, issued_for, None);
        cast(&mut spec, actor, &players);
        let due = ring.due(issued, &mut super::dice::Dice::new(world.seed, "scenes", index));
        spec.signer = if actor.forged { Signer::Attacker } else { due };
        let minted = mint::mint(world, ring, &spec, None)?;
        players.push(Player { spec, minted });
    }
    Ok(players)
}

/// Gives a token its part.
fn cast(spec: &mut Spec<'_>, actor: &Actor, others: &[Player<'_>]) {
    (spec.v1, spec.app, spec.managed, spec.guest_of, spec.plant) = (false, false, false, None, actor.edits);
    let tenant = if actor.newcomer { World::NEWCOMER } else { usize::from(actor.mail_of.is_some()) };
    (spec.tenant, spec.data_tenant, spec.issuer) = (tenant, tenant, tenant);
    spec.exp = spec.iat + 300 + 4500;
    if let Some(other) = actor.like.and_then(|other| others.get(other)) {
        (spec.oid, spec.mail) = (other.spec.oid.clone(), other.spec.mail.clone());
    }
    if let Some(other) = actor.mail_of.and_then(|other| others.get(other)) {
        spec.mail.clone_from(&other.spec.mail);
    }
}

/// The API of a scene, or one so many further on among those with tokens of version 2.
fn further<'w>(world: &'w World, scene: &Scene, steps: usize) -> Option<&'w Api> {
    let own = if scene.principal { PRINCIPAL } else { PLAIN };
    let after = world.apis.iter().skip(own);
    after.filter(|api| !api.v1).nth(steps)
}

/// Writes the requests of an act.
fn perform(
    plan: &Plan,
    world: &World,
    (number, scene): (usize, &Scene),
    players: &[Player<'_>],
    (at, act): (usize, &Act),
    played: &mut Played,
) {
    for turn in 0..act.times {
        let actor = if act.each_actor { act.actor + turn } else { act.actor };
        let (Some(one), Some(api)) = (players.get(actor), further(world, scene, act.to_other)) else {
            continue;
        };
        let mut spec = one.spec.clone();
        spec.api = api;
        spec.client_ip = address(number, act.net);
        spec.user_agent = act.agent;
        let seconds = act.after_s + act.every_s * i64::try_from(turn).unwrap_or(0);
        let at_ms = (spec.iat + 300 + seconds) * 1000;
        // The other gateway passes on the requests of the first act.
        let id = if act.same_ids { turn } else { 1000 * at + turn };
        let segment = if act.each_path { turn } else { 0 };
        let text = &one.minted.text;
        let beside = act.beside.and_then(|(other, rules)| Some((players.get(other)?, rules)));
        let padded = format!("{text}==");
        let path = api.path(world.tenant(spec.data_tenant));
        let used = Use {
            at_ms,
            number: plan.lines + 10_000 * number_of(number) + 1000 * number_of(at) + number_of(turn),
            gateway: &format!("edge-{:02}", act.gateway),
            token: Some((&spec, if act.padded { &padded } else { text })),
            bare: false,
            fixed: Some(Fixed {
                status: act.status,
                id: format!("5ce0e{number:011x}{id:016x}"),
                url: format!("{path}/scene-{number}-{segment}"),
                principal: act.principal.map(|principal| edit::filled(principal, world, &spec)),
                beside: beside.map(|(other, _)| other.minted.text.clone()),
            }),
        };
        let mut line = String::new();
        line::write(world, &used, &mut line);
        played.lines.entry((!scene.later, act.gateway)).or_default().push((at_ms, line));
        for (player, rules) in [Some((one, act.rules)), beside].into_iter().flatten() {
            let token = &player.minted.sha256;
            played.named.insert(token.clone(), scene.name);
            let expected = if scene.later { &mut played.expected_later } else { &mut played.expected };
            for rule in rules {
                let subject = subject(rule, world, &spec);
                let key = (*rule, token.clone(), api.name.clone(), outcome(act.status), subject);
                *expected.entry(key).or_default() += 1;
            }
        }
    }
}

/// What must be found of gateways: a line of `expected.jsonl`, or none where nothing tells the gateways apart.
pub(super) fn expected_of_gateways(plan: &Plan, one_log: bool) -> String {
    let drifts = |(_, scene): (usize, &Scene)| scene.acts.iter().any(|act| act.gateway == DRIFTING);
    if one_log || !scenes(plan).any(drifts) {
        return String::new();
    }
    let line = json!({
        "rule": "clock-drift",
        "token_sha256": null,
        "api": null,
        "outcome": null,
        "subject": format!("gateway:edge-{DRIFTING:02}"),
        "count": 0,
        "planted": "clock-drift",
    });
    format!("{line}\n")
}

/// What a rule that is not about one token says that it is about.
fn subject(rule: &str, world: &World, spec: &Spec<'_>) -> Option<String> {
    match rule {
        "aud-spray" | "forged-burst" | "kid-spray" | "tenant-spray" => {
            let address: Ipv6Addr = spec.client_ip.parse().ok()?;
            let network = u128::from(address) >> 72 << 72;
            Some(format!("ip:{}/56", Ipv6Addr::from(network)))
        }
        "identity-many-principals" => Some(format!("identity:{}/{}", world.tenant(spec.tenant).id, spec.oid)),
        "mutable-id-collision" => Some(format!("principal:{}", spec.mail)),
        _ => None,
    }
}

fn number_of(place: usize) -> u64 {
    u64::try_from(place).unwrap_or(0)
}

fn outcome(status: u64) -> &'static str {
    match status {
        401 => "denied-authn",
        403 => "denied-authz",
        _ => "accepted",
    }
}

/// An address in a network of a scene; no other token comes from these.
fn address(scene: usize, net: Net) -> String {
    match net {
        Net::Own(number) => format!("2001:db8:ffff:{:02x}00::7", 4 * scene + usize::from(number)),
        Net::Egress(number) => format!("2001:db8:ffff:e{number:x}00::7"),
        Net::V4 => "198.18.7.7".to_owned(),
    }
}
