"""The measured table; `scripts/bench.sh` builds what it needs and starts it."""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

from rows import ROWS
from setting import Setting
from table import HEAD


def text_of(*command):
    """First line that a command prints; empty if there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    lines = done.stdout.strip().splitlines()
    return lines[0] if lines else ""


def cpu_model():
    """Name of the CPU, as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return text_of("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor() or "unknown"


def locked(lock, *names):
    """Versions of some packages in a Cargo.lock."""
    lines = Path(lock).read_text(encoding="utf-8").splitlines()
    versions = {}
    for name, version in zip(lines, lines[1:]):
        if name.startswith("name = "):
            versions.setdefault(name.split('"')[1], version.split('"')[1])
    return ", ".join(f"{name} {versions.get(name, '?')}" for name in names)


def introduction(setting):
    """What ran where."""
    dirty = " with changes" if text_of("git", "status", "--porcelain") else ""
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    peers = locked("benches/peers/Cargo.lock", "serde_json", "jsonwebtoken", "aws-lc-rs", "rayon", "dashmap", "flate2", "zstd")
    return [
        f"- CPU: {cpu_model()}, {os.cpu_count()} cores; {platform.system()} {platform.release()}; load before: {load}",
        f"- tokentrail: commit {text_of('git', 'rev-parse', '--short', 'HEAD')}{dirty}, {setting.tool}; {text_of('rustc', '-V')}",
        f"- peers: {peers}",
        f"- rounds: {setting.rounds}; day: {datetime.date.today().isoformat()}",
    ]


def main(arguments):
    quick = "--quick" in arguments
    if "--list" in arguments:
        for name, (_, what) in ROWS.items():
            print(f"{name:10}{what}")
        return 0
    wanted = [argument for argument in arguments if not argument.startswith("-")]
    unknown = [name for name in wanted if name not in ROWS]
    if unknown or any(argument.startswith("-") and argument != "--quick" for argument in arguments):
        print(f"bench: rows are {', '.join(ROWS)}; the only flags are --quick and --list", file=sys.stderr)
        return 2
    setting = Setting(quick)
    if quick:
        print("Quick: the sizes are too small to mean anything.\n")
    print("\n".join(introduction(setting)), end="\n\n")
    print(HEAD, flush=True)
    missed = 0
    for name in wanted or [name for name in ROWS if name != "growth"]:
        for row in ROWS[name][0](setting):
            print(row.markdown(), flush=True)
            missed += row.is_missed()
    print(f"\n{missed} targets missed." if missed else "\nEvery target met.")
    return 0


sys.exit(main(sys.argv[1:]))
