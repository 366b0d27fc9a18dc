"""Scores of all heads for a block of photos, and which of them make rows: those that are new or changed.

Where photos and embeddings come from, and where rows go, is `heads.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..schemas.tables import DETECTIONS, coded
from ..stages.heads import linear, person
from ..stages.heads.linear import LinearHead
from ..stages.heads.person import PersonHead
from .catalog import ROW_GROUP
from .concepts import Kept

NO_FACE, NOT_SHOWN = -1, -2  # beside the numbers of faces


@dataclass(frozen=True)
class Block:
    """Some photos, all their embeddings by photo and face, and what the catalog says of them so far."""

    photos: pa.Array  # photo_id
    settled: NDArray[np.bool_]  # (photos, heads): there is a row, and what the person said since is no matter
    shown: NDArray[np.int16]  # (photos, heads): the face by which it was a hit, NO_FACE for things, NOT_SHOWN
    photo: NDArray[np.int32]  # of each embedding, its photo's place in this block
    face: NDArray[np.int16]  # ... and the face's number
    embeddings: NDArray[np.float16]


@dataclass(frozen=True)
class Scored:
    """What the heads of `kept` say of photos; all matrices are (photos, heads)."""

    photos: pa.Array
    kept: Sequence[Kept]
    thresholds: NDArray[np.float32]  # (heads,)
    score: NDArray[np.float32]  # not a number where there is no face
    hit: NDArray[np.bool_]
    face: NDArray[np.int16]
    shown: NDArray[np.int16]
    fresh: NDArray[np.bool_]  # whether it makes a row

    @property
    def new_hits(self) -> Counter[str]:
        """How many photos each concept is found in that didn't show it before."""
        new = (self.fresh & self.hit & (self.shown == NOT_SHOWN)).sum(axis=0)
        return Counter({one.concept.name: int(count) for one, count in zip(self.kept, new, strict=True)})


def score(block: Block, kept: Sequence[Kept]) -> Scored:
    """Judge the photos of a block by all heads, which are of one kind."""
    if isinstance(kept[0].head, PersonHead):
        return _people(block, kept)
    lacking = np.flatnonzero(~block.settled.all(axis=0))
    return _objects(block, kept, lacking)


def _people(block: Block, kept: Sequence[Kept]) -> Scored:
    """All people, for a face goes to the one it fits best. Of a settled row only the face can change."""
    heads = [one.head for one in kept if isinstance(one.head, PersonHead)]
    distance, owner = person.judge(block.photo, block.embeddings, heads)
    nearest = np.full(block.settled.shape, np.inf, np.float32)
    face = np.full(block.settled.shape, NO_FACE, np.int16)
    photos, first = np.unique(block.photo, return_index=True)
    if len(photos):
        nearest[photos] = np.minimum.reduceat(distance, first, axis=0)
    own = np.flatnonzero(owner != person.NOBODY)
    nearest[block.photo[own], owner[own]] = distance[own, owner[own]]
    face[block.photo[own], owner[own]] = block.face[own]
    nearest[np.isinf(nearest)] = np.nan
    return Scored(
        block.photos,
        kept,
        thresholds=np.array([1 - head.threshold for head in heads], np.float32),
        score=1 - nearest,
        hit=face != NO_FACE,
        face=face,
        shown=block.shown,
        fresh=~block.settled | (face != np.maximum(block.shown, NO_FACE)),
    )


def _objects(block: Block, kept: Sequence[Kept], lacking: NDArray[np.intp]) -> Scored:
    """The heads that any of the photos lacks: things don't compete with one another."""
    heads = [head for number in lacking if isinstance(head := kept[number].head, LinearHead)]
    thresholds = np.array([head.threshold for head in heads], np.float32)
    probability = np.full((len(block.photos), len(heads)), np.nan, np.float32)
    probability[block.photo] = linear.probabilities(block.embeddings, heads)
    return Scored(
        block.photos,
        [kept[number] for number in lacking],
        thresholds,
        score=probability,
        hit=probability >= thresholds,
        face=np.full(probability.shape, NO_FACE, np.int16),
        shown=block.shown[:, lacking],
        fresh=~block.settled[:, lacking],
    )


def rows(scored: Scored, run_id: str) -> Iterator[pa.Table]:
    """Yield rows of DETECTIONS, text as codes, photo by photo: so many at a time as are a row group."""
    step = max(1, ROW_GROUP // len(scored.kept))
    names = pa.array([one.concept.name for one in scored.kept])
    origins = pa.array([one.concept.found_by for one in scored.kept])
    for start in range(0, len(scored.photos), step):
        part = slice(start, start + step)
        fresh = scored.fresh[part]
        photo, head = (numbers.astype(np.int32) for numbers in np.nonzero(fresh))
        face = scored.face[part][fresh]
        columns: dict[str, Any] = {
            "photo_id": _spelt(photo, scored.photos[part]),
            "concept": _spelt(head, names),
            "score": pa.array(scored.score[part][fresh], from_pandas=True),
            "threshold": scored.thresholds[head],
            "hit": scored.hit[part][fresh],
            "face": pa.array(face, mask=face == NO_FACE),
            "made_by": _spelt(head, origins),
            "run_id": _spelt(np.zeros_like(head), pa.array([run_id])),
        }
        yield pa.table(columns, schema=coded(DETECTIONS))


def _spelt(codes: NDArray[np.int32], words: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes), words)
