"""Draws pets. The local frame stands on v = 0 and is about 1 high; pets look to the right unless mirrored."""

from __future__ import annotations

import numpy as np

from ..paint import Color, Pen, Points, shade
from ..scene import Actor
from ..things import COLORS, Item


def draw_pet(pen: Pen, actor: Actor) -> None:
    """A dog, cat or rabbit, sitting or standing."""
    assert isinstance(actor.entity, Item)
    item = actor.entity
    sitting = actor.activity == "sitting" or item.category == "rabbit"
    coat, dark = _coat(item), shade(_coat(item), 0.8)
    _tail(pen, item, sitting, coat)
    body = _body(pen, sitting)
    for u in (-0.36, -0.22, 0.16, 0.3) if not sitting else (0.12, 0.26):
        far = u in (-0.22, 0.16)
        pen.limb((u, -0.32), (u, -0.05), 0.065, dark if far else coat)
        pen.ellipse(u + 0.03, -0.04, 0.085, 0.05, _socks(item, coat))
    pen.surface.fill(pen.map(body), coat)
    if sitting:
        pen.ellipse(-0.12, -0.14, 0.24, 0.14, coat)
        pen.ellipse(0.06, -0.05, 0.13, 0.06, _socks(item, coat))
    _markings(pen, item, body)
    _head(pen.moved(0.3 if not sitting else 0.2, -0.72, 1.0), item, coat)


def _coat(item: Item) -> Color:
    return shade(item.palette[item.color], 1 + 0.12 * item.tint)


def _socks(item: Item, coat: Color) -> Color:
    return item.palette[item.second_color] if item.pattern == "patched" else coat


def _body(pen: Pen, sitting: bool) -> Points:
    if sitting:
        points = [
            (0.1, -0.74),
            (0.32, -0.5),
            (0.34, -0.16),
            (0.1, -0.03),
            (-0.28, -0.04),
            (-0.36, -0.22),
            (-0.14, -0.52),
        ]
    else:
        points = [
            (-0.44, -0.56),
            (-0.1, -0.6),
            (0.26, -0.68),
            (0.44, -0.5),
            (0.36, -0.28),
            (-0.1, -0.24),
            (-0.42, -0.28),
        ]
    return pen.curve_points(points)


def _tail(pen: Pen, item: Item, sitting: bool, coat: Color) -> None:
    start = (-0.28, -0.14) if sitting else (-0.42, -0.5)
    long = 0.26 + 0.1 * item.shape[0]
    if item.category == "rabbit":
        pen.ellipse(-0.36, -0.14, 0.12, 0.11, shade(coat, 1.3))
        return
    tip = (start[0] - 0.22, start[1] - long)
    thick = 0.055 if item.category == "cat" else 0.075
    pen.limb(start, (start[0] - 0.16, start[1] - 0.08), thick, coat)
    pen.limb((start[0] - 0.16, start[1] - 0.08), tip, thick, coat, thick * 0.8)
    if item.pattern in ("patched", "striped"):
        pen.ellipse(tip[0], tip[1], thick, thick * 1.2, item.palette[item.second_color])


def _markings(pen: Pen, item: Item, body: Points) -> None:
    second = item.palette[item.second_color]
    step = 0.16 + 0.04 * item.pattern_scale
    if item.pattern == "plain":
        return
    with pen.surface.clipped(pen.map(body)):
        if item.pattern == "striped":
            for u in np.arange(-0.42, 0.5, step):
                pen.limb((float(u), -0.8), (float(u) + 0.06, -0.2), step * 0.24, second)
        elif item.pattern == "spotted":
            for k in range(14):
                u, v = -0.44 + 0.9 * ((k * 0.618) % 1), -0.72 + 0.64 * ((k * 0.755) % 1)
                pen.ellipse(u, v, step * 0.38, step * 0.34, second)
        else:
            shift = 0.1 * item.shape[1]
            pen.ellipse(-0.26 + shift, -0.5, 0.22, 0.24, second)
            pen.ellipse(0.2 + shift, -0.32, 0.16, 0.2, second)


def _head(pen: Pen, item: Item, coat: Color) -> None:
    second = item.palette[item.second_color]
    collar = item.accessory_color
    if collar != "none":
        pen.limb((-0.18, 0.19), (0.2, 0.22), 0.05, COLORS[collar])
        pen.ellipse(0.03, 0.29, 0.045, 0.045, (240, 205, 70))
    _ears(pen, item, coat)
    pen.ellipse(0.0, 0.0, 0.29, 0.255, coat)
    if item.pattern == "patched":
        pen.ellipse(0.12, -0.06, 0.12, 0.13, second)
    elif item.pattern == "striped":
        for u in (-0.1, 0.0, 0.1):
            pen.limb((u, -0.24), (u, -0.13), 0.022, second)
    elif item.pattern == "spotted":
        pen.ellipse(-0.13, -0.13, 0.055, 0.05, second)
        pen.ellipse(0.15, -0.15, 0.045, 0.04, second)
    light = shade(coat, 1.35) if item.color != "white" else (222, 210, 200)
    wide = 0.15 + 0.03 * item.shape[2]
    pen.ellipse(0.0, 0.12, wide, 0.1 if item.category != "dog" else 0.13, light)
    nose: Color = (30, 24, 26) if item.category == "dog" else (216, 120, 130)
    pen.ellipse(0.0, 0.07, 0.055 if item.category == "dog" else 0.035, 0.035, nose)
    pen.limb((0.0, 0.1), (0.0, 0.16), 0.01, (60, 40, 40))
    for side in (-1, 1):
        pen.ellipse(side * 0.115, -0.035, 0.052, 0.056, (250, 248, 240))
        pen.ellipse(side * 0.115, -0.03, 0.036, 0.046, (26, 22, 22))
        pen.ellipse(side * 0.115 - 0.012, -0.048, 0.012, 0.012, (255, 255, 255))
        if item.category == "cat":
            for dv in (0.1, 0.15):
                pen.limb((side * 0.12, dv), (side * 0.34, dv - 0.02 + (dv - 0.12)), 0.006, (235, 235, 235))


def _ears(pen: Pen, item: Item, coat: Color) -> None:
    dark = shade(coat, 0.72)
    if item.pattern == "patched":
        dark = shade(item.palette[item.second_color], 0.9)
    long = 1 + 0.25 * item.shape[3]
    for side in (-1, 1):
        if item.category == "dog":
            pen.blob(
                [(side * 0.16, -0.22), (side * 0.32, -0.18), (side * 0.36, 0.16 * long), (side * 0.25, 0.12)],
                dark,
            )
        elif item.category == "cat":
            pen.polygon([(side * 0.07, -0.2), (side * 0.21, -0.46 * long), (side * 0.29, -0.1)], dark)
            pen.polygon(
                [(side * 0.12, -0.22), (side * 0.2, -0.37 * long), (side * 0.25, -0.16)], (226, 160, 160)
            )
        else:
            pen.limb((side * 0.1, -0.18), (side * 0.15, -0.55 * long), 0.075, dark)
            pen.limb((side * 0.1, -0.2), (side * 0.145, -0.5 * long), 0.035, (232, 170, 170))
