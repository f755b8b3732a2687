"""Where the programs and corpora are, and how large everything is."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path


def say(text):
    """Tells the one who waits what is going on."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Corpus:
    """A generated corpus with its log as one file."""

    def __init__(self, folder, lines):
        self.folder = folder
        self.lines = lines
        self.log = folder / "edge-01-all.log"

    def options(self):
        """How the tool is told to read it."""
        return [
            "--keys", self.folder / "keys", "--policy", self.folder / "policy.toml",
            "--formats", self.folder / "formats.toml", "--input-format", "edge",
        ]  # fmt: skip


class Setting:
    """Everything that the rows share."""

    def __init__(self, quick):
        self.quick = quick
        self.tool = Path(os.environ["TOKENTRAIL_BENCH_BIN"])
        self.peers = Path(os.environ["TOKENTRAIL_BENCH_PEERS"])
        self.folder = Path(os.environ["TOKENTRAIL_BENCH_DIR"])
        self.python = self.folder / "venv" / "bin" / "python"
        self.rounds = int(os.environ.get("TOKENTRAIL_BENCH_ROUNDS", "2" if quick else "5"))
        # A corpus is made anew when what makes it changed.
        sources = sorted(path for path in Path("src/generate").glob("*.rs") if path.name != "tests.rs")
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
        self.corpora = self.folder / "corpora" / digest[:12]

    def size(self, usual):
        """A number of lines or tokens, small if it must be quick."""
        return max(usual // 20, 5_000) if self.quick else usual

    def growth(self, name, usual):
        """The sizes of a growth row, smallest first."""
        given = os.environ.get(f"TOKENTRAIL_GROWTH_{name}")
        sizes = [int(size) for size in given.split()] if given else [self.size(size) for size in usual]
        return sorted(sizes)

    def corpus(self, name, lines, *options):
        """A corpus, generated if it is not there."""
        corpus = Corpus(self.corpora / f"{name}-{lines}", lines)
        if not (corpus.folder / "README.txt").exists():
            say(f"generating {lines} lines: {name}")
            self._generate(corpus, name, lines, options)
        return corpus

    def generate_command(self, folder, lines, log, *options):
        """The command that generates. As many hours as make some 50,000 lines the reach of a token's uses."""
        hours = min(max(lines // 40_000, 1), 72)
        return [
            self.tool, "--quiet", "generate", "--lines", str(lines), "--hours", str(hours),
            "--apis", "20", "-o", folder, "--log", log, *options,
        ]  # fmt: skip

    def _generate(self, corpus, name, lines, options):
        shutil.rmtree(corpus.folder, ignore_errors=True)
        corpus.folder.parent.mkdir(parents=True, exist_ok=True)
        partial, log = corpus.folder.with_suffix(".partial"), corpus.folder.with_suffix(".log")
        banks = self.folder / "banks"
        banks.mkdir(exist_ok=True)
        bank = banks / f"{name}-{lines}"
        for _ in range(2):
            shutil.rmtree(partial, ignore_errors=True)
            log.unlink(missing_ok=True)
            command = self.generate_command(partial, lines, log, *options, "--token-bank", bank)
            if subprocess.run(command, check=False).returncode == 0:
                break
            # The bank may be of another plan.
            bank.unlink(missing_ok=True)
        else:
            sys.exit("bench: the corpus could not be generated")
        log.rename(partial / "edge-01-all.log")
        partial.rename(corpus.folder)

    def packed(self, corpus, extension, parts=1):
        """The log of a corpus, compressed, as one file or as some of equal size."""
        files = [corpus.folder / f"edge-01-{part}-of-{parts}.log.{extension}" for part in range(parts)]
        if all(file.exists() for file in files):
            return files
        say(f"compressing {corpus.log.name} to {extension} in {parts} file(s)")
        share = -(-corpus.lines // parts)
        with corpus.log.open("rb") as log:
            for file in files:
                plain = file.with_suffix(".plain")
                with plain.open("wb") as out:
                    for _ in range(share):
                        out.write(log.readline())
                unfinished = file.with_suffix(f".unfinished.{extension}")
                subprocess.run([self.peers, "pack", plain, unfinished], check=True, stdout=subprocess.DEVNULL)
                plain.unlink()
                unfinished.rename(file)
        return files

    def audit(self, corpus, *inputs, jobs=1, digest=False):
        """The command of the whole tool: all rules, all tables."""
        flags = [] if digest else ["--no-input-digest"]
        return [
            self.tool, "--quiet", "audit", *corpus.options(), "--progress", "none", "-j", str(jobs), *flags,
            "-o", self.folder / "out", *(inputs or [corpus.log]),
        ]  # fmt: skip

    def naive(self, corpus, *flags, jobs=1):
        """The command of the loop that one would write."""
        return [self.peers, "naive", *flags, "-j", str(jobs), corpus.folder / "keys", corpus.log]

    def equal(self, corpus, *flags, jobs=1):
        """The command of the loop that does what the tool does at the least."""
        return [
            self.peers, "equal", *flags, "-j", str(jobs), corpus.folder, self.folder / "equal", corpus.log,
        ]  # fmt: skip
