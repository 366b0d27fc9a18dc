"""Variants of a training photo: mirrored, turned a little, brighter and darker (MyVLM, appendix B.2).

Mirroring moves left to right, so words about a mirrored photo are mirrored too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage

from ..images import Image

_DEGREES = 5.0  # turned by at most this much
_BRIGHTNESS = 0.2  # ... and brightened or darkened by at most this share
_SIDES = {"left": "right", "right": "left"}
# "right" that is no side: "right behind", "all right", "right-handed" stays.
_SIDE = re.compile(r"(?<!all )\b(left|right)\b(?!-| (?:behind|next|after|before|now|away))", re.IGNORECASE)


@dataclass(frozen=True)
class Variant:
    """A changed copy of a photo."""

    image: Image
    mirrored: bool


def variants(image: Image, count: int, seed: int) -> list[Variant]:
    """`count` copies of a photo, plain and mirrored in turn; the first two are changed in no other way."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        mirrored = number % 2 == 1
        picture = PillowImage.fromarray(image[:, ::-1] if mirrored else image)
        if number >= 2:
            picture = _jitter(picture, rng)
        made.append(Variant(np.asarray(picture), mirrored))
    return made


def mirror_words(text: str) -> str:
    """The same sentence about the mirrored photo: left for right, right for left."""

    def other(match: re.Match[str]) -> str:
        side = _SIDES[match[0].lower()]
        return side.capitalize() if match[0][0].isupper() else side

    return _SIDE.sub(other, text)


def _jitter(picture: PillowImage.Image, rng: np.random.Generator) -> PillowImage.Image:
    """Turn and brighten. The corners that turning lays bare take the photo's mean color."""
    degrees = float(rng.uniform(-_DEGREES, _DEGREES))
    factor = 1 + float(rng.uniform(-_BRIGHTNESS, _BRIGHTNESS))
    mean = tuple(int(value) for value in np.asarray(picture.resize((1, 1), PillowImage.Resampling.BOX))[0, 0])
    turned = picture.rotate(degrees, PillowImage.Resampling.BICUBIC, fillcolor=mean)
    return turned.point(lambda value: min(255, round(value * factor)))
