"""Runs the gateways, sends them the plan's requests, and writes testdata/gateways/. Started by capture-gateways.sh."""

import argparse
import gzip
import http.client
import http.server
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import tokens
from plan import AUDIENCES, TENANTS, Plan

HERE = Path(__file__).parent
GATEWAYS = ["nginx-text", "nginx-json", "apache", "haproxy", "caddy", "caddy-masked"]

NGINX_TEXT = (
    '$remote_addr - $remote_user [$time_local] $msec "$request" $status $body_bytes_sent "$host" "$http_referer" '
    '"$http_user_agent" "$http_authorization" "$arg_access_token" "$upstream_http_x_principal" $request_time $request_id'
)
NGINX_JSON = (
    '{"time":"$time_iso8601","msec":$msec,"remote_addr":"$remote_addr","method":"$request_method","host":"$host",'
    '"uri":"$request_uri","status":$status,"rt":$request_time,"ua":"$http_user_agent",'
    '"authorization":"$http_authorization","access_token":"$arg_access_token",'
    '"principal":"$upstream_http_x_principal","request_id":"$request_id","upstream":"$upstream_addr"}'
)


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the request asks for, and names the principal as an application would."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = int(self.headers.get("X-Want-Status", "200"))
        body = b"" if status in (204, 304) else b"{}\n"
        self.send_response(status)
        if self.headers.get("X-App-Principal"):
            self.send_header("X-Principal", self.headers["X-App-Principal"])
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}")


def configured(name, work, ports):
    """Fills in a configuration."""
    text = (HERE / name).read_text().replace("@WORK@", str(work))
    text = text.replace("@NGINX_TEXT@", f"'{NGINX_TEXT}'").replace("@NGINX_JSON@", f"'{NGINX_JSON}'")
    for gateway, port in ports.items():
        text = text.replace(f"@PORT_{gateway}@", str(port))
    path = work / name
    path.write_text(text)
    return str(path)


def start(work, ports):
    """Starts every gateway in the foreground; gives the processes by name."""
    environment = {**os.environ, "XDG_DATA_HOME": str(work), "XDG_CONFIG_HOME": str(work), "HOME": str(work), "TZ": "UTC"}
    commands = {
        "nginx": ["nginx", "-e", str(work / "nginx.start.log"), "-c", configured("nginx.conf", work, ports)],
        "apache": ["apache2", "-D", "FOREGROUND", "-f", configured("apache.conf", work, ports)],
        "haproxy": ["haproxy", "-db", "-f", configured("haproxy.cfg", work, ports)],
        "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", configured("Caddyfile", work, ports)],
    }
    running = {}
    for name, command in commands.items():
        stdout = open(work / "haproxy.log", "wb") if name == "haproxy" else subprocess.DEVNULL
        stderr = open(work / f"{name}.stderr", "wb")
        running[name] = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment)
    return running


