"""Progress on stderr: counts, rate and time left for each step. Results never pass through here.

On a terminal a bar that redraws itself; elsewhere a line now and then, which reads well in a log.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_LINE_EVERY = 30.0  # seconds between lines of a log
_DRAW_EVERY = 0.2


class Step:
    """One step under way."""

    def __init__(self, name: str, total: int, unit: str, out: TextIO) -> None:
        """Start counting `total` things called `unit`."""
        self.name, self.total, self.unit, self.out = name, total, unit, out
        self.done = 0
        self.note = ""
        self._started = time.monotonic()
        self._first: tuple[float, int] | None = None
        self._shown = self._started
        self._bar = out.isatty()

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count `count` more; `note` stands at the end of the line from now on."""
        self.done += count
        self.note = note or self.note
        now = time.monotonic()
        if self._first is None:
            self._first = (now, self.done)
        if now - self._shown >= (_DRAW_EVERY if self._bar else _LINE_EVERY):
            self._shown = now
            self._show(now)

    def move_to(self, done: int, total: int) -> None:
        """Say how far it is in absolute terms."""
        self.total = total
        self.advance(done - self.done)

    def line(self, now: float) -> str:
        """Return the step's line as of `now` (seconds of the monotonic clock)."""
        words = [f"{self.name}: {self.done:,} of {self.total:,} {self.unit}"]
        rate = self._rate(now)
        if rate:
            words.append(f"{rate:,.1f}/s")
            if self.done < self.total:
                words.append(f"{duration((self.total - self.done) / rate)} left")
        return ", ".join(words) + (f" ({self.note})" if self.note else "")

    def finish(self) -> None:
        """Show the last state and leave the line."""
        now = time.monotonic()
        self.out.write(
            ("\r\x1b[K" if self._bar else "") + self.line(now) + f", took {duration(now - self._started)}\n"
        )
        self.out.flush()

    def _rate(self, now: float) -> float:
        """Things per second since the first ones came: starting up isn't part of the speed."""
        if self._first is None:
            return 0.0
        at, count = self._first
        if now - at < 1 or self.done == count:
            return self.done / max(1e-9, now - self._started)
        return (self.done - count) / (now - at)

    def _show(self, now: float) -> None:
        self.out.write(f"\r\x1b[K{self.line(now)}" if self._bar else self.line(now) + "\n")
        self.out.flush()


class Progress:
    """Makes steps and says things between them."""

    def __init__(self, out: TextIO | None = None, quiet: bool = False) -> None:
        """Write to `out` (default: stderr); `quiet` shows nothing."""
        self.out = out or sys.stderr
        self.quiet = quiet

    @contextmanager
    def step(self, name: str, total: int, unit: str = "photos") -> Iterator[Step]:
        """Show a step while the block runs."""
        step = Step(name, total, unit, io.StringIO() if self.quiet else self.out)
        try:
            yield step
        finally:
            step.finish()

    def say(self, text: str) -> None:
        """Write one line."""
        if not self.quiet:
            self.out.write(text + "\n")
            self.out.flush()


def duration(seconds: float) -> str:
    """Return seconds as people say them: 4.2 s, 3 min 10 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
