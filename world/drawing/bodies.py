"""Draws a person: body, clothes and pose, with the head on top.

The local frame has its origin between the feet and the unit of the person's standing height, v pointing
down: the crown is near v = -1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..identity import Person
from ..paint import Color, Pen, Points, Surface, mix, shade
from ..scene import Actor
from ..things import COLORS
from .heads import draw_head, draw_head_from_behind
from .proportions import face_of

TROUSERS: tuple[Color, ...] = ((52, 62, 92), (66, 66, 72), (122, 108, 88), (38, 44, 52))
_SHOES: Color = (60, 48, 44)
_SEAT: Color = (150, 112, 74)
_SIT_DROP = 0.21  # how far the hips sink when sitting


@dataclass(frozen=True)
class _Frame:
    """Where the joints of a body are, in local units."""

    drop: float
    head: float
    shoulder_v: float
    shoulder_u: float
    hip_v: float
    hip_u: float
    arm: float
    leg: float


def _person(actor: Actor) -> Person:
    assert isinstance(actor.entity, Person)
    return actor.entity


def _frame(actor: Actor) -> _Frame:
    person = _person(actor)
    child = person.age == "child"
    drop = _SIT_DROP if actor.activity == "sitting" else 0.0
    head = 0.128 if child else 0.107
    broad = {"male": 0.128, "female": 0.107}[person.sex] if not child else 0.108
    return _Frame(
        drop=drop,
        head=head,
        shoulder_v=-1 + 2.22 * head + drop,
        shoulder_u=broad * (1 + 0.12 * person.build),
        hip_v=-0.43 + drop,
        hip_u=(0.088 if person.sex == "male" else 0.095) * (1 + 0.15 * person.build),
        arm=0.037 * (1 + 0.15 * person.build),
        leg=0.046 * (1 + 0.12 * person.build),
    )


def body_pen(surface: Surface, actor: Actor) -> Pen:
    """The pen of the body's local frame."""
    return Pen.at(surface, actor.x, actor.base, actor.size, actor.flip)


def head_pen(surface: Surface, actor: Actor) -> Pen:
    """The pen of the head's local frame (see `heads`); a mirrored body does not mirror the head."""
    frame = _frame(actor)
    centre = body_pen(surface, actor).place(0.0, -1 + 1.04 * frame.head + frame.drop)
    upright = Pen.at(surface, float(centre[0]), float(centre[1]), actor.size * frame.head)
    return upright.moved(0, 0, angle=actor.roll)


def face_points(surface: Surface, actor: Actor) -> Points:
    """Corners (N, 2), photo units, of the face as detectors frame it: forehead to chin, cheek to cheek."""
    face = face_of(_person(actor), actor.yaw)
    pen = head_pen(surface, actor)
    return pen.map(pen.ellipse_points(face.shift * 0.3, 0.14, face.half_width * 0.94, 0.86))


def draw_seat(pen: Pen, actor: Actor) -> None:
    """What a sitting person sits on: part of the background, not of the person."""
    if actor.activity != "sitting":
        return
    pen.rect(-0.17, -0.225, 0.17, -0.18, _SEAT)
    pen.rect(-0.15, -0.18, -0.115, 0.0, shade(_SEAT, 0.75))
    pen.rect(0.115, -0.18, 0.15, 0.0, shade(_SEAT, 0.75))


def draw_person(surface: Surface, actor: Actor) -> None:
    """The whole person, back to front."""
    pen, frame, person = body_pen(surface, actor), _frame(actor), _person(actor)
    cloth = COLORS[actor.color or "white"]
    _legs(pen, actor, frame, cloth)
    arms = _arm_lines(actor, frame)
    if actor.facing == "back":
        _arms(pen, actor, frame, cloth, arms)
    _neck(pen, frame, person)
    _torso(pen, actor, frame, cloth)
    if actor.facing != "back":
        _arms(pen, actor, frame, cloth, arms)
        draw_head(head_pen(surface, actor), person, actor.yaw, actor.expression)
    else:
        draw_head_from_behind(head_pen(surface, actor), person)


