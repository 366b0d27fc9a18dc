"""kill -9 while photos are told: what was committed stays, nothing is told twice, a run does the rest."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.schemas.settings import Settings

from .conftest import write_photos
from .processes import descendants, kill, start_run, wait_for_end

Ask = Callable[[str], list[tuple[Any, ...]]]
PHOTOS = 8  # a cycle; every second one shows somebody


@pytest.fixture
def settings(settings: Settings, telling_pack: Path) -> Settings:
    return replace(
        settings,
        models=str(telling_pack),
        workers=1,
        people="plain",
        person_questions={"doing": "What does {} do?"},
    )


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """Start a run as its own process group; each photo is a batch and a commit of its own."""
    environment = {
        "MYVLM_TAG_PEOPLE": "plain",
        "MYVLM_TAG_PERSON_QUESTIONS": '{doing = "What does {} do?"}',
        "MYVLM_TAG_BATCH_SIZE": "1",
        "MYVLM_TAG_COMMIT_PHOTOS": "1",
    }
    where = ["--home", settings.home, "--models", settings.models, "--workers", "1"]

    return lambda: start_run(environment, tmp_path / "library", *where)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kill_9_while_telling_costs_the_batches_in_flight_and_tells_nothing_twice(
    run: Callable[..., Any],
    start: Callable[[], subprocess.Popen[str]],
    learn: Callable[..., None],
    ask: Ask,
    home: Path,
    tmp_path: Path,
) -> None:
    """Two kills by default, twenty with MYVLM_TAG_KILLS=20 (`make kill`)."""
    rng = random.Random(int(os.environ.get("MYVLM_TAG_KILL_SEED", "0")))
    library, told = tmp_path / "library", 0
    for cycle in range(int(os.environ.get("MYVLM_TAG_KILLS", "2"))):
        victim = ("group", "worker", "driver")[cycle % 3]
        write_photos(library, PHOTOS, seed=cycle + 1, prefix=f"{cycle:02}")
        run(library, only="features")
        if not cycle:
            learn("Mom")
        process = start()
        _wait_for(lambda told=told: _rows(home, "captions") > told, process)
        time.sleep(rng.uniform(0, 0.5))
        everyone = descendants(process)
        kill(process, victim)
        process.communicate(timeout=240)
        wait_for_end(everyone)
        kept = ask("SELECT photo_id, run_id FROM all_captions")
        assert len(kept) > told
        second = start()
        _, words = second.communicate(timeout=240)
        assert second.returncode == 0, words
        told += PHOTOS // 2
        assert set(kept) <= set(ask("SELECT photo_id, run_id FROM all_captions"))
        _check_complete(ask, home, told)


def _wait_for(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 200
    while not happened() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)


def _rows(home: Path, table: str) -> int:
    return Catalog(home / "catalog").read(table, ["photo_id"]).num_rows


def _check_complete(ask: Ask, home: Path, told: int) -> None:
    """Every photo that shows somebody is told once, with its answer and its box, and no other is."""
    hits = ask("SELECT photo_id FROM hits ORDER BY 1")
    assert len(hits) == told
    for table in ("captions", "all_captions", "all_answers", "all_boxes"):
        assert ask(f"SELECT photo_id FROM {table} ORDER BY 1") == hits
    assert ask("FROM failures") == []
    assert list(Catalog(home / "catalog").staging.iterdir()) == []
