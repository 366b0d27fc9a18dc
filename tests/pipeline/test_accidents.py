"""What a run does when files, workers, disks and people misbehave."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from myvlm_tag.pipeline import catalog as catalog_module
from myvlm_tag.pipeline.chain import Chain
from myvlm_tag.pipeline.home import ensure_home, locked
from myvlm_tag.schemas.errors import DiskFull, HomeUnusable, LibraryMissing, ModelDamaged, NotVisible

from .conftest import write_photos
from .processes import descendants, kill, start_run, wait_for_end

Ask = Callable[[str], list[tuple[Any, ...]]]
DECODER = "accidents:read_photo"
ELSEWHERE = "accidents:read_elsewhere"
SLOW = "accidents:read_slowly"


def test_a_file_that_kills_its_worker_is_set_aside_by_name_and_the_others_are_done(
    run, ask: Ask, tmp_path: Path
) -> None:
    paths = write_photos(tmp_path / "library", 12)
    paths[5].rename(paths[5].with_name("abort.jpg"))
    paths[7].rename(paths[7].with_name("raise.jpg"))
    summary = run(tmp_path / "library", decoder=DECODER)
    assert (summary.done, summary.failed, summary.exit_code) == (10, 2, 3)
    failures = ask("SELECT parse_filename(path), stage, kind FROM failures ORDER BY path")
    assert failures == [("abort.jpg", "worker", "killed_worker"), ("raise.jpg", "worker", "error")]
    assert "a mistake in the decoder" in ask("SELECT reason FROM failures WHERE kind = 'error'")[0][0]
    assert run(tmp_path / "library", decoder=DECODER, address="nowhere:1").todo == 0
    mended = run(tmp_path / "library")
    assert (mended.todo, mended.done) == (2, 2)
    assert ask("FROM failures") == []
    assert ask("SELECT count(*) FROM photos") == [(12,)]


def test_a_library_that_goes_away_in_mid_run_is_one_error_and_no_failures(
    run, ask: Ask, tmp_path: Path
) -> None:
    paths = write_photos(tmp_path / "library", 12)
    paths[6].rename(paths[6].with_name("unmount.jpg"))
    with pytest.raises(LibraryMissing, match="went away during the run"):
        run(tmp_path / "library", decoder=DECODER)
    (tmp_path / "unmounted").rename(tmp_path / "library")
    assert ask("FROM failures") == []
    assert run(tmp_path / "library").failed == 0
    assert ask("SELECT count(*) FROM photos") == [(12,)]


def test_a_full_disk_in_mid_run_is_one_error_and_the_next_run_does_the_rest(
    run, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photos(tmp_path / "library", 12)
    commits = []
    real_rename = os.rename

    def rename(source: Path, target: Path) -> None:
        commits.extend([target] if Path(target).parent.name == "segments" else [])
        if len(commits) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real_rename(source, target)

    monkeypatch.setattr(catalog_module.os, "rename", rename)
    with pytest.raises(DiskFull, match="no space left"):
        run(tmp_path / "library", commit_photos=4)
    monkeypatch.undo()
    kept = ask("SELECT count(*) FROM photos")[0][0]
    assert kept == 4
    assert run(tmp_path / "library").todo == 8
    assert ask("SELECT count(*), count(DISTINCT photo_id) FROM photos") == [(12, 12)]


def test_a_worker_that_cannot_see_the_photos_says_so_by_name(tmp_path: Path) -> None:
    with pytest.raises(NotVisible) as caught:
        Chain([], [str(tmp_path / "not mounted here")]).ready()
    assert os.uname().nodename in str(caught.value)
    assert "not mounted here" in str(caught.value)


def test_a_worker_without_the_photos_stops_the_run_with_its_own_words(run, tmp_path: Path) -> None:
    write_photos(tmp_path / "library", 2)
    with pytest.raises(NotVisible, match="node elsewhere can't see"):
        run(tmp_path / "library", decoder="accidents:not_visible")


@pytest.mark.parametrize("decoder", [DECODER, ELSEWHERE])
def test_a_file_on_a_bad_sector_is_a_failure_and_the_others_are_done(
    run, ask: Ask, tmp_path: Path, decoder: str
) -> None:
    paths = write_photos(tmp_path / "library", 4)
    paths[1].rename(paths[1].with_name("bad sector.jpg"))
    summary = run(tmp_path / "library", decoder=decoder)
    assert (summary.done, summary.failed, summary.exit_code) == (3, 1, 3)
    failures = ask("SELECT parse_filename(path), stage, kind, reason FROM failures")
    assert [failure[:3] for failure in failures] == [("bad sector.jpg", "decode", "unreadable")]
    assert "Input/output error" in failures[0][3]


def test_a_photo_that_this_machine_could_not_read_for_a_moment_is_tried_again_by_the_next_run(
    run, ask: Ask, tmp_path: Path
) -> None:
    paths = write_photos(tmp_path / "library", 4)
    paths[1].rename(paths[1].with_name("hiccup.jpg"))
    assert run(tmp_path / "library", decoder=DECODER).failed == 1
    assert run(tmp_path / "library").done == 1
    assert ask("FROM failures") == []


def test_a_damaged_model_ends_the_run_with_the_command_that_checks_it(
    run, light_pack: Path, tmp_path: Path
) -> None:
    write_photos(tmp_path / "library", 2)
    shutil.copytree(light_pack, tmp_path / "pack")
    (tmp_path / "pack" / "faces" / "det.onnx").write_bytes(b"no model")
    with pytest.raises(ModelDamaged, match="models verify"):
        run(tmp_path / "library", models=str(tmp_path / "pack"))


def test_no_home_can_be_made_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeUnusable, match="--home"):
        ensure_home(tmp_path / "file" / "home")


@pytest.mark.parametrize(
    "command", ["status", "failures", "compact", "sql SELECT(1)", "run {library}", "run {library} --dry-run"]
)
def test_a_home_whose_path_is_not_utf_8_is_refused_in_one_line(
    tag, home: Path, tmp_path: Path, command: str
) -> None:
    """Also where the folder got its name after a run had filled it."""
    catalog_module.Catalog(home / "catalog").prepare()
    renamed = home.rename(tmp_path / os.fsdecode(b"caf\xe9"))
    words = command.format(library=write_photos(tmp_path / "library", 1)[0].parent).split()
    done = tag(*words, "--home", renamed)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("caf\\xe9 isn't UTF-8; rename it, or name another: --home FOLDER\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
def test_a_read_only_home_is_one_line(tag, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    done = tag("run", write_photos(tmp_path / "library", 1)[0].parent, "--home", home / "inner")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_the_home_is_closed_to_others(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    ensure_home(home)
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_second_run_exits_11_with_one_line_that_names_the_first(tag, home: Path, tmp_path: Path) -> None:
    ensure_home(home)
    with locked(home, "myvlm-tag run /photos"):
        done = tag("run", tmp_path, "--home", home)
    assert done.returncode == 11
    assert done.stderr.count("\n") == 1
    assert f"process {os.getpid()}" in done.stderr
    assert "myvlm-tag run /photos" in done.stderr


@pytest.mark.parametrize("empty", [True, False])
def test_a_library_that_is_not_mounted_is_one_line_and_nothing_is_forgotten(
    run, ask: Ask, tag, home: Path, light_pack: Path, tmp_path: Path, empty: bool
) -> None:
    write_photos(tmp_path / "library", 2)
    run(tmp_path / "library")
    (tmp_path / "library").rename(tmp_path / "elsewhere")
    if empty:
        (tmp_path / "library").mkdir()
    done = tag("run", tmp_path / "library", "--home", home, "--models", light_pack)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "mounted" in done.stderr
    assert ask("SELECT count(*) FROM photos") == [(2,)]


@pytest.fixture
def start(home: Path, light_pack: Path, tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """Start a run as its own process group, with a slow decoder and frequent commits."""
    environment = {
        "PYTHONPATH": str(Path(__file__).parent / "decoders"),
        "MYVLM_TAG_DECODER": SLOW,
        "MYVLM_TAG_BATCH_SIZE": "2",
        "MYVLM_TAG_COMMIT_PHOTOS": "4",
    }
    arguments = [tmp_path / "library", "--home", home, "--models", light_pack, "--workers", "2"]

    return lambda: start_run(environment, *arguments)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kill_9_at_any_instant_costs_nothing_that_was_committed(
    start, ask: Ask, home: Path, tmp_path: Path
) -> None:
    """Three kills by default, twenty with MYVLM_TAG_KILLS=20 (`make kill`)."""
    rng = random.Random(int(os.environ.get("MYVLM_TAG_KILL_SEED", "0")))
    library, total = tmp_path / "library", 0
    last = 0.0
    for cycle in range(int(os.environ.get("MYVLM_TAG_KILLS", "3"))):
        victim = ("driver", "worker", "group")[cycle % 3]
        write_photos(library, 16, seed=cycle + 1, prefix=f"{cycle:02}")
        total += 16
        process, began = start(), time.monotonic()
        time.sleep(rng.uniform(0.3, 1.0) * last if last else 6)
        everyone = descendants(process)
        kill(process, victim)
        process.communicate(timeout=240)
        wait_for_end(everyone)
        if victim == "worker":
            assert process.returncode == 0
        second = start()
        _, words = second.communicate(timeout=240)
        last = last or time.monotonic() - began
        assert second.returncode == 0, words
        _check_complete(ask, home, total)


def _check_complete(ask: Ask, home: Path, total: int) -> None:
    """Every photo is there once in each table, and no row that was committed was made again."""
    counts = ask("SELECT stage, count(*), count(DISTINCT photo_id) FROM features GROUP BY 1 ORDER BY 1")
    assert counts == [("decode", total, total), ("faces", total, total)]
    assert ask("SELECT count(*), count(DISTINCT photo_id) FROM photos") == [(total, total)]
    assert ask("SELECT count(*) FROM faces") == ask("SELECT sum(faces) FROM photos")
    assert ask("FROM failures") == []
    committed = catalog_module.Catalog(home / "catalog")
    assert committed.read("features").num_rows == 2 * total
    assert committed.read("photos").num_rows == total
    assert list(committed.staging.iterdir()) == []


def test_ctrl_c_keeps_what_is_finished_and_exits_130(start, ask: Ask, home: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "library", 200)
    process = start()
    deadline = time.monotonic() + 200
    while len(list(home.glob("catalog/segments/*/photos.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, words = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "are kept" in words.splitlines()[-1]
    kept = ask("SELECT count(*), count(DISTINCT photo_id) FROM photos")[0]
    assert 3 <= kept[0] == kept[1] < 200  # each of the three segments holds one at least


def test_a_node_that_leaves_in_mid_run_changes_nothing_in_the_result(run, ask: Ask, tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    write_photos(tmp_path / "library", 60)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 100 << 20})
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=100 << 20) for _ in range(2)]
    segments = tmp_path / "home" / "catalog" / "segments"

    def leave() -> None:
        while not list(segments.glob("*/photos.parquet"))[1:]:
            time.sleep(0.05)
        cluster.remove_node(nodes[0], allow_graceful=False)

    thread = threading.Thread(target=leave, daemon=True)
    thread.start()
    try:
        summary = run(
            tmp_path / "library", address=cluster.address, decoder=SLOW, batch_size=2, commit_photos=4
        )
    finally:
        cluster.shutdown()
    assert not thread.is_alive(), "the node left during the run"
    assert (summary.done, summary.failed) == (60, 0)
    assert ask("SELECT count(*), count(DISTINCT photo_id) FROM photos") == [(60, 60)]
    assert ask("SELECT count(*) FROM faces") == ask("SELECT sum(faces) FROM photos")
