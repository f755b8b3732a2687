#!/usr/bin/env bash
# What is planted is found, and nothing else: corpora of every format against their own tables.
#
# Usage: scripts/recall.sh [LINES]     100,000 lines each if it is not said
#
# For each format: a corpus with misuse, whose expected.jsonl must be found row by row, with its counts; its second night,
# for what needs a baseline; and one of clean traffic, about which nothing may be found above info. Ends with 1 where
# they differ. What no log can show (archive-tamper) is left to the tests of `keys check`.
#
#   TOKENTRAIL_BENCH_BIN   a tool that is built already   [target/release/tokentrail, which is built]
# Needs python3 with pyarrow.
set -euo pipefail
cd "$(dirname "$0")/.."

lines=${1:-100000}
bin=${TOKENTRAIL_BENCH_BIN:-}
if [ -z "$bin" ]; then
    cargo build --release --bin tokentrail
    bin=target/release/tokentrail
fi
bin=$(realpath "$bin")
work=$(mktemp -d "${TMPDIR:-/tmp}/tokentrail-recall.XXXXXX")
trap 'rm -rf "$work"' EXIT

# audit CORPUS OUT ARGS...   from within the corpus, as its README.txt says
audit() {
    local corpus=$1 out=$2
    shift 2
    local formats=()
    if [ -e "$corpus/formats.toml" ]; then formats=(--formats formats.toml); fi
    (cd "$corpus" && "$bin" audit --keys keys --policy policy.toml "${formats[@]}" --progress none -q -o "$out" "$@")
}

for format in edge-json nginx envoy-json; do
    corpus=$work/$format
    "$bin" generate --lines "$lines" --reuse 10 --misuse 0.05 --format "$format" -o "$corpus/misused"
    "$bin" generate --lines "$lines" --reuse 10 --misuse 0 --seed 2 --format "$format" -o "$corpus/clean"
    audit "$corpus/misused" "$corpus/all" logs
    audit "$corpus/misused" "$corpus/first" $(cd "$corpus/misused" && ls -d logs/* | grep -v -e -later)
    audit "$corpus/misused" "$corpus/second" --baseline "$corpus/first" $(cd "$corpus/misused" && ls -d logs/*-later*)
    audit "$corpus/clean" "$corpus/nothing" logs
    python3 - "$corpus" "$format" <<'PYTHON'
import collections, json, sys
import pyarrow.parquet as parquet

corpus, name = sys.argv[1:]
names = ["rule", "token_sha256", "api", "outcome", "subject"]


def expected(file):
    rows = collections.Counter()
    with open(f"{corpus}/misused/{file}") as lines:
        for row in map(json.loads, lines):
            rows[tuple(row.get(name) for name in names)] += row["count"]
    return rows


def found(out):
    rows, loud = collections.Counter(), set()
    for row in parquet.read_table(f"{corpus}/{out}/findings.parquet", columns=[*names, "count", "severity"]).to_pylist():
        key = tuple(row[name] for name in names)
        # Of two gateways.
        rows[key] += row["count"]
        if row["severity"] != "info":
            loud.add(key)
    return rows, loud


wrong = 0
rows, loud = found("all")
for file, rows, loud in [("expected.jsonl", rows, loud), ("expected-later.jsonl", *found("second"))]:
    table = expected(file)
    # A Counter without the row gives 0, which is what some rows count.
    missing = [row for row in table if row not in rows or rows[row] != table[row]]
    # The second night says again what holds of the archive alone.
    surplus = [row for row in loud if row not in table and (file == "expected.jsonl" or row[1])]
    rules = len({row[0] for row in table})
    print(f"{name}, {file}: {len(table):,} rows of {rules} rules; {len(missing):,} not found so, {len(surplus):,} beside them")
    for row in (missing + surplus)[:5]:
        print("   ", row, table.get(row), rows.get(row))
    wrong += len(missing) + len(surplus)
rows, loud = found("nothing")
records = json.load(open(f"{corpus}/nothing/run.json"))["counts"]["records"]
print(f"{name}, clean traffic: {records:,} records, {len(rows):,} findings, {len(loud):,} above info")
for row in list(loud)[:5]:
    print("   ", row)
sys.exit(1 if wrong or loud else 0)
PYTHON
done
