"""What the face pack makes of photos whose truth is known: faces found, false ones, embeddings.

What lives here: rendering families' photos and running insightface over them as the product does. What does
not: the figures drawn from the observations (`faces.py`).
"""

import functools
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ..drawing.bodies import face_points
from ..identity import Person, sample_person, sample_sibling
from ..paint import Box, Mask
from ..render import jpeg, render
from ..scene import Scene, sample_scene
from ..truth import EntityTruth, truth

if TYPE_CHECKING:
    from insightface.app import FaceAnalysis

PHOTO_SIDE = 1024
FAMILY = 3
"""Photos are of this many people, of one family: siblings are the hardest to tell apart."""
SMALLEST = 24.0
"""A face counts from this many pixels of its long side on, on a photo of PHOTO_SIDE."""
FAR = 0.3
"""The part of the photos taken from further away than the usual ones: small faces count too."""
SIZES = [(128, 128), (640, 640)]
"""Photos are fitted into both, as the product does: the small one shows faces that fill a photo."""
HIT = 0.5
"""A detection is right from this intersection over union on."""
IGNORED = 0.3
"""A detection that lies on an ignored face by this much of its own area is neither right nor wrong."""


@dataclass(frozen=True)
class Appearance:
    """One face that counts, in one photo; `embedding` (512,), of unit length, is None if it was missed."""

    person: str
    family: int
    photo: int
    pixels: float
    embedding: NDArray[np.float32] | None
    far: bool = False
    """Whether the photographer had stepped back."""
    landmark_error: float = 0.0
    """Mean distance of the five landmarks from the truth, in parts of the face's long side."""


@dataclass
class Trial:
    """Everything observed on a set of photos. `siblings` are pairs of people."""

    appearances: list[Appearance] = field(default_factory=list)
    false_detections: int = 0
    siblings: set[frozenset[str]] = field(default_factory=set)

    def extend(self, other: "Trial") -> None:
        """Take in what was observed on other photos."""
        self.appearances += other.appearances
        self.false_detections += other.false_detections
        self.siblings |= other.siblings


@functools.cache
def analysis(pack: Path, threads: int = 1) -> "FaceAnalysis":
    """The pack as insightface loads it, ready for photos."""
    import onnxruntime
    from insightface.app import FaceAnalysis

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    app = FaceAnalysis(
        name=str(pack),
        allowed_modules=["detection", "recognition"],
        providers=["CPUExecutionProvider"],
        sess_options=options,
    )
    app.prepare(ctx_id=-1, det_size=SIZES)
    return app


def family(rng: np.random.Generator) -> tuple[list[Person], set[frozenset[str]]]:
    """FAMILY people, and the pairs of siblings: in half of the families the second is the first one's."""
    people = [sample_person(rng) for _ in range(FAMILY)]
    if rng.random() < 0.5:
        people[1] = sample_sibling(people[0], rng)
        return people, {frozenset((people[0].key, people[1].key))}
    return people, set()


def observe_family(pack: Path, seed: int, index: int, photos: int) -> Trial:
    """Render the photos of one family, with strangers and things as they come, and look for faces."""
    rng = np.random.default_rng([seed, index])
    people, siblings = family(rng)
    trial = Trial(siblings=siblings)
    for photo in range(photos):
        shown = [people[i] for i in rng.permutation(FAMILY)[: int(rng.integers(1, FAMILY + 1))]]
        scene = sample_scene(rng, shown)
        if far := bool(rng.random() < FAR):
            step_back(scene, float(rng.uniform(0.3, 0.8)))
        height = round(PHOTO_SIDE / max(scene.aspect, 1.0))
        image = jpeg(render(scene, height), int(rng.integers(75, 96)))
        seen = observe(pack, image, scene, index, index * photos + photo)
        seen.appearances = [replace(appearance, far=far) for appearance in seen.appearances]
        trial.extend(seen)
    return trial


def step_back(scene: Scene, factor: float) -> None:
    """Shrink everyone and everything about a point on the ground, as if the photographer had stepped back."""
    x, y = scene.aspect / 2, 0.95
    for actor in scene.actors:
        actor.x, actor.base = x + (actor.x - x) * factor, y + (actor.base - y) * factor
        actor.size *= factor


