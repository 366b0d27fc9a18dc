"""Pools of rendered training data: tiles with faces for the detector, crops for the recogniser.

What lives here: drawing one tile or one crop, and filling memory-mapped arrays with them on all cores. What
does not: how batches are made and augmented (`faces_batches.py`).
"""

import json
import logging
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from insightface.utils.face_align import norm_crop
from numpy.typing import NDArray

from ..identity import IDENTITY_DIM
from ..measure.faces_trial import FAMILY, family, hidden_faces
from ..render import jpeg, render
from ..scene import Scene, sample_scene
from ..truth import EntityTruth, truth

log = logging.getLogger(__name__)

TILE = 336
"""A tile's side in pixels; training cuts 320 out of it."""
MOST_FACES = 12
DETECTOR_SIDE = 640
"""insightface letterboxes a photo's long side to this before it detects."""
CROP = 112
TURNED_AWAY = 0.15
"""The part of the tiles on which the main people are seen from behind: backs of heads are the hardest no."""
SMALLEST_TAUGHT = 8.0
"""Faces with a smaller long side, in detector pixels, are neither taught nor held against the detector."""
LEAST_VISIBLE = 0.6
"""A face of which a tile's edge leaves less than this is ignored."""


@dataclass(frozen=True)
class Pool:
    """Memory-mapped arrays of one kind, `<folder>/<name>.npy` each, first axis = sample."""

    folder: Path

    def array(self, name: str) -> NDArray[np.generic]:
        """One array, read-only."""
        return np.asanyarray(np.load(self.folder / f"{name}.npy", mmap_mode="r"))


