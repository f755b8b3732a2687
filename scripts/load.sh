#!/usr/bin/env bash
# Memory and truth under load: millions of distinct ES256 tokens from a million addresses, in one log.
#
# Usage: scripts/load.sh [TOKENS]     5,000,000 if it is not said; some 20 GB pass through a pipe, nothing of it is stored
#
# Prints the most memory that the audit took, by token, and compares token-many-ip for one token of fifty with a count
# that knows no limits, made in Python from activity.parquet. Ends with 1 where they differ.
#
#   TOKENTRAIL_BENCH_BIN   a tool that is built already   [target/release/tokentrail, which is built]
# Needs python3 with pyarrow.
set -euo pipefail
cd "$(dirname "$0")/.."

tokens=${1:-5000000}
bin=${TOKENTRAIL_BENCH_BIN:-}
if [ -z "$bin" ]; then
    cargo build --release --bin tokentrail
    bin=target/release/tokentrail
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/tokentrail-load.XXXXXX")
trap 'rm -rf "$work"' EXIT

mkfifo "$work/log"
"$bin" generate --lines $((tokens * 3)) --reuse 3 --alg ES256 --hours 12 --misuse 0.001 --addresses 1000000 \
    -o "$work/corpus" --log - 2>"$work/generate.txt" | cat >"$work/log" &
# The corpus' policy and keys are there before the first line is.
while [ ! -s "$work/corpus/policy.toml" ]; do sleep 1; done
sleep 2

python3 - "$bin" "$work" "$tokens" <<'PYTHON'
import collections, ipaddress, resource, subprocess, sys, time
import pyarrow.parquet as parquet

bin, work, tokens = sys.argv[1], sys.argv[2], int(sys.argv[3])
corpus, out = work + "/corpus", work + "/out"
command = [bin, "audit", "--keys", corpus + "/keys", "--policy", corpus + "/policy.toml", "--formats", corpus + "/formats.toml",
           "--input-format", "edge", "--no-occurrences", "--no-input-digest", "--progress", "none", "-o", out, "-"]
began = time.monotonic()
with open(work + "/log", "rb") as log, open(work + "/audit.txt", "wb") as said:
    code = subprocess.run(command, stdin=log, stdout=subprocess.DEVNULL, stderr=said).returncode
if code not in (0, 3):
    sys.exit(open(work + "/audit.txt").read())
took = time.monotonic() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
rows = lambda name, columns: parquet.ParquetFile(f"{out}/{name}.parquet").iter_batches(columns=columns)
apps, distinct = set(), 0
for batch in rows("tokens", ["token_sha256", "token_kind"]):
    distinct += batch.num_rows
    apps.update(row["token_sha256"] for row in batch.to_pylist() if row["token_kind"] == "app")
print(f"{distinct:,} distinct tokens: {peak / 2**20:,.0f} MiB at most, {peak / distinct:,.0f} bytes a token; {took:,.0f} s")

sampled = lambda token: int(token[-4:], 16) % 50 == 0
networks = collections.defaultdict(set)
for batch in rows("activity", ["token_sha256", "client_ip", "outcome"]):
    for row in batch.to_pylist():
        if row["outcome"] == "accepted" and row["client_ip"] and sampled(row["token_sha256"]):
            address = ipaddress.ip_address(row["client_ip"])
            networks[row["token_sha256"]].add(ipaddress.ip_network((address, 24 if address.version == 4 else 56), strict=False))
least = lambda token: 10 if token in apps else 3
sides = lambda found: max(sum(net.version == 4 for net in found), sum(net.version == 6 for net in found))
expected = {token for token, found in networks.items() if sides(found) >= least(token)}
found = set()
for batch in rows("findings", ["rule", "token_sha256", "outcome", "message"]):
    for row in batch.to_pylist():
        if row["rule"] == "token-many-ip" and row["outcome"] == "accepted" and "many networks" in row["message"]:
            found.add(row["token_sha256"])
found = {token for token in found if sampled(token)}
print(f"token-many-ip: {len(expected):,} of {len(networks):,} sampled tokens expected, {len(found):,} found, "
      f"{len(expected ^ found):,} differ")
sys.exit(1 if expected ^ found else 0)
PYTHON
