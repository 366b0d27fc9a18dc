"""Who the photos given to `learn` are of: the one face that agrees across them, or no person at all.

Works on faces that were found already; nothing is read or run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..schemas.concept import Kind
from ..schemas.errors import PhotosUnusable

_CLEARLY_LARGER = 1.6  # times the height of the other's faces, and it's not they who are meant


@dataclass(frozen=True)
class Face:
    """A face in one of the photos given."""

    photo: int
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels of the upright photo
    embedding: NDArray[np.float32]  # norm 1

    @property
    def height(self) -> float:
        """In pixels."""
        return self.box[3] - self.box[1]


@dataclass(frozen=True)
class Subject:
    """What was decided, and why, in words for the person."""

    kind: Kind
    why: str
    faces: dict[int, Face]  # the person's face, by photo; empty for an object


def find_subject(faces: Sequence[Face], photos: int, threshold: float, kind: Kind | None) -> Subject:
    """Decide between person and object; `kind` is what the user asked for, if anything.

    A person is a face that agrees (cosine distance up to `threshold`) in more than half of the photos. Raises
    PhotosUnusable for a person without a face, and where two people could be meant.
    """
    if kind == "object":
        return Subject("object", "object, as asked for", {})
    with_faces = len({face.photo for face in faces})
    of_all = f"{with_faces} of {photos} photo{'s' if photos > 1 else ''}"
    if not faces and kind == "person":
        raise PhotosUnusable(
            f"no face was found in the {_count(photos, 'photo')}", "give photos that show the person's face"
        )
    people = _people(faces, threshold)
    if kind is None and (with_faces <= photos / 2 or (photos > 1 and len(people[0]) == 1)):
        found = f"a face in {of_all}" if with_faces else f"no face in {_count(photos, 'photo')}"
        agreeing = ", and no two are alike" if with_faces > photos / 2 else ""
        return Subject("object", f"object: {found}{agreeing}", {})
    first = _largest([person for person in people if len(person) == len(people[0])], photos)
    if kind is None and len(first) <= photos / 2:
        agree = f"the same face in only {len(first)} of {photos} photos"
        return Subject("object", f"object: {agree}", {})
    chosen = {face.photo: face for face in first}
    return Subject("person", f"person: the same face in {len(first)} of {_count(photos, 'photo')}", chosen)


def _people(faces: Sequence[Face], threshold: float) -> list[list[Face]]:
    """Faces by person, at most one per photo, the person in most photos first."""
    left, people = list(faces), []
    while left:
        vectors = np.stack([face.embedding for face in left])
        distance = 1 - vectors @ vectors.T
        groups = [_around(anchor, left, distance[anchor], threshold) for anchor in range(len(left))]
        best = max(groups, key=lambda group: (len(group[0]), -group[1]))[0]
        people.append([left[index] for index in best])
        left = [face for index, face in enumerate(left) if index not in best]
    return people


def _around(
    anchor: int, faces: Sequence[Face], distance: NDArray[np.float32], threshold: float
) -> tuple[list[int], float]:
    """Which face of each photo is the anchor's person, and their mean distance to it."""
    nearest: dict[int, int] = {}
    for index in np.argsort(distance, kind="stable"):
        if distance[index] <= threshold or index == anchor:
            nearest.setdefault(faces[index].photo, int(index))
    nearest[faces[anchor].photo] = anchor
    chosen = sorted(nearest.values())
    return chosen, float(distance[chosen].mean())


def _largest(candidates: Sequence[list[Face]], photos: int) -> list[Face]:
    """Of people who are in equally many photos the one in front. Raises PhotosUnusable if there is none."""
    ranked = sorted(candidates, key=lambda person: -float(np.mean([face.height for face in person])))
    if len(ranked) > 1:
        heights = [float(np.mean([face.height for face in person])) for person in ranked[:2]]
        if heights[0] < _CLEARLY_LARGER * heights[1]:
            count = {2: "two", 3: "three"}.get(len(ranked), str(len(ranked)))
            where = "the photo" if photos == 1 else f"{len(ranked[0])} of {photos} photos"
            raise PhotosUnusable(
                f"{count} people are in {where} equally often",
                "add photos of the one alone, or say --kind object",
            )
    return ranked[0]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
