"""The names that people are given, and every word that a sentence about a photo can have.

What does not live here: the sentences (`sentences`, `questions`) and a model's tokens (`train.tokenizer`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .identity import HAIR_COLORS, HAIR_STYLES
from .questions import ITEM_QUESTIONS, MATERIALS, PERSON_QUESTIONS, PLACE_QUESTIONS, TEXTURES
from .scene import ACTIVITIES, EXPRESSIONS, GARMENTS, PLACES
from .sentences import PATTERN_PHRASES, PLACE_PHRASES, TRIMS, WHERE_PHRASES
from .things import COATS, COLORS, PETS, THINGS

FEMALE_NAMES = (
    "anna", "clara", "dana", "emma", "ella", "fay", "gina", "hana", "iris", "jane",
    "kate", "lily", "mia", "mona", "nina", "olga", "rosa", "sara", "tina", "vera",
)  # fmt: skip
MALE_NAMES = (
    "adam", "ben", "bob", "carl", "dan", "eli", "finn", "hugo", "ivan", "jack",
    "leo", "liam", "max", "nick", "omar", "paul", "sam", "theo", "tom", "victor",
)  # fmt: skip
NAMES = FEMALE_NAMES + MALE_NAMES


def _all_text() -> Iterator[str]:
    """Every template and every word that can be put into one."""
    for table in (PERSON_QUESTIONS, ITEM_QUESTIONS):
        for wordings in table.values():
            yield from wordings
    yield from PLACE_QUESTIONS
    for phrases in (PLACE_PHRASES, WHERE_PHRASES, MATERIALS, TEXTURES, PATTERN_PHRASES, TRIMS):
        yield from phrases.values()
    yield from (
        *NAMES,
        *GARMENTS,
        *ACTIVITIES,
        *EXPRESSIONS,
        *PLACES,
        *COLORS,
        *COATS,
        *HAIR_COLORS,
        *PETS,
        *THINGS,
    )
    yield from (*HAIR_STYLES["male"], *HAIR_STYLES["female"])
    yield "a an the and with in on at wearing person man woman boy girl old hair head glasses beard freckles"
    yield "collar nothing no yes large small close far away left middle right who is sks"


VOCABULARY = tuple(
    sorted({w for text in _all_text() for w in re.findall(r"[a-z]+", text.lower())} - {"garment"})
)
