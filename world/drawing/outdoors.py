"""Draws the outdoor places. The pen is the photo's own: u in [0, aspect], v in [0, 1].

What does not live here: what places share, such as the sky, hills and trees (`landscape`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..paint import Color, Pen, shade
from ..scene import Scene
from .landscape import draw_ground, draw_hills, draw_sky, draw_trees, lit, scatter, vary


def draw_outdoors(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    """Sky and ground of an outdoor place."""
    draw_sky(pen, scene, rng)
    _DRAW[scene.place](pen, scene, rng)


def _beach(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon
    draw_ground(pen, scene, vary(rng, (236, 214, 160)))
    pen.surface.gradient(
        (-1, h - 0.1, wide + 1, h + 0.02), lit(scene, (30, 100, 170)), lit(scene, (70, 160, 205))
    )
    for k in range(3):
        v = h - 0.07 + 0.03 * k
        u = float(rng.uniform(0, wide))
        pen.limb((u, v), (u + 0.15, v), 0.004, lit(scene, (220, 238, 246)))
    pen.limb((-0.1, h + 0.02), (wide + 0.1, h + 0.025), 0.009, lit(scene, (244, 248, 250)))
    if rng.random() < 0.6:
        u = float(rng.uniform(0.05, 0.95)) * wide
        pen.limb((u, h + 0.16), (u + 0.03, h - 0.28), 0.012, lit(scene, (126, 90, 56)))
        for a in np.linspace(-2.9, -0.2, 6):
            tip = (u + 0.03 + 0.17 * float(np.cos(a)), h - 0.27 + 0.1 * float(np.sin(a)) + 0.05)
            pen.limb((u + 0.03, h - 0.28), tip, 0.02, lit(scene, (50, 130, 70)), 0.004)
    scatter(pen, scene, rng, 16, lit(scene, (205, 180, 130)), 0.008)


def _park(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    draw_ground(pen, scene, vary(rng, (104, 178, 76)))
    draw_trees(pen, scene, rng, 4, 0.25, 0.5, fir=False)
    wide, h = scene.aspect, scene.horizon
    u = float(rng.uniform(0.2, 0.8)) * wide
    path = [(u - 0.03, h + 0.01), (u + 0.03, h + 0.01), (u + 0.4, 1.1), (u - 0.1, 1.1)]
    pen.polygon(path, lit(scene, (206, 186, 150)))
    bench = float(rng.uniform(0.1, 0.9)) * wide
    wood = lit(scene, (140, 96, 60))
    for v in (h + 0.03, h + 0.06, h + 0.09):
        pen.rect(bench - 0.11, v, bench + 0.11, v + 0.016, wood)
    for side in (-0.09, 0.09):
        pen.rect(bench + side - 0.008, h + 0.03, bench + side + 0.008, h + 0.15, shade(wood, 0.6))
    scatter(pen, scene, rng, 24, lit(scene, (80, 150, 62)), 0.008)


def _street(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon
    walls: tuple[Color, ...] = (
        (176, 130, 110),
        (150, 146, 150),
        (196, 178, 146),
        (130, 120, 136),
        (170, 100, 84),
    )
    u = -0.05
    while u < wide:
        width, top = float(rng.uniform(0.18, 0.34)), float(rng.uniform(0.02, 0.24))
        wall = lit(scene, vary(rng, walls[int(rng.integers(len(walls)))]))
        pen.rect(u, top, u + width - 0.008, h + 0.01, wall)
        glass: Color = (
            (252, 226, 140) if scene.daytime in ("evening", "night") else lit(scene, (170, 200, 220))
        )
        columns = max(int(width / 0.075), 1)
        for v in np.arange(top + 0.04, h - 0.1, 0.095):
            for c in range(columns):
                x = u + (c + 0.5) * width / columns
                pen.rect(x - 0.019, float(v), x + 0.019, float(v) + 0.05, glass)
        u += width
    draw_ground(pen, scene, (98, 98, 104), (86, 86, 92))
    pen.rect(-1, h, wide + 1, h + 0.06, lit(scene, (166, 162, 158)))
    for x in np.arange(float(rng.uniform(-0.2, 0)), wide, 0.3):
        pen.polygon(
            [(x, h + 0.2), (x + 0.14, h + 0.2), (x + 0.13, h + 0.225), (x - 0.015, h + 0.225)],
            lit(scene, (236, 232, 214)),
        )
    lamp = float(rng.uniform(0.05, 0.95)) * wide
    pen.limb((lamp, h + 0.05), (lamp, h - 0.34), 0.01, (54, 58, 62))
    pen.ellipse(lamp, h - 0.36, 0.03, 0.026, (255, 240, 180))


def _snow(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    draw_hills(pen, scene, rng, (140, 156, 178), 0.36, peaks=True)
    draw_ground(pen, scene, (246, 249, 253), (220, 230, 242))
    draw_trees(pen, scene, rng, 4, 0.18, 0.34, fir=True)
    for u in rng.uniform(0, 1, 2):
        pen.ellipse(float(u) * scene.aspect, scene.horizon + 0.06, 0.26, 0.05, lit(scene, (236, 242, 250)))


def _desert(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    draw_hills(pen, scene, rng, (196, 126, 76), 0.2)
    draw_ground(pen, scene, vary(rng, (222, 160, 92)), (206, 146, 88))
    for u in rng.uniform(0.02, 0.98, 3):
        x, s = float(u) * scene.aspect, float(rng.uniform(0.16, 0.3))
        base, green = scene.horizon + 0.02 + 0.2 * s, lit(scene, vary(rng, (70, 132, 70)))
        pen.limb((x, base), (x, base - s), 0.1 * s, green)
        for side, v in ((-1, 0.45), (1, 0.6)):
            pen.line(
                [
                    (x, base - s * v),
                    (x + side * 0.24 * s, base - s * v),
                    (x + side * 0.24 * s, base - s * (v + 0.25)),
                ],
                0.06 * s,
                green,
            )
    scatter(pen, scene, rng, 14, lit(scene, (170, 118, 72)), 0.011)


def _lake(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon
    draw_hills(pen, scene, rng, (74, 116, 86), 0.24)
    shore = h + 0.24
    pen.surface.gradient((-1, h, wide + 1, shore), lit(scene, (72, 140, 176)), lit(scene, (42, 104, 150)))
    for _ in range(7):
        u, v = float(rng.uniform(0, wide)), float(rng.uniform(h + 0.03, shore - 0.02))
        pen.limb((u, v), (u + 0.11, v), 0.003, lit(scene, (176, 212, 230)))
    pen.surface.gradient((-1, shore, wide + 1, 1.2), lit(scene, (120, 146, 88)), lit(scene, (136, 158, 94)))
    u = float(rng.uniform(0.15, 0.85)) * wide
    pen.polygon(
        [(u - 0.1, h + 0.08), (u + 0.1, h + 0.08), (u + 0.07, h + 0.12), (u - 0.07, h + 0.12)],
        lit(scene, (150, 84, 52)),
    )
    pen.polygon(
        [(u + 0.005, h + 0.075), (u + 0.005, h - 0.1), (u + 0.09, h + 0.06)], lit(scene, (244, 244, 240))
    )
    for x in rng.uniform(0, 1, 6):
        for d in (-0.012, 0.0, 0.012):
            pen.limb(
                (float(x) * wide + d, shore + 0.02),
                (float(x) * wide + d * 2, shore - 0.08),
                0.004,
                lit(scene, (84, 122, 60)),
            )


def _forest(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon
    pen.surface.gradient((-1, -0.2, wide + 1, h + 0.02), lit(scene, (52, 96, 62)), lit(scene, (96, 142, 92)))
    draw_ground(pen, scene, vary(rng, (106, 92, 58)), (78, 84, 50))
    for u in rng.uniform(-0.02, 1.02, 9):
        x, half = float(u) * wide, float(rng.uniform(0.018, 0.045))
        bark = lit(scene, vary(rng, (92, 64, 42), 0.2))
        pen.polygon(
            [(x - half, -0.1), (x + half, -0.1), (x + half * 1.3, h + 0.06), (x - half * 1.3, h + 0.06)], bark
        )
        pen.rect(x + half * 0.3, -0.1, x + half, h + 0.05, shade(bark, 0.75))
    for u in rng.uniform(-0.05, 1.05, 10):
        r = float(rng.uniform(0.1, 0.17))
        pen.ellipse(
            float(u) * wide,
            float(rng.uniform(-0.04, 0.1)),
            r * 1.3,
            r,
            lit(scene, vary(rng, (42, 110, 54), 0.2)),
        )
    scatter(pen, scene, rng, 26, lit(scene, (84, 130, 62)), 0.013)


def _garden(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon
    draw_ground(pen, scene, vary(rng, (118, 190, 84)))
    pen.rect(-1, h - 0.16, wide + 1, h + 0.05, lit(scene, (60, 128, 64)))
    fence = lit(scene, (240, 236, 226))
    for v in (h - 0.09, h + 0.0):
        pen.rect(-1, v, wide + 1, v + 0.02, fence)
    for u in np.arange(float(rng.uniform(-0.08, 0)), wide + 0.05, 0.085):
        pen.polygon(
            [
                (u, h - 0.13),
                (u + 0.022, h - 0.165),
                (u + 0.044, h - 0.13),
                (u + 0.044, h + 0.06),
                (u, h + 0.06),
            ],
            fence,
        )
    petals: tuple[Color, ...] = (
        (226, 70, 90),
        (244, 200, 70),
        (236, 130, 190),
        (250, 250, 250),
        (150, 90, 200),
    )
    for u in rng.uniform(0, 1, 16):
        x, v = float(u) * wide, h + 0.08 + float(rng.uniform(0, 0.05))
        pen.limb((x, v), (x, v - 0.05), 0.004, lit(scene, (50, 120, 50)))
        pen.ellipse(x, v - 0.055, 0.018, 0.018, lit(scene, petals[int(rng.integers(len(petals)))]))
    scatter(pen, scene, rng, 20, lit(scene, (96, 166, 70)), 0.008)


_DRAW: dict[str, Callable[[Pen, Scene, np.random.Generator], None]] = {
    "beach": _beach,
    "park": _park,
    "street": _street,
    "snow": _snow,
    "desert": _desert,
    "lake": _lake,
    "forest": _forest,
    "garden": _garden,
}
