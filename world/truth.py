"""What is where in a photo: boxes, face boxes, landmarks and attributes of everyone and everything in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .drawing.bodies import face_points, head_pen
from .drawing.proportions import face_of
from .identity import Person
from .paint import Box, Mask, Points
from .render import draw_actor
from .scene import Actor, Scene
from .things import Item

_MASK_HEIGHT = 256
_FACE_SEEN = 0.6  # of a face's pixels must be visible for it to count as visible
_ENTITY_SEEN = 0.2
_NEAR = 0.62  # how far apart, in photo units, two entities may stand and still be next to each other


@dataclass(frozen=True)
class EntityTruth:
    """One entity of one photo; boxes (x0, y0, x1, y1) and landmarks in photo units.

    `face_box` and `landmarks` are None when the face is turned away, hidden or cut off. `landmarks` are
    (5, 2): left eye, right eye, nose, left and right mouth corner as they lie in the picture.
    """

    entity: Person | Item
    key: str
    kind: str
    category: str
    box: Box
    face_box: Box | None
    landmarks: Points | None
    facing: str | None
    garment: str | None
    color: str
    doing: str
    where: str
    next_to: str
    main: bool


def masks(scene: Scene, height: int = _MASK_HEIGHT) -> NDArray[np.uint8]:
    """Who owns each pixel: uint8 (height, width), i + 1 for `scene.actors[i]`, 0 for the background."""
    return _paint(scene, height)[0].ids


def truth(scene: Scene) -> list[EntityTruth]:
    """Every entity that can be seen, in the order of `scene.actors`."""
    mask, bounds, drawn, faces = _paint(scene, _MASK_HEIGHT)
    counts = np.bincount(mask.ids.reshape(-1), minlength=len(scene.actors) + 1)[1:]
    found: list[tuple[Actor, Box, int]] = []
    for index, actor in enumerate(scene.actors):
        box = _clip(bounds[index], scene.aspect)
        if box is None or counts[index] < max(_ENTITY_SEEN * drawn[index], 12):
            continue
        if counts[index] < 0.8 * drawn[index]:
            box = _shrink(box, mask.ids == index + 1)
        found.append((actor, box, index))
    return [_describe(scene, actor, box, found, faces[index]) for actor, box, index in found]


def _paint(scene: Scene, height: int) -> tuple[Mask, list[Box], list[int], list[bool]]:
    """The mask; per actor its bounds, the pixels it covered when drawn, whether its face stayed visible."""
    width = round(height * scene.aspect)
    mask = Mask((width, height), (0.0, 0.0, scene.aspect, 1.0))
    bounds: list[Box] = []
    drawn: list[int] = []
    for index, actor in enumerate(scene.actors):
        mask.current = index + 1
        draw_actor(mask, actor)
        bounds.append(mask.take_bounds() or (0.0, 0.0, 0.0, 0.0))
        drawn.append(int((mask.ids == index + 1).sum()))
    faces = [_face_visible(mask, actor, index + 1) for index, actor in enumerate(scene.actors)]
    return mask, bounds, drawn, faces


def _face_visible(mask: Mask, actor: Actor, identifier: int) -> bool:
    if isinstance(actor.entity, Item) or actor.facing == "back":
        return False
    points = face_points(mask, actor)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = mask.ids.shape[0]
    xs = np.rint(np.linspace(low[0], high[0], 12) * scale).astype(int)
    ys = np.rint(np.linspace(low[1], high[1], 12) * scale).astype(int)
    grid_x, grid_y = np.meshgrid(xs, ys)
    inside = (grid_x >= 0) & (grid_x < mask.ids.shape[1]) & (grid_y >= 0) & (grid_y < scale)
    owned = mask.ids[grid_y.clip(0, scale - 1), grid_x.clip(0, mask.ids.shape[1] - 1)] == identifier
    return bool((owned & inside).mean() >= _FACE_SEEN)


def _describe(
    scene: Scene, actor: Actor, box: Box, found: list[tuple[Actor, Box, int]], face_visible: bool
) -> EntityTruth:
    entity = actor.entity
    face_box, landmarks = None, None
    if isinstance(entity, Person) and face_visible:
        surface = Mask((8, 8), (0.0, 0.0, scene.aspect, 1.0))
        points = face_points(surface, actor)
        face_box = _clip((*points.min(axis=0), *points.max(axis=0)), scene.aspect)
        landmarks = head_pen(surface, actor).map(face_of(entity, actor.yaw).landmarks())
    person = isinstance(entity, Person)
    return EntityTruth(
        entity=entity,
        key=entity.key,
        kind=entity.kind,
        category=entity.category,
        box=box,
        face_box=face_box,
        landmarks=landmarks,
        facing=actor.facing if person else None,
        garment=actor.garment,
        color=(actor.color or "white") if isinstance(entity, Person) else entity.color,
        doing=_doing(scene, actor),
        where=_where(box, scene.aspect),
        next_to=_next_to(actor, box, found),
        main=actor.main,
    )


def _doing(scene: Scene, actor: Actor) -> str:
    if actor.carries is None:
        if isinstance(actor.entity, Item) and actor.entity.category == "rabbit":
            return "sitting"
        return actor.activity
    item = scene.actor(actor.carries).entity
    return f"{actor.activity} {article(item.noun)}"


def _where(box: Box, aspect: float) -> str:
    middle = (box[0] + box[2]) / 2 / aspect
    return "left" if middle < 0.365 else "right" if middle > 0.635 else "middle"


def _next_to(actor: Actor, box: Box, found: list[tuple[Actor, Box, int]]) -> str:
    """The nearest other main entity, as "a woman" or "a white dog"; "nothing" when none stands near."""
    if not actor.main:
        return "nothing"
    own = {actor.entity.key, actor.carries, actor.carried_by}
    middle = (box[0] + box[2]) / 2
    others = [
        (abs((b[0] + b[2]) / 2 - middle), a)
        for a, b, _ in found
        if a.main and a.entity.key not in own and a.carried_by is None
    ]
    near = [(distance, a) for distance, a in others if distance < _NEAR]
    if not near:
        return "nothing"
    entity = min(near, key=lambda pair: pair[0])[1].entity
    return article(entity.noun if isinstance(entity, Person) else f"{entity.color} {entity.noun}")


def article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _clip(box: Box, aspect: float) -> Box | None:
    x0, y0 = max(float(box[0]), 0.0), max(float(box[1]), 0.0)
    x1, y1 = min(float(box[2]), aspect), min(float(box[3]), 1.0)
    return (x0, y0, x1, y1) if x1 - x0 > 1e-3 and y1 - y0 > 1e-3 else None


def _shrink(box: Box, visible: NDArray[np.bool_]) -> Box:
    """The part of a box whose pixels can be seen."""
    ys, xs = np.nonzero(visible)
    scale = visible.shape[0]
    return (
        max(box[0], float(xs.min()) / scale),
        max(box[1], float(ys.min()) / scale),
        min(box[2], float(xs.max() + 1) / scale),
        min(box[3], float(ys.max() + 1) / scale),
    )
