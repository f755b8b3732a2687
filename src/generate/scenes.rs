//! The fifth part of the planting table: what tokens do across requests, for good and for ill. Each scene is played once.

use super::edit::Edit::Json;
use super::plant::{Plant, Twist, plant};

/// A scene: some tokens, and what is done with them.
pub(super) struct Scene {
    /// What it is called.
    pub name: &'static str,
    /// Whether nothing may be found about it above info.
    pub clean: bool,
    /// Whether the API is one that authorises on a principal.
    pub principal: bool,
    /// Whether it is about a night that follows: logged in a file of its own, and its rules need a baseline.
    pub later: bool,
    /// Its tokens.
    pub actors: &'static [Actor],
    /// Their requests, in order of time.
    pub acts: &'static [Act],
}

/// A token of a scene.
#[derive(Clone, Copy)]
pub(super) struct Actor {
    /// How its header or claims differ.
    pub edits: Option<&'static Plant>,
    /// Whether a key signs it that its issuer never published.
    pub forged: bool,
    /// The actor whose identity it has too.
    pub like: Option<usize>,
    /// The actor whose mail-like name it has too, from another tenant.
    pub mail_of: Option<usize>,
    /// Whether it is of the tenant that nobody has seen before.
    pub newcomer: bool,
    /// How many APIs further it was issued for.
    pub for_other: usize,
    /// How many alike there are.
    pub times: usize,
}

/// One or several requests.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "how requests differ, each in a way of its own")]
pub(super) struct Act {
    /// Which token.
    pub actor: usize,
    /// Seconds after the token was issued.
    pub after_s: i64,
    /// Seconds from one request to the next.
    pub every_s: i64,
    /// How many; with as many tokens from `actor` on if `each_actor`.
    pub times: usize,
    /// Whether each request has a token of its own.
    pub each_actor: bool,
    /// Network of the client.
    pub net: Net,
    /// User agent.
    pub agent: &'static str,
    /// Status.
    pub status: u64,
    /// Number of the gateway.
    pub gateway: u64,
    /// How many APIs further it is sent.
    pub to_other: usize,
    /// Whether each request has a path of its own.
    pub each_path: bool,
    /// Whether the request ids are those of the other gateway.
    pub same_ids: bool,
    /// Whether the signature is padded.
    pub padded: bool,
    /// Another token in a second header, and every rule that must fire for that one.
    pub beside: Option<(usize, &'static [&'static str])>,
    /// What the application authorises on; `None` for what it should.
    pub principal: Option<&'static str>,
    /// Every rule that must fire for each of the requests.
    pub rules: &'static [&'static str],
}

/// A network of a scene.
#[derive(Clone, Copy)]
pub(super) enum Net {
    /// One of the scene's own, by number.
    Own(u8),
    /// One of the pool that the policy names, by number.
    Egress(u8),
    /// One with IPv4.
    V4,
}

/// Number of the gateway whose clock runs behind; no other requests pass it.
pub(super) const DRIFTING: u64 = 3;

/// The pool of addresses that the policy names.
pub(super) const EGRESS: &str = "2001:db8:ffff:e000::/52";

const APP: &str = "contoso-mobile/7.4.1 (Android 16)";
const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0";
const SCRIPT: &str = "curl/8.10.1";

const ACTOR: Actor =
    Actor { edits: None, forged: false, like: None, mail_of: None, newcomer: false, for_other: 0, times: 1 };
const FORGED: Actor = Actor { forged: true, ..ACTOR };

const ACT: Act = Act {
    actor: 0,
    after_s: 60,
    every_s: 10,
    times: 1,
    each_actor: false,
    net: Net::Own(0),
    agent: APP,
    status: 200,
    gateway: 1,
    to_other: 0,
    each_path: false,
    same_ids: false,
    padded: false,
    beside: None,
    principal: None,
    rules: &[],
};

/// Edits of claims that all tokens of a scene have in common.
macro_rules! claims {
    ($name:literal, $value:literal) => {{
        const EDITED: Plant = plant("scene", Twist::Claims(&[($name, Json($value))]), &[]);
        Actor { edits: Some(&EDITED), ..ACTOR }
    }};
}

/// A forged token under a key id of its own.
macro_rules! under {
    ($kid:literal) => {{
        const EDITED: Plant = plant("scene", Twist::Header(&[("kid", Json($kid))]), &[]);
        Actor { edits: Some(&EDITED), ..FORGED }
    }};
}