def observe(pack: Path, image: NDArray[np.uint8], scene: Scene, family: int, photo: int) -> Trial:
    """Run the pack on one RGB photo and match what it finds with the truth, one to one, best first."""
    height = image.shape[0]
    entities = truth(scene)
    counted, small = split(entities, height)
    detections = analysis(pack).get(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    boxes = np.array([d.bbox for d in detections], np.float64).reshape(-1, 4)
    wanted = np.array([e.face_box for e in counted], np.float64).reshape(-1, 4) * height
    match = assign(iou(wanted, boxes))
    trial = Trial()
    for row, entity in enumerate(counted):
        pixels = float((wanted[row, 2:] - wanted[row, :2]).max())
        if row not in match:
            trial.appearances.append(Appearance(entity.key, family, photo, pixels, None))
            continue
        face = detections[match[row]]
        assert entity.landmarks is not None
        error = np.linalg.norm(face.kps - entity.landmarks * height, axis=1).mean() / pixels
        embedding = np.asarray(face.normed_embedding, np.float32)
        found = Appearance(entity.key, family, photo, pixels, embedding, landmark_error=float(error))
        trial.appearances.append(found)
    ignored = [*small, *hidden_faces(scene, entities)]
    hidden = np.array(ignored, np.float64).reshape(-1, 4) * height
    for column in set(range(len(boxes))) - set(match.values()):
        on_hidden = overlap(boxes[column : column + 1], hidden)[0]
        area = np.prod(boxes[column, 2:] - boxes[column, :2])
        trial.false_detections += not (on_hidden > IGNORED * area).any()
    return trial


def split(entities: Sequence[EntityTruth], height: int) -> tuple[list[EntityTruth], list[Box]]:
    """Faces that count, and the boxes of those that are too small to."""
    visible = [(entity, entity.face_box) for entity in entities if entity.face_box is not None]
    large = [max(box[2] - box[0], box[3] - box[1]) * height >= SMALLEST for _, box in visible]
    counted = [entity for (entity, _), enough in zip(visible, large, strict=True) if enough]
    return counted, [box for (_, box), enough in zip(visible, large, strict=True) if not enough]


def hidden_faces(scene: Scene, entities: Sequence[EntityTruth]) -> list[Box]:
    """Boxes of faces turned to the camera that the truth leaves out: most of them is hidden or cut off.

    What is left of such a face is not asked for, and finding it is no mistake.
    """
    told = {entity.key for entity in entities if entity.face_box is not None}
    frame = Mask((8, 8), (0.0, 0.0, scene.aspect, 1.0))
    boxes = []
    for actor in scene.actors:
        if isinstance(actor.entity, Person) and actor.facing != "back" and actor.entity.key not in told:
            points = face_points(frame, actor)
            (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
            boxes.append((float(x0), float(y0), float(x1), float(y1)))
    return boxes


def overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shared area of every box of `a` (N, 4) with every box of `b` (M, 4): (N, M)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=-1))


def iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union, (N, M)."""
    shared = overlap(a, b)
    areas = np.prod(a[:, 2:] - a[:, :2], axis=1)[:, None] + np.prod(b[:, 2:] - b[:, :2], axis=1)[None]
    return np.asarray(shared / np.maximum(areas - shared, 1e-9))


def assign(scores: NDArray[np.float64], least: float = HIT) -> dict[int, int]:
    """Rows to columns, one to one, best first, from `least` on."""
    match: dict[int, int] = {}
    scores = scores.copy()
    while scores.size and scores.max() >= least:
        row, column = np.unravel_index(int(scores.argmax()), scores.shape)
        match[int(row)] = int(column)
        scores[row, :] = scores[:, column] = -1.0
    return match


def run_trial(pack: Path, seed: int, families: int, photos: int, workers: int | None = None) -> Trial:
    """Observe `families` of `photos` photos each, on all cores; the same seed gives the same photos."""
    jobs = [(pack, seed, index, photos) for index in range(families)]
    trial = Trial()
    with multiprocessing.get_context("spawn").Pool(workers or os.cpu_count()) as processes:
        for part in processes.starmap(observe_family, jobs, chunksize=2):
            trial.extend(part)
    return trial
