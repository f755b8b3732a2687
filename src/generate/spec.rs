//! What a token is to be, and how it is to be used, before it is written down.

use super::corner::Corner;
use super::dice::Dice;
use super::edit::{self, Edits};
use super::flawed::Flaw;
use super::keyring::{KeyRing, Signer};
use super::plant::{Part, Plant, Twist};
use super::world::{Api, DAY, STRETCH, Style, TRAFFIC_START, World};
use std::borrow::Cow;

/// Seconds by which Entra back-dates `iat` and `nbf` (rules.md section 8, item 6).
const BACKDATED: i64 = 300;
/// Seconds before `exp` in which good tokens are no longer used.
const LAST_USE: i64 = 5;

const USER_AGENTS: [&str; 8] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
    "okhttp/5.1.0",
    "axios/1.13.2",
    "python-requests/2.32.5",
    "azsdk-net-Core/1.50.0 (.NET 10.0.0; Linux 6.12)",
    "contoso-mobile/7.4.1 (Android 16)",
];

/// A token with the circumstances of its use.
#[derive(Clone)]
pub(super) struct Spec<'w> {
    /// Number of the token in the corpus.
    pub index: u64,
    /// The misuse, if it is one.
    pub plant: Option<&'static Plant>,
    /// API at which it is used.
    pub api: &'w Api,
    /// Part of the API, if it is one that asks for more.
    pub corner: Option<Corner>,
    /// API that it was issued for.
    pub issued_for: &'w Api,
    /// Number of the tenant that issued it.
    pub tenant: usize,
    /// Number of the tenant whose data it is used for.
    pub data_tenant: usize,
    /// Number of the tenant that `iss` names.
    pub issuer: usize,
    /// Whether it is of version 1.
    pub v1: bool,
    /// Whether it is an application's own.
    pub app: bool,
    /// Whether the application is a managed identity.
    pub managed: bool,
    /// Whether the user is a guest, with a home at this identity provider.
    pub guest_of: Option<&'static str>,
    /// Who signs it.
    pub signer: Signer,
    /// Client application.
    pub client: &'w str,
    /// `iat` and `nbf`, in seconds.
    pub iat: i64,
    /// `exp`, in seconds.
    pub exp: i64,
    /// First and last second of its use, in milliseconds since the epoch.
    pub used_ms: (i64, i64),
    /// Object id of the user or the service principal.
    pub oid: String,
    /// Mail-like name of the user.
    pub mail: String,
    /// Client address.
    pub client_ip: String,
    /// User agent.
    pub user_agent: &'static str,
}

/// Instant at which a token is issued: spread over the traffic, in order.
pub(super) fn issued_at(world: &World, index: u64, tokens: u64) -> i64 {
    let place = |index: u64| {
        let offset = u128::from(index) * u128::from(world.seconds.unsigned_abs()) / u128::from(tokens.max(1));
        i64::try_from(offset).unwrap_or(world.seconds)
    };
    let (from, until) = (place(index), place(index + 1));
    let most = (until - 1).max(from);
    TRAFFIC_START + Dice::new(world.seed, "issued", index).between(from, most)
}

