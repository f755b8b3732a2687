"""The requests that every gateway gets, and which rules must fire for them under policy.toml.

The rules are listed from their descriptions, above the severity info, for the outcome at hand; no code of theirs is
looked at.
"""

import json
import time
from dataclasses import dataclass, field

import tokens

TENANTS = ["0b4d1b8c-7a51-4c0e-8a0c-5d2f6f1a9e01", "c7c3b2f4-1d7e-4a3b-9b55-2f0e8d6a7b02"]
STRANGER = "e91f6f0d-33aa-4d4e-8f5b-6a7c8d9e0f03"
GRAPH = "00000003-0000-0000-c000-000000000000"
AUDIENCES = {
    "orders": "1c0ffee0-0000-4000-8000-000000000001",
    "customers": "1c0ffee0-0000-4000-8000-000000000002",
    "profiles": "1c0ffee0-0000-4000-8000-000000000003",
    "catalog": "1c0ffee0-0000-4000-8000-000000000004",
}
OUTCOMES = {200: "accepted", 201: "accepted", 204: "accepted", 401: "denied-authn", 403: "denied-authz"}

# A user agent that no log format passes on as it came: quotes, a backslash, bytes that are no UTF-8.
AWKWARD_AGENT = b'probe/1.0 "quoted" \\back \xff\xe9 end'


@dataclass
class Request:
    """One request: what it carries, what the upstream is to answer, what must be found."""

    api: str
    target: str
    status: int = 200
    authorization: list = field(default_factory=list)
    agent: bytes = b"okhttp/5.1.0"
    principal: str = ""
    # (token, rules) for each planted token
    planted: list = field(default_factory=list)
    # What the record says about tokens, as the contract counts it: present, masked, other-scheme, absent.
    presence: str = "present"

    def host(self):
        return "api.contoso.example" if self.api == "catalog" else f"{self.api}.contoso.example"


