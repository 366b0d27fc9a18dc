"""CLIP's part in a question: photos ranked by how like the words they are. It imports torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ...schemas.settings import Settings
from ...stages.clip import TextTower
from ...stages.packs import CLIP, locate
from ..catalog import Catalog
from ..index import open_table
from ..models import load_models
from .clauses import Text
from .words import PLACE_NAMES, PLACES, at_place

#: Of so many photos most like the words it is seen whether another place fits better.
_LOOKED_AT = 2000


@dataclass(frozen=True)
class Ranked:
    """A photo and its cosine similarity with the words."""

    photo_id: str
    score: float


def prompt(texts: Sequence[Text], class_words: Sequence[str] = ()) -> str:
    """What CLIP is asked: "a photo of a woman, smiling, on the beach"."""
    things = [*class_words, *(text.said for text in texts if not text.place)]
    places = [at_place(text.words[0][0]) for text in texts if text.place]
    named = f" of {', '.join(things)}" if things else ""
    return f"a photo{named} {' '.join(places)}".strip()


def rank(
    settings: Settings,
    catalog: Catalog,
    candidates: Collection[str],
    exact: Collection[str],
    texts: Sequence[Text],
    class_words: Sequence[str],
    most: int,
) -> list[Ranked]:
    """The candidates most like the words, best first.

    Places are told apart: only photos that no other place fits better. Where captions answered for other
    photos (`exact`), candidates must be as like the words as half of those. Raises ModelMissing.
    """
    models = load_models(settings)
    index = open_table(catalog, CLIP, models.wanted)
    tower = TextTower(locate(models.pack.of_kind(CLIP)[0], settings.home))
    words = tower.encode([prompt(texts, class_words)])
    found = index.search(words, min(len(candidates), _LOOKED_AT), among=candidates)
    scores = dict(zip(found["photo_id"].to_pylist(), found["score"].to_pylist(), strict=True))
    if not scores:
        return []
    ids, vectors = index.vectors(scores)
    names = ids["photo_id"].to_pylist()
    places = [text for text in texts if text.place]
    if places:
        likest = vectors @ tower.encode([f"a photo {at_place(place)}" for place in PLACE_NAMES]).T
        best = dict(zip(names, (PLACE_NAMES[i] for i in likest.argmax(axis=1)), strict=True))
        wanted = [{PLACES[form][0] for form in text.words[0] if form in PLACES} for text in places]
        scores = {
            name: score for name, score in scores.items() if all(best[name] in group for group in wanted)
        }
    elif exact:
        _, alike = index.vectors(exact)
        least = float(np.median(alike @ words[0])) if len(alike) else -1.0
        scores = {name: score for name, score in scores.items() if score >= least}
    ranked = sorted(scores.items(), key=lambda one: -one[1])
    return [Ranked(name, score) for name, score in (ranked if places else ranked[:most])]