impl<'w> Spec<'w> {
    /// Decides everything about one token; `None` only in a world without APIs.
    pub(super) fn new(
        world: &'w World,
        ring: &KeyRing,
        index: u64,
        issued: i64,
        plant: Option<&'static Plant>,
    ) -> Option<Self> {
        let mut dice = Dice::new(world.seed, "token", index);
        let twist = plant.map(|plant| plant.twist);
        let api = choose_api(world, plant, &mut dice)?;
        let issued_for =
            if twist == Some(Twist::OtherAudience) { other_api(world, api, &mut dice)? } else { api };
        let tenant = tenant_of(world, api, twist, &mut dice);
        let neighbour = || if tenant + 1 < world.tenants.len() { tenant + 1 } else { 0 };
        let v1 = is_v1(twist, issued_for);
        let app = plant.is_none() && dice.chance(160);
        let signer = match signer(ring, twist, issued, &mut dice) {
            Signer::Regular(_) if tenant == World::GOVERNMENT => Signer::Government,
            // Where claims are mapped, a tenant's tokens for the application bear the application's own signature.
            Signer::Regular(_)
                if tenant == 0 && issued_for.app_id == world.custom_app && !v1 && plant.is_none() =>
            {
                Signer::Custom
            }
            due => due,
        };
        let managed = app && dice.chance(300);
        let lifetime = if managed { 24 * 3600 } else { dice.between(3600, 5400) };
        let (issued, lifetime) = match twist {
            Some(Twist::LongAfter(signer)) => (ring.published(signer).until - 3600, 4 * DAY + 3 * 3600),
            _ => (issued, lifetime),
        };
        let exp = issued + lifetime;
        let client_index = dice.index(world.clients.len());
        let corner = match plant {
            Some(plant) => plant.corner,
            None if api.style == Style::Plain => Corner::of_good(app, &mut dice),
            None => None,
        };
        let oid = dice.guid();
        let leaver = || world.leaver((issued - TRAFFIC_START).div_euclid(STRETCH));
        Some(Self {
            index,
            plant,
            api,
            corner,
            issued_for,
            tenant,
            data_tenant: match twist {
                Some(Twist::OtherDataTenant) => neighbour(),
                Some(Twist::UnknownDataTenant) => World::STRANGER,
                _ => tenant,
            },
            issuer: if twist == Some(Twist::OtherIssuer) { neighbour() } else { tenant },
            v1,
            app,
            managed,
            guest_of: (plant.is_none() && !app && dice.chance(30)).then_some("live.com"),
            signer,
            client: world.clients.get(client_index).map_or("", String::as_str),
            iat: issued - BACKDATED,
            exp,
            used_ms: used(twist, issued, exp),
            oid: if twist == Some(Twist::AfterRevocation) { leaver() } else { oid },
            mail: format!("user{:05}@{}.contoso.example", dice.below(100_000), world.tenant(tenant).label),
            client_ip: own_ip(world, index, &mut dice),
            user_agent: dice.pick(&USER_AGENTS),
        })
    }

    /// Address of a use of the token, by its number among all lines.
    pub(super) fn ip_of_use(&self, world: &World, number: u64) -> Cow<'_, str> {
        let elsewhere = world.addresses.and_then(|addresses| {
            let mut dice = Dice::new(world.seed, "elsewhere", number);
            dice.chance(250).then(|| address(dice.below(addresses.into())))
        });
        elsewhere.map_or(Cow::Borrowed(&self.client_ip), Cow::Owned)
    }

    /// The misuse.
    pub(super) fn twist(&self) -> Option<Twist> {
        self.plant.map(|plant| plant.twist)
    }

    /// How members of its header and of its claims differ.
    pub(super) fn edits(&self) -> (Edits, Edits) {
        match self.twist() {
            Some(Twist::Header(edits) | Twist::HeaderOfV1(edits)) => (edits, &[]),
            Some(
                Twist::Claims(edits)
                | Twist::ClaimsOfV1(edits)
                | Twist::ClaimsBy(_, edits)
                | Twist::ActsAs(_, edits)
                | Twist::UnsignedClaims(edits),
            ) => (&[], edits),
            _ => (&[], &[]),
        }
    }

    /// The part of the request that it is sent in; `None` for the header where it belongs.
    pub(super) fn sent_in(&self) -> Option<Part> {
        match self.twist() {
            Some(Twist::SentIn(part)) => Some(part),
            _ => None,
        }
    }

    /// The key that the application authorised on.
    pub(super) fn principal(&self, world: &World) -> Option<String> {
        if self.api.style != Style::Principal {
            return None;
        }
        Some(match self.twist() {
            Some(Twist::MailPrincipal) => self.mail.clone(),
            Some(Twist::ActsAs(principal, _)) => edit::filled(principal, world, self),
            _ => format!("{}:{}", world.tenant(self.tenant).id, self.oid),
        })
    }
}

/// Number of the tenant that a token is of.
fn tenant_of(world: &World, api: &Api, twist: Option<Twist>, dice: &mut Dice) -> usize {
    match twist {
        Some(Twist::ForeignTenant) => World::STRANGER,
        Some(Twist::TenantElsewhere) => {
            world.narrow_tenants() + dice.index(world.tenants.len() - world.narrow_tenants())
        }
        // The source of an application's own key serves one tenant.
        Some(Twist::WrongKey(Signer::Custom | Signer::Flawed(Flaw::CustomKey))) => 0,
        None if api.style == Style::Plain && !api.v1 && dice.chance(60) => World::GOVERNMENT,
        _ => dice.index(world.tenants_of(api)),
    }
}

