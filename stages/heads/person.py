"""Heads for people: the distance of a face to the faces that were kept of each person.

Nothing is trained (MyVLM, appendix B.2). Applying all people to all faces is one matrix product per block;
within a photo faces go to people one to one, best first. Things and pets are `linear.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

NOBODY = -1
_BLOCK = 16_384  # faces per matrix product: the similarities of a block stay in the processor's cache


@dataclass(frozen=True)
class PersonHead:
    """One person: `embeddings` (n, dimensions), float32, unit rows; distances up to `threshold` are hits.

    `others` (m, dimensions), like them, are faces that were said not to be this person's: what is nearer to
    one of those is no hit, at whatever distance.
    """

    embeddings: NDArray[np.float32]
    threshold: float
    others: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))


def threshold_of(folder: Path, settings: Mapping[str, Any]) -> float:
    """The largest distance that is a hit: from the face models' own pack.json, else from the pack's settings.

    The paper's 0.675 belongs to buffalo_l; another recogniser has another.
    """
    try:
        return float(json.loads((folder / "pack.json").read_text("utf-8"))["person_threshold"])
    except (OSError, ValueError, KeyError, TypeError):
        return float(settings.get("distance", 0.675))


def fit(embeddings: Floats, threshold: float) -> PersonHead:
    """Keep the face embeddings (n, dimensions) of a person; n is at least 1."""
    kept = np.asarray(embeddings, np.float32)
    if kept.ndim != 2 or not len(kept):
        raise ValueError(f"embeddings of shape {kept.shape} are no person")
    return PersonHead(kept / np.linalg.norm(kept, axis=1, keepdims=True), float(threshold))


def distances(faces: Floats, heads: Sequence[PersonHead]) -> NDArray[np.float32]:
    """Cosine distance (0-2) of each face to the nearest kept embedding of each person: (faces, people).

    `faces` (n, dimensions) are unit rows, float16 or float32.
    """
    return _nearest(faces, [head.embeddings for head in heads])


def judge(
    photos: NDArray[np.integer], faces: Floats, heads: Sequence[PersonHead]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """How far each face is from each person, (faces, people), and whose face each one is, as `assign` says.

    A face nearer to a person's `others` is not theirs.
    """
    distance = distances(faces, heads)
    possible = np.where(nearer_to_others(faces, heads, distance), np.inf, distance)
    return distance, assign(photos, possible, [head.threshold for head in heads])


def nearer_to_others(
    faces: Floats, heads: Sequence[PersonHead], distance: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Which faces are nearer to one of a head's `others` than `distance`, to its person: (faces, people)."""
    nearer = np.zeros(distance.shape, bool)
    told = [number for number, head in enumerate(heads) if len(head.others)]
    if told:
        nearer[:, told] = _nearest(faces, [heads[number].others for number in told]) < distance[:, told]
    return nearer


def _nearest(faces: Floats, groups: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Cosine distance of each face to the nearest embedding of each group: (faces, groups)."""
    result = np.empty((len(faces), len(groups)), np.float32)
    if not groups:
        return result
    kept = np.concatenate(groups).T
    starts = np.cumsum([0, *(len(group) for group in groups[:-1])])
    for start in range(0, len(faces), _BLOCK):
        similarity = faces[start : start + _BLOCK].astype(np.float32) @ kept
        np.maximum.reduceat(similarity, starts, axis=1, out=result[start : start + _BLOCK])
    return np.subtract(1.0, result, out=result)


def assign(
    photos: NDArray[np.integer], distance: NDArray[np.float32], thresholds: Sequence[float] | Floats
) -> NDArray[np.int64]:
    """Whose face each one is: index of the person, or NOBODY.

    `photos` (n,) says by number which photo a face is in, `distance` is what `distances` gave. Within a photo
    a face is at most one person and a person has at most one face; the closest pair is settled first.
    """
    owner = np.full(len(photos), NOBODY, np.int64)
    faces, people = np.nonzero(distance <= np.asarray(thresholds, np.float32))
    order = np.argsort(distance[faces, people], kind="stable")
    faces, people = faces[order], people[order]
    seats = photos[faces].astype(np.int64) * distance.shape[1] + people  # one per photo and person
    while len(faces):
        # A pair that is the best left for its face and for its seat is what going best first would take.
        best = np.intersect1d(_firsts(faces), _firsts(seats))
        owner[faces[best]] = people[best]
        left = ~np.isin(faces, faces[best]) & ~np.isin(seats, seats[best])
        faces, people, seats = faces[left], people[left], seats[left]
    return owner


def _firsts(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each value stands for the first time."""
    return np.unique(keys, return_index=True)[1]
