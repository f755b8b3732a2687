"""The rows: what is run against what, and what the ratio must be."""

import json
import os
import re
import shlex
import shutil
import subprocess

from growth import growth
from measure import cpu, interleaved, ratio, wall
from table import Row, micros, note

DISTINCT, REPEAT = 120_000, 500_000


def distinct_corpus(setting):
    """Every token different."""
    return setting.corpus("distinct", setting.size(DISTINCT), "--reuse", "1", "--misuse", "0.01")


def repeat_corpus(setting, *options, name="repeat", misuse=0.01):
    """Each token a hundred times."""
    lines = setting.size(REPEAT)
    return setting.corpus(name, lines, "--reuse", "100", "--misuse", str(misuse), *options)


def verify(_setting):
    """The bench of the signature check compares within one run, in rounds of its own, and tells the ratio."""
    profile = os.environ.get("TOKENTRAIL_BENCH_PROFILE", "bench")
    command = ["cargo", "bench", "--locked", "--profile", profile, "--bench", "verify"]
    own = {name: value for name, value in os.environ.items() if name != "TOKENTRAIL_BENCH_ROUNDS"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=own)
    work = "RS256-2048 verify alone, one core"
    # The fastest kernel of the processor stands first.
    told = re.search(r"2048 bits: library ([0-9.]+) us.*\n *\w+: ([0-9.]+) us, ([0-9.]+) times the library", done.stdout)
    if done.returncode != 0 or not told:
        yield Row(work, "`cargo bench --bench verify` tells no ratio for 2048 bits", "ParsedPublicKey", None, 2.5, 3.0)
        return
    library, lanes, times = (float(number) for number in told.groups())
    yield Row(work, f"{lanes:.3g} us", f"ParsedPublicKey: {library:.3g} us", (times,) * 3, 2.5, 3.0)


def distinct(setting):
    """All tokens distinct."""
    corpus = distinct_corpus(setting)
    runs = interleaved(
        setting.rounds,
        {
            "tool": (setting.audit(corpus), 1),
            "naive": (setting.naive(corpus), 1),
            "equal": (setting.equal(corpus), 1),
            "parsed": ([setting.peers, "parsed", corpus.folder / "keys", corpus.log], 1),
        },
    )
    tool, naive, parsed = runs["tool"], runs["naive"], runs["parsed"]
    this, lines = f"{micros(tool.cpu(), corpus.lines)} a line", corpus.lines
    against = f"serde_json + jsonwebtoken + rayon: {micros(naive.cpu(), lines)}"
    work = "all tokens distinct, whole tool, one core"
    yield Row(work, this, against, ratio(naive, tool, cpu), 3.0, 4.0, peak=tool.peak())
    yield equal_row(this, runs["equal"], tool, lines)
    checked = parsed.samples[0].out["tokens"]
    alone = parsed.median(lambda sample: sample.out["cpu_s"])
    share = ratio(parsed, tool, lambda sample: rate_of(sample, checked, naive.samples[0].out["tokens"]))
    yield Row("", this, f"ParsedPublicKey alone: {micros(alone, checked)} a token", share, 1.4, 1.7)
    yield from agreement(setting, corpus, naive.samples[0].out)


def equal_row(this, equal, tool, lines):
    """Against the loop that also reads everything, applies a policy and writes tables; for information."""
    against = f"the loop with all fields, claims, policy and two tables: {micros(equal.cpu(), lines)}"
    return Row("", this, against, ratio(equal, tool, cpu))


def rate_of(sample, checked, tokens):
    """CPU time for each token: of the verifications alone, or of the whole tool."""
    if isinstance(sample.out, dict) and sample.out.get("peer") == "parsed":
        return sample.out["cpu_s"] / checked
    return sample.cpu / tokens


def agreement(setting, corpus, peer):
    """Whether the peer does the same work: as many lines, tokens, and valid ones."""
    run = json.loads((setting.folder / "out" / "run.json").read_text(encoding="utf-8"))
    counts = run["counts"]
    ours = (counts["records"], counts["tokens"]["present"], run["verdicts"]["uses"]["valid"])
    theirs = (peer["lines"], peer["tokens"], peer["valid"])
    # A few of the misused tokens are valid for one of the two only: the peer knows no issuers and finds no key by trying.
    alike = ours[:2] == theirs[:2] and abs(ours[2] - theirs[2]) * 1000 <= ours[2]
    if ours[0] != corpus.lines or not alike:
        yield note("**the peer counts other lines or tokens, or other valid ones by more than one in a thousand**", f"{ours}", f"{theirs}")


