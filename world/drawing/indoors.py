"""Draws the indoor places. The pen is the photo's own: u in [0, aspect], v in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..paint import Color, Pen, shade
from ..scene import Scene
from .landscape import SKIES, vary


def draw_indoors(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    """Wall, floor and furniture of a room; in the evening the lamps are on and the light is warmer."""
    _DRAW[scene.place](pen, scene, rng)
    if scene.daytime in ("evening", "night"):
        pen.rect(-1, -0.2, scene.aspect + 1, 1.2, (60, 30, 0), 0.14)


def _room(pen: Pen, scene: Scene, wall: Color, floor: Color) -> None:
    wide, h = scene.aspect, scene.horizon + 0.08
    pen.surface.gradient((-1, -0.2, wide + 1, h), shade(wall, 0.96), wall)
    pen.surface.gradient((-1, h, wide + 1, 1.2), shade(floor, 0.85), floor)
    pen.rect(-1, h - 0.02, wide + 1, h + 0.005, shade(wall, 0.8))


def _window(pen: Pen, scene: Scene, u: float, v: float, half: float) -> None:
    top, bottom = SKIES[scene.daytime]
    pen.rect(u - half - 0.015, v - 0.015, u + half + 0.015, v + half * 2 + 0.015, (250, 248, 242))
    pen.rect(u - half, v, u + half, v + half, top)
    pen.rect(u - half, v + half, u + half, v + half * 2, bottom)
    pen.rect(u - 0.007, v, u + 0.007, v + half * 2, (250, 248, 242))
    pen.rect(u - half, v + half - 0.007, u + half, v + half + 0.007, (250, 248, 242))


def _kitchen(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon + 0.08
    _room(pen, scene, vary(rng, (244, 236, 216)), vary(rng, (196, 170, 140)))
    grout: Color = (216, 206, 188)
    for v in np.arange(0.02, h - 0.14, 0.07):
        pen.rect(-0.1, float(v), wide + 0.1, float(v) + 0.005, grout)
    for u in np.arange(0, wide, 0.09):
        pen.rect(float(u), 0, float(u) + 0.005, h - 0.14, grout)
    cabinet = vary(rng, (120, 150, 146))
    pen.rect(-0.1, h - 0.16, wide + 0.1, h + 0.08, cabinet)
    pen.rect(-0.1, h - 0.18, wide + 0.1, h - 0.15, (92, 72, 58))
    for u in np.arange(float(rng.uniform(-0.1, 0.1)), wide, 0.24):
        pen.rect(u, h - 0.13, u + 0.21, h + 0.06, shade(cabinet, 0.9))
        pen.limb((u + 0.08, h - 0.1), (u + 0.13, h - 0.1), 0.006, (224, 224, 220))
    _window(pen, scene, float(rng.uniform(0.2, 0.8)) * wide, 0.1, 0.11)
    u = float(rng.uniform(0.1, 0.9)) * wide
    pen.rect(u - 0.07, h - 0.25, u + 0.07, h - 0.18, (184, 188, 194))
    pen.limb((u - 0.1, h - 0.23), (u + 0.1, h - 0.23), 0.008, (70, 70, 74))
    hood = float(rng.uniform(0.1, 0.9)) * wide
    pen.polygon(
        [(hood - 0.06, -0.1), (hood + 0.06, -0.1), (hood + 0.14, 0.16), (hood - 0.14, 0.16)], (206, 208, 212)
    )


def _living_room(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon + 0.08
    _room(pen, scene, vary(rng, (206, 196, 218)), vary(rng, (150, 106, 72)))
    for _ in range(2):
        u = float(rng.uniform(0.1, 0.9)) * wide
        pen.rect(u - 0.11, 0.07, u + 0.11, 0.24, (104, 74, 48))
        pen.rect(u - 0.09, 0.09, u + 0.09, 0.22, vary(rng, (220, 226, 214)))
        pen.ellipse(u, 0.17, 0.05, 0.035, vary(rng, (110, 160, 150), 0.3))
    sofa = vary(rng, (112, 124, 152), 0.15)
    u, half = float(rng.uniform(0.3, 0.7)) * wide, 0.42
    pen.blob(
        [
            (u - half, h - 0.15),
            (u, h - 0.19),
            (u + half, h - 0.15),
            (u + half, h + 0.02),
            (u - half, h + 0.02),
        ],
        sofa,
    )
    pen.rect(u - half, h - 0.04, u + half, h + 0.09, shade(sofa, 0.88))
    for side in (-1, 1):
        pen.ellipse(u + side * half, h + 0.0, 0.07, 0.1, shade(sofa, 0.8))
    pen.ellipse(wide / 2, 0.9, wide * 0.42, 0.11, vary(rng, (176, 92, 84), 0.15))
    lamp = float(rng.uniform(0.05, 0.95)) * wide
    pen.limb((lamp, h + 0.05), (lamp, h - 0.3), 0.007, (80, 70, 60))
    shade_color: Color = (252, 232, 170)
    pen.polygon(
        [(lamp - 0.05, h - 0.42), (lamp + 0.05, h - 0.42), (lamp + 0.08, h - 0.3), (lamp - 0.08, h - 0.3)],
        shade_color,
    )


def _bedroom(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon + 0.08
    _room(pen, scene, vary(rng, (186, 214, 218)), vary(rng, (214, 196, 168)))
    _window(pen, scene, float(rng.uniform(0.15, 0.85)) * wide, 0.08, 0.12)
    u, half = float(rng.uniform(0.35, 0.65)) * wide, 0.4
    pen.blob(
        [(u - half, h - 0.2), (u, h - 0.28), (u + half, h - 0.2), (u + half, h + 0.1), (u - half, h + 0.1)],
        (140, 96, 62),
    )
    for side in (-0.5, 0.5):
        pen.ellipse(u + side * half, h - 0.07, 0.16, 0.065, (250, 248, 244))
    cover = vary(rng, (150, 130, 190), 0.15)
    pen.polygon(
        [(u - half, h - 0.03), (u + half, h - 0.03), (u + half * 1.15, h + 0.2), (u - half * 1.15, h + 0.2)],
        cover,
    )
    pen.polygon(
        [
            (u - half, h - 0.03),
            (u + half, h - 0.03),
            (u + half * 1.03, h + 0.03),
            (u - half * 1.03, h + 0.03),
        ],
        shade(cover, 1.4),
    )
    stand = u + half + 0.12
    pen.rect(stand - 0.07, h - 0.04, stand + 0.07, h + 0.1, (160, 116, 78))
    pen.ellipse(stand, h - 0.1, 0.05, 0.05, (255, 236, 176))


def _cafe(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon + 0.08
    _room(pen, scene, vary(rng, (150, 96, 78)), vary(rng, (110, 82, 66)))
    mortar: Color = (126, 80, 66)
    for row, v in enumerate(np.arange(0.0, h - 0.03, 0.05)):
        pen.rect(-0.1, float(v), wide + 0.1, float(v) + 0.004, mortar)
        for u in np.arange(0.06 * (row % 2), wide, 0.12):
            pen.rect(float(u), float(v), float(u) + 0.004, float(v) + 0.05, mortar)
    u = float(rng.uniform(0.25, 0.75)) * wide
    pen.rect(u - 0.2, 0.08, u + 0.2, 0.3, (44, 52, 50))
    for row in range(4):
        pen.limb(
            (u - 0.15, 0.12 + row * 0.045),
            (u - 0.15 + float(rng.uniform(0.1, 0.28)), 0.12 + row * 0.045),
            0.006,
            (224, 226, 220),
        )
    for x in np.linspace(0.12, 0.88, 3) * wide:
        pen.limb((x, -0.1), (x, 0.03), 0.004, (40, 36, 34))
        pen.polygon(
            [(x - 0.025, 0.03), (x + 0.025, 0.03), (x + 0.055, 0.075), (x - 0.055, 0.075)], (60, 60, 58)
        )
        pen.ellipse(x, 0.085, 0.024, 0.02, (255, 238, 176))
    for x in rng.uniform(0.1, 0.9, 2) * wide:
        pen.ellipse(float(x), h + 0.02, 0.16, 0.035, (222, 196, 156))
        pen.limb((float(x), h + 0.04), (float(x), h + 0.2), 0.012, (60, 50, 46))


_DRAW: dict[str, Callable[[Pen, Scene, np.random.Generator], None]] = {
    "kitchen": _kitchen,
    "living room": _living_room,
    "bedroom": _bedroom,
    "cafe": _cafe,
}
