"""The heads pipeline: every concept against every photo, from the catalog's features; no image is touched.

A photo gets one row per concept, hit or not, with its score and the threshold used: a changed threshold needs
no model. What is to be done is an anti-join, as everywhere; a new concept costs a matrix product over the
library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..schemas.settings import Settings
from ..schemas.tables import DETECTIONS, FACE_DIM
from ..stages.heads import linear, person
from ..stages.heads.linear import LinearHead
from ..stages.heads.person import PersonHead
from .catalog import Catalog
from .concepts import Concepts, Kept
from .progress import Progress
from .views import connect
from .writer import Writer

_BLOCK = 20_000  # photos whose rows are made at once

_LACKING = """
SELECT photo_id FROM chosen SEMI JOIN files USING (photo_id)
ANTI JOIN (
    SELECT photo_id FROM all_detections WHERE list_contains($wanted, made_by)
    GROUP BY photo_id HAVING count(DISTINCT made_by) = len($wanted)
) USING (photo_id)
WHERE stage = $stage AND made_by = $features
ORDER BY photo_id
"""
_FACES = """
SELECT photo_id, face, embedding FROM faces SEMI JOIN todo USING (photo_id)
WHERE made_by = $features AND embedding IS NOT NULL
ORDER BY photo_id, face
"""
_CLIP = "SELECT photo_id, embedding FROM clip SEMI JOIN todo USING (photo_id) WHERE made_by = $features"


def score_library(catalog: Catalog, settings: Settings, run_id: str, progress: Progress) -> dict[str, int]:
    """Score the photos that lack a row of any concept; returns how many new hits each concept has.

    People are always scored together, because a face goes to the one it fits best. Raises ConceptDamaged.
    """
    store = Concepts(settings.home)
    kept = [store.load(concept.name) for concept in store.all()]
    hits: dict[str, int] = {}
    for stage, kind in (("faces", PersonHead), ("clip", LinearHead)):
        for features in sorted({one.concept.head.made_by for one in kept if isinstance(one.head, kind)}):
            group = [k for k in kept if isinstance(k.head, kind) and k.concept.head.made_by == features]
            for rows in _score(catalog, settings, stage, features, group, run_id, progress):
                found = rows.filter(rows["hit"])["concept"].value_counts().to_pylist()
                for entry in found:
                    hits[entry["values"]] = hits.get(entry["values"], 0) + entry["counts"]
    return hits


def _score(
    catalog: Catalog,
    settings: Settings,
    stage: str,
    features: str,
    kept: Sequence[Kept],
    run_id: str,
    progress: Progress,
) -> list[pa.Table]:
    """Score with all heads that read the same features; commits as it goes."""
    wanted = [made_by(one) for one in kept]
    with connect(catalog) as connection:
        parameters = {"stage": stage, "features": features, "wanted": wanted}
        todo = connection.sql(_LACKING, params=parameters).to_arrow_table()
    if not todo.num_rows:
        return []
    writer = Writer(catalog, settings)
    tables = []
    with progress.step("heads", todo.num_rows) as step:
        for start in range(0, todo.num_rows, _BLOCK):
            block = todo.slice(start, _BLOCK)
            with connect(catalog) as connection:
                score = _people if stage == "faces" else _objects
                rows = score(connection, block, features, kept, run_id)
            writer.add({"detections": rows}, block.num_rows)
            tables.append(rows)
            step.advance(block.num_rows)
    writer.commit()
    return tables


def made_by(kept: Kept) -> str:
    """What a row names as its origin: concept, version, and the features its head reads."""
    return f"{kept.concept.made_by} on {kept.concept.head.made_by}"


def _people(
    connection: duckdb.DuckDBPyConnection, todo: pa.Table, features: str, kept: Sequence[Kept], run_id: str
) -> pa.Table:
    connection.register("todo", todo)
    faces = connection.sql(_FACES, params={"features": features}).to_arrow_table()
    photos = pc.index_in(faces["photo_id"], todo["photo_id"]).to_numpy().astype(np.int64)
    heads = [one.head for one in kept if isinstance(one.head, PersonHead)]
    distance = person.distances(_vectors(faces, FACE_DIM), heads)
    owner = person.assign(photos, distance, [head.threshold for head in heads])
    nearest = np.full((todo.num_rows, len(heads)), np.nan, np.float32)
    face = np.full((todo.num_rows, len(heads)), -1, np.int16)
    shown, first = np.unique(photos, return_index=True)
    if len(shown):
        nearest[shown] = np.minimum.reduceat(distance, first, axis=0)
    own = np.flatnonzero(owner != person.NOBODY)
    nearest[photos[own], owner[own]] = distance[own, owner[own]]
    face[photos[own], owner[own]] = faces["face"].to_numpy()[own]
    parts = [
        _rows(
            todo["photo_id"],
            one,
            1 - nearest[:, number],
            1 - heads[number].threshold,
            face[:, number] >= 0,
            face[:, number],
            run_id,
        )
        for number, one in enumerate(kept)
    ]
    return pa.concat_tables(parts)


def _objects(
    connection: duckdb.DuckDBPyConnection, todo: pa.Table, features: str, kept: Sequence[Kept], run_id: str
) -> pa.Table:
    connection.register("todo", todo)
    clip = connection.sql(_CLIP, params={"features": features}).to_arrow_table()
    heads = [one.head for one in kept if isinstance(one.head, LinearHead)]
    probability = linear.probabilities(_vectors(clip, len(heads[0].weight)), heads)
    nothing = np.full(clip.num_rows, -1, np.int16)
    parts = [
        _rows(
            clip["photo_id"],
            one,
            score := probability[:, number],
            heads[number].threshold,
            score >= heads[number].threshold,
            nothing,
            run_id,
        )
        for number, one in enumerate(kept)
    ]
    return pa.concat_tables(parts)


def _vectors(rows: pa.Table, dimensions: int) -> NDArray[np.float16]:
    """The embeddings of a table as a matrix (rows, dimensions), copied once."""
    return np.frombuffer(b"".join(rows["embedding"].to_pylist()), np.float16).reshape(-1, dimensions)


def _rows(
    photos: pa.ChunkedArray,
    kept: Kept,
    score: NDArray[np.float32],
    threshold: float,
    hit: NDArray[np.bool_],
    face: NDArray[np.int16],
    run_id: str,
) -> pa.Table:
    """One concept's rows; a score that is not a number (no face) and a face below zero become null."""
    columns: dict[str, Any] = {
        "photo_id": photos,
        "concept": pa.repeat(kept.concept.name, len(score)),
        "score": pa.array(score, pa.float32(), from_pandas=True),
        "threshold": pa.repeat(pa.scalar(threshold, pa.float32()), len(score)),
        "hit": pa.array(hit),
        "face": pa.array(face, mask=face < 0),
        "made_by": pa.repeat(made_by(kept), len(score)),
        "run_id": pa.repeat(run_id, len(score)),
    }
    return pa.table(columns, schema=DETECTIONS)