def repeat(setting):
    """Each token a hundred times."""
    corpus = repeat_corpus(setting)
    runs = interleaved(
        setting.rounds,
        {
            "tool": (setting.audit(corpus), 1),
            "naive": (setting.naive(corpus, "--cache"), 1),
            "equal": (setting.equal(corpus, "--cache"), 1),
            "wc": (["wc", "-l", corpus.log], 1),
        },
    )
    tool, naive, count = runs["tool"], runs["naive"], runs["wc"]
    this, lines = f"{micros(tool.cpu(), corpus.lines)} a line", corpus.lines
    against = f"the loop with a DashMap of verdicts: {micros(naive.cpu(), lines)}"
    work = "each token 100 times, whole tool, one core"
    yield Row(work, this, against, ratio(naive, tool, cpu), 4.0, 6.0, peak=tool.peak())
    yield equal_row(this, runs["equal"], tool, lines)
    share = ratio(count, tool, cpu)
    yield Row("", this, f"`wc -l`: {micros(count.cpu(), lines)}", share, stretch=0.5)
    yield from agreement(setting, corpus, naive.samples[0].out)


def digest(setting):
    """What hashing the inputs costs."""
    for work, corpus in [("distinct", distinct_corpus(setting)), ("100 times", repeat_corpus(setting))]:
        runs = interleaved(
            setting.rounds,
            {"with": (setting.audit(corpus, digest=True), 1), "without": (setting.audit(corpus), 1)},
        )
        this, lines = runs["with"], corpus.lines
        against = f"without: {micros(runs['without'].cpu(), lines)}"
        share = ratio(this, runs["without"], cpu)
        yield Row(f"the same with the input digest, {work}", f"{micros(this.cpu(), lines)} a line", against, share)


def packed(setting):
    """Compressed input against the decompressor alone: wall time of one file, all cores for the rest of the work."""
    corpus = repeat_corpus(setting)
    for name, extension, alone in [("gzip", "gz", "inflate"), ("zstd", "zst", "unzstd")]:
        [whole] = setting.packed(corpus, extension)
        parts = setting.packed(corpus, extension, 4)
        runs = interleaved(
            setting.rounds,
            {
                "tool": (setting.audit(corpus, whole, jobs=2), 2),
                "alone": ([setting.peers, alone, whole], 1),
                "parts": (setting.audit(corpus, *parts, jobs=2), 2),
                "one": (setting.audit(corpus, *parts), 1),
            },
        )
        tool, bare = runs["tool"], runs["alone"]
        this = f"{elapsed(tool, corpus)}, {micros(tool.cpu(), corpus.lines)} CPU"
        against = f"{alone} alone: {elapsed(bare, corpus)}"
        yield Row(f"{name}, one file, two cores", this, against, ratio(bare, tool, wall), 0.9, peak=tool.peak())
        parts_runs, one = runs["parts"], runs["one"]
        share = ratio(one, parts_runs, wall)
        this, against = elapsed(parts_runs, corpus), f"one core: {elapsed(one, corpus)}"
        yield Row(f"{name}, four files, two cores", this, against, share, peak=parts_runs.peak())


def elapsed(series, corpus):
    """Wall time a line, and how many cores were had. Less than one had by one that needs no other: something else ran."""
    had = series.median(lambda sample: sample.cpu / sample.wall)
    return f"{micros(series.wall(), corpus.lines)} wall on {had:.2f} cores"


def cores(setting):
    """Two cores against one, by wall time; beside it what two runs side by side, which share nothing, do at once."""
    for work, corpus in [("distinct", distinct_corpus(setting)), ("100 times", repeat_corpus(setting))]:
        alone = setting.audit(corpus)
        runs = interleaved(
            setting.rounds,
            {"two": (setting.audit(corpus, jobs=2), 2), "one": (alone, 1), "pair": (side_by_side(setting, alone), 2)},
        )
        two, one, pair = runs["two"], runs["one"], runs["pair"]
        limit = 2 * ratio(one, pair, wall)[0]
        this = elapsed(two, corpus)
        against = f"one core: {elapsed(one, corpus)}; two runs side by side: {limit:.2f}x"
        yield Row(f"two cores against one, {work}", this, against, ratio(one, two, wall), 1.9, peak=two.peak())


def side_by_side(setting, command):
    """A command, and the same with another output at the same time: what this machine's two cores do at the most."""
    other = [setting.folder / "beside" if word == setting.folder / "out" else word for word in command]
    both = [shlex.join(str(word) for word in words) for words in (command, other)]
    # One is what a run with findings ends with.
    return ["sh", "-c", f"{both[0]} & first=$!; {both[1]}; second=$?; wait $first; test $? -le 1 -a $second -le 1"]


