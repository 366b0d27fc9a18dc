"""Search among many vectors: what the index finds of the true nearest, and how fast."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.schemas.tables import CLIP
from myvlm_tag.stages.index import open_index

from .common import Sizes, figure

_WIDTH, _QUERIES, _PER_SUBJECT, _PART = 512, 200, 50, 50_000


def search_in_many_vectors(sizes: Sizes, folder: Path) -> None:
    """Ten nearest of 512-d vectors gathered around subjects: recall against exact search, and time."""
    rng = np.random.default_rng(0)
    catalog = Catalog(folder / "catalog")
    catalog.prepare()
    subjects = _unit(rng.normal(size=(max(1, sizes.vectors // _PER_SUBJECT), _WIDTH)).astype(np.float32))
    queries = _near(rng, subjects, _QUERIES)
    best = np.zeros((_QUERIES, 0), np.float32)
    names = np.zeros((_QUERIES, 0), np.int64)
    exact_seconds = 0.0
    for start in range(0, sizes.vectors, _PART):
        part = _near(rng, subjects, min(_PART, sizes.vectors - start)).astype(np.float16)
        catalog.commit({"clip": _rows(part, start)})
        whole = part.astype(np.float32)
        began = time.perf_counter()
        scores = queries @ whole.T
        exact_seconds += time.perf_counter() - began
        best = np.concatenate([best, scores], axis=1)
        names = np.concatenate([names, np.arange(start, start + len(part))[None].repeat(_QUERIES, 0)], axis=1)
        top = np.argpartition(-best, 9, axis=1)[:, :10]
        best, names = np.take_along_axis(best, top, 1), np.take_along_axis(names, top, 1)
    files = sorted(catalog.segments_folder.glob("*/clip.parquet"))
    began = time.perf_counter()
    index = open_index(folder / "index", files, "bench")
    built = time.perf_counter() - began
    began = time.perf_counter()
    reopened = open_index(folder / "index", files, "bench")
    opened = time.perf_counter() - began
    began = time.perf_counter()
    found = [reopened.search(query, 10)["photo_id"].to_pylist() for query in queries]
    seconds = (time.perf_counter() - began) / _QUERIES
    hits = [len(set(map(int, row)) & set(truth.tolist())) for row, truth in zip(found, names, strict=True)]
    assert len(index) == sizes.vectors
    figure(f"recall@10 among {sizes.vectors:,} vectors", sum(hits) / (10 * _QUERIES), ">= 0.95")
    figure("one query, milliseconds", 1000 * seconds)
    figure("exact product / index, time per query", exact_seconds / _QUERIES / seconds)
    figure("building, seconds", built)
    figure("opening again, seconds", opened)


def _near(rng: np.random.Generator, subjects: np.ndarray, count: int) -> np.ndarray:
    chosen = subjects[rng.integers(len(subjects), size=count)]
    noise = rng.normal(size=chosen.shape).astype(np.float32) / np.sqrt(_WIDTH)
    return _unit(chosen + 0.7 * noise)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _rows(vectors: np.ndarray, start: int) -> pa.Table:
    columns = {
        "photo_id": [str(number) for number in range(start, start + len(vectors))],
        "embedding": [vector.tobytes() for vector in vectors],
        "made_by": ["bench"] * len(vectors),
        "run_id": ["0"] * len(vectors),
    }
    return pa.table(columns).cast(CLIP)
