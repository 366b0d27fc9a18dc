"""From a scene to pixels: the whole photo, any part of it, or the mask of who owns which pixel."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from .drawing.animals import draw_pet
from .drawing.bodies import body_pen, draw_person, draw_seat
from .drawing.indoors import draw_indoors
from .drawing.objects import draw_thing
from .drawing.outdoors import draw_outdoors
from .paint import Box, Pen, Surface
from .scene import INDOORS, Actor, Scene
from .things import Item

Image = NDArray[np.uint8]


def render(scene: Scene, height: int, view: Box | None = None, camera: bool = True) -> Image:
    """Draw the photo, or the part `view` = (x0, y0, x1, y1) of it, `height` pixels high.

    Returns uint8 RGB (height, width, 3), the width following the view's aspect. `camera` applies
    exposure, colour balance, blur and noise.
    """
    view = view or (0.0, 0.0, scene.aspect, 1.0)
    width = max(round(height * (view[2] - view[0]) / (view[3] - view[1])), 1)
    return _render(scene, (width, height), view, camera)


def render_squashed(scene: Scene, size: int, view: Box | None = None, camera: bool = True) -> Image:
    """Draw the photo (or a part) squashed to `size` x `size`, as CLIP and the VLMs see it."""
    return _render(scene, (size, size), view or (0.0, 0.0, scene.aspect, 1.0), camera)


def jpeg(image: Image, quality: int) -> Image:
    """What is left of an RGB image after JPEG coding."""
    _, code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(decoded, np.uint8)[..., ::-1])


def draw_actor(surface: Surface, actor: Actor) -> None:
    """Draw one actor where it stands."""
    if not isinstance(actor.entity, Item):
        draw_person(surface, actor)
        return
    pen = Pen.at(surface, actor.x, actor.base, actor.size, actor.flip)
    draw = draw_pet if actor.entity.kind == "pet" else draw_thing
    draw(pen, actor)


def _render(scene: Scene, size: tuple[int, int], view: Box, camera: bool) -> Image:
    surface = Surface(size, view)
    rng = np.random.default_rng(scene.seed)
    photo = Pen.at(surface, 0.0, 0.0, 1.0)
    indoors = scene.place in INDOORS
    (draw_indoors if indoors else draw_outdoors)(photo, scene, rng)
    for actor in scene.actors:
        if actor.carried_by is None:
            _ground_shadow(photo, actor)
        if not isinstance(actor.entity, Item):
            draw_seat(body_pen(surface, actor), actor)
        draw_actor(surface, actor)
    _weather(photo, scene, rng)
    if not indoors and scene.daytime in ("evening", "night"):
        surface.pixels = _tint(surface.pixels, scene.daytime)
    return _photograph(surface.finish(), scene, size[1] / (view[3] - view[1])) if camera else surface.finish()


def _ground_shadow(pen: Pen, actor: Actor) -> None:
    half = actor.size * (0.2 if not isinstance(actor.entity, Item) else 0.42)
    pen.ellipse(actor.x, actor.base, half, half * 0.22, (20, 20, 30), 0.28)


def _weather(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide = scene.aspect
    if scene.place == "snow" and scene.weather != "clear":
        for u, v in rng.uniform(0, 1, (46, 2)):
            pen.ellipse(float(u) * wide, float(v), 0.005, 0.005, (255, 255, 255))
    elif scene.weather == "rain":
        for u, v in rng.uniform(0, 1, (40, 2)):
            pen.limb(
                (float(u) * wide, float(v)),
                (float(u) * wide - 0.012, float(v) + 0.045),
                0.0014,
                (214, 224, 236),
                alpha=0.6,
            )
    elif scene.weather == "fog":
        pen.rect(-1, -0.2, wide + 1, 1.2, (212, 216, 220), 0.14)


def _tint(pixels: Image, daytime: str) -> Image:
    warm = {"evening": (1.0, 0.94, 0.87), "night": (0.88, 0.9, 1.0)}[daytime]
    table = np.clip(np.arange(256)[:, None] * np.array(warm), 0, 255)
    return np.asarray(cv2.LUT(pixels, table.astype(np.uint8)[None]), np.uint8)


@functools.cache
def _grain() -> NDArray[np.int16]:
    """A fixed tile of unit noise times 64: fresh noise for each photo would cost more than the photo."""
    return np.asarray(np.random.default_rng(0).normal(0, 64, (1024, 1024, 3)), np.int16)


def _photograph(image: Image, scene: Scene, pixels_per_unit: float) -> Image:
    camera = scene.camera
    sigma = camera.blur * pixels_per_unit
    if sigma > 0.25:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    levels = np.arange(256)[:, None] / 255
    curve = (levels - 0.5) * camera.contrast + 0.5
    table = np.clip(curve * camera.exposure * np.array(camera.balance) * 255, 0, 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table[None]), np.uint8)
    # Noise is a property of the sensor's pixels; shrinking a photo averages it away.
    strength = camera.noise * 255 * min(pixels_per_unit / 768, 1.0)
    if strength < 0.5:
        return image
    height, width = image.shape[:2]
    x, y = scene.seed % 331, scene.seed % 257
    tiles = (-(-(height + y) // 1024), -(-(width + x) // 1024), 1)
    grain = _grain() if tiles == (1, 1, 1) else np.tile(_grain(), tiles)
    grain = grain[y : y + height, x : x + width]
    return np.clip(image + ((grain * round(strength * 16)) >> 10).astype(np.int16), 0, 255).astype(np.uint8)
