"""Draws the outdoor places. The pen is the photo's own: u in [0, aspect], v in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..paint import Color, Pen, mix, shade
from ..scene import Scene

SKIES: dict[str, tuple[Color, Color]] = {
    "day": ((96, 168, 232), (200, 228, 246)),
    "morning": ((150, 190, 232), (250, 226, 206)),
    "evening": ((118, 110, 168), (250, 176, 112)),
    "night": ((26, 32, 66), (66, 76, 116)),
}
LIGHT: dict[str, float] = {"day": 1.0, "morning": 0.97, "evening": 0.88, "night": 0.6}


def draw_outdoors(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    """Sky and ground of an outdoor place."""
    _sky(pen, scene, rng)
    _DRAW[scene.place](pen, scene, rng)


def _lit(scene: Scene, color: Color) -> Color:
    light = LIGHT[scene.daytime] * (0.9 if scene.weather in ("cloudy", "rain") else 1.0)
    lit = shade(color, light)
    return mix(lit, (206, 210, 214), 0.3) if scene.weather == "fog" else lit


def vary(rng: np.random.Generator, color: Color, by: float = 0.08) -> Color:
    """The colour, brighter or darker by at most the part `by`: no two places look the same."""
    factor = 1 + rng.uniform(-by, by)
    return (min(color[0] * factor, 255), min(color[1] * factor, 255), min(color[2] * factor, 255))


def _sky(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    top, bottom = SKIES[scene.daytime]
    if scene.weather != "clear":
        gray: Color = (150, 158, 168) if scene.daytime != "night" else (50, 56, 72)
        top, bottom = mix(top, gray, 0.7), mix(bottom, shade(gray, 1.2), 0.7)
    wide, h = scene.aspect, scene.horizon
    pen.surface.gradient((-1.0, -0.2, wide + 1, h + 0.02), top, bottom)
    x, y = float(rng.uniform(0.1, 0.9)) * wide, float(rng.uniform(0.08, 0.2))
    if scene.weather == "clear":
        disc: Color = (246, 244, 226) if scene.daytime == "night" else (255, 240, 150)
        pen.ellipse(x, y, 0.09, 0.09, disc, 0.25)
        pen.ellipse(x, y, 0.055, 0.055, disc)
    if scene.daytime == "night":
        for _ in range(18):
            pen.ellipse(
                float(rng.uniform(0, wide)), float(rng.uniform(0, h * 0.8)), 0.003, 0.003, (240, 240, 250)
            )
    for _ in range({"clear": 2, "cloudy": 6, "rain": 7, "fog": 2}[scene.weather]):
        x, y, r = (
            float(rng.uniform(0, wide)),
            float(rng.uniform(0.05, h * 0.6)),
            float(rng.uniform(0.03, 0.06)),
        )
        white = shade(
            (250, 250, 252), LIGHT[scene.daytime] if scene.weather == "clear" else 0.82 * LIGHT[scene.daytime]
        )
        for du, dv, s in ((-1.2, 0.1, 0.8), (0.0, -0.25, 1.1), (1.2, 0.1, 0.9)):
            pen.ellipse(x + du * r, y + dv * r, r * s * 1.3, r * s * 0.75, white, 0.85)


def _ground(pen: Pen, scene: Scene, near: Color, far: Color | None = None) -> None:
    box = (-1.0, scene.horizon, scene.aspect + 1, 1.2)
    pen.surface.gradient(box, _lit(scene, far or shade(near, 0.88)), _lit(scene, near))


def _hills(
    pen: Pen, scene: Scene, rng: np.random.Generator, color: Color, height: float, peaks: bool = False
) -> None:
    wide, h = scene.aspect, scene.horizon
    for layer in (1.0, 0.6):
        x = -0.2
        points: list[tuple[float, float]] = [(-0.3, h + 0.02)]
        while x < wide + 0.3:
            points += [(x, h), (x + 0.16, h - height * layer * float(rng.uniform(0.5, 1.0)))]
            x += 0.32
        points += [(wide + 0.4, h), (wide + 0.4, h + 0.02)]
        tone = _lit(scene, mix(color, (190, 205, 220), 0.35 * layer))
        if peaks:
            pen.polygon(points, tone)
            for u, v in points[2:-2:2]:
                if h - v > height * 0.35:
                    pen.polygon(
                        [(u, v), (u + 0.04, v + 0.05), (u, v + 0.04), (u - 0.04, v + 0.05)],
                        _lit(scene, (250, 252, 255)),
                    )
        else:
            pen.blob(points, tone)


def _tree(
    pen: Pen, scene: Scene, rng: np.random.Generator, u: float, base: float, size: float, fir: bool
) -> None:
    green = _lit(scene, vary(rng, (46, 120, 56) if not fir else (34, 88, 58), 0.2))
    trunk = _lit(scene, (104, 72, 44))
    pen.rect(u - size * 0.05, base - size * 0.45, u + size * 0.05, base, trunk)
    if fir:
        for k in range(3):
            half, top = size * (0.3 - 0.06 * k), base - size * (0.62 + 0.2 * k)
            pen.polygon(
                [(u - half, top + size * 0.42), (u, top), (u + half, top + size * 0.42)],
                shade(green, 1 + 0.08 * k),
            )
        return
    for du, dv, r in ((-0.2, -0.55, 0.2), (0.2, -0.55, 0.2), (0.0, -0.75, 0.26)):
        pen.ellipse(u + du * size, base + dv * size, r * size, r * size, green)
    pen.ellipse(u - 0.07 * size, base - 0.82 * size, 0.12 * size, 0.1 * size, shade(green, 1.15))


def _trees(
    pen: Pen, scene: Scene, rng: np.random.Generator, count: int, low: float, high: float, fir: bool
) -> None:
    for u in np.sort(rng.uniform(-0.05, 1.05, count))[rng.permutation(count)]:
        size = float(rng.uniform(low, high))
        _tree(pen, scene, rng, float(u) * scene.aspect, scene.horizon + 0.03 + 0.1 * size, size, fir)


def _scatter(
    pen: Pen, scene: Scene, rng: np.random.Generator, count: int, color: Color, radius: float
) -> None:
    """Small things on the ground: tufts, pebbles, flowers."""
    if pen.pixels(radius) < 0.5:
        return
    for u, t in rng.uniform(0, 1, (count, 2)):
        r = radius * (0.4 + t)
        pen.ellipse(
            float(u) * scene.aspect, scene.horizon + 0.03 + t * (0.98 - scene.horizon), r, r * 0.6, color
        )


def _beach(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon
    _ground(pen, scene, vary(rng, (236, 214, 160)))
    pen.surface.gradient(
        (-1, h - 0.1, wide + 1, h + 0.02), _lit(scene, (30, 100, 170)), _lit(scene, (70, 160, 205))
    )
    for k in range(3):
        v = h - 0.07 + 0.03 * k
        u = float(rng.uniform(0, wide))
        pen.limb((u, v), (u + 0.15, v), 0.004, _lit(scene, (220, 238, 246)))
    pen.limb((-0.1, h + 0.02), (wide + 0.1, h + 0.025), 0.009, _lit(scene, (244, 248, 250)))
    if rng.random() < 0.6:
        u = float(rng.uniform(0.05, 0.95)) * wide
        pen.limb((u, h + 0.16), (u + 0.03, h - 0.28), 0.012, _lit(scene, (126, 90, 56)))
        for a in np.linspace(-2.9, -0.2, 6):
            tip = (u + 0.03 + 0.17 * float(np.cos(a)), h - 0.27 + 0.1 * float(np.sin(a)) + 0.05)
            pen.limb((u + 0.03, h - 0.28), tip, 0.02, _lit(scene, (50, 130, 70)), 0.004)
    _scatter(pen, scene, rng, 16, _lit(scene, (205, 180, 130)), 0.008)


def _park(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    _ground(pen, scene, vary(rng, (104, 178, 76)))
    _trees(pen, scene, rng, 4, 0.25, 0.5, fir=False)
    wide, h = scene.aspect, scene.horizon
    u = float(rng.uniform(0.2, 0.8)) * wide
    path = [(u - 0.03, h + 0.01), (u + 0.03, h + 0.01), (u + 0.4, 1.1), (u - 0.1, 1.1)]
    pen.polygon(path, _lit(scene, (206, 186, 150)))
    bench = float(rng.uniform(0.1, 0.9)) * wide
    wood = _lit(scene, (140, 96, 60))
    for v in (h + 0.03, h + 0.06, h + 0.09):
        pen.rect(bench - 0.11, v, bench + 0.11, v + 0.016, wood)
    for side in (-0.09, 0.09):
        pen.rect(bench + side - 0.008, h + 0.03, bench + side + 0.008, h + 0.15, shade(wood, 0.6))
    _scatter(pen, scene, rng, 24, _lit(scene, (80, 150, 62)), 0.008)


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
        wall = _lit(scene, vary(rng, walls[int(rng.integers(len(walls)))]))
        pen.rect(u, top, u + width - 0.008, h + 0.01, wall)
        glass: Color = (
            (252, 226, 140) if scene.daytime in ("evening", "night") else _lit(scene, (170, 200, 220))
        )
        columns = max(int(width / 0.075), 1)
        for v in np.arange(top + 0.04, h - 0.1, 0.095):
            for c in range(columns):
                x = u + (c + 0.5) * width / columns
                pen.rect(x - 0.019, float(v), x + 0.019, float(v) + 0.05, glass)
        u += width
    _ground(pen, scene, (98, 98, 104), (86, 86, 92))
    pen.rect(-1, h, wide + 1, h + 0.06, _lit(scene, (166, 162, 158)))
    for x in np.arange(float(rng.uniform(-0.2, 0)), wide, 0.3):
        pen.polygon(
            [(x, h + 0.2), (x + 0.14, h + 0.2), (x + 0.13, h + 0.225), (x - 0.015, h + 0.225)],
            _lit(scene, (236, 232, 214)),
        )
    lamp = float(rng.uniform(0.05, 0.95)) * wide
    pen.limb((lamp, h + 0.05), (lamp, h - 0.34), 0.01, (54, 58, 62))
    pen.ellipse(lamp, h - 0.36, 0.03, 0.026, (255, 240, 180))


def _snow(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    _hills(pen, scene, rng, (140, 156, 178), 0.36, peaks=True)
    _ground(pen, scene, (246, 249, 253), (220, 230, 242))
    _trees(pen, scene, rng, 4, 0.18, 0.34, fir=True)
    for u in rng.uniform(0, 1, 2):
        pen.ellipse(float(u) * scene.aspect, scene.horizon + 0.06, 0.26, 0.05, _lit(scene, (236, 242, 250)))


def _desert(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    _hills(pen, scene, rng, (196, 126, 76), 0.2)
    _ground(pen, scene, vary(rng, (222, 160, 92)), (206, 146, 88))
    for u in rng.uniform(0.02, 0.98, 3):
        x, s = float(u) * scene.aspect, float(rng.uniform(0.16, 0.3))
        base, green = scene.horizon + 0.02 + 0.2 * s, _lit(scene, vary(rng, (70, 132, 70)))
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
    _scatter(pen, scene, rng, 14, _lit(scene, (170, 118, 72)), 0.011)


def _lake(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon
    _hills(pen, scene, rng, (74, 116, 86), 0.24)
    shore = h + 0.24
    pen.surface.gradient((-1, h, wide + 1, shore), _lit(scene, (72, 140, 176)), _lit(scene, (42, 104, 150)))
    for _ in range(7):
        u, v = float(rng.uniform(0, wide)), float(rng.uniform(h + 0.03, shore - 0.02))
        pen.limb((u, v), (u + 0.11, v), 0.003, _lit(scene, (176, 212, 230)))
    pen.surface.gradient((-1, shore, wide + 1, 1.2), _lit(scene, (120, 146, 88)), _lit(scene, (136, 158, 94)))
    u = float(rng.uniform(0.15, 0.85)) * wide
    pen.polygon(
        [(u - 0.1, h + 0.08), (u + 0.1, h + 0.08), (u + 0.07, h + 0.12), (u - 0.07, h + 0.12)],
        _lit(scene, (150, 84, 52)),
    )
    pen.polygon(
        [(u + 0.005, h + 0.075), (u + 0.005, h - 0.1), (u + 0.09, h + 0.06)], _lit(scene, (244, 244, 240))
    )
    for x in rng.uniform(0, 1, 6):
        for d in (-0.012, 0.0, 0.012):
            pen.limb(
                (float(x) * wide + d, shore + 0.02),
                (float(x) * wide + d * 2, shore - 0.08),
                0.004,
                _lit(scene, (84, 122, 60)),
            )


def _forest(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon
    pen.surface.gradient(
        (-1, -0.2, wide + 1, h + 0.02), _lit(scene, (52, 96, 62)), _lit(scene, (96, 142, 92))
    )
    _ground(pen, scene, vary(rng, (106, 92, 58)), (78, 84, 50))
    for u in rng.uniform(-0.02, 1.02, 9):
        x, half = float(u) * wide, float(rng.uniform(0.018, 0.045))
        bark = _lit(scene, vary(rng, (92, 64, 42), 0.2))
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
            _lit(scene, vary(rng, (42, 110, 54), 0.2)),
        )
    _scatter(pen, scene, rng, 26, _lit(scene, (84, 130, 62)), 0.013)


def _garden(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    wide, h = scene.aspect, scene.horizon
    _ground(pen, scene, vary(rng, (118, 190, 84)))
    pen.rect(-1, h - 0.16, wide + 1, h + 0.05, _lit(scene, (60, 128, 64)))
    fence = _lit(scene, (240, 236, 226))
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
        pen.limb((x, v), (x, v - 0.05), 0.004, _lit(scene, (50, 120, 50)))
        pen.ellipse(x, v - 0.055, 0.018, 0.018, _lit(scene, petals[int(rng.integers(len(petals)))]))
    _scatter(pen, scene, rng, 20, _lit(scene, (96, 166, 70)), 0.008)


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
