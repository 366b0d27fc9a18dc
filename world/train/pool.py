"""The pool: photos rendered once, as the models see them, with the truth beside the pixels.

What lives here: which photos the pool holds, rendering them in chunks by several processes, reading them
back. One pool serves the vision tower and the language models, another CLIP. What does not: labels and
sentences made from the truth (`vision`, `text`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..identity import Person
from ..paint import Box
from ..render import jpeg, render, render_squashed
from ..scene import Actor, Camera, Scene, sample_scene
from ..things import PETS, THINGS, Item, sample_item, sample_lookalike
from ..truth import EntityTruth, truth

SIZE = 144
CHUNK = 2400
PHOTOS = 60_000
PHOTOS_PER_INSTANCE = 6
_LIGHT, _TINT = 0.08, 0.03  # how much brightness and colour vary between two looks at a photo
_MIRRORED = {"left": "right", "middle": "middle", "right": "left"}
_RESIZED, _FULL_SIZE = (
    0.2,
    0.015,
)  # shares of photos that go through JPEG and a resize, from about 300 and 1024 pixels


@dataclass(frozen=True)
class Mix:
    """What a pool holds: photos of `size` x `size` pixels, of each kind its share.

    Instances come in families of `family`, of which all after the first look like the first. Measuring uses
    other seeds: see `world.measure`.
    """

    size: int
    shares: tuple[tuple[str, float], ...]
    family: int
    seed: int

    def kinds(self) -> list[str]:
        """The kinds of a chunk's photos, in their order."""
        return [kind for kind, share in self.shares for _ in range(round(share * CHUNK))]

    def instance(self, chunk: int, number: int) -> Item:
        """The chunk's instance of that number."""
        family, place = divmod(number, self.family)
        rng = np.random.default_rng([self.seed + 1, chunk, family])
        first = sample_item(rng, (PETS + THINGS)[family % len(PETS + THINGS)])
        alike = [sample_lookalike(first, rng) for _ in range(self.family - 1)]
        return [first, *alike][place]


MIX = Mix(SIZE, (("scene", 0.58), ("crop", 0.17), ("instance", 0.25)), family=2, seed=20_000_000)


@dataclass(frozen=True)
class Photo:
    """One photo of the pool without its pixels. `view` is the part of the scene that was drawn, in photo
    units.

    `subject` is the entity a crop is cut around, or the instance an instance photo was made for.
    """

    kind: str  # "scene", "crop" or "instance"
    scene: Scene
    found: list[EntityTruth]
    view: Box
    subject: str | None


def sample_photo(kind: str, rng: np.random.Generator, item: Item | None = None) -> Photo:
    """Draw one photo of a kind; `item` is the instance to show in an instance photo."""
    if kind == "instance":
        return _instance_photo(rng, item or sample_item(rng))
    while True:
        scene = sample_scene(rng)
        found = truth(scene)
        people = [e for e in found if e.kind == "person" and e.main]
        if kind == "scene" or people:
            break
    whole = (0.0, 0.0, scene.aspect, 1.0)
    if kind == "scene":
        return Photo(kind, scene, found, whole, None)
    subject = people[int(rng.integers(len(people)))]
    return Photo(kind, scene, found, body_view(subject, scene.aspect, rng), subject.key)


def _instance_photo(rng: np.random.Generator, item: Item) -> Photo:
    """The instance among people or other items, now and then beside a look-alike."""
    people: list[Person] | None = None if rng.random() < 0.35 else []
    others = []
    if people is None and rng.random() < 0.3:
        others = [sample_item(rng)]
    elif people is not None and rng.random() < 0.45:
        others = [sample_item(rng) if rng.random() < 0.7 else sample_lookalike(item, rng)]
    while True:
        scene = sample_scene(rng, people, [item, *others])
        found = truth(scene)
        if any(e.key == item.key for e in found):
            return Photo("instance", scene, found, (0.0, 0.0, scene.aspect, 1.0), item.key)


def body_view(person: EntityTruth, aspect: float, rng: np.random.Generator) -> Box:
    """A crop around one person: their box with margins, or what a face box alone lets one guess."""
    if person.face_box is None or rng.random() < 0.5:
        x0, y0, x1, y1 = person.box
        left, top, right, bottom = rng.uniform(0.0, 0.3, 4) * np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
    else:
        x0, y0, x1, y1 = person.face_box
        wide, high = x1 - x0, y1 - y0
        left, right = rng.uniform(0.7, 1.9, 2) * wide
        top, bottom = rng.uniform(0.3, 0.9) * high, rng.uniform(3.0, 7.5) * high
    low = (max(x0 - left, 0.0), max(y0 - top, 0.0))
    high_corner = (min(x1 + right, aspect), min(y1 + bottom, 1.0))
    return (float(low[0]), float(low[1]), float(high_corner[0]), float(high_corner[1]))


def draw(photo: Photo, rng: np.random.Generator, size: int = SIZE) -> NDArray[np.uint8]:
    """The photo squashed to uint8 (size, size, 3); some pass through a JPEG and the product's resizing."""
    fate = rng.random()
    if fate > _RESIZED + _FULL_SIZE:
        return render_squashed(photo.scene, size, photo.view)
    tall = 1024 if fate < _FULL_SIZE else int(rng.integers(240, 360))
    pixels = jpeg(render(photo.scene, tall, photo.view), int(rng.integers(60, 96)))
    resized = Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(resized, np.uint8)


