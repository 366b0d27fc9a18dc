"""Concept heads over a whole library: all people on all faces, all things on all photos."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.schemas.tables import CLIP, FACE_DIM, FACES
from myvlm_tag.stages.heads import linear, person

from .common import Sizes, figure

_PEOPLE, _THINGS, _KEPT, _WIDTH = 100, 100, 4, 1024  # heads; faces kept of each person; CLIP's dimensions
_PART = 20_000


def heads_over_a_library(sizes: Sizes, folder: Path) -> None:
    """100 people and 100 things, one face a photo, against Parquet and the bare NumPy products."""
    rng = np.random.default_rng(0)
    catalog = _catalog(rng, folder, sizes.files)
    people = [person.fit(rng.normal(size=(_KEPT, FACE_DIM)), 0.8) for _ in range(_PEOPLE)]
    things = [linear.LinearHead(rng.normal(size=_WIDTH).astype(np.float32), 0.0) for _ in range(_THINGS)]
    kept = np.concatenate([head.embeddings for head in people]).T
    weights = np.stack([head.weight for head in things], axis=1)

    def bare() -> None:
        _read(catalog, "faces").astype(np.float32) @ kept
        _read(catalog, "clip").astype(np.float32) @ weights

    def heads() -> None:
        faces = _read(catalog, "faces")
        distance = person.distances(faces, people)
        person.assign(np.arange(len(faces)), distance, [head.threshold for head in people])
        linear.probabilities(_read(catalog, "clip"), things)

    taken = {side: min(_seconds(side) for _ in range(3)) for side in (bare, heads)}
    figure(f"{_PEOPLE + _THINGS} heads over {sizes.files:,} photos, seconds", taken[heads])
    figure("Parquet and bare products, seconds", taken[bare])
    figure("heads / bare", taken[heads] / taken[bare], "<= 2")


def _seconds(side: Callable[[], None]) -> float:
    started = time.perf_counter()
    side()
    return time.perf_counter() - started


def _catalog(rng: np.random.Generator, folder: Path, photos: int) -> Catalog:
    catalog = Catalog(folder / "catalog")
    catalog.prepare()
    for start in range(0, photos, _PART):
        count = min(_PART, photos - start)
        same = {"made_by": ["bench"] * count, "run_id": ["0"] * count}
        same["photo_id"] = [f"{number:032x}" for number in range(start, start + count)]
        tables = {}
        for name, schema, width in (("faces", FACES, FACE_DIM), ("clip", CLIP, _WIDTH)):
            vectors = rng.normal(size=(count, width)).astype(np.float32)
            unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
            columns = {**same, "embedding": [row.tobytes() for row in unit], "face": [0] * count}
            tables[name] = pa.table(
                [pa.array(columns.get(field.name, [None] * count), field.type) for field in schema],
                schema=schema,
            )
        catalog.commit(tables)
    return catalog


def _read(catalog: Catalog, table: str) -> np.ndarray:
    rows = catalog.read(table, ["embedding"])["embedding"].to_pylist()
    return np.frombuffer(b"".join(rows), np.float16).reshape(len(rows), -1)
