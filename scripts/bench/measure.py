"""Runs candidates in turn and measures each process by itself."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# The tool's exit codes for a run that was done: nothing to report, findings.
DONE = (0, 1)


class Sample:
    """One run of one candidate."""

    def __init__(self, cpu, wall, peak, out):
        self.cpu = cpu
        self.wall = wall
        self.peak = peak
        self.out = out


def pinned(command, cores):
    """The command on some cores, where they can be chosen; the last ones, because the first have the interrupts."""
    if cores is None or not shutil.which("taskset"):
        return command
    count = os.cpu_count() or 1
    chosen = ",".join(str(core) for core in range(max(count - cores, 0), count))
    return ["taskset", "-c", chosen, *command]


def start(command, cores, stdin=None, errors=None):
    """Starts a candidate."""
    command = [str(word) for word in pinned(command, cores)]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=errors)


def once(command, cores=1, stdin=None):
    """Runs a candidate to its end."""
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = start(command, cores, stdin, errors)
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        if process.returncode not in DONE:
            errors.seek(0)
            told = errors.read().decode(errors="replace")
            sys.exit(f"bench: {command[0]} ended with {process.returncode}: {told}")
    # Kilobytes on Linux, bytes on macOS.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    text = out.decode(errors="replace").strip()
    return Sample(usage.ru_utime + usage.ru_stime, wall, peak, json.loads(text) if text.startswith("{") else text)


class Series:
    """All runs of one candidate."""

    def __init__(self):
        self.samples = []

    def median(self, what):
        """Median of a number of each sample."""
        return statistics.median(what(sample) for sample in self.samples)

    def cpu(self):
        """Median of the CPU time, in seconds."""
        return self.median(lambda sample: sample.cpu)

    def wall(self):
        """Median of the wall time, in seconds."""
        return self.median(lambda sample: sample.wall)

    def peak(self):
        """Most memory that a run had at once, in bytes."""
        return max(sample.peak for sample in self.samples)


def interleaved(rounds, candidates):
    """Runs every candidate once a round; a candidate is a command and its number of cores. A first round warms the file
    cache and is not counted."""
    series = {name: Series() for name in candidates}
    for number in range(rounds + 1):
        for name, (command, cores) in candidates.items():
            sample = once(command, cores)
            if number > 0:
                series[name].samples.append(sample)
    return series


def ratio(above, below, what):
    """Median, least and greatest of the ratio within a round."""
    ratios = [what(a) / max(what(b), 1e-9) for a, b in zip(above.samples, below.samples)]
    return statistics.median(ratios), min(ratios), max(ratios)


def cpu(sample):
    """CPU time of a sample."""
    return sample.cpu


def wall(sample):
    """Wall time of a sample."""
    return sample.wall
