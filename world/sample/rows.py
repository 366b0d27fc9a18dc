"""What is in the photos, as tables: one row per entity per photo, one row per file.

What does not live here: the scenes (`develop` composes them) and the tables' files (`sample`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ..paint import Box
from ..scene import Scene
from ..sentences import caption
from ..truth import EntityTruth, truth
from .events import Moment
from .library import Shot
from .metadata import utc_offset

Row = dict[str, Any]

_BOX = [pa.field(name, pa.float32()) for name in ("x0", "y0", "x1", "y1")]
_FACE = [pa.field(f"face_{field.name}", pa.float32()) for field in _BOX]

#: One row per entity per photo; boxes in pixels of the upright photo, null if there is no face to be seen.
TRUTH = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),  # relative, POSIX, text form of schemas/paths.py
        pa.field("entity", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # person, pet, thing
        pa.field("concept", pa.string()),  # null for whoever and whatever is not taught
        pa.field("category", pa.string(), nullable=False),
        *_BOX,
        *_FACE,
        pa.field("garment", pa.string()),
        pa.field("color", pa.string()),
        pa.field("doing", pa.string()),
        pa.field("where", pa.string()),  # left, middle, right
        pa.field("next_to", pa.string()),
        pa.field("place", pa.string(), nullable=False),
        pa.field("facing", pa.string()),  # front, three-quarter, back
        pa.field("main", pa.bool_(), nullable=False),  # false for small strangers in the background
        # x, y of left eye, right eye, nose, left and right mouth corner, pixels; null with the face
        pa.field("landmarks", pa.list_(pa.float32(), 10)),
        pa.field("width", pa.int32(), nullable=False),  # of the upright photo
        pa.field("height", pa.int32(), nullable=False),
        pa.field("taken_at", pa.timestamp("us"), nullable=False),  # local time
    ]
)

#: One row per file, also of those with nothing in them.
PHOTOS = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("copy_of", pa.string()),  # the file with the same bytes
        pa.field("burst", pa.int32()),  # the same number for all photos of a burst
        pa.field("format", pa.string(), nullable=False),  # by content, whatever the extension says
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("orientation", pa.int8()),  # EXIF's; null without EXIF, as all that EXIF would say
        pa.field("taken_at", pa.timestamp("us"), nullable=False),
        pa.field("offset_minutes", pa.int16()),
        pa.field("camera", pa.string()),
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("place", pa.string(), nullable=False),
        pa.field("daytime", pa.string(), nullable=False),
        pa.field("weather", pa.string(), nullable=False),
        pa.field("caption", pa.string(), nullable=False),  # a perfect one, with the concepts' names
    ]
)


def truth_rows(
    scene: Scene, view: Box, shot: Shot, names: Mapping[str, str], size: tuple[int, int]
) -> list[Row]:
    """Return the rows of TRUTH of one photo, `file` left out; `size` is the upright (width, height)."""
    rows = []
    for entity in truth(scene):
        box = _pixels(entity.box, view, size)
        if box is not None:
            rows.append(_truth_row(entity, box, view, names, size) | {
                "place": scene.place, "width": size[0], "height": size[1], "taken_at": shot.moment.when,
            })  # fmt: skip
    return rows


def _truth_row(
    entity: EntityTruth, box: Box, view: Box, names: Mapping[str, str], size: tuple[int, int]
) -> Row:
    face = _pixels(entity.face_box, view, size) if entity.face_box else None
    points = None
    if face and entity.landmarks is not None:
        points = ((entity.landmarks - view[:2]) * (size[1] / (view[3] - view[1]))).ravel().tolist()
    return {
        "entity": entity.key,
        "kind": entity.kind,
        "concept": names.get(entity.key),
        "category": entity.category,
        **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)),
        **dict(zip(("face_x0", "face_y0", "face_x1", "face_y1"), face or (None,) * 4, strict=True)),
        "garment": entity.garment,
        "color": entity.color,
        "doing": entity.doing,
        "where": entity.where,
        "next_to": entity.next_to,
        "facing": entity.facing,
        "main": entity.main,
        "landmarks": points,
    }


def _pixels(box: Box, view: Box, size: tuple[int, int]) -> Box | None:
    """Photo units -> pixels of the upright photo, clipped; None where nothing of it is left."""
    scale = size[1] / (view[3] - view[1])
    x0, x1 = (float(np.clip((x - view[0]) * scale, 0, size[0])) for x in (box[0], box[2]))
    y0, y1 = (float(np.clip((y - view[1]) * scale, 0, size[1])) for y in (box[1], box[3]))
    return (x0, y0, x1, y1) if x1 - x0 >= 1 and y1 - y0 >= 1 else None


def photo_row(file: str, shot: Shot, scene: Scene, names: Mapping[str, str], size: tuple[int, int]) -> Row:
    """Return the row of PHOTOS of one file of a shot; `size` is the upright (width, height)."""
    technique, moment = shot.technique, shot.moment
    exif, gps = technique.has_exif, technique.has_exif and technique.camera.has_gps
    offset = exif and technique.camera.writes_offset
    return {
        "file": file,
        "copy_of": None if file == shot.file else shot.file,
        "burst": shot.burst,
        "format": technique.format,
        "width": size[0],
        "height": size[1],
        "orientation": technique.orientation if exif else None,
        "taken_at": moment.when,
        "offset_minutes": _minutes(moment) if offset else None,
        "camera": technique.camera.model if exif else None,
        "latitude": moment.spot.latitude if gps else None,
        "longitude": moment.spot.longitude if gps else None,
        "place": scene.place,
        "daytime": scene.daytime,
        "weather": scene.weather,
        "caption": caption(scene, names),
    }


def _minutes(moment: Moment) -> int:
    return int(utc_offset(moment.spot, moment.when).total_seconds()) // 60
