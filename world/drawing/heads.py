"""Draws a head: the part of a person that an identity is told by.

The local frame has its origin at the centre of the head and the unit of half its height: the chin is at
v = 1, the crown at v = -1. `yaw` in [-1, 1] turns the face to the picture's right (positive) or left.
"""

from __future__ import annotations

import numpy as np

from ..identity import Person
from ..paint import Color, Pen, Points, mix, shade
from .hair import draw_beard, draw_hair_behind, draw_hair_front
from .proportions import Face, face_of


def draw_head(pen: Pen, person: Person, yaw: float, expression: str) -> None:
    """A head seen from the front, turned by `yaw`."""
    face = face_of(person, yaw)
    draw_hair_behind(pen, person, face)
    _ears(pen, person, face)
    outline = _outline(person, face)
    pen.blob(outline, person.skin)
    _shading(pen, person, face)
    _features(pen, person, face, expression)
    draw_beard(pen, person, face)
    _mouth(pen, person, face, expression)
    draw_hair_front(pen, person, face)
    _glasses(pen, person, face)


def draw_head_from_behind(pen: Pen, person: Person) -> None:
    """A head that looks away: hair, or skin where there is none."""
    face = face_of(person, 0.0)
    _ears(pen, person, face)
    bald = person.hair_style == "bald"
    pen.blob(_outline(person, face), person.skin if bald else person.hair_rgb)
    if not bald:
        draw_hair_behind(pen, person, face)
        w = face.half_width
        pen.ellipse(0, -0.12, w * 1.04, 0.95, person.hair_rgb)
        pen.ellipse(-0.2 * w, -0.45, w * 0.4, 0.3, shade(person.hair_rgb, 1.12), 0.5)
    if person.hair_style in ("bun", "ponytail"):
        pen.ellipse(0, -0.35, 0.34, 0.34, shade(person.hair_rgb, 0.85))
    if person.hair_style == "ponytail":
        pen.limb((0, -0.2), (0, 1.1), 0.2, shade(person.hair_rgb, 0.85), 0.08)


def _outline(person: Person, face: Face) -> Points:
    w, turn = face.half_width, face.shift * 0.35
    jaw = w * (0.74 + 0.12 * person.jaw)
    chin = w * (0.34 + 0.12 * person.jaw + 0.05 * person.chin)
    right = [(w * 0.62, -0.82), (w * 0.98, -0.3), (w * 0.96, 0.15), (jaw, 0.62), (chin, 0.93)]
    left = [(-u, v) for u, v in reversed(right)]
    points = [(0.0, -1.0), *right, (0.0, 1.0 + 0.03 * person.chin), *left]
    return np.array([(u + turn * (0.4 + 0.6 * (v > 0)), v) for u, v in points])


def _ears(pen: Pen, person: Person, face: Face) -> None:
    size = 0.17 + 0.05 * person.ears
    for side in (-1.0, 1.0):
        visible = 1.0 - side * np.sign(face.shift) * min(abs(face.shift) * 2.2, 0.9)
        u = side * (face.half_width * 0.97) - face.shift * 0.25
        pen.ellipse(u, 0.08, size * 0.7 * min(visible, 1.1), size * 1.35, shade(person.skin, 0.93))
        pen.ellipse(u, 0.1, size * 0.35 * min(visible, 1.1), size * 0.8, shade(person.skin, 0.8), 0.6)


def _shading(pen: Pen, person: Person, face: Face) -> None:
    skin = person.skin
    for side in (-1.0, 1.0):
        pen.ellipse(face.u(side * 0.47), 0.3, 0.17, 0.12, mix(skin, (226, 90, 80), 0.5), 0.35)
    if person.freckled and pen.pixels(0.035) > 0.2:
        for k in range(14):
            u, v = ((k * 0.377) % 1 - 0.5) * 1.2, 0.13 + 0.26 * ((k * k * 0.171 + 0.3) % 1)
            pen.ellipse(face.u(u), v, 0.036, 0.036, mix(shade(skin, 0.55), (150, 70, 30), 0.5))
    if person.age == "old" and pen.pixels(0.03) > 0.2:
        wrinkle = shade(skin, 0.76)
        for side in (-1.0, 1.0):
            inner, outer = (face.u(side * 0.26), 0.33), (face.u(side * 0.42), 0.56)
            pen.limb(inner, outer, 0.022, wrinkle)
            pen.limb(
                (face.u(side * 0.24), face.eye_v + 0.17),
                (face.u(side * 0.46), face.eye_v + 0.19),
                0.016,
                wrinkle,
            )
        for row in (-0.58, -0.48):
            pen.limb((face.u(-0.3), row), (face.u(0.3), row), 0.018, wrinkle)
    mole = person.mole_u * 0.5
    if abs(person.mole_v) > 0.6 and abs(mole) > 0.2:
        pen.ellipse(face.u(mole), 0.35 + 0.2 * person.mole_v, 0.045, 0.045, shade(skin, 0.4))


