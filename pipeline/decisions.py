"""What the person says of photos and faces: this is Anna, this isn't, this face is nobody who matters.

Decisions last as long as their concept and override the heads (`detections.hit`); nothing here is ever
computed. A photo whose concepts changed this way is told anew by the next run. They teach, too: `heads.py`
turns down faces like a rejected one, `negatives.py` tells an object from rejected photos when it is learnt
again.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from ..schemas.ids import new_ulid
from ..schemas.settings import Settings
from ..schemas.tables import DECISIONS
from .catalog import Catalog
from .concepts import Concepts
from .similar import identity
from .views import connect

CONFIRM, REJECT, IGNORE = "confirm", "reject", "ignore"

#: The face that a person's head took in a photo, else the only one in it.
_MEANT = """
WITH taken AS (
    SELECT photo_id, face
    FROM faces JOIN (SELECT photo_id, face, made_by AS found_by FROM detections WHERE concept = $concept)
         USING (photo_id, face)
    WHERE ends_with(found_by, made_by)  -- another faces model's numbers are of other faces
),
alone AS (SELECT photo_id, min(face) AS face FROM faces GROUP BY photo_id HAVING count(*) = 1)
SELECT photo_id, face, made_by FROM faces
SEMI JOIN (FROM taken UNION ALL FROM alone ANTI JOIN taken USING (photo_id)) USING (photo_id, face)
WHERE list_contains($photos, photo_id)
"""


def decide(settings: Settings, name: str, photos: Sequence[str], verdict: str) -> int:
    """Keep what the person says of a concept in these photos; returns how many photos that is.

    Raises ConceptMissing, UsageProblem for a photo that isn't known, DiskFull.
    """
    concept = Concepts(settings.home).find(name)
    catalog = Catalog(settings.catalog)
    known = list(dict.fromkeys(identity(settings, photo) for photo in photos))
    meant: dict[str, tuple[int, str]] = {}
    if concept.kind == "person":
        with connect(catalog) as connection:
            rows = connection.execute(_MEANT, {"concept": concept.name, "photos": known}).fetchall()
        meant = {photo: (face, made_by) for photo, face, made_by in rows}
    said = {"concept": concept.name, "verdict": verdict}
    about = (dict(zip(("face", "made_by"), meant.get(photo, (None, None)), strict=True)) for photo in known)
    _keep(catalog, ({"photo_id": photo, **said, **face} for photo, face in zip(known, about, strict=True)))
    return len(known)


def decided(catalog: Catalog, name: str, photo_id: str) -> str:
    """What the person said last of a concept in a photo: CONFIRM, REJECT, or "" for nothing."""
    if not catalog.exists:
        return ""
    with connect(catalog) as connection:
        said = connection.execute(
            "SELECT verdict FROM decisions WHERE concept = ? AND photo_id = ?", [name, photo_id]
        ).fetchone()
    return str(said[0]) if said else ""


def ignore_faces(catalog: Catalog, faces: Iterable[tuple[str, int]], made_by: str) -> None:
    """Keep that these faces (photo_id, face), found by the model `made_by`, are nobody who matters."""
    _keep(
        catalog,
        ({"photo_id": photo, "face": face, "made_by": made_by, "verdict": IGNORE} for photo, face in faces),
    )


def _keep(catalog: Catalog, decisions: Iterable[dict[str, Any]]) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    rows = []
    last = ""
    for decision in decisions:
        last = new_ulid(last)
        rows.append({**decision, "decision_id": last, "decided_at": now})
    if rows:
        catalog.decide(pa.Table.from_pylist(rows, DECISIONS))
