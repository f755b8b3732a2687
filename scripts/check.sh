#!/usr/bin/env bash
# The whole gate, the same on a desk and in CI: format, lints, tests, docs, the lean library, dependencies.
# Usage: scripts/check.sh            everything
#        scripts/check.sh STEP...    some of: fmt clippy test docs lean bench deny
# Needs a Rust toolchain and a C compiler; installs cargo-deny if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never

say() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

need_c_compiler() {
    command -v cc >/dev/null && return
    apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev
}

step_fmt() { cargo fmt --check; }
step_clippy() { cargo clippy --locked --all-targets -- -D warnings; }
# The README's test command.
step_test() { cargo test --locked; }
step_docs() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib; }
# The pure core: no argument parser, no terminal.
step_lean() { RUSTFLAGS="-D warnings" cargo check --locked --lib --no-default-features; }
# Benches are compiled, never timed here.
step_bench() { cargo check --locked --benches; }
step_deny() {
    command -v cargo-deny >/dev/null || cargo install cargo-deny --locked --quiet
    cargo deny --locked check bans licenses sources
    # Advisories need a database from the network; where it cannot be had, that is said and not hidden.
    cargo deny --locked check advisories || echo "advisories: NOT CHECKED, the advisory database could not be reached"
}

need_c_compiler
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(fmt clippy test docs lean bench deny)
for step in "${steps[@]}"; do
    say "$step"
    "step_$step"
done
say "all green"