def _neck(pen: Pen, frame: _Frame, person: Person) -> None:
    top = -1 + 1.75 * frame.head + frame.drop
    pen.rect(-0.042, top, 0.042, frame.shoulder_v + 0.035, shade(person.skin, 0.85))


def _legs(pen: Pen, actor: Actor, frame: _Frame, cloth: Color) -> None:
    bare = actor.garment == "dress"
    color = _person(actor).skin if bare else TROUSERS[actor.trousers]
    radius = frame.leg * (0.75 if bare else 1.0)
    hip = frame.hip_v + 0.01
    for side, knee, foot in _leg_joints(actor, frame):
        tone = color if side > 0 else shade(color, 0.9)
        pen.limb((side * frame.hip_u * 0.55, hip), knee, radius * 1.1, tone, radius)
        pen.limb(knee, foot, radius, tone, radius * 0.8)
        pen.ellipse(foot[0] + 0.02 * side, foot[1] + 0.012, 0.052, 0.026, _SHOES)


def _leg_joints(actor: Actor, frame: _Frame) -> list[tuple[float, tuple[float, float], tuple[float, float]]]:
    u = frame.hip_u * 0.6
    if actor.activity == "sitting":
        return [(s, (s * 0.085, -0.215), (s * 0.08, -0.02)) for s in (-1.0, 1.0)]
    if actor.activity == "walking":
        return [(-1.0, (-0.1, -0.2), (-0.19, -0.03)), (1.0, (0.13, -0.24), (0.14, -0.02))]
    if actor.activity == "riding":
        return [(-1.0, (-0.02, -0.2), (0.0, -0.06)), (1.0, (0.12, -0.3), (0.06, -0.16))]
    return [(s, (s * u, -0.22), (s * u, -0.02)) for s in (-1.0, 1.0)]


def _torso(pen: Pen, actor: Actor, frame: _Frame, cloth: Color) -> None:
    garment, dark = actor.garment, shade(cloth, 0.78)
    s, top, hip, h = frame.shoulder_u, frame.shoulder_v, frame.hip_v, frame.hip_u * 1.12
    hem, flare = _hem(actor, frame)
    outline = [(-s * 0.45, top - 0.012), (s * 0.45, top - 0.012), (s, top + 0.03), (s * 0.97, top + 0.12)]
    outline += [
        (h, hip - 0.08),
        (flare, hem),
        (-flare, hem),
        (-h, hip - 0.08),
        (-s * 0.97, top + 0.12),
        (-s, top + 0.03),
    ]
    pen.polygon(outline, cloth)
    pen.polygon(
        [(h * 0.45, top + 0.1), (s * 0.9, top + 0.05), (h, hip - 0.08), (flare, hem), (flare * 0.55, hem)],
        dark,
        0.45,
    )
    if actor.facing == "back":
        pen.limb((0, top + 0.05), (0, hem - 0.02), 0.004, dark)
        return
    if garment == "sweater":
        for row in range(5):
            v = top + 0.075 + row * 0.058
            pen.limb((-s * 0.86, v), (s * 0.86, v), 0.011, dark)
        pen.limb((-0.06, top - 0.005), (0.06, top - 0.005), 0.026, dark)
    elif garment == "jacket":
        lining: Color = (222, 222, 214) if actor.color != "white" else (120, 124, 132)
        pen.polygon([(-0.05, top - 0.012), (0.05, top - 0.012), (0.036, hem), (-0.036, hem)], lining)
        for side in (-1.0, 1.0):
            pen.limb((side * 0.052, top - 0.01), (side * 0.036, hem), 0.008, shade(cloth, 0.55))
            pen.polygon(
                [(side * 0.05, top - 0.015), (side * 0.095, top + 0.02), (side * 0.045, top + 0.1)], dark
            )
    elif garment == "coat":
        pen.limb((0.0, top + 0.05), (0.0, hem), 0.006, shade(cloth, 0.5))
        for row in range(4):
            pen.ellipse(
                0.028,
                top + 0.1 + row * 0.085,
                0.013,
                0.013,
                shade(cloth, 0.45) if actor.color != "black" else (170, 170, 170),
            )
        pen.rect(-h * 1.04, hip - 0.06, h * 1.04, hip - 0.025, shade(cloth, 0.6))
        pen.polygon([(-0.09, top - 0.012), (0, top + 0.06), (0.09, top - 0.012)], dark)
    elif garment == "dress":
        pen.rect(-h * 0.98, hip - 0.1, h * 0.98, hip - 0.07, shade(cloth, 0.65))
        pen.ellipse(0, top - 0.012, 0.06, 0.04, _person(actor).skin)
    else:
        pen.ellipse(0, top - 0.015, 0.05, 0.028, _person(actor).skin)


