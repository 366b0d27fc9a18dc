"""Draws hair and beards, in the frame of a head (see `heads`)."""

from __future__ import annotations

import numpy as np

from ..identity import Person
from ..paint import Pen, shade
from .proportions import Face


def draw_beard(pen: Pen, person: Person, face: Face) -> None:
    """What grows below the nose, in the person's style."""
    if not person.beard:
        return
    hair, w, turn = shade(person.hair_rgb, 0.9), face.half_width, face.shift * 0.35
    m, v = face.u(0.0), face.mouth_v
    if person.beard_style == "full":
        right = [(w * 0.93, 0.1), (w * 0.72, 0.28), (w * 0.42, v - 0.16)]
        low = [(w * 0.9, 0.5), (w * 0.6, 0.95), (0.0, 1.16)]
        upper = (
            [(u + turn, q) for u, q in right] + [(m, v - 0.12)] + [(-u + turn, q) for u, q in reversed(right)]
        )
        lower = (
            [(-u + turn, q) for u, q in low[:2]]
            + [(turn, low[2][1])]
            + [(u + turn, q) for u, q in reversed(low[:2])]
        )
        pen.polygon(pen.curve_points(upper + lower), hair)
    if person.beard_style in ("goatee",):
        pen.blob(
            [(m - 0.2, v + 0.08), (m, v + 0.12), (m + 0.2, v + 0.08), (m + 0.16, 1.06), (m - 0.16, 1.06)],
            hair,
        )
    wide = face.mouth_half * 1.05
    pen.blob(
        [
            (m - wide, v - 0.01),
            (m - wide * 0.4, v - 0.15),
            (m, v - 0.12),
            (m + wide * 0.4, v - 0.15),
            (m + wide, v - 0.01),
            (m, v - 0.045),
        ],
        hair,
    )


def draw_hair_behind(pen: Pen, person: Person, face: Face) -> None:
    """What falls behind the face: long hair, a bun, a pony tail."""
    style, hair, w = person.hair_style, shade(person.hair_rgb, 0.86), face.half_width
    wide = w * (1.16 + 0.06 * person.hair_volume)
    if style == "long":
        length = 1.55 + 0.2 * person.hair_volume
        pen.blob(
            [
                (0, -1.2),
                (wide, -0.5),
                (wide * 1.08, 0.7),
                (wide * 0.9, length),
                (0, 1.2),
                (-wide * 0.9, length),
                (-wide * 1.08, 0.7),
                (-wide, -0.5),
            ],
            hair,
        )
    elif style == "bob":
        pen.blob(
            [
                (0, -1.2),
                (wide, -0.5),
                (wide * 1.08, 0.45),
                (wide * 0.8, 0.85),
                (-wide * 0.8, 0.85),
                (-wide * 1.08, 0.45),
                (-wide, -0.5),
            ],
            hair,
        )
    elif style == "bun":
        pen.ellipse(-face.shift * 0.4, -1.22, 0.4, 0.38, hair)
    elif style == "ponytail":
        side = -1.0 if face.shift > 0 else 1.0
        pen.blob(
            [
                (side * w * 0.5, -0.9),
                (side * w * 1.45, -0.7),
                (side * w * 1.5, 0.5),
                (side * w * 1.1, 1.1),
                (side * w * 0.9, 0.2),
            ],
            hair,
        )
    elif style == "curly":
        r = 0.4 + 0.05 * person.hair_volume
        for angle in np.linspace(-2.3, 2.3, 9):
            pen.ellipse(w * 1.02 * np.sin(angle), -0.28 - 0.72 * np.cos(angle), r, r, hair)


def draw_hair_front(pen: Pen, person: Person, face: Face) -> None:
    """The hairline over the forehead; `fringe` sets how low it comes."""
    style, hair, w = person.hair_style, person.hair_rgb, face.half_width
    if style == "bald":
        pen.ellipse(-0.25 * w, -0.72, 0.2, 0.11, shade(person.skin, 1.3), 0.6)
        return
    part = face.shift * 0.5 + 0.12 * person.fringe
    low = -0.5 + 0.1 * person.fringe
    side_low = {"short": -0.12, "spiky": -0.2, "curly": -0.05, "long": 0.35, "bob": 0.3}.get(style, -0.05)
    crown = -1.16 - 0.05 * person.hair_volume
    cap = [
        (-w * 1.04, side_low),
        (-w * 1.08, -0.55),
        (-w * 0.6, crown + 0.08),
        (0, crown),
        (w * 0.6, crown + 0.08),
    ]
    cap += [(w * 1.08, -0.55), (w * 1.04, side_low), (w * 0.88, -0.3), (w * 0.55 + part * 0.4, low)]
    cap += [(part, low - 0.14), (-w * 0.55 + part * 0.4, low + 0.04), (-w * 0.88, -0.3)]
    pen.blob(cap, hair)
    if style == "spiky":
        for k in np.linspace(-0.8, 0.8, 6):
            pen.polygon(
                [
                    (k * w - 0.2, -0.85),
                    (k * w * 1.15, -1.42 - 0.06 * person.hair_volume),
                    (k * w + 0.2, -0.85),
                ],
                hair,
            )
    if style == "curly":
        for k in np.linspace(-0.85, 0.85, 6):
            pen.ellipse(k * w, -0.86 + 0.25 * k * k, 0.27, 0.25, hair)
    pen.ellipse(-0.3 * w, -0.88, 0.26 * w, 0.1, shade(hair, 1.3), 0.45)
