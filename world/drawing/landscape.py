"""What outdoor places share: the light and the sky of a daytime and a weather, ground, hills and trees.

What does not live here: which of them a place has, and what only one place has (`outdoors`).
"""

from __future__ import annotations

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


def lit(scene: Scene, color: Color) -> Color:
    """The colour in the scene's light: darker under clouds, in the evening and at night, paler in fog."""
    light = LIGHT[scene.daytime] * (0.9 if scene.weather in ("cloudy", "rain") else 1.0)
    shaded = shade(color, light)
    return mix(shaded, (206, 210, 214), 0.3) if scene.weather == "fog" else shaded


def vary(rng: np.random.Generator, color: Color, by: float = 0.08) -> Color:
    """The colour, brighter or darker by at most the part `by`: no two places look the same."""
    factor = 1 + rng.uniform(-by, by)
    return (min(color[0] * factor, 255), min(color[1] * factor, 255), min(color[2] * factor, 255))


def draw_sky(pen: Pen, scene: Scene, rng: np.random.Generator) -> None:
    """Everything above the horizon: sun or moon, stars and clouds."""
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


def draw_ground(pen: Pen, scene: Scene, near: Color, far: Color | None = None) -> None:
    """Everything below the horizon, from `far` there to `near`; `far` is a darker `near` where not given."""
    box = (-1.0, scene.horizon, scene.aspect + 1, 1.2)
    pen.surface.gradient(box, lit(scene, far or shade(near, 0.88)), lit(scene, near))


def draw_hills(
    pen: Pen, scene: Scene, rng: np.random.Generator, color: Color, height: float, peaks: bool = False
) -> None:
    """Two rows of hills on the horizon, up to `height` above it; `peaks` are pointed, with snow on top."""
    wide, h = scene.aspect, scene.horizon
    for layer in (1.0, 0.6):
        x = -0.2
        points: list[tuple[float, float]] = [(-0.3, h + 0.02)]
        while x < wide + 0.3:
            points += [(x, h), (x + 0.16, h - height * layer * float(rng.uniform(0.5, 1.0)))]
            x += 0.32
        points += [(wide + 0.4, h), (wide + 0.4, h + 0.02)]
        tone = lit(scene, mix(color, (190, 205, 220), 0.35 * layer))
        if peaks:
            pen.polygon(points, tone)
            for u, v in points[2:-2:2]:
                if h - v > height * 0.35:
                    pen.polygon(
                        [(u, v), (u + 0.04, v + 0.05), (u, v + 0.04), (u - 0.04, v + 0.05)],
                        lit(scene, (250, 252, 255)),
                    )
        else:
            pen.blob(points, tone)


def _tree(
    pen: Pen, scene: Scene, rng: np.random.Generator, u: float, base: float, size: float, fir: bool
) -> None:
    green = lit(scene, vary(rng, (46, 120, 56) if not fir else (34, 88, 58), 0.2))
    trunk = lit(scene, (104, 72, 44))
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


def draw_trees(
    pen: Pen, scene: Scene, rng: np.random.Generator, count: int, low: float, high: float, fir: bool
) -> None:
    """Trees along the horizon, `low` to `high` in size; firs, or trees with round crowns."""
    for u in np.sort(rng.uniform(-0.05, 1.05, count))[rng.permutation(count)]:
        size = float(rng.uniform(low, high))
        _tree(pen, scene, rng, float(u) * scene.aspect, scene.horizon + 0.03 + 0.1 * size, size, fir)


def scatter(
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
