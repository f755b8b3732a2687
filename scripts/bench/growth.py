"""The growth rows: the log goes from the generator through a pipe into the tool, so that no disk must hold it."""

import json
import os
import shutil
import subprocess
import tempfile
import time

from measure import DONE, Sample, start
from setting import Corpus, say
from table import Row, micros, mib

# Longest time until the generator has written keys and policy.
PATIENCE = 300


def piped(setting, lines, *options):
    """One audit of a generated log of some lines; CPU time and memory are the tool's alone."""
    say(f"growth: {lines} lines")
    parent = setting.folder / "growth"
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / "corpus"
    shutil.rmtree(folder, ignore_errors=True)
    corpus = Corpus(folder, lines)
    command = setting.generate_command(folder, lines, "-", *options)
    generator = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE)
    began = time.monotonic()
    # The policy is the last of what is written before the log.
    while not (folder / "policy.toml").exists():
        if generator.poll() is not None or time.monotonic() - began > PATIENCE:
            raise SystemExit("bench: the generator wrote no policy")
        time.sleep(0.05)
    with tempfile.TemporaryFile() as errors:
        process = start(setting.audit(corpus, "-"), None, generator.stdout, errors)
        generator.stdout.close()
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if generator.wait() != 0 or process.returncode not in DONE:
            errors.seek(0)
            raise SystemExit(f"bench: growth: {process.returncode}: {errors.read().decode(errors='replace')}")
    counts = json.loads((setting.folder / "out" / "run.json").read_text(encoding="utf-8"))["counts"]
    if counts["records"] != lines:
        raise SystemExit(f"bench: growth: {counts['records']} records of {lines} lines")
    shutil.rmtree(folder, ignore_errors=True)
    return Sample(usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss * 1024, {})


def growth(setting):
    """CPU a line must not grow; memory must not grow with lines, and is stated for each distinct token."""
    yield from compared(
        "lines, each token 100 times",
        setting.growth("LINES", [1_000_000, 10_000_000]),
        lambda lines: piped(setting, lines, "--reuse", "100", "--alg", "ES256"),
    )
    yield from compared(
        "distinct tokens (ES256)",
        setting.growth("TOKENS", [50_000, 500_000]),
        lambda tokens: piped(setting, tokens, "--reuse", "1", "--alg", "ES256"),
    )


def compared(what, sizes, run):
    """Each size against the smallest."""
    first = None
    for size in sizes:
        sample = run(size)
        this = f"{micros(sample.cpu, size)} a line, {mib(sample.peak)}"
        if first is None:
            first = (size, sample)
            yield Row(f"growth: {size:,} {what}", this, "", None, peak=sample.peak)
            continue
        small, before = first
        share = (sample.cpu / size) / (before.cpu / small)
        more = (sample.peak - before.peak) / (size - small)
        against = f"{small:,}: {micros(before.cpu, small)}, {mib(before.peak)}; {more:.0f} bytes more for each more"
        yield Row(f"growth: {size:,} {what}", this, against, (share, share, share), most=1.1, peak=sample.peak)
