"""From a planned shot to a file on disk and the rows that say what is in it.

What does not live here: the plan (`library`), the rows (`rows`), the bytes of a format (`formats`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import numpy as np
from PIL import Image

from ..paint import Box
from ..render import render
from ..scene import INDOORS, Scene, sample_scene
from ..truth import truth
from .events import Moment
from .formats import encode, stored
from .library import Shot
from .metadata import exif_block, utc_offset
from .rows import Row, photo_row, truth_rows

_PIXELS_CLEAR = 64  # a face or an item this high at 768 pixels is clearly seen
_PIXELS_SEEN = 24
_TRIES = 60


@dataclass(frozen=True)
class Developed:
    """What came of one shot: rows of PHOTOS and of TRUTH."""

    photos: list[Row]
    truth: list[Row]


def develop(shot: Shot, folder: Path, names: Mapping[str, str]) -> Developed:
    """Draw the photo, write it and its copies below `folder`, and say what is in it.

    `names` has the concept of each entity key that is taught.
    """
    scene, view = compose(shot)
    technique = shot.technique
    upright = render(scene, technique.height, view)
    image = stored(upright, technique.orientation)
    data = encode(image, technique.format, _exif(shot, scene, image), technique.quality)
    for file in (shot.file, *shot.copies):
        _write(folder / file, data, shot.moment)
    height, width = upright.shape[:2]
    rows = truth_rows(scene, view, shot, names, (width, height))
    return Developed(
        photos=[photo_row(file, shot, scene, names, (width, height)) for file in (shot.file, *shot.copies)],
        truth=[{**row, "file": file} for file in (shot.file, *shot.copies) for row in rows],
    )


def compose(shot: Shot) -> tuple[Scene, Box]:
    """Return the scene of a shot and the part of it that the photo shows (photo units).

    Scenes are redrawn until everyone meant to be in the photo can be seen, and the star of it clearly.
    """
    rng = np.random.default_rng(shot.seed)
    for _ in range(_TRIES):
        scene = sample_scene(
            rng, shot.people, shot.items, aspect=shot.technique.aspect, strangers=shot.strangers,
            place=shot.moment.place, facing=shot.facing,
        )  # fmt: skip
        scene.daytime = shot.moment.daytime
        if _is_good(scene, shot):
            break
    return scene, _view(scene, shot)


def _is_good(scene: Scene, shot: Shot) -> bool:
    seen = {entity.key: entity for entity in truth(scene)}
    wanted = [p.key for p in shot.people] + [i.key for i in shot.items]
    if any(key not in seen or _high(seen[key].box) < _PIXELS_SEEN for key in wanted):
        return False
    if shot.star is None:
        return True
    star = seen[shot.star]
    if star.kind == "person":
        return _is_clear(star.face_box, scene, _PIXELS_CLEAR)
    return _is_clear(star.box, scene, 2 * _PIXELS_CLEAR)


def _is_clear(box: Box | None, scene: Scene, pixels: int) -> bool:
    """Whether a box is there, large, and not cut off by the photo's edge."""
    if box is None or _high(box) < pixels:
        return False
    return min(box[0], box[1], scene.aspect - box[2], 1 - box[3]) > 0.005


def _high(box: Box) -> float:
    return 768 * (box[3] - box[1])


def _view(scene: Scene, shot: Shot) -> Box:
    """The whole scene, or, in a burst, what a hand that is not quite still catches of it."""
    if shot.burst is None:
        return (0.0, 0.0, scene.aspect, 1.0)
    zoom = 0.97
    x, y = np.random.default_rng([*shot.seed, shot.frame]).uniform(0, 1 - zoom, 2)
    return (float(x) * scene.aspect, float(y), (float(x) + zoom) * scene.aspect, float(y) + zoom)


def _exif(shot: Shot, scene: Scene, image: Image.Image) -> Image.Exif | None:
    if not shot.technique.has_exif:
        return None
    return exif_block(
        shot.technique.camera,
        shot.moment.when,
        shot.moment.spot,
        orientation=shot.technique.orientation,
        size=image.size,
        dark=scene.place in INDOORS or scene.daytime == "night",
    )


def _write(path: Path, data: bytes, moment: Moment) -> None:
    """Write a new file, its modification time that of the photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    taken = (moment.when - utc_offset(moment.spot, moment.when)).replace(tzinfo=UTC).timestamp()
    os.utime(path, (taken, taken))