def fill(folder: Path, photos: int, mix: Mix = MIX, workers: int | None = None) -> None:
    """Render chunks until the pool in `folder` holds `photos`; chunks that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [c for c in range(-(-photos // CHUNK)) if not (folder / f"{c:03d}.jsonl").exists()]
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=get_context("spawn")) as executor:
        list(executor.map(partial(_fill_chunk, folder, mix), missing))


def _fill_chunk(folder: Path, mix: Mix, chunk: int) -> None:
    cv2.setNumThreads(1)
    images = np.zeros((CHUNK, mix.size, mix.size, 3), np.uint8)
    lines: list[str] = []
    kinds = mix.kinds()
    first_instance = kinds.index("instance")
    for number, kind in enumerate(kinds):
        rng = np.random.default_rng([mix.seed, chunk, number])
        item = None
        if kind == "instance":
            item = mix.instance(chunk, (number - first_instance) // PHOTOS_PER_INSTANCE)
        photo = sample_photo(kind, rng, item)
        images[number] = draw(photo, rng, mix.size)
        lines.append(_dump(photo))
    np.save(folder / f"{chunk:03d}.npy", images)
    (folder / f"{chunk:03d}.tmp").write_text("\n".join(lines) + "\n")
    (folder / f"{chunk:03d}.tmp").rename(folder / f"{chunk:03d}.jsonl")


def mirrored(photo: Photo) -> Photo:
    """The truth of the photo seen in a mirror. What its scene says of places is no longer true."""
    wide = photo.scene.aspect

    def flip(box: Box) -> Box:
        return (wide - box[2], box[1], wide - box[0], box[3])

    found = [
        replace(
            entry,
            box=flip(entry.box),
            face_box=entry.face_box and flip(entry.face_box),
            landmarks=None,
            where=_MIRRORED[entry.where],
        )
        for entry in photo.found
    ]
    return replace(photo, found=found, view=flip(photo.view))


class Pool:
    """The chunks of a folder as one sequence; pixels stay on disk, and truth unparsed, until asked for."""

    def __init__(self, folder: Path) -> None:
        names = sorted(folder.glob("*.jsonl"))
        if not names:
            raise FileNotFoundError(f"no pool in {folder}")
        self._images = [np.load(name.with_suffix(".npy"), mmap_mode="r") for name in names]
        self._lines = [line for name in names for line in name.read_bytes().splitlines()]

    def __len__(self) -> int:
        return len(self._lines)

    def photo(self, index: int) -> Photo:
        """Scene and truth of one photo."""
        return _parse(self._lines[index])

    def kind(self, index: int) -> str:
        """Of which kind one photo is, without parsing it."""
        return self._lines[index][9:20].split(b'"')[0].decode()

    def sample(
        self, indices: Sequence[int] | NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[list[Photo], NDArray[np.uint8]]:
        """Photos with pixels, half of them mirrored, all in slightly other light: each is seen many times."""
        photos, images = [self.photo(int(i)) for i in indices], self.images(indices)
        for number in np.flatnonzero(rng.random(len(photos)) < 0.5):
            photos[number], images[number] = mirrored(photos[number]), images[number, :, ::-1].copy()
        for image in images:
            light = np.exp(rng.normal(0, _LIGHT) + rng.normal(0, _TINT, 3))
            table = np.clip(np.arange(256)[:, None] * light, 0, 255).astype(np.uint8)
            cv2.LUT(image, table[None], dst=image)
        return photos, images

    def images(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Pixels, uint8 (len(indices), size, size, 3) of the pool's mix."""
        return np.stack([self._images[i // CHUNK][i % CHUNK] for i in indices])


def view_box(box: Box, view: Box) -> Box | None:
    """A box in photo units as parts (0 to 1) of what was drawn; None when hardly anything of it is inside."""
    wide, high = view[2] - view[0], view[3] - view[1]
    x0, x1 = np.clip([(box[0] - view[0]) / wide, (box[2] - view[0]) / wide], 0.0, 1.0)
    y0, y1 = np.clip([(box[1] - view[1]) / high, (box[3] - view[1]) / high], 0.0, 1.0)
    if (x1 - x0) * wide * (y1 - y0) * high < 0.15 * (box[2] - box[0]) * (box[3] - box[1]):
        return None
    return (float(x0), float(y0), float(x1), float(y1))


def _dump(photo: Photo) -> str:
    found = [{**asdict(replace(e, landmarks=None)), "entity": None} for e in photo.found]
    scene = asdict(photo.scene)
    for actor, stored in zip(photo.scene.actors, scene["actors"], strict=True):
        stored["entity"]["kind"] = actor.entity.kind
    record = {
        "kind": photo.kind,
        "scene": scene,
        "found": found,
        "view": photo.view,
        "subject": photo.subject,
    }
    return json.dumps(_rounded(record), separators=(",", ":"))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return value


def _parse(line: bytes) -> Photo:
    record = json.loads(line)
    scene = record["scene"]
    actors = [Actor(**{**actor, "entity": _entity(actor["entity"])}) for actor in scene["actors"]]
    entities = {actor.entity.key: actor.entity for actor in actors}
    found = [
        EntityTruth(**{**e, "entity": entities[e["key"]], "box": tuple(e["box"])}) for e in record["found"]
    ]
    rebuilt = Scene(**{**scene, "actors": actors, "camera": Camera(**scene["camera"])})
    return Photo(record["kind"], rebuilt, found, tuple(record["view"]), record["subject"])


def _entity(record: dict[str, Any]) -> Person | Item:
    kind = record.pop("kind")
    return Person(**record) if kind == "person" else Item(**{**record, "shape": tuple(record["shape"])})
