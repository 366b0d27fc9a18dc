"""What the files of the sample library are called: by cameras mostly, by people now and then."""

from __future__ import annotations

import numpy as np

from .events import Moment
from .formats import EXTENSIONS
from .technique import Deck, Technique

# Names as people give them: spaces, punctuation that shells and globs know, scripts, an emoji, no date.
_BY_HAND = (
    "best one", "IMG (1)", "it's us!", "100% sharp", "[edited] final", "über den Dächern", "мы вместе",
    "nice #2", "cheese 😀", "a & b; c", "new photo - copy", "%20scan", "-minus", "œuvre", "日の出",
)  # fmt: skip
_STYLES = ["camera"] * 21 + ["by hand"] * 3 + ["wrong extension"]
_WRONG = {"JPEG": "png", "PNG": "jpg", "WEBP": "jpg", "HEIF": "jpg", "TIFF": "jpg"}


class Naming:
    """Gives out file names, each once, even on a disk that does not tell upper from lower case."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Start every camera's counter somewhere."""
        self._styles = Deck(rng, _STYLES)
        self._by_hand = Deck(rng, _BY_HAND)
        self._number = int(rng.integers(100, 4000))
        self._used: set[str] = set()

    def file(self, moment: Moment, technique: Technique) -> str:
        """Return a path for one photo, relative and POSIX."""
        self._number += 1
        style = self._styles.draw()
        extension = _WRONG[technique.format] if style == "wrong extension" else EXTENSIONS[technique.format]
        camera = technique.camera
        name = camera.name.format(when=moment.when, ms=moment.when.microsecond // 1000, number=self._number)
        if not technique.has_exif:
            name = f"IMG-{moment.when:%Y%m%d}-WA{self._number:04d}"
        elif style == "by hand":
            name = self._by_hand.draw()
        elif camera.shouts:
            extension = extension.upper()
        return self.unused(f"{moment.folder}/{name}.{extension}")

    def unused(self, path: str) -> str:
        """Return `path`, or with " (2)", " (3)" ... before the extension if it was given out."""
        stem, dot, extension = path.rpartition(".")
        candidate, number = path, 1
        while candidate.casefold() in self._used:
            number += 1
            candidate = f"{stem} ({number}){dot}{extension}"
        self._used.add(candidate.casefold())
        return candidate
