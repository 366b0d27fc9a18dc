"""Peak memory of a whole run, driver and workers, over a library and one four times as large."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from .common import Sizes, figure, library


def peak_over_four_times_the_photos(sizes: Sizes, folder: Path) -> None:
    """Peak memory (proportional set size of all processes) over 4 times the photos against once."""
    small = _peak(folder / "small", max(1, sizes.photos // 4), sizes)
    large = _peak(folder / "large", sizes.photos, sizes)
    figure(f"{max(1, sizes.photos // 4):,} photos, MB", small)
    figure(f"{sizes.photos:,} photos, MB", large)
    figure("4 times the photos / once", large / small, "<= 1.2")


def _peak(folder: Path, photos: int, sizes: Sizes) -> float:
    folder.mkdir()
    command = [sys.executable, "-m", "myvlm_tag.cli", "run", str(library(folder, photos))]
    more = ["--home", str(folder / "home"), "--models", sizes.models]
    process = subprocess.Popen([*command, *more], env=os.environ, stdout=subprocess.DEVNULL)
    most = 0.0
    while process.poll() is None:
        most = max(most, _memory(process.pid))
        time.sleep(0.5)
    assert process.returncode == 0
    return most


def _memory(pid: int) -> float:
    """Megabytes of the process and all it started; shared pages count once."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.Error:
        pass  # it ended while we looked
    return total / 1e6