class Plan:
    """Builds the requests of one gateway."""

    def __init__(self, issuer, gateway):
        self.issuer = issuer
        self.gateway = gateway
        self.requests = []

    def add(self, api, token, status=200, rules=(), count=1, where="header", **details):
        """Uses a token `count` times; `where` is header or query."""
        target = details.pop("target", "/catalog/v1/items" if api == "catalog" else "/v1/items")
        header = [b"Bearer " + token.encode()]
        if where == "query":
            header, target = [], f"{target}?access_token={token}&page=1"
            rules = [*rules, "token-in-query"]
        for _ in range(count):
            planted = [(token, list(rules))] if rules else []
            self.requests.append(Request(api, target, status, header, planted=planted, **details))

    def mint(self, api, tenant=TENANTS[0], key=None, header=None, mac=None, unsigned=False, flip=False, **changes):
        claims = tokens.claims(AUDIENCES[api], tenant, **changes)
        value = tokens.token(key or self.issuer.current, claims, header, mac, unsigned, flip)
        return value, claims

    def good(self):
        """Good tokens in every circumstance: nothing is to be found but that one stands in a URL."""
        for status in (200, 200, 201, 204, 304, 401, 403, 404, 500):
            self.add("orders", self.mint("orders")[0], status)
        self.add("orders", self.mint("orders", key=self.issuer.coming)[0], count=3)
        self.add("orders", self.mint("orders", TENANTS[1])[0], agent=AWKWARD_AGENT)
        self.add("catalog", self.mint("catalog")[0], count=2)
        for tenant in TENANTS:
            value, claims = self.mint("customers", tenant)
            self.add("customers", value, target=f"/v1/tenants/{tenant}/contacts")
            value, claims = self.mint("profiles", tenant)
            self.add("profiles", value, principal=f"{tenant}:{claims['oid']}")
        self.add("orders", self.mint("orders")[0], where="query")
        self.requests.append(Request("orders", "/v1/items", 401, [b"Basic dXNlcjpwYXNz"], presence="other-scheme"))
        self.requests.append(Request("orders", "/v1/items", 401, presence="absent"))
        self.requests.append(Request("orders", "/v1/health", 200, presence="absent", agent=b"probe/1.0"))

    def doubled(self):
        """Two different tokens in one request."""
        both = [self.mint("orders")[0] for _ in range(2)]
        self.add_both(both, f"/v1/items?access_token={both[1]}", both[:1])
        # Apache joins repeated headers, Caddy lists them; nginx refuses them, HAProxy keeps the last.
        if self.gateway in ("apache", "caddy"):
            both = [self.mint("orders")[0] for _ in range(2)]
            self.add_both(both, "/v1/items", both)

    def add_both(self, both, target, headers):
        in_query = lambda token: ["token-in-query"] if token in target else []
        planted = [(token, ["token-multiple", *in_query(token)]) for token in both]
        authorization = [b"Bearer " + token.encode() for token in headers]
        self.requests.append(Request("orders", target, 200, authorization, planted=planted))

    def misused(self):
        """Every kind of misuse, with the rules above info that fire for the outcome."""
        now = int(time.time())
        self.doubled()
        other, _ = self.mint("customers")
        foreign = ["confused-deputy", "wrong-aud"]
        agents = ["token-many-ua"]
        self.add("orders", other, rules=foreign + agents, count=3, agent=AWKWARD_AGENT)
        self.add("orders", other, 401, rules=agents)  # wrong-aud is info when refused, confused-deputy nothing
        self.add("orders", other, 403, rules=foreign + agents)
        if self.gateway != "caddy":
            self.add("catalog", self.mint("orders")[0], rules=foreign, where="query")
        graph, _ = self.mint("orders", aud=GRAPH)
        self.add("orders", graph, rules=["graph-token", "wrong-aud"])
        self.add("orders", graph, 401, rules=["graph-token"])
        for late in (600, 7200):
            exp = now - late
            value, _ = self.mint("orders", iat=exp - 3900, nbf=exp - 3900, exp=exp)
            self.add("orders", value, rules=["expired-use"], count=2)
        self.add("orders", value, 401, count=2)  # expired-use is info when refused
        value, _ = self.mint("orders", unsigned=True, header={"alg": "none"})
        self.add("orders", value, rules=["alg-none"])
        self.add("orders", value, 401, rules=["alg-none"], count=2)
        value, _ = self.mint("orders", flip=True)
        self.add("orders", value, rules=["sig-invalid"])
        self.add("orders", value, 401, rules=["sig-invalid"])
        value, _ = self.mint("orders", key=self.issuer.foreign)
        self.add("orders", value, rules=["kid-unknown"])
        self.add("orders", value, 401, rules=["kid-unknown"])
        value, _ = self.mint("customers")
        elsewhere = f"/v1/tenants/{TENANTS[1]}/contacts"
        self.add("customers", value, target=elsewhere, rules=["cross-tenant-data"], count=2)
        self.add("customers", value, 403, target=elsewhere, rules=["cross-tenant-data"])
        value, _ = self.mint("customers", TENANTS[1])
        self.add("customers", value, target="/v1/tenants/contoso/contacts", rules=["cross-tenant-data"])
        value, _ = self.mint("orders", STRANGER)
        self.add("orders", value, rules=["tenant-not-allowed"])
        self.add("orders", value, 401, rules=["tenant-not-allowed"])
        value, _ = self.mint("catalog", TENANTS[1])
        self.add("catalog", value, rules=["tenant-not-allowed"])
        if self.gateway != "caddy":
            value, claims = self.mint("profiles")
            self.add("profiles", value, rules=["email-authz"], principal=claims["preferred_username"], count=2)
        self.misused_forms(now)

    def misused_forms(self, now):
        """Misuse that shows in the header, the times or the key."""
        value, _ = self.mint("orders", nbf=now + 3600, iat=now + 3600, exp=now + 7500)
        self.add("orders", value, rules=["iat-future", "not-yet-valid"])
        value, _ = self.mint("orders", exp=None)
        self.add("orders", value, rules=["exp-missing"])
        value, _ = self.mint("orders", aud=None)
        self.add("orders", value, rules=["aud-missing"])
        value, _ = self.mint("orders", mac=b"no key of the issuer", header={"alg": "HS256"})
        self.add("orders", value, rules=["alg-symmetric"])
        value, _ = self.mint("orders", header={"jku": "https://keys.attacker.example/jwks.json"})
        self.add("orders", value, rules=["hdr-jku", "hdr-unknown"])
        value, _ = self.mint("orders", key=self.issuer.personal)
        self.add("orders", value, rules=["key-issuer-mismatch"])
        value, _ = self.mint("orders", key=self.issuer.old)
        self.add("orders", value, rules=["key-retired-at-iat"])
        self.add("orders", "key-0123456789abcdefghij", rules=["token-opaque"])

    def masked(self):
        """For a gateway that masks what it logs."""
        for status in (200, 200, 401):
            self.add("orders", self.mint("orders")[0], status, presence="masked")
        self.requests.append(Request("orders", "/v1/items", 401, presence="absent"))

    def planted_rows(self):
        """What must be found, as rows of planted.jsonl."""
        counts = {}
        for request in self.requests:
            outcome = OUTCOMES.get(request.status, "unknown")
            for value, rules in request.planted:
                for rule in rules:
                    row = (rule, tokens.fingerprint(value), request.api, outcome)
                    counts[row] = counts.get(row, 0) + 1
        names = ("rule", "token_sha256", "api", "outcome")
        for row, count in sorted(counts.items()):
            yield json.dumps({"gateway": self.gateway, **dict(zip(names, row)), "count": count})

    def count_row(self):
        """How many records the gateway logs, and what they say about tokens."""
        row = {"gateway": self.gateway, "records": len(self.requests)}
        for presence in ("present", "masked", "other-scheme", "absent"):
            row[presence] = sum(request.presence == presence for request in self.requests)
        return json.dumps(row)
