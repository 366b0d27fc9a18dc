"""`run` from photos to rows: what it writes, what it spares itself, what it says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from .conftest import ray_head, write_photos

Ask = Callable[[str], list[tuple[Any, ...]]]
PER_PHOTO = "SELECT stage, count(*), count(DISTINCT photo_id) FROM chosen GROUP BY stage ORDER BY stage"


def test_a_library_becomes_one_row_per_photo_in_every_table(
    run, ask: Ask, tiny_pack: Path, tmp_path: Path
) -> None:
    write_photos(tmp_path / "library", 10)
    summary = run(tmp_path / "library", models=str(tiny_pack))
    assert (summary.todo, summary.done, summary.failed, summary.exit_code) == (10, 10, 0, 0)
    assert ask(PER_PHOTO) == [("clip", 10, 10), ("decode", 10, 10), ("faces", 10, 10)]
    assert ask("SELECT count(*), min(width), max(height) FROM photos") == [(10, 160, 120)]
    assert ask("SELECT count(*) FILTER (faces = 0), count(*) FILTER (faces > 0) FROM photos") == [(5, 5)]
    (length,) = ask("SELECT DISTINCT octet_length(embedding) FROM clip")[0]
    assert length == 2 * 16
    vector = np.frombuffer(ask("SELECT embedding FROM faces")[0][0], np.float16).astype(np.float32)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-2)


def test_a_second_run_over_an_unchanged_library_starts_nothing(run, tmp_path: Path) -> None:
    write_photos(tmp_path / "library", 3)
    run(tmp_path / "library")
    again = run(tmp_path / "library", address="nowhere:1")  # would fail if it were used
    assert (again.todo, again.new, again.changed, again.gone) == (0, 0, 0, 0)


def test_renaming_every_folder_costs_no_model(run, ask: Ask, tmp_path: Path) -> None:
    write_photos(tmp_path / "library" / "summer", 3)
    run(tmp_path / "library")
    (tmp_path / "library" / "summer").rename(tmp_path / "library" / "été \\ 2024")
    moved = run(tmp_path / "library", address="nowhere:1")
    assert (moved.new, moved.gone, moved.todo) == (3, 3, 0)
    assert ask("SELECT count(*), count(*) FILTER (contains(path, 'été')) FROM photos") == [(3, 3)]


def test_copies_are_one_photo_and_deleted_photos_leave_the_views(run, ask: Ask, tmp_path: Path) -> None:
    first, second = write_photos(tmp_path / "library", 2)
    shutil.copy(first, tmp_path / "library" / "copy.jpg")
    run(tmp_path / "library")
    assert ask("SELECT copies FROM photos ORDER BY copies") == [(1,), (2,)]
    assert ask("SELECT count(*) > 0 FROM faces") == [(True,)]
    second.unlink()
    gone = run(tmp_path / "library", address="nowhere:1")
    assert gone.gone == 1
    assert ask("SELECT count(*) FROM photos") == [(1,)]
    assert ask("SELECT count(*) FROM faces") == [(0,)]


def test_a_changed_file_is_another_photo(run, ask: Ask, tmp_path: Path) -> None:
    path = write_photos(tmp_path / "library", 2)[0]
    run(tmp_path / "library")
    before = ask(f"SELECT photo_id FROM files WHERE path = '{path}'")
    Image.new("RGB", (50, 40), "red").save(path)
    changed = run(tmp_path / "library")
    assert (changed.changed, changed.todo) == (1, 1)
    assert ask(f"SELECT photo_id FROM files WHERE path = '{path}'") != before
    assert ask("SELECT count(*), min(width) FROM photos") == [(2, 50)]


def test_bad_photos_are_failures_once_and_the_others_are_done(run, ask: Ask, tmp_path: Path) -> None:
    library = tmp_path / "library"
    paths = write_photos(library, 6)
    paths[0].write_bytes(paths[0].read_bytes()[:900])
    (library / "empty.jpg").touch()
    (library / "letter.jpg").write_text("dear all")
    (library / "notes.txt").write_text("not a photo and no claim to be one")
    summary = run(library)
    assert (summary.done, summary.failed, summary.ignored, summary.exit_code) == (5, 3, 1, 3)
    failures = ask("SELECT parse_filename(path), kind FROM failures ORDER BY 1")
    assert failures == [
        ("empty.jpg", "empty"),
        ("letter.jpg", "not_a_photo"),
        ("photo 0000.jpg", "truncated"),
    ]
    again = run(library, address="nowhere:1")
    assert (again.todo, again.failed, again.exit_code) == (0, 0, 0)
    assert len(ask("FROM failures")) == 3


def test_a_failure_is_tried_again_when_the_decoder_changed(run, ask: Ask, tmp_path: Path) -> None:
    path = write_photos(tmp_path / "library", 2)[0]
    path.write_bytes(path.read_bytes()[:900])
    assert run(tmp_path / "library").failed == 1
    assert run(tmp_path / "library", max_pixels=10_000_000).todo == 1


def test_any_file_name_the_disk_allows_goes_through(run, ask: Ask, tmp_path: Path) -> None:
    photo = write_photos(tmp_path / "library", 1)[0]
    names = [
        b"caf\xe9.jpg",
        b"back\\slash.jpg",
        b"new\nline.jpg",
        b'quote\'s "two".jpg',
        "日本 😀.jpg".encode(),
        b"[a]*?.jpg",
    ]
    for number, name in enumerate(names):
        target = os.fsencode(tmp_path / "library") + b"/" + name
        with open(target, "wb") as file:
            file.write(photo.read_bytes() + bytes(number + 1))
    summary = run(tmp_path / "library")
    assert (summary.done, summary.failed) == (7, 0)
    assert "caf\\xe9.jpg" in {path.rpartition("/")[2] for (path,) in ask("SELECT path FROM photos")}


def test_another_model_is_a_migration_and_the_rows_of_the_first_stay(
    run, ask: Ask, light_pack: Path, tmp_path: Path
) -> None:
    write_photos(tmp_path / "library", 3)
    run(tmp_path / "library")
    other = tmp_path / "other"
    shutil.copytree(light_pack, other)
    (other / "pack.json").write_text('{"faces": {"threshold": 0.9}}')
    assert run(tmp_path / "library", models=str(other)).todo == 3
    assert len(ask("SELECT * FROM models WHERE stage = 'faces'")) == 2
    assert "0.9" in ask("SELECT made_by FROM models WHERE stage = 'faces' AND current")[0][0]
    assert ask("SELECT count(*) FROM faces") == ask("SELECT sum(faces) FROM photos")
    assert run(tmp_path / "library", address="nowhere:1").todo == 0


def test_with_a_gpu_in_the_cluster_pictures_go_to_the_actor_that_holds_it(
    run, ask: Ask, tiny_pack: Path, tmp_path: Path
) -> None:
    """Ray is told of a GPU that isn't there: scheduling is what is tested, the models run on the CPU."""
    write_photos(tmp_path / "library", 10)
    with ray_head(tmp_path, "--num-gpus=1") as address:
        summary = run(tmp_path / "library", models=str(tiny_pack), address=address, workers=0)
    assert (summary.done, summary.failed) == (10, 0)
    assert list(summary.stage_seconds) == ["decode", "faces", "clip"]
    assert ask(PER_PHOTO) == [("clip", 10, 10), ("decode", 10, 10), ("faces", 10, 10)]
