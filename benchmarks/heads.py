"""Concept heads over a whole library: all people on all faces, all things on all photos.

What a run does (plan, scores, a row per photo and head) is compared with products that keep nothing, and with
products whose scores are written plainly.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from myvlm_tag.pipeline.catalog import ROW_GROUP, Catalog
from myvlm_tag.pipeline.concepts import Concepts, Kept
from myvlm_tag.pipeline.heads import score_library
from myvlm_tag.pipeline.progress import Progress
from myvlm_tag.schemas.concept import Check, Concept, HeadInfo
from myvlm_tag.schemas.ids import new_ulid
from myvlm_tag.schemas.settings import Settings
from myvlm_tag.schemas.tables import CLIP, FACE_DIM, FACES, FEATURES, FILES
from myvlm_tag.stages.heads import linear, person
from numpy.typing import NDArray

from .common import Sizes, figure, settings

_PEOPLE, _THINGS, _KEPT, _WIDTH = 100, 100, 4, 1024  # heads; faces kept of each person; CLIP's dimensions
_PART = 20_000
_MADE_BY = {"faces": "faces bench", "clip": "clip bench"}


def heads_over_a_library(sizes: Sizes, folder: Path) -> None:
    """100 people and 100 things, one face a photo, against reading Parquet and the bare NumPy products."""
    rng = np.random.default_rng(0)
    how = settings(folder, sizes)
    catalog = _catalog(rng, how, sizes.files)
    people = [person.fit(rng.normal(size=(_KEPT, FACE_DIM)), 0.8) for _ in range(_PEOPLE)]
    things = [linear.LinearHead(rng.normal(size=_WIDTH).astype(np.float32), 0.0) for _ in range(_THINGS)]
    for number, head in enumerate([*people, *things]):
        _learn(how, f"concept {number}", head)
    kept = np.concatenate([head.embeddings for head in people]).T
    weights = np.stack([head.weight for head in things], axis=1)

    def products() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return (
            _read(catalog, "faces").astype(np.float32) @ kept,
            _read(catalog, "clip").astype(np.float32) @ weights,
        )

    def products_written() -> None:
        faces, clip = products()
        people_scores = faces.reshape(-1, _PEOPLE, _KEPT).max(axis=2)
        _write_scores(folder / "bare.parquet", np.concatenate([people_scores, clip], axis=1))

    def applied() -> None:
        faces = _read(catalog, "faces")
        distance = person.distances(faces, people)
        person.assign(np.arange(len(faces)), distance, [head.threshold for head in people])
        linear.probabilities(_read(catalog, "clip"), things)

    def run() -> None:
        score_library(catalog, how, new_ulid(), Progress(quiet=True))

    taken = dict.fromkeys((products, products_written, applied, run), float("inf"))
    for _ in range(3):  # in turn: what else the machine does meets all alike
        for side in taken:
            taken[side] = min(taken[side], _seconds(side))
        catalog.rewrite(["detections"], lambda rows: rows.slice(0, 0))
    photos = f"{_PEOPLE + _THINGS} heads over {sizes.files:,} photos"
    figure("Parquet and bare products, seconds", taken[products])
    figure("... with every score written to Parquet, seconds", taken[products_written])
    figure(f"{photos}: scores, no rows, seconds", taken[applied])
    figure(f"{photos}: plan, scores, rows, seconds", taken[run])
    figure("scores, no rows / bare products", taken[applied] / taken[products], "<= 2")
    figure("plan, scores, rows / bare products", taken[run] / taken[products], "<= 2")
    figure("plan, scores, rows / bare products written", taken[run] / taken[products_written])


def _seconds(side: Callable[[], object]) -> float:
    started = time.perf_counter()
    side()
    return time.perf_counter() - started


def _learn(how: Settings, name: str, head: person.PersonHead | linear.LinearHead) -> None:
    is_person = isinstance(head, person.PersonHead)
    info = HeadInfo(_MADE_BY["faces" if is_person else "clip"], head.threshold, _KEPT)
    kind = "person" if is_person else "object"
    concept = Concept(name, "sks", kind, "", "", 1, "2026", (), info, Check(0, 0, 0, 0), {})
    Concepts(how.home).save(Kept(concept, head, {}), {}, b"")


def _catalog(rng: np.random.Generator, how: Settings, photos: int) -> Catalog:
    catalog = Catalog(how.catalog)
    catalog.prepare()
    for start in range(0, photos, _PART):
        names = [f"{number:032x}" for number in range(start, min(start + _PART, photos))]
        same = {
            "photo_id": names,
            "path": names,
            "run_id": "0",
            "face": 0,
            "items": 1,
            "size": 1,
            "gone": False,
        }
        tables = {"files": _table(FILES, same)}
        for name, schema, width in (("faces", FACES, FACE_DIM), ("clip", CLIP, _WIDTH)):
            vectors = rng.normal(size=(len(names), width)).astype(np.float32)
            unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
            embeddings = [row.tobytes() for row in unit]
            tables[name] = _table(schema, {**same, "made_by": _MADE_BY[name], "embedding": embeddings})
        features = [_table(FEATURES, {**same, "stage": name, "made_by": _MADE_BY[name]}) for name in _MADE_BY]
        catalog.commit({**tables, "features": pa.concat_tables(features)})
    return catalog


def _table(schema: pa.Schema, columns: dict[str, Any]) -> pa.Table:
    rows = len(columns["photo_id"])
    given = (columns.get(name) for name in schema.names)
    return pa.table([value if isinstance(value, list) else [value] * rows for value in given], schema=schema)


def _read(catalog: Catalog, table: str) -> NDArray[np.float16]:
    rows = catalog.read(table, ["embedding"])["embedding"].to_pylist()
    return np.frombuffer(b"".join(rows), np.float16).reshape(len(rows), -1)


def _write_scores(path: Path, scores: NDArray[np.float32]) -> None:
    """Write a row per photo and head with its score and who it is about, by their numbers."""
    schema = pa.schema([("photo", pa.int32()), ("head", pa.int16()), ("score", pa.float32())])
    step = ROW_GROUP // scores.shape[1]
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, len(scores), step):
            part = scores[start : start + step]
            photo, head = np.indices(part.shape).reshape(2, -1)
            columns = [photo.astype(np.int32) + start, head.astype(np.int16), part.ravel()]
            writer.write_table(pa.table(columns, schema=schema))
