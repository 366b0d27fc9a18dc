"""How a photo of the sample library is taken and stored: camera, size, format, orientation, quality.

What does not live here: what is in it (`library`), what it is called (`naming`), its bytes (`formats`).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from .metadata import CAMERAS, Camera

T = TypeVar("T")

_ORIENTATIONS = [1] * 9 + [6] * 4 + [8] * 2 + [3, 2, 4, 5, 7]
_FORMATS = ["JPEG"] * 24 + ["HEIF"] * 4 + ["WEBP"] * 2 + ["PNG", "TIFF"]
_SHORT_SIDES = [768] * 10 + [960] * 4 + [1200] * 4 + [1536] * 2
_HAS_EXIF = [True] * 29 + [False]


class Deck(Generic[T]):
    """Cards drawn without putting back, shuffled anew when used up: all kinds come, in proportion."""

    def __init__(self, rng: np.random.Generator, cards: Sequence[T]) -> None:
        """Keep the cards; the first draw shuffles."""
        self._rng, self._cards = rng, list(cards)
        self._left: list[T] = []

    def draw(self, other_than: Container[T] = ()) -> T:
        """Take the next card that is none of `other_than`; the deck must hold one."""
        while True:
            if not self._left:
                self._left = [self._cards[i] for i in self._rng.permutation(len(self._cards))]
            card = self._left.pop()
            if card not in other_than:
                return card


@dataclass(frozen=True)
class Technique:
    """How one photo is taken and stored."""

    camera: Camera
    aspect: float  # upright width / height
    height: int  # upright, pixels
    format: str  # of `formats.EXTENSIONS`
    quality: int
    orientation: int
    has_exif: bool  # messengers strip it


class Techniques:
    """Draws one technique after the other; over a few dozen, every format and orientation comes."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Shuffle the decks with `rng`."""
        self._rng = rng
        self._orientations = Deck(rng, _ORIENTATIONS)
        self._formats = Deck(rng, _FORMATS)
        self._sides = Deck(rng, _SHORT_SIDES)
        self._has_exif = Deck(rng, _HAS_EXIF)

    def draw(self, year: int) -> Technique:
        """How a photo of that year was taken."""
        format = self._formats.draw()
        cameras = [c for c in CAMERAS if c.years[0] <= year <= c.years[1]]
        if format == "HEIF":
            heic = [c for c in cameras if c.heic]
            cameras, format = (heic, format) if heic else (cameras, "JPEG")
        camera = cameras[int(self._rng.integers(len(cameras)))]
        upended = camera.aspect == 4 / 3 and self._rng.random() < 0.3
        # TIFF is not compressed, and HEIC costs its writer ten times the time of a JPEG: keep them small.
        side = min(self._sides.draw(), {"TIFF": 768, "HEIF": 960}.get(format, 1 << 30))
        technique = Technique(
            camera=camera,
            aspect=3 / 4 if upended else camera.aspect,
            height=side * 4 // 3 if upended else side,
            format=format,
            quality=int(self._rng.integers(60, 96)),
            orientation=self._orientations.draw(),
            has_exif=True,
        )
        if format == "JPEG" and not self._has_exif.draw():
            return replace(technique, has_exif=False, orientation=1)
        return technique
