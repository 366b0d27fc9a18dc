"""How like a caption is to a photo, and to the right caption: cosines of the pack's CLIP, times a hundred.

The paper uses CLIP ViT-L/14 for photos and a sentence BERT for words. A pack has one CLIP model and no
sentence model, so its text side stands in for both: figures compare with each other, not with the paper's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...schemas.settings import Settings
from ...stages.clip import TextTower
from ...stages.packs import CLIP, locate
from ..models import Models

Floats = NDArray[np.float32]


class Likeness:
    """The text side of a pack's CLIP model."""

    def __init__(self, models: Models, settings: Settings) -> None:
        """Load it. Raises ModelMissing."""
        self._tower = TextTower(locate(models.pack.of_kind(CLIP)[0], settings.home))
        self._known: dict[str, Floats] = {}

    def to_photos(self, captions: Sequence[str], photos: Floats) -> list[float]:
        """Of each caption to its photo's features (n, dimensions), unit rows."""
        return [float(100 * value) for value in (self._encode(captions) * photos).sum(1)] if captions else []

    def to_words(self, captions: Sequence[str], right: Sequence[str]) -> list[float]:
        """Of each caption to the right one, where there is one."""
        pairs = [(one, other) for one, other in zip(captions, right, strict=True) if other]
        if not pairs:
            return []
        mine, theirs = (self._encode(side) for side in zip(*pairs, strict=True))
        return [float(100 * value) for value in (mine * theirs).sum(1)]

    def _encode(self, texts: Sequence[str]) -> Floats:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._tower.encode(new), strict=True))
        return np.stack([self._known[text] for text in texts])
