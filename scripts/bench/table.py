"""Rows of the printed table."""

HEAD = """\
| work | this | against | ratio (range) | at least | stretch | | peak memory |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def micros(seconds, count):
    """Time for each of some things."""
    return f"{seconds / count * 1e6:.3g} us"


def mib(size):
    """A size in memory."""
    return f"{size / (1 << 20):.0f} MiB"


class Row:
    """A row. `ratio` is (median, least, greatest); with `most` instead of `least` a greater ratio is worse."""

    def __init__(self, work, this, against, ratio, least=None, stretch=None, most=None, peak=None):
        self.work = work
        self.this = this
        self.against = against
        self.ratio = ratio
        self.least = least
        self.stretch = stretch
        self.most = most
        self.peak = peak

    def is_missed(self):
        """Whether a target stands and is not met."""
        if self.ratio is None:
            return self.least is not None or self.most is not None
        below = self.least is not None and self.ratio[0] < self.least
        return below or (self.most is not None and self.ratio[0] > self.most)

    def _verdict(self):
        if self.least is None and self.most is None and self.stretch is None:
            return ""
        if self.is_missed():
            return "MISSED"
        if self.ratio is None:
            return ""
        if self.stretch is not None:
            if self.ratio[0] >= self.stretch:
                return "stretch met"
            return "met" if self.least is not None else "stretch not met"
        return "met"

    def markdown(self):
        """The row as a line of a table."""
        shown = "" if self.ratio is None else "{:.2f}x ({:.2f}..{:.2f})".format(*self.ratio)
        target = f"{self.least}x" if self.least is not None else ""
        if self.most is not None:
            target = f"at most {self.most}x"
        stretch = f"{self.stretch}x" if self.stretch is not None else ""
        peak = mib(self.peak) if self.peak else ""
        cells = [self.work, self.this, self.against, shown, target, stretch, self._verdict(), peak]
        return f"| {' | '.join(cells)} |"


def note(work, this="", against=""):
    """A row without a target."""
    return Row(work, this, against, None)