def nginx(setting):
    """Text lines against JSON lines."""
    text = repeat_corpus(setting, "--format", "nginx", name="nginx")
    lines = repeat_corpus(setting)
    runs = interleaved(setting.rounds, {"text": (setting.audit(text), 1), "json": (setting.audit(lines), 1)})
    this = f"{micros(runs['text'].cpu(), text.lines)} a line ({bytes_a_line(text)} bytes)"
    against = f"JSON: {micros(runs['json'].cpu(), lines.lines)} ({bytes_a_line(lines)} bytes)"
    share = ratio(runs["json"], runs["text"], cpu)
    yield Row("nginx text, each token 100 times", this, against, share, 1.0, peak=runs["text"].peak())


def bytes_a_line(corpus):
    """Length of a line on average."""
    return round(corpus.log.stat().st_size / corpus.lines)


def findings(setting):
    """One record in five firing against none."""
    firing = repeat_corpus(setting, name="firing", misuse=0.2)
    clean = repeat_corpus(setting, name="clean", misuse=0)
    runs = interleaved(setting.rounds, {"firing": (setting.audit(firing), 1), "clean": (setting.audit(clean), 1)})
    this = f"{micros(runs['firing'].cpu(), firing.lines)} a line"
    against = f"none: {micros(runs['clean'].cpu(), clean.lines)}"
    share = ratio(runs["firing"], runs["clean"], cpu)
    yield Row("20 % of the records fire", this, against, share, most=1.5, peak=runs["firing"].peak())


def others(setting):
    """Programs that one might use instead, for information."""
    corpus = distinct_corpus(setting)
    candidates = {"tool": (setting.audit(corpus), 1)}
    if setting.python.exists():
        loop = [setting.python, "scripts/bench/pyjwt_loop.py", corpus.folder / "keys", corpus.log, "5000"]
        candidates["pyjwt"] = (loop, 1)
    runs = interleaved(min(setting.rounds, 3), candidates)
    this = f"{micros(runs['tool'].cpu(), corpus.lines)} a line"
    if "pyjwt" in runs:
        out = runs["pyjwt"].samples[0].out
        share = ratio(runs["pyjwt"], runs["tool"], lambda sample: lines_of(sample, corpus))
        alone = runs["pyjwt"].median(lambda sample: sample.out["cpu_s"])
        yield Row("distinct, against Python", this, f"{out['peer']}: {micros(alone, out['lines'])}", share)
    else:
        yield note("distinct, against Python", this, "PyJWT: not installed")
    yield from searchers(setting)


def lines_of(sample, corpus):
    """CPU time a line; the loop reads a part of the log and times itself."""
    if isinstance(sample.out, dict):
        return sample.out["cpu_s"] / sample.out["lines"]
    return sample.cpu / corpus.lines


def searchers(setting):
    """Programs that only look for lines with a token."""
    corpus = repeat_corpus(setting)
    query = f"select count(*) from read_json('{corpus.log}') where headers.authorization like 'Bearer eyJ%'"
    known = {
        "ripgrep": ("rg", ["rg", "--no-config", "-c", "-j1", "Bearer eyJ", corpus.log]),
        "DuckDB": ("duckdb", ["duckdb", "-c", "set threads = 1; " + query]),
    }
    candidates = {"tool": (setting.audit(corpus), 1)}
    candidates |= {name: (command, 1) for name, (program, command) in known.items() if shutil.which(program)}
    runs = interleaved(min(setting.rounds, 3), candidates)
    this = f"{micros(runs['tool'].cpu(), corpus.lines)} a line"
    for name in known:
        if name in runs:
            share = ratio(runs[name], runs["tool"], cpu)
            against = f"{name} counts lines with a token: {micros(runs[name].cpu(), corpus.lines)}"
            yield Row("100 times, against a search", this, against, share)
        else:
            yield note("100 times, against a search", this, f"{name}: not installed")


ROWS = {
    "verify": (verify, "the signature check alone, by its bench"),
    "distinct": (distinct, "all tokens distinct, against the loop and against ParsedPublicKey alone"),
    "repeat": (repeat, "each token 100 times, against the loop with a cache and against wc"),
    "digest": (digest, "what the input digest costs"),
    "packed": (packed, "gzip and zstd input, against the decompressor alone"),
    "cores": (cores, "two cores against one"),
    "nginx": (nginx, "text lines against JSON lines"),
    "findings": (findings, "one record in five firing against none"),
    "others": (others, "PyJWT, ripgrep, DuckDB, where installed"),
    "growth": (growth, "CPU and memory with more lines and more tokens; not part of the usual run"),
}
