"""Draws things. The local frame stands on v = 0 and is about 1 high; u = 0 is the middle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..paint import Color, Pen, Points, shade
from ..scene import Actor
from ..things import COLORS, Item


def draw_thing(pen: Pen, actor: Actor) -> None:
    """Any thing, with its body, pattern and trim."""
    assert isinstance(actor.entity, Item)
    _DRAW[actor.entity.category](pen, actor.entity)


def _main(item: Item) -> Color:
    return shade(COLORS[item.color], 1 + 0.08 * item.tint)


def _trim(item: Item) -> Color:
    return COLORS[item.accessory_color]


def _patterned(pen: Pen, item: Item, body: Points) -> None:
    """Fill the body and paint the instance's pattern on it."""
    pen.surface.fill(pen.map(body), _main(item))
    if item.pattern != "plain":
        low, high = body.min(axis=0), body.max(axis=0)
        with pen.surface.clipped(pen.map(body)):
            _pattern(pen, item, low, high)
    width = float(np.ptp(body[:, 0]))
    right = body[:, 0].max()
    with pen.surface.clipped(pen.map(body)):
        pen.rect(right - 0.22 * width, body[:, 1].min(), right, body[:, 1].max(), (0, 0, 0), 0.13)


def _pattern(pen: Pen, item: Item, low: Points, high: Points) -> None:
    second = COLORS[item.second_color]
    span = float(max(high - low))
    step = span * (0.25 + 0.06 * item.pattern_scale)
    rows = np.arange(low[1] + step * 0.5, high[1], step)
    columns = np.arange(low[0] + step * 0.5, high[0], step)
    if item.pattern == "striped":
        for v in rows:
            pen.rect(low[0], float(v) - step * 0.22, high[0], float(v) + step * 0.22, second)
    elif item.pattern == "dotted":
        for i, v in enumerate(rows):
            for u in columns:
                pen.ellipse(
                    float(u) + (step * 0.5 if i % 2 else 0), float(v), step * 0.26, step * 0.26, second
                )
    elif item.pattern == "checked":
        for i, v in enumerate(rows):
            for j, u in enumerate(columns):
                if (i + j) % 2:
                    h = step * 0.5
                    pen.rect(float(u) - h, float(v) - h, float(u) + h, float(v) + h, second)
    else:
        middle = (low + high) / 2
        angle = np.arange(10) * np.pi / 5 - np.pi / 2
        radius = (
            np.where(np.arange(10) % 2 == 0, 1.0, 0.42) * min(high - low) * (0.4 + 0.06 * item.pattern_scale)
        )
        pen.polygon(np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None] + middle, second)


def _mug(pen: Pen, item: Item) -> None:
    wide = 0.42 + 0.06 * item.shape[0]
    ring = [(wide - 0.05 + 0.27 * np.sin(a), -0.5 - 0.24 * np.cos(a)) for a in np.linspace(0, np.pi, 9)]
    pen.line(ring, 0.055, _trim(item))
    foot = wide * (0.82 + 0.12 * item.shape[1])
    _patterned(pen, item, np.array([(-wide, -0.92), (wide, -0.92), (foot, -0.03), (0, 0.0), (-foot, -0.03)]))
    pen.ellipse(0, -0.92, wide, 0.09, shade(_main(item), 1.25))
    pen.ellipse(0, -0.91, wide * 0.86, 0.065, (74, 46, 30))


def _backpack(pen: Pen, item: Item) -> None:
    wide, trim = 0.38 + 0.05 * item.shape[0], _trim(item)
    pen.line([(-0.1, -0.88), (-0.08, -1.0), (0.08, -1.0), (0.1, -0.88)], 0.035, trim)
    for side in (-1, 1):
        pen.limb((side * wide * 0.98, -0.65), (side * wide * 1.12, -0.12), 0.06, trim)
    body = [
        (-wide, -0.1),
        (-wide, -0.66),
        (-wide * 0.6, -0.93),
        (wide * 0.6, -0.93),
        (wide, -0.66),
        (wide, -0.1),
    ]
    _patterned(pen, item, pen.curve_points([*body, (wide * 0.8, 0.0), (-wide * 0.8, 0.0)]))
    pen.rect(-wide * 0.66, -0.4, wide * 0.66, -0.08, trim)
    pen.limb((-wide * 0.6, -0.33), (wide * 0.6, -0.33), 0.018, shade(trim, 0.6))
    pen.limb((-wide * 0.7, -0.62), (wide * 0.7, -0.62), 0.015, shade(_main(item), 0.55))