/// A token of a tenant that the policy does not know.
macro_rules! of_tenant {
    ($tid:literal) => {{
        const EDITED: Plant = plant(
            "scene",
            Twist::Claims(&[
                ("tid", Json(concat!("\"", $tid, "\""))),
                ("iss", Json(concat!("\"https://login.microsoftonline.com/", $tid, "/v2.0\""))),
            ]),
            &[],
        );
        Actor { edits: Some(&EDITED), ..ACTOR }
    }};
}

const SESSION: Actor = claims!("sid", r#""5e551000-0000-4000-8000-000000000001""#);
const COPIED: Actor = claims!("uti", r#""CopiedUti_000000000000""#);

/// The scenes.
pub(super) const SCENES: &[Scene] = &[
    bad(
        "token-many-ip",
        &[ACTOR],
        &[
            Act { times: 3, rules: &["session-many-ip", "token-many-ip"], ..ACT },
            Act { after_s: 70, net: Net::Own(1), rules: &["session-many-ip", "token-many-ip"], ..ACT },
            Act { after_s: 95, net: Net::Own(2), rules: &["session-many-ip", "token-many-ip"], ..ACT },
        ],
    ),
    bad(
        "token-many-ua",
        &[ACTOR],
        &[
            Act { agent: BROWSER, times: 3, rules: &["token-many-ua"], ..ACT },
            Act { after_s: 900, net: Net::Own(1), agent: SCRIPT, rules: &["token-many-ua"], ..ACT },
        ],
    ),
    bad(
        "token-many-host",
        &[ACTOR],
        &[
            Act { times: 2, rules: &["token-many-host"], ..ACT },
            Act { after_s: 90, to_other: 1, status: 401, rules: &["token-many-host"], ..ACT },
        ],
    ),
    bad(
        "session-many-ip",
        &[SESSION, Actor { like: Some(0), ..SESSION }, Actor { like: Some(0), ..SESSION }],
        &[
            Act { rules: &["session-many-ip"], ..ACT },
            Act { actor: 1, after_s: 120, net: Net::Own(1), rules: &["session-many-ip"], ..ACT },
            Act { actor: 2, after_s: 200, net: Net::Own(2), rules: &["session-many-ip"], ..ACT },
        ],
    ),
    bad(
        "uti-conflict",
        &[COPIED, COPIED],
        &[Act { times: 2, each_actor: true, rules: &["uti-conflict"], ..ACT }],
    ),
    bad(
        "sig-variant",
        &[ACTOR],
        &[
            Act { times: 2, rules: &["sig-variant"], ..ACT },
            Act { after_s: 90, padded: true, rules: &["b64-noncanonical", "sig-variant"], ..ACT },
        ],
    ),
    bad(
        "token-multiple",
        &[ACTOR, Actor { like: Some(0), ..ACTOR }],
        &[Act { times: 2, beside: Some((1, &["token-multiple"])), rules: &["token-multiple"], ..ACT }],
    ),
    // Entra dates tokens back by five minutes; the clock of the third gateway is further behind than that.
    bad(
        "clock-drift",
        &[Actor { times: 6, ..ACTOR }],
        &[Act { after_s: -350, times: 6, every_s: 5, each_actor: true, gateway: DRIFTING, ..ACT }],
    ),
    Scene {
        later: true,
        ..bad(
            "tenant-first-seen",
            &[Actor { newcomer: true, ..ACTOR }],
            &[Act { times: 2, rules: &["tenant-first-seen"], ..ACT }],
        )
    },
    bad(
        "use-after-denied",
        &[FORGED],
        &[
            Act { status: 401, rules: &["kid-unknown"], ..ACT },
            Act { after_s: 1300, rules: &["kid-unknown", "use-after-denied"], ..ACT },
        ],
    ),
    bad(
        "verdict-flap",
        &[ACTOR],
        &[
            Act { rules: &["verdict-flap"], ..ACT },
            Act { after_s: 80, status: 401, rules: &["verdict-flap"], ..ACT },
            Act { after_s: 95, rules: &["verdict-flap"], ..ACT },
        ],
    ),
    bad(
        "expired-retry",
        &[ACTOR],
        &[Act { after_s: 7000, times: 20, every_s: 30, status: 401, rules: &["expired-retry"], ..ACT }],
    ),
    bad(
        "authz-probe",
        &[ACTOR],
        &[Act { times: 10, status: 403, each_path: true, rules: &["authz-probe"], ..ACT }],
    ),
    bad(
        "forged-burst",
        &[Actor { times: 10, ..FORGED }],
        &[Act { times: 10, each_actor: true, status: 401, rules: &["forged-burst", "kid-unknown"], ..ACT }],
    ),
    bad(
        "kid-spray",
        &[
            under!(r#""SprayedKid_00000000000000a""#),
            under!(r#""SprayedKid_00000000000000b""#),
            under!(r#""SprayedKid_00000000000000c""#),
            under!(r#""SprayedKid_00000000000000d""#),
            under!(r#""SprayedKid_00000000000000e""#),
        ],
        &[Act { times: 5, each_actor: true, status: 401, rules: &["kid-spray", "kid-unknown"], ..ACT }],
    ),
    bad(
        "aud-spray",
        &[
            Actor { for_other: 1, ..ACTOR },
            Actor { for_other: 2, ..ACTOR },
            Actor { for_other: 3, ..ACTOR },
            Actor { for_other: 4, ..ACTOR },
            Actor { for_other: 5, ..ACTOR },
        ],
        &[Act { times: 5, each_actor: true, status: 401, rules: &["aud-spray"], ..ACT }],
    ),
    bad(
        "tenant-spray",
        &[
            of_tenant!("5b7a1000-0000-4000-8000-00000000000a"),
            of_tenant!("5b7a1000-0000-4000-8000-00000000000b"),
            of_tenant!("5b7a1000-0000-4000-8000-00000000000c"),
            of_tenant!("5b7a1000-0000-4000-8000-00000000000d"),
            of_tenant!("5b7a1000-0000-4000-8000-00000000000e"),
        ],
        &[Act {
            times: 5,
            each_actor: true,
            status: 401,
            rules: &["tenant-not-allowed", "tenant-spray"],
            ..ACT
        }],
    ),
    bad(
        "late-first-use",
        &[ACTOR, Actor { like: Some(0), ..ACTOR }],
        &[ACT, Act { actor: 1, after_s: 3000, net: Net::Own(1), rules: &["late-first-use"], ..ACT }],
    ),
    Scene {
        principal: true,
        ..bad(
            "principal-fanout",
            &[ACTOR],
            &[
                Act { times: 2, rules: &["identity-many-principals", "principal-fanout"], ..ACT },
                Act {
                    after_s: 90,
                    principal: Some("{tid}:{bystander}"),
                    rules: &["identity-many-principals", "principal-fanout", "principal-mismatch"],
                    ..ACT
                },
            ],
        )
    },
    Scene {
        principal: true,
        ..bad(
            "mutable-id-collision",
            &[ACTOR, Actor { mail_of: Some(0), ..ACTOR }],
            &[Act {
                times: 2,
                each_actor: true,
                principal: Some("{mail}"),
                rules: &["email-authz", "mutable-id-collision"],
                ..ACT
            }],
        )
    },
    clean(
        "a pool of addresses",
        &[ACTOR],
        &[
            Act { net: Net::Egress(0), times: 2, ..ACT },
            Act { after_s: 70, net: Net::Egress(1), times: 2, ..ACT },
            Act { after_s: 75, net: Net::Egress(2), times: 2, ..ACT },
        ],
    ),
    clean(
        "mobile roaming",
        &[ACTOR],
        &[
            Act { times: 3, ..ACT },
            Act { after_s: 100, net: Net::Own(1), times: 2, ..ACT },
            Act { after_s: 130, times: 2, ..ACT },
        ],
    ),
    clean(
        "a phone on its way",
        &[ACTOR],
        &[
            Act { times: 3, every_s: 200, ..ACT },
            Act { after_s: 600, net: Net::Own(1), times: 4, every_s: 200, ..ACT },
            Act { after_s: 1700, net: Net::Own(2), times: 2, ..ACT },
        ],
    ),
    clean(
        "both protocols",
        &[ACTOR],
        &[Act { times: 2, ..ACT }, Act { after_s: 65, net: Net::V4, times: 2, ..ACT }],
    ),
    clean(
        "a mesh",
        &[ACTOR],
        &[
            Act { times: 5, each_path: true, ..ACT },
            Act {
                times: 5,
                each_path: true,
                net: Net::Own(1),
                agent: "envoy",
                gateway: 2,
                same_ids: true,
                ..ACT
            },
        ],
    ),
    clean(
        "shared egress",
        &[Actor { times: 12, ..ACTOR }],
        &[Act { times: 12, every_s: 40, each_actor: true, agent: BROWSER, ..ACT }],
    ),
];

const fn bad(name: &'static str, actors: &'static [Actor], acts: &'static [Act]) -> Scene {
    Scene { name, clean: false, principal: false, later: false, actors, acts }
}

const fn clean(name: &'static str, actors: &'static [Actor], acts: &'static [Act]) -> Scene {
    Scene { name, clean: true, principal: false, later: false, actors, acts }
}