def _hem(actor: Actor, frame: _Frame) -> tuple[float, float]:
    """How far down the garment comes and how wide it is there."""
    h = frame.hip_u * 1.12
    low = frame.hip_v + 0.005
    if actor.garment == "dress":
        return (low + (0.06 if actor.activity == "sitting" else 0.2), h * 1.85)
    if actor.garment == "coat":
        return (low + (0.05 if actor.activity == "sitting" else 0.15), h * 1.3)
    return (low + 0.02, h * 1.04)


Arm: TypeAlias = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


def _arm_lines(actor: Actor, frame: _Frame) -> list[Arm]:
    """Shoulder, elbow and hand of both arms."""
    s, top, low = frame.shoulder_u * 0.93, frame.shoulder_v + 0.035, frame.hip_v
    down: list[Arm] = [
        ((k * s, top), (k * (s + 0.035), top + 0.15), (k * (s + 0.045), low + 0.02)) for k in (-1, 1)
    ]
    if actor.activity == "waving":
        down[1] = ((s, top), (s + 0.11, top + 0.03), (s + 0.17, top - 0.17))
    elif actor.activity == "walking":
        down = [((-s, top), (-s - 0.07, top + 0.13), (-s - 0.02, low - 0.06))]
        down += [((s, top), (s + 0.08, top + 0.12), (s + 0.15, low - 0.09))]
    elif actor.activity == "sitting":
        down = [((k * s, top), (k * (s + 0.045), top + 0.15), (k * 0.075, low + 0.0)) for k in (-1, 1)]
    elif actor.activity == "riding":
        down = [((k * s, top), (k * s + 0.06, top + 0.13), (0.2 + 0.04 * k, top + 0.2)) for k in (-1, 1)]
    elif actor.activity == "holding":
        down = [((k * s, top), (k * (s + 0.05), top + 0.14), (k * 0.085, top + 0.24)) for k in (-1, 1)]
    return down


def _arms(pen: Pen, actor: Actor, frame: _Frame, cloth: Color, arms: list[Arm]) -> None:
    skin, sleeve = _person(actor).skin, shade(cloth, 0.9)
    long_sleeves = actor.garment not in ("shirt", "dress")
    for shoulder, elbow, hand in arms:
        upper = elbow if long_sleeves else _between(shoulder, elbow, 0.55)
        if not long_sleeves:
            pen.limb(shoulder, elbow, frame.arm * 0.8, skin)
        pen.limb(shoulder, upper, frame.arm, sleeve)
        pen.limb(elbow, hand, frame.arm * 0.85, sleeve if long_sleeves else skin, frame.arm * 0.7)
        pen.ellipse(hand[0], hand[1], frame.arm * 0.95, frame.arm * 0.95, mix(skin, (255, 255, 255), 0.03))
        if actor.activity == "waving" and hand[1] < shoulder[1] and pen.pixels(0.02) > 1:
            for k in (-0.6, 0.0, 0.6):
                pen.limb(hand, (hand[0] + 0.03 * k, hand[1] - 0.055), 0.011, skin)


def _between(a: tuple[float, float], b: tuple[float, float], t: float) -> tuple[float, float]:
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)