def send(port, request):
    """Sends one request on a connection of its own; header values go out byte by byte as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", request.target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", request.host())
    connection.putheader("User-Agent", request.agent)
    connection.putheader("X-Want-Status", str(request.status))
    if request.principal:
        connection.putheader("X-App-Principal", request.principal)
    for value in request.authorization:
        connection.putheader("Authorization", value)
    connection.putheader("Connection", "close")
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    if status != request.status:
        raise SystemExit(f"port {port}: {request.target[:40]} gave {status} instead of {request.status}")


def policy():
    gateways = "".join(f'\n[[gateway]]\nname = "{name}"\nsources = ["**/{name}/**"]\n' for name in GATEWAYS)
    audiences = {name: f'["{guid}", "api://{name}.contoso.example"]' for name, guid in AUDIENCES.items()}
    return f'''# The policy under which planted.jsonl is right. Written by scripts/capture-gateways.sh.
version = 1

[tenancy]
allowed = ["{TENANTS[0]}", "{TENANTS[1]}"]
aliases = {{ contoso = "{TENANTS[0]}" }}

[validation]
preset = "dotnet"
algorithms = ["RS256"]
{gateways}
[[api]]
name = "orders"
hosts = ["orders.contoso.example"]
paths = ["/v1/**"]
audiences = {audiences["orders"]}
operations = [{{ paths = ["/v1/health"], auth = "none" }}]

[[api]]
name = "customers"
hosts = ["customers.contoso.example"]
paths = ["/v1/**"]
audiences = {audiences["customers"]}
data-tenant = "path:/v1/tenants/{{tenant}}/**"

[[api]]
name = "profiles"
hosts = ["profiles.contoso.example"]
paths = ["/v1/**"]
audiences = {audiences["profiles"]}
authorizes-on = "principal"

[[api]]
name = "catalog"
hosts = ["api.contoso.example"]
paths = ["/catalog/**"]
audiences = {audiences["catalog"]}
tenants = ["{TENANTS[0]}"]
'''


def formats():
    return f'''# How the logs are read; those of Caddy have a preset. Written by scripts/capture-gateways.sh.

# The log_format of nginx.conf, as it stands there.
[format.audit]
kind = "nginx"
files = ["**/nginx-text/*"]
template = '{NGINX_TEXT}'
principal = "$upstream_http_x_principal"

# The same with escape=json.
[format.audit-json]
kind = "nginx"
files = ["**/nginx-json/*"]
template = '{NGINX_JSON}'
principal = "$upstream_http_x_principal"

# A LogFormat that writes JSON.
[format.apache-json]
kind = "json"
files = ["**/apache/*"]
token = ["authorization", "query:access_token@url"]
time = {{ path = "ts", as = "epoch_ms", is = "start" }}
duration = {{ path = "dur_us", unit = "us" }}
method = "method"
host = "host"
url = "url"
status = "status"
client_ip = "client"
user_agent = "ua"
request_id = "rid"
principal = "principal"

# A log-format that writes JSON.
[format.haproxy-json]
kind = "json"
files = ["**/haproxy/*"]
token = ["authorization", "query:access_token@url"]
time = {{ path = "ts", as = "epoch_ms", is = "start" }}
duration = {{ path = "dur_ms", unit = "ms" }}
method = "method"
host = "host"
url = "url"
status = "status"
client_ip = "client"
user_agent = "ua"
request_id = "rid"
principal = "principal"
'''


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).splitlines()[0].strip()


def readme(start):
    day = time.strftime("%Y-%m-%d", time.gmtime(start))
    return f'''# Real access logs with good and misused tokens

Made by `scripts/capture-gateways.sh` on {day} with the packages of Debian, on loopback:

- {version("nginx", "-v")}: `log_format` as text (with a rotated, compressed file) and with `escape=json`
- {version("apache2", "-v")}: `LogFormat` that writes JSON
- {version("haproxy", "-v")}: `log-format` with the `json` converter, to stdout in format `raw`
- Caddy {version("caddy", "version")}: its own JSON, with `log_credentials` (`caddy`) and without (`caddy-masked`). This version
  masks by an empty list (`"Authorization":[]`), where later ones write `["REDACTED"]`; without the header there is no member

The configurations lie in `scripts/gateways/`. An upstream answers with the status that a request asks for, so that the
gateways log accepted, refused and failed uses of each token.

Every key and token is throwaway: the keys were made for this one run, their private halves were never stored, and the
names are those of the documentation domains. Nobody accepts these tokens.

| file | holds |
| --- | --- |
| `logs/<gateway>/` | the logs as the gateways wrote them |
| `keys/` | a key archive with `captures.jsonl`; the last capture is from the run, the earlier ones are invented |
| `policy.toml`, `formats.toml` | what to audit with |
| `planted.jsonl` | what must be found above the severity info: gateway, rule, token_sha256, api, outcome, count (requests); nothing else above info is to be found |
| `counts.jsonl` | records of each gateway, and what they say about tokens: present, masked, other-scheme, absent |

    tokentrail audit --keys keys --policy policy.toml --formats formats.toml -o out logs
'''


def capture(work, issuer, plans):
    """Runs the gateways and sends every plan's requests."""
    ports = {name: free_port() for name in [*GATEWAYS, "upstream"]}
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", ports["upstream"]), Upstream)
    # Gateways drop connections as they like; that is not worth a word.
    upstream.handle_error = lambda *_: None
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    running = start(work, ports)
    try:
        for gateway in GATEWAYS:
            wait_for(ports[gateway])
        for plan in plans:
            half = len(plan.requests) // 2
            for number, request in enumerate(plan.requests):
                if plan.gateway == "nginx-text" and number == half:
                    time.sleep(0.3)
                    (work / "nginx-text.log").rename(work / "nginx-text.log.1")
                    running["nginx"].send_signal(10)  # SIGUSR1: reopen
                    time.sleep(0.5)
                send(ports[plan.gateway], request)
        time.sleep(1)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait(10)
        upstream.shutdown()


def collect(work, out, plans):
    """Copies the logs, and checks that every request has its line."""
    logs = out / "logs"
    for plan in plans:
        folder = logs / plan.gateway
        folder.mkdir(parents=True)
        text = (work / f"{plan.gateway}.log").read_bytes()
        rotated = work / f"{plan.gateway}.log.1"
        lines = text.count(b"\n")
        if rotated.exists():
            lines += rotated.read_bytes().count(b"\n")
            (folder / "access.log.1.gz").write_bytes(gzip.compress(rotated.read_bytes(), mtime=0))
        (folder / "access.log").write_bytes(text)
        if lines != len(plan.requests):
            raise SystemExit(f"{plan.gateway}: {lines} lines for {len(plan.requests)} requests")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--out", type=Path, required=True)
    out = arguments.parse_args().out
    start_of_run = int(time.time())
    issuer = tokens.Issuer()
    plans = [Plan(issuer, gateway) for gateway in GATEWAYS]
    for plan in plans:
        if plan.gateway == "caddy-masked":
            plan.masked()
        else:
            plan.good()
            plan.misused()
    if out.exists():
        shutil.rmtree(out)
    with tempfile.TemporaryDirectory() as work:
        # Apache's workers run as www-data and make their locks here.
        os.chmod(work, 0o755)
        capture(Path(work), issuer, plans)
        collect(Path(work), out, plans)
    issuer.write_archive(out / "keys", TENANTS[0], start_of_run, int(time.time()))
    (out / "policy.toml").write_text(policy())
    (out / "formats.toml").write_text(formats())
    (out / "planted.jsonl").write_text("".join(f"{row}\n" for plan in plans for row in plan.planted_rows()))
    (out / "counts.jsonl").write_text("".join(f"{plan.count_row()}\n" for plan in plans))
    (out / "README.md").write_text(readme(start_of_run))
    # The logs are to stay as the gateways wrote them, bytes that are no text included.
    (out / ".gitattributes").write_text("logs/** -text\nkeys/** -text\n")


main()
