"""What the catalog knows by name, so that a sentence can speak of it."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz, process

from ...schemas.errors import ConceptMissing
from ...schemas.settings import Settings
from ..catalog import Catalog
from ..concepts import Concepts
from ..views import query
from .clauses import Named
from .tokens import Known
from .words import fold

_CAMERAS = """
SELECT DISTINCT if(starts_with(camera_model, camera_make), '', coalesce(camera_make, '')) || ' '
                || coalesce(camera_model, '')
FROM photos WHERE camera_make IS NOT NULL OR camera_model IS NOT NULL
"""
_NEAREST = 3


def known(settings: Settings, catalog: Catalog) -> Known:
    """The concepts that were learnt, and the cameras that photos were taken with."""
    concepts = [Named(one.name, one.class_word, one.kind) for one in Concepts(settings.home).all()]
    return Known(concepts, [str(row[0]).strip() for row in query(catalog, _CAMERAS).rows])


def unknown_name(word: str, concepts: Sequence[Named]) -> ConceptMissing:
    """The error about a name that nobody has, with those most like it."""
    names = {fold(one.name): one.name for one in concepts}
    near = [
        names[name]
        for name, _, _ in process.extract(fold(word), names.keys(), scorer=fuzz.WRatio, limit=_NEAREST)
    ]
    likest = f"the nearest known: {', '.join(near)}" if near else "teach one with: myvlm-tag learn"
    return ConceptMissing(
        f"there is no concept {word!r}", f'{likest}; for the word itself, quote it: "{word}"'
    )
