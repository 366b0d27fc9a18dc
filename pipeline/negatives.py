"""What an object is told apart from: CLIP features of photos that look most like it and are not it.

They come from a folder the person names, else from their own library and a bank of features that lies beside
the CLIP model (`negatives.safetensors`); before all from photos the person rejected. No image is read here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from ..schemas.errors import PhotosUnusable
from ..schemas.tables import unpack
from .catalog import Catalog
from .views import connect

WANTED = 150  # MyVLM, appendix B.2
BANK = "negatives.safetensors"

_REJECTED_SHARE = 1 / 8  # of the negatives at least, else one look-alike is hardly ever drawn
_LIKE_ONE_PHOTO = 0.9  # with one positive, photos as alike as this may well show the same thing

_BLOCK = 10_000  # photos of the library that are compared at once

Floats = NDArray[np.float32]

_LIBRARY = "SELECT embedding FROM clip WHERE made_by = $made_by AND NOT list_contains($own, photo_id)"
_SAID = """
SELECT photo_id, verdict, embedding FROM decisions JOIN clip USING (photo_id)
WHERE concept = ? AND clip.made_by = ? AND NOT list_contains(?, photo_id) ORDER BY photo_id
"""


@dataclass(frozen=True)
class Negatives:
    """Features (n, dimensions), unit rows, most alike first, and where they are from, in words."""

    features: Floats
    origin: str


@dataclass(frozen=True)
class Said:
    """What the person said of photos of the library: features (n, dimensions), unit rows, and their ids."""

    confirmed: Floats
    rejected: Floats
    photos: Collection[str]


def said_of(catalog: Catalog, made_by: str, name: str, own: Collection[str], dimensions: int) -> Said:
    """Return the photos in which the concept of that name was confirmed or rejected, but for its `own`."""
    rows: list[tuple[str, str, bytes]] = []
    if catalog.exists:
        with connect(catalog) as connection:
            rows = connection.execute(_SAID, [name, made_by, list(own)]).fetchall()
    confirmed, rejected = (
        _unit(unpack((packed for _, said, packed in rows if said == verdict), dimensions))
        for verdict in ("confirm", "reject")
    )
    return Said(confirmed, rejected, [photo for photo, _, _ in rows])


def weighed(rejected: Floats, beside: int) -> Floats:
    """Repeat what the person rejected, so that a few count for enough `beside` that many negatives."""
    least = beside * _REJECTED_SHARE / (1 - _REJECTED_SHARE)
    return np.tile(rejected, (max(1, round(least / max(1, len(rejected)))), 1))


def from_person(given: Floats, positives: Floats) -> Negatives:
    """Take those the person gave; more than are wanted, and the likest are chosen."""
    chosen = _likest(given, positives, WANTED)
    return Negatives(given[chosen], f"{len(chosen)} photos that you gave for it")


def from_library(
    catalog: Catalog, made_by: str, clip: Path, positives: Floats, own: Collection[str]
) -> Negatives:
    """Take the likest photos of the library and the bank; `own` are the ids of the training photos.

    A photo of the library that is as like the positives as they are like each other may show the very thing,
    and is left out. Raises PhotosUnusable when there is nothing to tell the object from.
    """
    library = _library(catalog, made_by, own, positives)
    bank = _bank(clip, positives.shape[1])
    everything = np.concatenate([library, bank])
    if not len(everything):
        raise PhotosUnusable(
            "there are no photos to tell the object from",
            "run the library first (myvlm-tag run FOLDER), or name other things like it: --negatives FOLDER",
        )
    chosen = _likest(everything, positives, WANTED)
    mine = int((chosen < len(library)).sum())
    return Negatives(
        everything[chosen], f"{mine} photos of the library, {len(chosen) - mine} of the packaged ones"
    )


def _trusted_below(positives: Floats) -> float:
    """The similarity from which on a photo of the library may show the concept itself."""
    if len(positives) < 2:
        return _LIKE_ONE_PHOTO
    similarity = positives @ positives.T
    return float(similarity[~np.eye(len(positives), dtype=bool)].min())


def _likest(features: Floats, positives: Floats, count: int) -> NDArray[np.int64]:
    """Which rows are most like any of the positives, the likest first."""
    nearest = (features @ positives.T).max(1)
    return np.argsort(-nearest, kind="stable")[:count]


def _library(catalog: Catalog, made_by: str, own: Collection[str], positives: Floats) -> Floats:
    """The library's photos that can be trusted, the likest first, as many as are wanted; read in blocks."""
    best = np.empty((0, positives.shape[1]), np.float32)
    if not catalog.exists:
        return best
    limit, parameters = _trusted_below(positives), {"made_by": made_by, "own": list(own)}
    with connect(catalog) as connection:
        for batch in connection.sql(_LIBRARY, params=parameters).to_arrow_reader(_BLOCK):
            block = _unit(unpack(batch["embedding"].to_pylist(), positives.shape[1]))
            best = np.concatenate([best, block[(block @ positives.T).max(1) < limit]])
            best = best[_likest(best, positives, WANTED)]
    return best


def _bank(clip: Path, dimensions: int) -> Floats:
    if not (clip / BANK).is_file():
        return np.empty((0, dimensions), np.float32)
    features = load_file(clip / BANK)["features"]
    return _unit(features.reshape(-1, dimensions))


def _unit(values: NDArray[np.floating]) -> Floats:
    features = values.astype(np.float32)
    return features / np.linalg.norm(features, axis=1, keepdims=True).clip(1e-6)