def _ball(pen: Pen, item: Item) -> None:
    ball = pen.ellipse_points(0, -0.5, 0.5, 0.5)
    _patterned(pen, item, ball)
    with pen.surface.clipped(pen.map(ball)):
        pen.ellipse(0, -0.5, 0.08, 0.6, _trim(item))
        pen.ellipse(-0.17, -0.72, 0.14, 0.1, (255, 255, 255), 0.45)


def _bicycle(pen: Pen, item: Item) -> None:
    frame, trim = _main(item), _trim(item)
    for u in (-0.52, 0.52):
        pen.ring(pen.ellipse_points(u, -0.35, 0.365, 0.365), 0.07, (36, 36, 40))
        pen.ring(pen.ellipse_points(u, -0.35, 0.29, 0.29), 0.045, trim)
        if pen.pixels(0.01) > 0.4:
            for a in np.linspace(0, np.pi, 5)[:-1]:
                du, dv = 0.26 * np.cos(a), 0.26 * np.sin(a)
                pen.limb((u - du, -0.35 - dv), (u + du, -0.35 + dv), 0.006, (170, 170, 176))
    crank, seat, neck = (-0.06, -0.33), (-0.2, -0.78), (0.34, -0.82)
    tubes = [((-0.52, -0.35), crank), ((-0.52, -0.35), seat), (crank, seat), (seat, neck), (crank, neck)]
    for start, end in [*tubes, (neck, (0.52, -0.35))]:
        pen.limb(start, end, 0.048, frame)
    if item.pattern != "plain":
        second = COLORS[item.second_color]
        for t in np.linspace(0.15, 0.85, 5):
            for start, end in (tubes[3], tubes[4]):
                pen.ellipse(
                    start[0] + (end[0] - start[0]) * t,
                    start[1] + (end[1] - start[1]) * t,
                    0.045,
                    0.045,
                    second,
                )
    pen.limb((-0.32, -0.83), (-0.1, -0.83), 0.045, (46, 34, 30))
    pen.line([(0.34, -0.82), (0.3, -0.95), (0.44, -0.99)], 0.035, (60, 60, 66))
    pen.ellipse(crank[0], crank[1], 0.09, 0.09, (84, 84, 90))


def _teddy(pen: Pen, item: Item) -> None:
    fur, second, trim = _main(item), COLORS[item.second_color], _trim(item)
    for side in (-1, 1):
        pen.ellipse(side * 0.2, -0.9, 0.11, 0.11, fur)
        pen.ellipse(side * 0.2, -0.9, 0.06, 0.06, shade(second, 1.1))
        pen.limb((side * 0.22, -0.48), (side * 0.38, -0.3), 0.1, shade(fur, 0.92))
        pen.limb((side * 0.15, -0.14), (side * 0.3, -0.08), 0.12, shade(fur, 0.92))
        pen.ellipse(side * 0.33, -0.08, 0.07, 0.08, shade(second, 1.1))
    _patterned(pen, item, pen.ellipse_points(0, -0.32, 0.29, 0.31))
    pen.ellipse(0, -0.75, 0.27, 0.23, fur)
    pen.ellipse(0, -0.68, 0.13, 0.1, shade(fur, 1.4))
    pen.ellipse(0, -0.72, 0.04, 0.03, (30, 24, 26))
    for side in (-1, 1):
        pen.ellipse(side * 0.1, -0.8, 0.032, 0.036, (24, 20, 22))
        pen.polygon([(0, -0.53), (side * 0.16, -0.6), (side * 0.16, -0.46)], trim)
    pen.ellipse(0, -0.53, 0.045, 0.045, shade(trim, 0.7))


