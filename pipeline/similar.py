"""Photos that look like one, and photos that show the face of one: nearest neighbours over the indexes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..schemas.errors import UsageProblem
from ..schemas.paths import to_text
from ..schemas.settings import Settings
from ..schemas.tables import FACE_DIM, unpack
from ..stages.index import VectorIndex
from ..stages.scan import photo_id
from .ask.compile import literal
from .catalog import Catalog
from .index import open_table
from .models import load_models
from .views import Answer, query


def similar_photos(settings: Settings, photo: str, most: int) -> Answer:
    """Return the photos most like one of the catalog's, best first. Raises UsageProblem, ModelMissing."""
    own = identity(settings, photo)
    index = _open(settings, "clip")
    _, vectors = index.vectors([own])
    if not len(vectors):
        raise UsageProblem(f"nothing is known of what {photo} looks like", "see: myvlm-tag failures")
    return _answer(settings, index, vectors[:1], own, most)


def similar_faces(settings: Settings, photo: str, most: int) -> Answer:
    """Return the photos with the faces most like one of PHOTO#2, its second from the left, or its largest."""
    file, number = _split(photo)
    own = identity(settings, file)
    faces = query(
        Catalog(settings.catalog),
        f"SELECT embedding, x0, (x1 - x0) * (y1 - y0) FROM faces WHERE photo_id = {literal(own)}"
        " AND embedding IS NOT NULL ORDER BY x0",
    ).rows
    if not faces:
        raise UsageProblem(f"no face is seen in {file}", "leave --face out to find photos that look like it")
    if number is not None and number > len(faces):
        raise UsageProblem(f"{file} has {len(faces)} faces, not {number}", "they are counted from the left")
    chosen = faces[number - 1] if number is not None else max(faces, key=lambda face: float(face[2]))
    vector = unpack(chosen[:1], FACE_DIM).astype(np.float32)
    return _answer(settings, _open(settings, "faces"), vector, own, most)


def _open(settings: Settings, table: str) -> VectorIndex:
    return open_table(Catalog(settings.catalog), table, load_models(settings).wanted)


def _answer(settings: Settings, index: VectorIndex, vector: np.ndarray, but: str, most: int) -> Answer:
    """The nearest photos, each once, without the one asked with."""
    hits = index.search(vector, 4 * most + 1)
    best: dict[str, float] = {}
    for photo, score in zip(hits["photo_id"].to_pylist(), hits["score"].to_pylist(), strict=True):
        if photo != but:
            best.setdefault(photo, round(score, 4))
    if not best:
        return Answer(["path", "taken_at", "score"], [])
    names = ", ".join(map(literal, best))
    told = query(
        Catalog(settings.catalog), f"SELECT photo_id, path, taken_at FROM photos WHERE photo_id IN ({names})"
    )
    rows = sorted(((path, taken, best[name]) for name, path, taken in told.rows), key=lambda row: -row[2])
    return Answer(["path", "taken_at", "score"], rows[:most])


def _split(photo: str) -> tuple[str, int | None]:
    file, mark, number = photo.rpartition("#")
    return (file, int(number)) if mark and number.isdigit() and int(number) else (photo, None)


def identity(settings: Settings, photo: str) -> str:
    """The identity of one of the catalog's photos, by its path or by its bytes. Raises UsageProblem."""
    catalog, path = Catalog(settings.catalog), to_text(os.path.abspath(photo))
    found = query(catalog, f"SELECT photo_id FROM files WHERE path = {literal(path)}").rows
    if found and found[0][0]:
        return str(found[0][0])
    try:
        own = photo_id(Path(photo))
    except OSError as error:
        raise UsageProblem(f"{photo} can't be read: {error.strerror}", "give the path of a photo") from error
    if not query(catalog, f"FROM files WHERE photo_id = {literal(own)} LIMIT 1").rows:
        raise UsageProblem(f"{photo} isn't in the catalog yet", "bring it up to date: myvlm-tag run FOLDER")
    return own
