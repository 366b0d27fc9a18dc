"""Progress: lines for logs, a redrawn line for terminals, nothing on stdout."""

from __future__ import annotations

import io

import pytest
from myvlm_tag.pipeline import progress as progress_module
from myvlm_tag.pipeline.progress import Progress, Step, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    return clock


def test_a_step_tells_count_rate_and_time_left(clock: Clock) -> None:
    step = Step("features", 1000, "photos", io.StringIO())
    clock.now = 10  # starting up isn't part of the speed
    step.advance(100)
    clock.now = 20
    step.advance(100, note="decode 60%")
    assert step.line(20) == "features: 200 of 1,000 photos, 10.0/s, 1 min 20 s left (decode 60%)"


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(clock: Clock) -> None:
    out = io.StringIO()
    with Progress(out).step("scan", 100, "files") as step:
        for _ in range(100):
            clock.now += 1
            step.advance()
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert "\r" not in out.getvalue()
    assert lines[-1].startswith("scan: 100 of 100 files")


def test_a_terminal_gets_one_line_that_is_redrawn(clock: Clock) -> None:
    out = Terminal()
    with Progress(out).step("scan", 3, "files") as step:
        for _ in range(3):
            clock.now += 1
            step.advance()
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().count("\r") == 4


def test_quiet_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=True).step("scan", 1) as step:
        step.advance()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("seconds", "words"), [(4.25, "4.2 s"), (190, "3 min 10 s"), (7500, "2 h 5 min")])
def test_durations_read_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
