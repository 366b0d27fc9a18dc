"""People nobody has named yet: faces that match no concept, grouped by whose they are.

Groups are worked out anew each time, by scikit-learn's DBSCAN over the recogniser's embeddings; a group's
name stays as long as its most typical face does. Faces that the person said to ignore, and those like them,
are left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from ..schemas.errors import UsageProblem
from ..schemas.paths import from_text, to_text
from ..schemas.settings import Settings
from ..schemas.tables import FACE_DIM, unpack
from .catalog import Catalog
from .decisions import ignore_faces
from .gallery import write_faces
from .models import load_models
from .recognise import person_threshold
from .views import Answer, Bounds, query

_MOST = 20_000  # faces that are compared with each other, the largest first
_FEWEST = 3  # faces that make a group
_STRICTER = 0.85  # of the distance at which a head takes a face for a person's: groups grow by chains
_LEARN_FROM = 5
_SHOWN = 12

_FACES = f"""
SELECT photo_id, face, path, taken_at, photos.faces, x0, y0, x1, y1, width, faces.made_by, embedding
FROM faces JOIN photos USING (photo_id)
ANTI JOIN (SELECT photo_id, face FROM sightings) USING (photo_id, face)
ANTI JOIN ignored
  ON ignored.photo_id = faces.photo_id AND ignored.face = faces.face AND ignored.made_by = faces.made_by
WHERE embedding IS NOT NULL
ORDER BY (x1 - x0) * (y1 - y0) DESC, photo_id, face
LIMIT {_MOST}
"""
_IGNORED = """
SELECT embedding FROM faces JOIN ignored USING (photo_id, face, made_by) WHERE embedding IS NOT NULL
"""


@dataclass(frozen=True)
class UnknownFace:
    """A face that is nobody's yet."""

    photo_id: str
    face: int
    path: str  # text form
    day: str
    company: int  # faces in the photo
    box: tuple[float, float, float, float]  # pixels of the upright photo
    width: int  # of that photo
    made_by: str


@dataclass(frozen=True)
class Cluster:
    """Faces of one person, the most typical first."""

    name: str
    faces: Sequence[UnknownFace]


def clusters(settings: Settings) -> list[Cluster]:
    """Group the faces that match no concept, the largest group first. Raises ModelMissing."""
    catalog, bounds = Catalog(settings.catalog), Bounds.of(settings)
    threshold = person_threshold(load_models(settings), settings)
    rows = query(catalog, _FACES, bounds).rows
    vectors = _vectors([row[-1] for row in rows])
    ignored = _vectors([row[0] for row in query(catalog, _IGNORED, bounds).rows])
    if len(ignored):
        asked = (1 - vectors @ ignored.T).min(axis=1) > threshold
        rows, vectors = [row for row, kept in zip(rows, asked, strict=True) if kept], vectors[asked]
    if len(rows) < _FEWEST:
        return []
    from sklearn.cluster import DBSCAN

    groups = DBSCAN(eps=_STRICTER * threshold, min_samples=_FEWEST, metric="cosine").fit_predict(vectors)
    found = [_cluster(rows, vectors, np.flatnonzero(groups == group)) for group in range(groups.max() + 1)]
    return sorted(found, key=lambda cluster: (-len(cluster.faces), cluster.name))


def list_clusters(settings: Settings) -> Answer:
    """Return one row per group, with a contact sheet of its faces on disk."""
    folder = settings.home / "unknown"
    shutil.rmtree(folder, ignore_errors=True)
    rows = []
    for cluster in clusters(settings):
        sheet = write_faces(
            folder / f"{cluster.name}.jpg", [(one.path, one.box) for one in cluster.faces[:_SHOWN]]
        )
        days = sorted(one.day for one in cluster.faces if one.day)
        photos = len({one.photo_id for one in cluster.faces})
        first, last = (days[0], days[-1]) if days else (None, None)
        rows.append((cluster.name, len(cluster.faces), photos, first, last, to_text(sheet)))
    return Answer(["cluster", "faces", "photos", "first", "last", "sheet"], rows)


def find_cluster(settings: Settings, name: str) -> Cluster:
    """Return one group. Raises UsageProblem if there is none of that name now."""
    for cluster in clusters(settings):
        if cluster.name == name:
            return cluster
    raise UsageProblem(f"there is no cluster {name!r} now", "see which there are: myvlm-tag unknown")


def ignore_cluster(settings: Settings, name: str) -> int:
    """Never ask about the faces of a group again, nor about faces like them; returns how many they are."""
    cluster = find_cluster(settings, name)
    faces = [(one.photo_id, one.face) for one in cluster.faces]
    ignore_faces(Catalog(settings.catalog), faces, cluster.faces[0].made_by)
    return len(faces)


@contextmanager
def photos_of_cluster(settings: Settings, name: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """A passing folder with links to the photos that teach a group's person best: few faces, large ones.

    With it come the photos' true paths (text form), by id.
    """
    cluster = find_cluster(settings, name)
    best: dict[str, UnknownFace] = {}
    for one in sorted(cluster.faces, key=lambda one: (one.company, one.box[1] - one.box[3])):
        best.setdefault(one.photo_id, one)
    chosen = list(best.values())[:_LEARN_FROM]
    with TemporaryDirectory(prefix="myvlm-tag-") as folder:
        for number, one in enumerate(chosen, 1):
            source = Path(from_text(one.path))
            (Path(folder) / f"{number}{source.suffix}").symlink_to(source)
        yield Path(folder), {one.photo_id: one.path for one in chosen}


def _vectors(packed: Sequence[bytes]) -> NDArray[np.float32]:
    matrix = unpack(packed, FACE_DIM).astype(np.float32)
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-6)


def _cluster(rows: Sequence[tuple], vectors: NDArray[np.float32], members: NDArray[np.intp]) -> Cluster:
    middle = vectors[members].mean(axis=0)
    order = members[np.argsort(-(vectors[members] @ middle), kind="stable")]
    faces = [
        UnknownFace(
            photo, face, path, f"{taken:%Y-%m-%d}" if taken else "", company, (x0, y0, x1, y1), width, made
        )
        for photo, face, path, taken, company, x0, y0, x1, y1, width, made, _ in (rows[i] for i in order)
    ]
    typical = f"{faces[0].photo_id} {faces[0].face}"
    return Cluster(blake3(typical.encode()).hexdigest(length=3), faces)
