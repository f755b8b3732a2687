#!/usr/bin/env bash
# Fuzzes a target of fuzz/fuzz_targets for some seconds: scripts/fuzz.sh [target] [seconds].
# The sanitizer that cargo-fuzz asks for needs a nightly compiler; the bootstrap flag lets the pinned one do.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${1:-field_scan}"
seconds="${2:-300}"
command -v cargo-fuzz > /dev/null || cargo install --locked cargo-fuzz
corpus="fuzz/corpus/$target"
mkdir -p "$corpus"
# Seeds: the lines of all samples, one a file.
number=0
for log in testdata/formats/*/*.log testdata/gateways/logs/*/access.log; do
    while IFS= read -r line; do
        printf '%s' "$line" > "$corpus/seed-$number"
        number=$((number + 1))
    done < "$log"
done
RUSTC_BOOTSTRAP=1 cargo fuzz run "$target" -- -max_total_time="$seconds" -max_len=4096
