"""The heads pipeline: every concept against every photo, from the catalog's features; no image is touched.

A photo gets one row per concept, hit or not, with its score and the threshold used: a changed threshold needs
no model. What is to be done is an anti-join, as everywhere; a new concept costs a matrix product over the
library. What the person says of faces counts from the next run on: photos it may matter for are scored again.
The scores themselves, and which of them make rows, are `scoring.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..schemas.settings import Settings
from ..schemas.tables import FACE_DIM, unpack
from ..stages.heads.linear import LinearHead
from ..stages.heads.person import PersonHead
from .catalog import Catalog
from .concepts import Concepts, Kept
from .progress import Progress
from .scoring import NOT_SHOWN, Block, rows, score
from .views import connect
from .writer import Writer, merge_small

_BLOCK = 20_000  # embeddings that are scored at once

_LACKING = """
WITH wanted AS (SELECT unnest($wanted) AS made_by, unnest(range(len($wanted))) AS number),
said AS (
    SELECT concept, max(decision_id) AS latest FROM decisions WHERE face IS NOT NULL GROUP BY concept
),
done AS (  -- what the person said of faces since then may make another matter of a face that is near enough
    SELECT photo_id, bitstring_agg(number, 0, len($wanted) - 1)::VARCHAR AS settled
    FROM all_detections AS scored JOIN wanted USING (made_by)
    LEFT JOIN said ON said.concept = scored.concept AND (hit OR score >= threshold)
    WHERE run_id > coalesce(latest, '')
    GROUP BY photo_id
)
SELECT photo_id, coalesce(settled, repeat('0', len($wanted))) AS settled
FROM chosen SEMI JOIN files USING (photo_id) LEFT JOIN done USING (photo_id)
WHERE stage = $stage AND made_by = $features AND contains(coalesce(settled, '0'), '0')
ORDER BY photo_id
"""
_REJECTED = """
WITH said AS (FROM decisions WHERE verdict = 'reject' AND made_by = $features),
theirs AS (
    SELECT photo_id, face, made_by, arg_max(embedding, run_id) AS embedding
    FROM all_faces SEMI JOIN said USING (photo_id, face, made_by)
    WHERE embedding IS NOT NULL
    GROUP BY ALL
)
SELECT concept, embedding FROM said JOIN theirs USING (photo_id, face, made_by)
SEMI JOIN (FROM chosen WHERE stage = 'faces') USING (photo_id, made_by) SEMI JOIN files USING (photo_id)
"""
_SHOWN = """
SELECT place, number, face FROM (
    SELECT place, number, arg_max(hit, run_id) AS hit, arg_max(coalesce(face, -1), run_id)::SMALLINT AS face
    FROM all_detections
    SEMI JOIN (FROM all_detections WHERE hit) AS once USING (photo_id, concept)
    JOIN (SELECT unnest($concepts) AS concept, unnest(range(len($concepts))) AS number) USING (concept)
    JOIN todo USING (photo_id)
    GROUP BY place, number
)
WHERE hit
"""
#: Which rows count is told without the embeddings, for sorting those out would take all of them into memory.
_NEWEST = """
CREATE TEMP TABLE newest AS
SELECT place, {key}, max(run_id) AS run_id FROM all_{stage} JOIN todo USING (photo_id)
WHERE made_by = $features GROUP BY ALL
"""
_EMBEDDINGS = """
SELECT place, {face} AS face, embedding FROM all_{stage} JOIN newest USING ({key}, run_id)
WHERE made_by = $features
"""
_WORDS = {
    "faces": {"key": "photo_id, face", "face": "face"},
    "clip": {"key": "photo_id", "face": "0::SMALLINT"},
}
_NO_EMBEDDINGS = pa.schema(
    [pa.field("place", pa.int32()), pa.field("face", pa.int16()), pa.field("embedding", pa.binary())]
).empty_table()


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
    """Return the photos (photo_id) that lack a row of any concept of the group.

    `settled` says by a 1 or a 0 for each concept, in the group's order, whether its row is there.
    """
    parameters = {"stage": group.stage, "features": group.features, "wanted": group.wanted}
    with connect(catalog) as connection:
        return connection.sql(_LACKING, params=parameters).to_arrow_table()


def score_library(
    catalog: Catalog, settings: Settings, run_id: str, progress: Progress, concept: str = ""
) -> dict[str, int]:
    """Score the photos that lack a row; returns how many new hits each concept has. Raises ConceptDamaged."""
    hits: Counter[str] = Counter()
    for group in groups(settings, concept):
        todo = lacking(catalog, group)
        if todo.num_rows:
            hits += _score(catalog, settings, group, todo, run_id, progress)
    return dict(hits)


def _score(
    catalog: Catalog, settings: Settings, group: Group, todo: pa.Table, run_id: str, progress: Progress
) -> Counter[str]:
    """Score with the heads of a group; commits as it goes. Counts photos that were no hit before."""
    writer = Writer(catalog, settings, merging=False)
    hits: Counter[str] = Counter()
    if group.stage == "faces":
        group = with_rejected(catalog, group)
    with progress.step("heads", todo.num_rows) as step, connect(catalog) as connection:
        for block in _blocks(connection, todo, group):
            scored = score(block, group.kept)
            for part in rows(scored, run_id):
                writer.add({"detections": part}, 0)
            writer.add({}, len(block.photos))
            hits += scored.new_hits
            step.advance(len(block.photos))
    writer.commit()
    merge_small(catalog)
    return hits


def _blocks(connection: duckdb.DuckDBPyConnection, todo: pa.Table, group: Group) -> Iterator[Block]:
    """Yield the photos to do with all their embeddings, which are read once, and what is known of them."""
    count = todo.num_rows
    places = pa.table({"photo_id": todo["photo_id"], "place": np.arange(count, dtype=np.int32)})
    connection.register("todo", places)
    names = [one.concept.name for one in group.kept]
    shown = connection.sql(_SHOWN, params={"concepts": names}).to_arrow_table()
    shown_place, shown_number, shown_face = (column.to_numpy() for column in shown.columns)
    patterns = todo["settled"].combine_chunks().dictionary_encode()
    settled = np.array([[bit == "1" for bit in text] for text in patterns.dictionary.to_pylist()])
    pattern = patterns.indices.to_numpy()
    position = np.full(count, -1, np.int32)
    for photos, embeddings in _whole_photos(connection, group, count):
        position[photos] = np.arange(len(photos))
        inside = position[shown_place] >= 0
        before = np.full((len(photos), len(names)), NOT_SHOWN, np.int16)
        before[position[shown_place[inside]], shown_number[inside]] = shown_face[inside]
        yield Block(
            photos=todo["photo_id"].take(photos).combine_chunks(),
            settled=settled[pattern[photos]],
            shown=before,
            photo=position[embeddings["place"].to_numpy()],
            face=embeddings["face"].to_numpy(),
            embeddings=unpack(embeddings["embedding"].to_pylist(), _width(group)),
        )
        position[photos] = -1


def _whole_photos(
    connection: duckdb.DuckDBPyConnection, group: Group, count: int
) -> Iterator[tuple[NDArray[np.int32], pa.Table]]:
    """Yield places of photos, and all their embeddings (place, face, embedding), in blocks, in this order."""
    parameters = {"features": group.features}
    words = {"stage": group.stage, **_WORDS[group.stage]}
    connection.execute(_NEWEST.format(**words), parameters)
    expected = np.bincount(connection.sql("SELECT place FROM newest").fetchnumpy()["place"], minlength=count)
    if group.stage == "faces":
        faceless = np.flatnonzero(expected == 0).astype(np.int32)
        for start in range(0, len(faceless), _BLOCK):
            yield faceless[start : start + _BLOCK], _NO_EMBEDDINGS
    seen = np.zeros(count, np.int64)
    held: list[pa.Table] = []
    stream = connection.sql(_EMBEDDINGS.format(**words), params=parameters)
    for batch in stream.to_arrow_reader(_BLOCK):
        seen += np.bincount(batch["place"].to_numpy(), minlength=count)
        found = pa.concat_tables([*held, pa.Table.from_batches([batch])])
        places = found["place"].to_numpy()
        whole = seen[places] >= expected[places]
        held = [found.filter(pa.array(~whole))]  # a photo whose other faces are still to come
        known = np.flatnonzero(whole & pc.is_valid(found["embedding"]).to_numpy())
        order = np.lexsort((found["face"].to_numpy()[known], places[known]))
        yield np.unique(places[whole]), found.take(known[order])


def _width(group: Group) -> int:
    """How many dimensions the group's embeddings have."""
    head = group.kept[0].head
    return len(head.weight) if isinstance(head, LinearHead) else FACE_DIM


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