def _vase(pen: Pen, item: Item) -> None:
    belly, neck = 0.3 + 0.07 * item.shape[0], 0.14 + 0.04 * item.shape[1]
    for k, (u, v) in enumerate(((-0.18, -0.94), (0.0, -1.02), (0.18, -0.9))):
        pen.limb((0, -0.6), (u, v), 0.02, (60, 130, 60))
        for a in np.linspace(0, 2 * np.pi, 6)[:-1] + k:
            pen.ellipse(u + 0.065 * np.cos(a), v + 0.065 * np.sin(a), 0.05, 0.05, _trim(item))
        pen.ellipse(u, v, 0.045, 0.045, (245, 205, 70))
    right = [(neck * 1.25, -0.68), (neck, -0.58), (belly, -0.32), (belly * 0.9, -0.12), (belly * 0.6, 0.0)]
    _patterned(pen, item, pen.curve_points([*right, *((-u, v) for u, v in reversed(right))]))
    pen.ellipse(0, -0.68, neck * 1.2, 0.035, shade(_main(item), 0.6))


def _umbrella(pen: Pen, item: Item) -> None:
    pen.limb((0, -0.62), (0, -0.06), 0.022, (70, 52, 40))
    pen.line([(0, -0.06), (0.04, -0.01), (0.1, -0.01), (0.12, -0.06)], 0.026, _trim(item))
    arc = np.linspace(np.pi, 2 * np.pi, 17)
    top = [(0.5 * np.cos(a), -0.58 + 0.4 * np.sin(a)) for a in arc]
    scallops = [(u, -0.58 - 0.05 * abs(np.sin((u + 0.5) * 4 * np.pi))) for u in np.linspace(0.5, -0.5, 25)]
    _patterned(pen, item, np.array(top + scallops))
    pen.limb((0, -0.98), (0, -1.03), 0.02, _trim(item))


def _toy_car(pen: Pen, item: Item) -> None:
    tall = 0.06 * item.shape[0]
    cabin = [(-0.34, -0.45), (-0.22, -0.72 - tall), (0.2, -0.72 - tall), (0.36, -0.45)]
    pen.polygon(cabin, shade(_main(item), 0.88))
    pen.polygon(
        [(-0.26, -0.46), (-0.18, -0.66 - tall), (-0.02, -0.66 - tall), (-0.02, -0.46)], (196, 226, 240)
    )
    pen.polygon([(0.03, -0.46), (0.03, -0.66 - tall), (0.17, -0.66 - tall), (0.28, -0.46)], (196, 226, 240))
    hull = [(-0.62, -0.2), (-0.6, -0.42), (-0.3, -0.48), (0.35, -0.48), (0.62, -0.38), (0.64, -0.18)]
    _patterned(pen, item, np.array(hull))
    pen.ellipse(0.6, -0.32, 0.05, 0.05, (250, 240, 170))
    for u in (-0.36, 0.36):
        pen.ellipse(u, -0.16, 0.165, 0.165, (32, 32, 36))
        pen.ellipse(u, -0.16, 0.09, 0.09, _trim(item))


def _guitar(pen: Pen, item: Item) -> None:
    waist = 0.17 + 0.03 * item.shape[0]
    pen.limb((0, -0.5), (0, -0.92), 0.045, shade(_trim(item), 0.8))
    pen.rect(-0.07, -1.03, 0.07, -0.9, _trim(item))
    right = [(0.16, -0.6), (0.23, -0.52), (waist, -0.4), (0.3, -0.2), (0.2, -0.01)]
    _patterned(pen, item, pen.curve_points([*right, *((-u, v) for u, v in reversed(right))]))
    pen.ellipse(0, -0.38, 0.085, 0.085, (40, 26, 20))
    pen.rect(-0.1, -0.14, 0.1, -0.11, (60, 40, 30))
    if pen.pixels(0.01) > 0.4:
        for u in (-0.02, 0.0, 0.02):
            pen.limb((u, -0.95), (u, -0.12), 0.005, (235, 235, 225))


_DRAW: dict[str, Callable[[Pen, Item], None]] = {
    "mug": _mug,
    "backpack": _backpack,
    "ball": _ball,
    "bicycle": _bicycle,
    "teddy bear": _teddy,
    "vase": _vase,
    "umbrella": _umbrella,
    "toy car": _toy_car,
    "guitar": _guitar,
}