/// Whether a token is of version 1. Keys for personal accounts never sign those; the key without `issuer` is one of the v1
/// documents.
fn is_v1(twist: Option<Twist>, issued_for: &Api) -> bool {
    match twist {
        Some(Twist::OtherIssuer | Twist::HeaderOfV1(_) | Twist::ClaimsOfV1(_)) => true,
        Some(
            // `sts.windows.net` issues for two clouds.
            Twist::WrongKey(Signer::Personal | Signer::Custom | Signer::Flawed(Flaw::OtherCloud))
            | Twist::GraphNonce
            | Twist::Header(_)
            | Twist::Claims(_)
            | Twist::ClaimsBy(..)
            | Twist::ActsAs(..)
            | Twist::UnsignedClaims(_),
        ) => false,
        _ => issued_for.v1,
    }
}

fn choose_api<'w>(world: &'w World, plant: Option<&Plant>, dice: &mut Dice) -> Option<&'w Api> {
    let fitting: Vec<&Api> =
        world.apis.iter().filter(|api| plant.is_none_or(|plant| plant.fits(api.style))).collect();
    fitting.get(dice.index(fitting.len())).copied()
}

/// Another API.
fn other_api<'w>(world: &'w World, api: &Api, dice: &mut Dice) -> Option<&'w Api> {
    let others: Vec<&Api> = world.apis.iter().filter(|other| other.name != api.name).collect();
    others.get(dice.index(others.len())).copied()
}

fn signer(ring: &KeyRing, twist: Option<Twist>, issued: i64, dice: &mut Dice) -> Signer {
    let due = ring.due(issued, dice);
    match twist {
        Some(Twist::WrongKey(signer) | Twist::ClaimsBy(signer, _) | Twist::LongAfter(signer)) => signer,
        Some(Twist::UnknownKey | Twist::ForeignIssuer | Twist::EmbeddedKey) => Signer::Attacker,
        Some(Twist::OtherIssuer) => Signer::VersionOne,
        _ => due,
    }
}

/// First and last instant of the use, in milliseconds.
fn used(twist: Option<Twist>, issued: i64, exp: i64) -> (i64, i64) {
    let (from, until) = match twist {
        Some(Twist::Late(seconds)) => (exp + seconds, exp + seconds + 600),
        Some(Twist::InSkew) => (exp + 10, exp + 290),
        Some(Twist::LongAfter(_)) => (exp - 3 * 3600, exp - LAST_USE),
        // A quarter of an hour after the revocation it should be known everywhere.
        Some(Twist::AfterRevocation) => (revoked_after(issued) + 901, exp - LAST_USE),
        // Twenty-five to fifteen minutes before `nbf`: further than any skew.
        Some(Twist::Early) => (issued - BACKDATED - 1500, issued - BACKDATED - 900),
        _ => (issued, exp - LAST_USE),
    };
    (from * 1000, until * 1000)
}

/// The instant at which a stretch of the traffic ends, and one of its users is revoked.
fn revoked_after(issued: i64) -> i64 {
    TRAFFIC_START + ((issued - TRAFFIC_START).div_euclid(STRETCH) + 1) * STRETCH
}

/// The address of a token: one of the many of the plan, else of the few.
fn own_ip(world: &World, index: u64, dice: &mut Dice) -> String {
    let few = client_ip(dice);
    let one = |addresses: u32| address(Dice::new(world.seed, "address", index).below(addresses.into()));
    world.addresses.map_or(few, one)
}

/// An address in the /24 of a number, from 11.0.0.0/24 on.
fn address(network: u64) -> String {
    format!("{}.{}.{}.7", 11 + (network >> 16), (network >> 8) & 0xff, network & 0xff)
}

/// An address of the documentation ranges (RFC 5737, RFC 3849).
fn client_ip(dice: &mut Dice) -> String {
    if dice.chance(100) {
        return format!("2001:db8:{:x}::{:x}", dice.below(0xffff), dice.between(1, 0xffff));
    }
    let range = dice.pick(&["192.0.2", "198.51.100", "203.0.113"]);
    format!("{range}.{}", dice.between(1, 254))
}
