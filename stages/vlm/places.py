"""Where something is in a photo: in words, as a box in words, and the part of the photo around a person.

A box is (x0, y0, x1, y1), x to the right and y down; here always in parts (0 to 1) of the photo's width and
height. No model is asked here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

Box = tuple[float, float, float, float]

_NUMBER = r"\s*(\d*\.?\d+)\s*"
_OVER = 0.02  # a corner may lie this much outside before a box is none

#: From a face to the body below it: this many widths to each side, heights above and below.
_BESIDE, _ABOVE, _BELOW = 1.3, 0.6, 5.25

#: Where thirds of the photo end, a little wider in the middle than on either side.
_LEFT, _RIGHT = 0.365, 0.635


@dataclass(frozen=True)
class BoxForm:
    """How a family of models writes boxes."""

    form: str  # each # is x0, y0, x1, y1 in turn
    whole: int  # what the photo's width and height count
    decimals: int

    def write(self, box: Box) -> str:
        """The box in words."""
        corners = iter(box)
        return re.sub("#", lambda _: f"{next(corners) * self.whole:.{self.decimals}f}", self.form)

    def read(self, text: str) -> Box | None:
        """The first box in the text; None when there is none, or one without an area or outside the photo."""
        found = self._pattern.search(text)
        if found is None:
            return None
        corners = [float(number) / self.whole for number in found.groups()]
        if any(corner > 1 + _OVER for corner in corners):
            return None
        x0, y0, x1, y1 = (min(corner, 1.0) for corner in corners)
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(
            _NUMBER.join(r"\s*".join(map(re.escape, part.split())) for part in self.form.split("#"))
        )


def from_square(box: Box, width: int, height: int) -> Box | None:
    """A box in parts of the photo padded to a square, as parts of the photo; None if it is all padding."""
    side = max(width, height)
    left, top = (side - width) / 2, (side - height) / 2
    x0, x1 = (min(max((x * side - left) / width, 0.0), 1.0) for x in (box[0], box[2]))
    y0, y1 = (min(max((y * side - top) / height, 0.0), 1.0) for y in (box[1], box[3]))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def side(box: Box) -> str:
    """In which part of the photo the box's middle is: "on the left", "in the middle", "on the right"."""
    middle = (box[0] + box[2]) / 2
    return "on the left" if middle < _LEFT else "on the right" if middle > _RIGHT else "in the middle"


def pointed_out(face: Box, everyone: Sequence[Box]) -> str | None:
    """Who has that face, by their side: "the person on the left"; None where others of `everyone` are too."""
    alone = sum(side(other) == side(face) for other in everyone) == 1
    return f"the person {side(face)}" if alone else None


def body_around(face: Box) -> Box:
    """The part of the photo that holds the body of whoever has that face, as far as it is in the photo."""
    x0, y0, x1, y1 = face
    wide, high = x1 - x0, y1 - y0
    return (
        max(x0 - _BESIDE * wide, 0.0),
        max(y0 - _ABOVE * high, 0.0),
        min(x1 + _BESIDE * wide, 1.0),
        min(y1 + _BELOW * high, 1.0),
    )


def intersection_over_union(one: Sequence[float], other: Sequence[float]) -> float:
    """Of two boxes (x0, y0, x1, y1) in the same units; 0 where they do not meet."""
    wide = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    high = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    both = wide * high
    total = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - both
    return both / total if total > 0 else 0.0
