#!/usr/bin/env bash
# Millions of signatures, good, forged and malformed, judged by each kernel of the lanes and by the library; a different answer ends it.
# Usage: scripts/verify-differential.sh [CHECKS [SEED]]      default 4000000 for each kernel, 1
# The gate makes 100,000 such checks; this is for whoever changes src/keys/lanes/.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --locked --quiet --profile fast --example verify_differential -- "${1:-4000000}" "${2:-1}"
