"""The heads pipeline: every concept against every photo, from the catalog's features; no image is touched.

A photo gets one row per concept, hit or not, with its score and the threshold used: a changed threshold needs
no model. What is to be done is an anti-join, as everywhere; a new concept costs a matrix product over the
library. What the person says of faces counts from the next run on: photos it may matter for are scored again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..schemas.settings import Settings
from ..schemas.tables import DETECTIONS, FACE_DIM, unpack
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
WITH said AS (
    SELECT concept, max(decision_id) AS latest FROM decisions WHERE face IS NOT NULL GROUP BY concept
),
done AS (  -- what the person said of faces since then may make another matter of a face that is near enough
    SELECT photo_id, made_by
    FROM all_detections AS scored
    LEFT JOIN said ON said.concept = scored.concept AND (hit OR score >= threshold)
    WHERE list_contains($wanted, made_by) AND run_id > coalesce(latest, '')
)
SELECT photo_id FROM chosen SEMI JOIN files USING (photo_id)
ANTI JOIN (
    SELECT photo_id FROM done GROUP BY photo_id HAVING count(DISTINCT made_by) = len($wanted)
) USING (photo_id)
WHERE stage = $stage AND made_by = $features
ORDER BY photo_id
"""
_REJECTED = """
SELECT concept, embedding FROM decisions JOIN faces USING (photo_id, face, made_by)
WHERE verdict = 'reject' AND made_by = $features AND embedding IS NOT NULL
"""
_FACES = """
SELECT photo_id, face, embedding FROM faces SEMI JOIN todo USING (photo_id)
WHERE made_by = $features AND embedding IS NOT NULL
ORDER BY photo_id, face
"""
_CLIP = "SELECT photo_id, embedding FROM clip SEMI JOIN todo USING (photo_id) WHERE made_by = $features"


@dataclass(frozen=True)
class Group:
    """Concepts whose heads read the same features."""

    stage: str  # whose features
    features: str  # ... and which model's
    kept: list[Kept]

    @property
    def wanted(self) -> list[str]:
        """What a photo's rows should name as their origins."""
        return [one.concept.found_by for one in self.kept]


def groups(settings: Settings, concept: str = "") -> list[Group]:
    """Return what is scored together: all concepts, or the one named.

    People always come together, because a face goes to the one it fits best. Raises ConceptDamaged.
    """
    store = Concepts(settings.home)
    every = [store.load(one.name) for one in store.all()]
    made = []
    for stage, kind in (("faces", PersonHead), ("clip", LinearHead)):
        kept = [one for one in every if isinstance(one.head, kind)]
        if concept and (kind is LinearHead or concept not in [one.concept.name for one in kept]):
            kept = [one for one in kept if one.concept.name == concept]
        for features in sorted({one.concept.head.made_by for one in kept}):
            own = [one for one in kept if one.concept.head.made_by == features]
            made.append(Group(stage, features, own))
    return made


def lacking(catalog: Catalog, group: Group) -> pa.Table:
    """Return the photos (photo_id) that lack a row of any concept of the group."""
    parameters = {"stage": group.stage, "features": group.features, "wanted": group.wanted}
    with connect(catalog) as connection:
        return connection.sql(_LACKING, params=parameters).to_arrow_table()


def score_library(
    catalog: Catalog, settings: Settings, run_id: str, progress: Progress, concept: str = ""
) -> dict[str, int]:
    """Score the photos that lack a row; returns how many new hits each concept has. Raises ConceptDamaged."""
    hits: dict[str, int] = {}
    for group in groups(settings, concept):
        for rows in _score(catalog, settings, group, run_id, progress):
            found = rows.filter(rows["hit"])["concept"].value_counts().to_pylist()
            for entry in found:
                hits[entry["values"]] = hits.get(entry["values"], 0) + entry["counts"]
    return hits


def _score(
    catalog: Catalog, settings: Settings, group: Group, run_id: str, progress: Progress
) -> list[pa.Table]:
    """Score with the heads of a group; commits as it goes."""
    todo = lacking(catalog, group)
    if not todo.num_rows:
        return []
    writer = Writer(catalog, settings)
    tables = []
    if group.stage == "faces":
        group = with_rejected(catalog, group)
    with progress.step("heads", todo.num_rows) as step:
        for start in range(0, todo.num_rows, _BLOCK):
            block = todo.slice(start, _BLOCK)
            with connect(catalog) as connection:
                score = _people if group.stage == "faces" else _objects
                rows = score(connection, block, group.features, group.kept, run_id)
            writer.add({"detections": rows}, block.num_rows)
            tables.append(rows)
            step.advance(block.num_rows)
    writer.commit()
    return tables


def with_rejected(catalog: Catalog, group: Group) -> Group:
    """Let each person's head know the faces that were said not to be theirs."""
    with connect(catalog) as connection:
        rows = connection.sql(_REJECTED, params={"features": group.features}).fetchall()
    kept = []
    for one in group.kept:
        own = [embedding for concept, embedding in rows if concept == one.concept.name]
        if own and isinstance(one.head, PersonHead):
            others = unpack(own, FACE_DIM).astype(np.float32)
            one = replace(one, head=replace(one.head, others=others))
        kept.append(one)
    return replace(group, kept=kept)


def _people(
    connection: duckdb.DuckDBPyConnection, todo: pa.Table, features: str, kept: Sequence[Kept], run_id: str
) -> pa.Table:
    connection.register("todo", todo)
    faces = connection.sql(_FACES, params={"features": features}).to_arrow_table()
    photos = pc.index_in(faces["photo_id"], todo["photo_id"]).to_numpy().astype(np.int64)
    heads = [one.head for one in kept if isinstance(one.head, PersonHead)]
    embeddings = unpack(faces["embedding"].to_pylist(), FACE_DIM)
    distance, owner = person.judge(photos, embeddings, heads)
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
    probability = linear.probabilities(unpack(clip["embedding"].to_pylist(), len(heads[0].weight)), heads)
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
        "made_by": pa.repeat(kept.concept.found_by, len(score)),
        "run_id": pa.repeat(run_id, len(score)),
    }
    return pa.table(columns, schema=DETECTIONS)
