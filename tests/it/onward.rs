//! A token that the gateway sends on in its own name is judged against what it is sent to, not against the API that the client
//! called.

use crate::mint;
use crate::result::{Audited, audit_in};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;

const POLICY: &str = r#"
version = 1
[[api]]
name = "orders"
hosts = ["orders.contoso.example"]
audiences = ["6e74172b-be56-4843-9ff4-e66a39bb12e3"]
[[api]]
name = "ledger"
hosts = ["ledger.internal.contoso.example"]
audiences = ["api://ledger"]
"#;

/// Some requests as API Management logs them; the last is of a client and of the gateway.
fn audited(policy: &str, requests: &[(Option<&str>, &str, &str)]) -> Audited {
    let folder = tempfile::tempdir().unwrap();
    mint::write_good_archive("everyday", &folder.path().join("keys"));
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    let line = |(number, (client, backend, address)): (usize, &(Option<&str>, &str, &str))| {
        let bearer = |aud: &str| {
            let token = mint::good_token(&json!({"aud": aud, "uti": format!("of-{aud}")}), "rsa-a");
            json!({"Authorization": format!("Bearer {token}")})
        };
        let line = json!({
            "time": format!("2026-10-14T10:3{number}:00.0000000Z"), "category": "GatewayLogs",
            "operationName": "Microsoft.ApiManagement/GatewayLogs", "callerIpAddress": address,
            "correlationId": format!("id-{number}"), "durationMs": 43,
            "properties": {
                "method": "GET", "url": "https://orders.contoso.example/v1/orders", "responseCode": 200,
                "requestHeaders": client.map(bearer), "backendRequestHeaders": bearer(backend),
                "backendUrl": "https://ledger.internal.contoso.example/entries",
            },
        });
        format!("{line}\n")
    };
    let log: String = requests.iter().enumerate().map(line).collect();
    fs::write(folder.path().join("apim.json"), log).unwrap();
    audit_in(folder.path(), ["--keys", "keys", "--policy", "policy.toml", "apim.json"])
}

const OWN: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

/// Rules above info, each with its API and audience.
fn loud(audited: &Audited) -> BTreeSet<[String; 3]> {
    assert_eq!(audited.exit, 0, "{}", audited.stderr);
    let rows = audited.rows("findings").into_iter().filter(|row| row["severity"] != "info");
    rows.map(|row| ["rule", "api", "aud"].map(|name| row.get(name).cloned().unwrap_or_default())).collect()
}

fn names(rows: &BTreeSet<[String; 3]>, rule: &str) -> Vec<[String; 2]> {
    let rows = rows.iter().filter(|row| row[0] == rule);
    rows.map(|[_, api, aud]| [api.clone(), aud.clone()]).collect()
}

#[test]
fn the_gateways_own_token_is_judged_where_it_is_sent() {
    let addresses = ["203.0.113.7", "198.51.100.7", "192.0.2.7", "8.8.8.8"];
    let requests = addresses.map(|address| (Some(OWN), "api://ledger", address));
    let run = audited(POLICY, &requests);
    let rows = loud(&run);
    assert_eq!(names(&rows, "wrong-aud"), [[""; 2]; 0], "{rows:?}");
    assert_eq!(names(&rows, "confused-deputy"), [[""; 2]; 0], "{rows:?}");
    // The client's token came from all these places, the gateway's from none of them.
    assert_eq!(names(&rows, "token-many-ip"), [["orders", OWN]], "{rows:?}");
    let token = |aud: &str| run.rows("tokens").into_iter().find(|row| row["aud"] == aud).unwrap();
    let shown = |aud: &str| {
        let row = token(aud);
        ["uses", "distinct_ips", "hosts"].map(|name| row[name].clone())
    };
    assert_eq!(shown(OWN), ["4", "4", "orders.contoso.example"]);
    assert_eq!(shown("api://ledger"), ["4", "0", "ledger.internal.contoso.example"]);
    // It is one record with two uses.
    let counts = &run.run()["counts"];
    assert_eq!((counts["records"].as_u64(), counts["tokens"]["present"].as_u64()), (Some(4), Some(4)));
    assert_eq!(run.rows("coverage").len(), 1);
}

#[test]
fn what_it_is_sent_to_may_take_another_audience() {
    let requests = [(Some(OWN), "api://billing", "203.0.113.7")];
    let rows = loud(&audited(POLICY, &requests));
    assert_eq!(names(&rows, "wrong-aud"), [["ledger", "api://billing"]], "{rows:?}");
    // Where the policy does not know the backend, nobody can say what it takes.
    let (front, _) = POLICY.split_once("[[api]]\nname = \"ledger\"").unwrap();
    let rows = loud(&audited(front, &requests));
    assert_eq!(names(&rows, "wrong-aud"), [[""; 2]; 0], "{rows:?}");
}

#[test]
fn a_token_that_stands_there_alone_may_be_the_clients() {
    let rows = loud(&audited(POLICY, &[(None, "api://billing", "203.0.113.7")]));
    assert_eq!(names(&rows, "wrong-aud"), [["orders", "api://billing"]], "{rows:?}");
}
