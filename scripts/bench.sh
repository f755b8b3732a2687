#!/usr/bin/env bash
# The measured table: the whole tool against what one would write or use instead, on generated logs of 2.2 KB lines.
#
# Usage: scripts/bench.sh                every row but growth, in some 20 minutes on two cores
#        scripts/bench.sh ROW...         some of: verify distinct repeat digest packed cores nginx findings others growth
#        scripts/bench.sh --quick ...    small sizes and few rounds: shows that it runs, measures nothing
#        scripts/bench.sh --list         what each row is
#
# Prints Markdown. Times are CPU time (user and system, all threads), the median of rounds that alternate between the
# candidates; ratios are medians of the ratios of one round. Let nothing else run meanwhile.
#
#   TOKENTRAIL_BENCH_DIR       corpora and results; kept, and used again   [target/bench, some 6 GB]
#   TOKENTRAIL_BENCH_ROUNDS    rounds of each row                          [5]
#   TOKENTRAIL_BENCH_PROFILE   cargo profile of the tool                   [release]
#   TOKENTRAIL_BENCH_BIN       a tool that is built already
#   TOKENTRAIL_GROWTH_LINES    lines of the growth row, each token 100 times   ["1000000 10000000"; up to 100000000]
#   TOKENTRAIL_GROWTH_TOKENS   distinct tokens of the growth row               ["50000 500000"; up to 10000000, if memory allows]
# Needs a Rust toolchain, a C compiler and python3. PyJWT is installed into a virtual environment if pip can reach it.
set -euo pipefail
cd "$(dirname "$0")/.."

case " $* " in
*" -h "* | *" --help "*) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit ;;
*" --list "*) exec python3 scripts/bench --list ;;
esac

target=${CARGO_TARGET_DIR:-target}
export TOKENTRAIL_BENCH_DIR=${TOKENTRAIL_BENCH_DIR:-$target/bench}
mkdir -p "$TOKENTRAIL_BENCH_DIR"

if [ -z "${TOKENTRAIL_BENCH_BIN:-}" ]; then
    profile=${TOKENTRAIL_BENCH_PROFILE:-release}
    cargo build --locked --profile "$profile" --bin tokentrail >&2
    export TOKENTRAIL_BENCH_BIN=$target/$profile/tokentrail
fi
cargo build --locked --release --manifest-path benches/peers/Cargo.toml --target-dir "$target/peers" >&2
export TOKENTRAIL_BENCH_PEERS=$target/peers/release/peers

venv=$TOKENTRAIL_BENCH_DIR/venv
if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import jwt, cryptography' 2>/dev/null; then
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet 'PyJWT[crypto]'; } >&2; then
        echo "bench: PyJWT could not be installed; its row is left out" >&2
    fi
fi

export PYTHONDONTWRITEBYTECODE=1
# Names and versions are printed without colour codes.
export NO_COLOR=1
exec python3 scripts/bench "$@"
