#!/usr/bin/env bash
# Makes testdata/gateways/: real access logs of nginx, Apache httpd, HAProxy and Caddy, with good and misused tokens.
#
# Needs Debian, root (to install packages; none of their services is started) and python3. Everything runs on loopback in
# a temporary folder. The keys are made anew on each run and their private halves are thrown away.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

missing=0
for gateway in nginx apache2 haproxy caddy; do
    command -v "$gateway" >/dev/null || missing=1
done
if [ "$missing" = 1 ]; then
    # Keeps the packages from starting their services.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nginx-light apache2 haproxy caddy
fi
if ! python3 -c 'import cryptography' 2>/dev/null; then
    apt-get install -y --no-install-recommends python3-cryptography
fi

export PYTHONDONTWRITEBYTECODE=1
python3 "$root/scripts/gateways/capture.py" --out "$root/testdata/gateways"
