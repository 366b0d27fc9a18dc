"""`write_sample`: a whole sample library on disk, with the truth about it.

    OUT/library/            a person's folders, about ten years of them
    OUT/concepts/<name>/    five photos for each of four people, two pets, two things
    OUT/truth.parquet       one row per entity per photo of library/
    OUT/concepts.parquet    the same for concepts/
    OUT/photos.parquet      one row per file of library/
    OUT/hostile.json        with `hostile`: files that break taggers, and what must become of each
    OUT/sample.json         what was asked for, and who the concepts are

What does not live here: who is in the photos (`library`), how they are made (`develop`), what is wrong with
the hostile files (`traps`).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...schemas.errors import UsageProblem
from .cast import Cast, sample_cast
from .develop import Developed, develop
from .hostile import write_hostile
from .library import Shot, concept_shots, library_shots
from .rows import PHOTOS, TRUTH, Row

Progress = Callable[[int, int], None]

_MARKER = "sample.json"
_OURS = ("library", "concepts", "outside")  # folders that belong to a sample
_CONCEPT_PHOTOS = 5
_FEW = 50  # up to so many photos, starting processes takes longer than it saves
_MOST_WORKERS = 8
_ROWS_AT_ONCE = 5000


@dataclass(frozen=True)
class SampleSummary:
    """What was written: files in library/ and in concepts/, rows of truth, and the concepts by kind."""

    out: Path
    photos: int
    concept_photos: int
    truth_rows: int
    hostile_files: int
    people: tuple[str, ...]
    pets: tuple[str, ...]
    things: tuple[str, ...]


def write_sample(
    out: Path, photos: int, seed: int, hostile: bool = False, progress: Progress | None = None
) -> SampleSummary:
    """Write a sample library of `photos` files below `out`; the same arguments give the same bytes.

    An earlier sample in `out` is replaced. `progress` is called with the files done and their total. Raises
    UsageProblem when `out` holds anything that is not a sample, or when a number is too small.
    """
    if photos < 1 or seed < 0:
        raise UsageProblem(f"cannot write {photos} photos of seed {seed}", "photos start at 1, seeds at 0")
    _clear(out)
    cast = sample_cast(np.random.default_rng([seed, 0]))
    _mark(out, cast, photos, seed, hostile, complete=False)
    total = photos + _CONCEPT_PHOTOS * len(cast.concepts)
    count = _Counter(progress, total)
    hostile_files = 0
    with (
        _workers(photos) as pool,
        _Table(out / "concepts.parquet", TRUTH) as concepts,
        _Table(out / "truth.parquet", TRUTH) as truth,
        _Table(out / "photos.parquet", PHOTOS) as files,
    ):
        for made in _develop_all(pool, _concept_shots(cast, seed), out / "concepts", cast):
            concepts.add(made.truth)
            count.add(len(made.photos))
        for made in _develop_all(pool, library_shots(cast, photos, seed), out / "library", cast):
            truth.add(made.truth)
            files.add(made.photos)
            count.add(len(made.photos))
        if hostile:
            hostile_files, made = write_hostile(out, cast, seed)
            truth.add(made.truth)
            files.add(made.photos)
    _mark(out, cast, photos, seed, hostile, complete=True)
    return SampleSummary(
        out, photos, total - photos, truth.rows, hostile_files,
        tuple(cast.people), tuple(cast.items)[:2], tuple(cast.items)[2:],
    )  # fmt: skip


def _concept_shots(cast: Cast, seed: int) -> Iterator[Shot]:
    for name in cast.concepts:
        yield from concept_shots(cast, name, _CONCEPT_PHOTOS, seed)


@contextmanager
def _workers(photos: int) -> Iterator[ProcessPoolExecutor | None]:
    """Processes that develop photos, or None where this one does it sooner by itself."""
    if photos <= _FEW:
        yield None
        return
    # Spawned, since the caller may have threads, which a fork would lose in mid-step.
    workers = min(os.cpu_count() or 1, _MOST_WORKERS)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_prepare_worker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends the workers


def _develop_all(
    pool: ProcessPoolExecutor | None, shots: Iterable[Shot], folder: Path, cast: Cast
) -> Iterator[Developed]:
    """Develop in order, with no more than a few shots under way, so that memory stays flat."""
    names = cast.names
    if pool is None:
        yield from (develop(shot, folder, names) for shot in shots)
        return
    under_way: deque[Future[Developed]] = deque()
    for shot in shots:
        under_way.append(pool.submit(develop, shot, folder, names))
        if len(under_way) > 4 * _MOST_WORKERS:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _clear(out: Path) -> None:
    """Make `out` an empty folder; nothing but an earlier sample is ever removed."""
    if out.is_dir() and any(out.iterdir()):
        if not (out / _MARKER).is_file():
            raise UsageProblem(
                f"{out} is not empty and holds no sample", "choose a folder that is empty or not there"
            )
        for name in _OURS:
            if (out / name).is_dir() and not (out / name).is_symlink():
                shutil.rmtree(out / name)
        for name in ("truth.parquet", "concepts.parquet", "photos.parquet", "hostile.json"):
            (out / name).unlink(missing_ok=True)
    elif out.exists() and not out.is_dir():
        raise UsageProblem(f"{out} is a file", "choose a folder that is empty or not there")
    out.mkdir(parents=True, exist_ok=True)


def _mark(out: Path, cast: Cast, photos: int, seed: int, hostile: bool, *, complete: bool) -> None:
    """Say in sample.json what this folder is; first of all, so that a sample cut short can be replaced."""
    told = {
        "photos": photos,
        "seed": seed,
        "hostile": hostile,
        "complete": complete,
        "concepts": {
            name: {"entity": entity.key, "kind": entity.kind, "category": entity.category}
            for name, entity in cast.concepts.items()
        },
        "sibling": {"entity": cast.sibling.key, "of": cast.sibling_of},
    }
    (out / _MARKER).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


class _Table:
    """Rows on their way into a Parquet file, a few thousand in memory at a time."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema, self._pending = schema, list[Row]()
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self.rows = 0

    def __enter__(self) -> _Table:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._writer.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows."""
        self._pending.extend(rows)
        if len(self._pending) >= _ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_pylist(self._pending, self._schema))
        self.rows += len(self._pending)
        self._pending.clear()


class _Counter:
    """Counts files done and tells whoever wants to know."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def add(self, files: int) -> None:
        """Count `files` more."""
        self._done += files
        if self._progress is not None:
            self._progress(self._done, self._total)