def draw_tile(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """One tile (TILE, TILE, 3) RGB at the detector's scale, and its faces (MOST_FACES, 15).

    A face is a box, five landmarks (x, y) in pixels, and 1 if taught or -1 if to be ignored; empty rows are
    0. Where the photo ends, the tile is black, as insightface's letterbox is.
    """
    scene = sample_scene(rng, facing="back" if rng.random() < TURNED_AWAY else None)
    entities = truth(scene)
    scale = DETECTOR_SIDE / max(scene.aspect, 1.0) * float(np.exp(rng.uniform(np.log(0.2), np.log(2.2))))
    origin = _tile_origin(rng, scene, entities, TILE / scale)
    view = (
        max(0.0, origin[0]),
        max(0.0, origin[1]),
        min(scene.aspect, origin[0] + TILE / scale),
        min(1.0, origin[1] + TILE / scale),
    )
    left, top = round((view[0] - origin[0]) * scale), round((view[1] - origin[1]) * scale)
    width = min(TILE - left, max(1, round((view[2] - view[0]) * scale)))
    height = min(TILE - top, max(1, round((view[3] - view[1]) * scale)))
    tile = np.zeros((TILE, TILE, 3), np.uint8)
    # Photos are larger than the detector's input: insightface shrinks them bilinearly, with some aliasing.
    finer = float(rng.choice([1.0, 1.6, 2.5], p=[0.5, 0.38, 0.12]))
    drawn = jpeg(render(scene, round(height * finer), view), int(rng.integers(55, 97)))
    tile[top : top + height, left : left + width] = cv2.resize(drawn, (width, height))
    return tile, _tile_faces(scene, entities, origin, scale)


def _tile_origin(
    rng: np.random.Generator, scene: Scene, entities: list[EntityTruth], side: float
) -> NDArray[np.float64]:
    """The tile's top-left corner in photo units: around a face mostly, else a thing, a back, or anywhere."""
    faces = [entity.face_box for entity in entities if entity.face_box is not None]
    faceless = [entity.box for entity in entities if entity.face_box is None]
    boxes = faces if faces and (not faceless or rng.random() < 0.6) else faceless
    if boxes and rng.random() < 0.85:
        x0, y0, x1, y1 = boxes[int(rng.integers(len(boxes)))]
        # The top of what stands: heads are what a detector takes for faces.
        centre = np.array([(x0 + x1) / 2, y0 + (y1 - y0) * rng.uniform(0.1, 0.6)])
        return np.asarray(centre - side * rng.uniform(0.1, 0.9, 2))
    room = np.array([scene.aspect, 1.0]) - side
    return np.asarray(np.minimum(room, 0) + rng.uniform(-0.1, 1.1, 2) * np.abs(room))


def _tile_faces(
    scene: Scene, entities: list[EntityTruth], origin: NDArray[np.float64], scale: float
) -> NDArray[np.float32]:
    """The faces that lie in the tile, whole or in part, as `draw_tile` gives them."""
    taught = [
        (e.face_box, e.landmarks) for e in entities if e.face_box is not None and e.landmarks is not None
    ]
    faces = np.zeros((MOST_FACES, 15), np.float32)
    row = 0
    for corners, landmarks in [*taught, *((box, None) for box in hidden_faces(scene, entities))]:
        box = (np.asarray(corners).reshape(2, 2) - origin) * scale
        seen = np.clip(box, 0, TILE)
        if (seen[1] <= seen[0]).any() or row == MOST_FACES:
            continue
        visible = float(np.prod(seen[1] - seen[0]) / np.prod(box[1] - box[0]))
        large = float((box[1] - box[0]).max()) >= SMALLEST_TAUGHT
        faces[row, :4] = seen.reshape(-1)
        faces[row, 14] = -1.0
        if landmarks is not None and large and visible >= LEAST_VISIBLE:
            faces[row, 4:14] = ((landmarks - origin) * scale).reshape(-1)
            faces[row, 14] = 1.0
        row += 1
    return faces


def draw_crop(rng: np.random.Generator, scene: Scene, entity: EntityTruth) -> NDArray[np.uint8]:
    """One face as the recogniser gets it: (CROP, CROP, 3) RGB, aligned by insightface, unsteadily."""
    assert entity.face_box is not None and entity.landmarks is not None
    x0, y0, x1, y1 = entity.face_box
    centre, side = np.array([(x0 + x1) / 2, (y0 + y1) / 2]), max(x1 - x0, y1 - y0)
    pixels = float(np.exp(rng.uniform(np.log(22.0), np.log(230.0))))
    low = np.maximum(centre - 1.1 * side, 0.0)
    high = np.minimum(centre + 1.1 * side, [scene.aspect, 1.0])
    height = max(8, round(float(high[1] - low[1]) / side * pixels))
    image = jpeg(render(scene, height, (low[0], low[1], high[0], high[1])), int(rng.integers(55, 97)))
    scale = np.array([image.shape[1], image.shape[0]]) / (high - low)
    landmarks = (entity.landmarks - low) * scale
    # How far the detector's landmarks lie off, measured: 2 % of the face, and half a pixel.
    landmarks = landmarks + rng.normal(0, 0.02 * pixels + 0.3, (5, 2)) * rng.uniform(0.3, 1.2)
    return np.asarray(norm_crop(image, landmarks.astype(np.float32), CROP), np.uint8)


def fill_tiles(folder: Path, seed: int, start: int, stop: int) -> None:
    """Draw tiles `start` to `stop` into the pool; every tile has its own seed."""
    tiles, faces = _open(folder, "tiles"), _open(folder, "faces")
    for index in range(start, stop):
        tiles[index], faces[index] = draw_tile(np.random.default_rng([seed, index]))


def fill_crops(folder: Path, seed: int, start: int, stop: int) -> None:
    """Draw the crops of families `start` to `stop`: FAMILY consecutive identities each."""
    crops, vectors = _open(folder, "crops"), _open(folder, "vectors")
    each = crops.shape[1]
    for index in range(start, stop):
        rng = np.random.default_rng([seed, index])
        people, _ = family(rng)
        identities = {person.key: FAMILY * index + place for place, person in enumerate(people)}
        drawn = np.zeros(FAMILY, np.int64)
        for person in people:
            vectors[identities[person.key]] = person.vector()
        while drawn.min() < each:
            facing = "front" if rng.random() < 0.6 else "three-quarter"
            apart = [person for person in people if drawn[identities[person.key] % FAMILY] < each]
            scene = sample_scene(rng, apart, strangers=False, facing=facing)
            for entity in truth(scene):
                identity = identities.get(entity.key)
                if identity is None or entity.landmarks is None or drawn[identity % FAMILY] == each:
                    continue
                crops[identity, drawn[identity % FAMILY]] = draw_crop(rng, scene, entity)
                drawn[identity % FAMILY] += 1


def tiles_pool(folder: Path, count: int, seed: int, workers: int) -> Pool:
    """The detector's pool: `tiles` (count, TILE, TILE, 3) and `faces` (count, MOST_FACES, 15)."""
    shapes = {"tiles": ((count, TILE, TILE, 3), "u1"), "faces": ((count, MOST_FACES, 15), "f4")}
    return _pool(folder, shapes, fill_tiles, count, seed, workers)


def crops_pool(folder: Path, families: int, each: int, seed: int, workers: int) -> Pool:
    """The recogniser's pool: `crops` (identities, each, CROP, CROP, 3) and the identities' `vectors`."""
    people = FAMILY * families
    shapes = {"crops": ((people, each, CROP, CROP, 3), "u1"), "vectors": ((people, IDENTITY_DIM), "f4")}
    return _pool(folder, shapes, fill_crops, families, seed, workers)


def _open(folder: Path, name: str) -> NDArray[np.generic]:
    return np.asanyarray(np.lib.format.open_memmap(folder / f"{name}.npy", mode="r+"))


def _pool(
    folder: Path,
    shapes: dict[str, tuple[tuple[int, ...], str]],
    fill: Callable[[Path, int, int, int], None],
    jobs: int,
    seed: int,
    workers: int,
) -> Pool:
    """Fill a pool on `workers` processes, unless the folder holds a complete one of the same settings."""
    settings = json.dumps({"seed": seed, "shapes": shapes})
    complete = folder / "pool.json"
    if complete.exists() and complete.read_text() == settings:
        return Pool(folder)
    complete.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (shape, kind) in shapes.items():
        np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=np.dtype(kind), shape=shape)
    log.info("rendering %s into %s", ", ".join(shapes), folder)
    step = max(1, jobs // 40)
    chunks = [(folder, seed, start, min(jobs, start + step)) for start in range(0, jobs, step)]
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        processes.starmap(fill, chunks, chunksize=1)
    complete.write_text(settings)
    return Pool(folder)