def _features(pen: Pen, person: Person, face: Face, expression: str) -> None:
    young = person.age == "child"
    open_by = {"smiling": 0.9, "laughing": 0.6, "serious": 0.85, "surprised": 1.25}[expression]
    ru = (0.125 + 0.03 * person.eye_size + (0.03 if young else 0.0)) * face.squeeze
    rv = (0.095 + 0.025 * person.eye_size + (0.035 if young else 0.0)) * open_by
    brow = shade(person.hair_rgb, 0.72) if person.hair_color != "gray" else (120, 118, 116)
    thick = 0.033 + 0.02 * person.brow_weight + (0.008 if person.sex == "male" else 0.0)
    lift = 0.24 + 0.05 * person.brow_height + (0.1 if expression == "surprised" else 0.0)
    for side in (-1.0, 1.0):
        u, v = face.u(side * face.eye_u), face.eye_v
        tilt = 0.03 * person.eye_tilt
        eye = pen.moved(u, v, angle=side * -tilt * 4)
        eye.ellipse(0, 0, ru * 1.2, rv * 1.15, shade(person.skin, 0.72))
        eye.ellipse(0, 0, ru, rv, (250, 250, 248))
        gaze = face.shift * 0.1
        eye.ellipse(gaze, 0, rv * 0.82, rv * 0.92, person.eye_rgb)
        eye.ellipse(gaze, 0, rv * 0.42, rv * 0.46, (14, 12, 14))
        eye.ellipse(gaze - rv * 0.25, -rv * 0.3, rv * 0.2, rv * 0.2, (255, 255, 255))
        if person.sex == "female":
            eye.limb((-ru, -rv * 0.75), (ru, -rv * 0.75), 0.022, (30, 22, 22))
        slope = 0.06 * person.brow_tilt
        inner, outer = face.u(side * (face.eye_u - 0.15)), face.u(side * (face.eye_u + 0.17))
        pen.limb((inner, v - lift + slope), (outer, v - lift + 0.03 - slope), thick, brow, thick * 0.7)
    _nose(pen, person, face)


def _nose(pen: Pen, person: Person, face: Face) -> None:
    skin, tip = person.skin, face.shift * 1.35
    half = 0.1 + 0.035 * person.nose_width
    bridge = (face.u(0.0), face.eye_v + 0.05)
    lean = 0.5 if face.shift >= 0 else -0.5
    pen.polygon(
        [bridge, (tip + half * lean, face.nose_v - 0.03), (tip - half * lean, face.nose_v)], shade(skin, 0.86)
    )
    pen.ellipse(tip, face.nose_v, half, 0.075, shade(skin, 0.9))
    pen.ellipse(tip - half * 0.2, face.nose_v - 0.035, half * 0.45, 0.035, shade(skin, 1.18), 0.8)
    for side in (-0.5, 0.5):
        pen.ellipse(tip + half * side, face.nose_v + 0.035, 0.028, 0.02, shade(skin, 0.5))


def _mouth(pen: Pen, person: Person, face: Face, expression: str) -> None:
    half, v = face.mouth_half * face.squeeze, face.mouth_v
    middle = face.u(0.0)
    lip_base: Color = (190, 70, 74) if person.sex == "female" else mix(person.skin, (170, 70, 66), 0.55)
    lip = shade(lip_base, 1 + 0.15 * person.lip_tone - 0.25 * person.skin_tone)
    full = 0.045 + 0.018 * person.lips
    if expression == "surprised":
        pen.ellipse(middle, v + 0.04, half * 0.5, 0.13, lip)
        pen.ellipse(middle, v + 0.04, half * 0.34, 0.09, (70, 20, 24))
        return
    curve = {"smiling": 0.1, "laughing": 0.12, "serious": -0.02}[expression]
    ends = [(middle - half, v - curve * 0.6), (middle + half, v - curve * 0.6)]
    if expression == "laughing":
        low = [(middle + half * 0.6, v + 0.14), (middle, v + 0.2), (middle - half * 0.6, v + 0.14)]
        pen.blob([ends[0], (middle, v - 0.02), ends[1], *low], (96, 26, 30))
        pen.polygon(
            [(middle - half * 0.7, v - 0.03), (middle + half * 0.7, v - 0.03), (middle, v + 0.06)],
            (248, 246, 240),
        )
    points = [ends[0], (middle - half * 0.5, v + curve * 0.3), (middle, v + curve * 0.55)]
    points += [(middle + half * 0.5, v + curve * 0.3), ends[1]]
    if expression != "laughing":
        pen.line(points, full, lip)
    pen.line(points, 0.018, shade(lip, 0.6))


def _glasses(pen: Pen, person: Person, face: Face) -> None:
    if not person.glasses:
        return
    dark: Color = (
        (24, 24, 28)
        if person.glasses_tone < 0
        else (130, 40, 40)
        if person.glasses_tone < 0.5
        else (40, 60, 130)
    )
    thick, ru, rv = 0.04, 0.29 * face.squeeze, 0.27
    for side in (-1.0, 1.0):
        u, v = face.u(side * face.eye_u), face.eye_v + 0.02
        if person.glasses_style == "round":
            ring = pen.ellipse_points(u, v, ru, rv)
        else:
            ring = np.array(
                [
                    (u - ru, v - rv * 0.8),
                    (u + ru, v - rv * 0.8),
                    (u + ru * 0.9, v + rv * 0.8),
                    (u - ru * 0.9, v + rv * 0.8),
                ]
            )
        pen.polygon(ring, (225, 240, 250), 0.18)
        pen.ring(ring, thick * 2, dark)
        pen.limb((u + side * ru, v), (side * face.half_width * 0.98, v - 0.03), thick * 0.8, dark)
    pen.limb(
        (face.u(-face.eye_u) + ru * 0.9, face.eye_v),
        (face.u(face.eye_u) - ru * 0.9, face.eye_v),
        thick * 0.8,
        dark,
    )
