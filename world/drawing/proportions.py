"""Where the features of a turned face lie; the frame is that of `heads`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..identity import Person
from ..paint import Points


@dataclass(frozen=True)
class Face:
    """The proportions of a turned face, in head units: where each feature lies."""

    half_width: float
    shift: float  # how far the features move sideways with the yaw
    squeeze: float  # how much narrower a turned face looks
    eye_u: float
    eye_v: float
    nose_v: float
    mouth_v: float
    mouth_half: float

    def u(self, offset: float) -> float:
        """Where a feature lies that is `offset` from the middle of the face."""
        return self.shift + offset * self.squeeze

    def landmarks(self) -> Points:
        """The five points, (5, 2), head units."""
        left, right = self.u(-self.eye_u), self.u(self.eye_u)
        nose = self.shift * 1.35
        return np.array(
            [
                (left, self.eye_v),
                (right, self.eye_v),
                (nose, self.nose_v),
                (self.u(-self.mouth_half), self.mouth_v),
                (self.u(self.mouth_half), self.mouth_v),
            ]
        )


def face_of(person: Person, yaw: float) -> Face:
    """The proportions of `person`'s face, turned by `yaw`."""
    young = person.age == "child"
    half_width = 0.8 + 0.11 * person.face_width + (0.04 if young else 0.0)
    eye_v = -0.04 + 0.07 * person.eye_height + (0.08 if young else 0.0)
    nose_v = eye_v + 0.36 + 0.09 * person.nose_length - (0.06 if young else 0.0)
    mouth_v = 0.58 + 0.06 * person.mouth_height
    return Face(
        half_width=half_width,
        shift=yaw * 0.34,
        squeeze=float(np.cos(yaw * 0.85)),
        eye_u=0.35 + 0.055 * person.eye_spacing,
        eye_v=eye_v,
        nose_v=nose_v,
        mouth_v=max(mouth_v, nose_v + 0.17),
        mouth_half=0.27 + 0.075 * person.mouth_width,
    )
