"""What words mean: a colour, a garment, a place, a deed, or nothing; and the forms in which they count.

The words themselves are in `words.toml`; how a sentence is put together is the grammar's; names of concepts
and cameras come from the catalog.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from importlib import resources
from typing import Any


def _load() -> dict[str, Any]:
    return tomllib.loads((resources.files(__package__) / "words.toml").read_text("utf-8"))


def _split(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


_WORDS = _load()
_GROUPS = {word: group for group in map(_split, _WORDS["same"]) for word in group}
COLORS = frozenset(_split(_WORDS["colors"]))
GARMENTS = frozenset(_split(_WORDS["garments"]))
#: What one says of a place -> the words for it that a caption may have.
PLACES = {word: group for group in map(_split, _WORDS["places"]) for word in group}
#: One word for each place, to tell them apart by.
PLACE_NAMES = tuple(_split(group)[0] for group in _WORDS["places"])
PEOPLE = frozenset(_split(_WORDS["people"]))
CLASSES = PEOPLE | frozenset(_split(_WORDS["animals"]))
HOLDING = _split(_WORDS["holding"])
FILLERS = frozenset(_split(_WORDS["fillers"]))
#: What stands before a noun: "a bike" is none that bikes.
ARTICLES = frozenset(_split("a an the her his their its my our one"))
PREPOSITIONS = frozenset(_split(_WORDS["prepositions"]))
#: Words at the start of what is no question for photos.
NOT_ASKED = frozenset(_split(_WORDS["not_asked"]))
NUMBERS = {word: number for number, word in enumerate(_split(_WORDS["numbers"]))} | {
    "twenty": 20, "fifty": 50, "hundred": 100, "a": 1, "an": 1, "a single": 1, "a dozen": 12, "dozen": 12,
}  # fmt: skip
_VERBS = _split(_WORDS["verbs"])
_NO_DEEDS = frozenset(_split(_WORDS["things_in_ing"]))
_WEARING = frozenset(_split(_WORDS["wearing"]))
_DOUBLING = "tnmpg"  # sit, sitting


def fold(text: str) -> str:
    """Lower case without accents: what words are compared in."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def kind_of(word: str) -> str:
    """The grammar's name for a word that stands alone: COLOR, GARMENT, HOLD, WEAR, DO or WORD."""
    if word in COLORS:
        return "COLOR"
    if any(single in GARMENTS for single in _singulars(word)):
        return "GARMENT"
    if word in HOLDING:
        return "HOLD"
    if word in _WEARING:
        return "WEAR"
    return "DO" if base_verb(word) else "WORD"


def base_verb(word: str) -> str | None:
    """What a deed's word is made from, up to its ending: "wav" of waving and waves; None if it is no deed."""
    if word.endswith("ing") and len(word) > 5 and word not in _NO_DEEDS:
        return word.removesuffix("ing")
    for verb in _VERBS:
        if word in (verb, f"{verb}s", f"{verb}es", f"{verb}ed", f"{verb}d"):
            return verb.removesuffix("e")
    return None


def forms(word: str) -> tuple[str, ...]:
    """The words that count as this one: synonyms, one and many, endings of verbs."""
    word = _WORDS["plurals"].get(word, word)
    if word in COLORS:
        return _GROUPS.get(word, (word,))
    if kind_of(word) == "DO":
        return _verb_forms(base_verb(word) or word)
    single = next((one for one in _singulars(word) if one in _GROUPS or one in PLACES), _singulars(word)[-1])
    found = dict.fromkeys(_GROUPS.get(single) or PLACES.get(single) or (single,))
    return tuple(dict.fromkeys([*found, *map(_plural, found)]))


def _verb_forms(stem: str) -> tuple[str, ...]:
    """A deed's forms, the first in -ing: of sit or sitt, and of wav."""
    short = stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem not in _VERBS else stem
    if f"{short}e" in _VERBS:
        return (f"{short}ing", f"{short}es", f"{short}e", f"{short}ed")
    doubled = [f"{short}{short[-1]}ing"] if short[-1] in _DOUBLING else []
    unsure = [] if short in _VERBS else [f"{short}e", f"{short}es"]
    return (*doubled, f"{short}ing", f"{short}s", short, f"{short}ed", *unsure)


def _singulars(word: str) -> list[str]:
    """The word, and what it may be the plural of."""
    ends = [(r"(?<=[^s])s$", ""), (r"(?<=[sxh])es$", ""), (r"ies$", "y")]
    return [word, *(re.sub(end, new, word) for end, new in ends if len(word) > 3 and re.search(end, word))]


def _plural(word: str) -> str:
    if word.endswith("s"):
        return word if not word.endswith("ss") else f"{word}es"
    if word.endswith(("x", "ch", "sh")):
        return f"{word}es"
    return f"{word[:-1]}ies" if re.search(r"[^aeiou]y$", word) else f"{word}s"


def at_place(place: str) -> str:
    """How a caption says where it is: "on the beach", "in the kitchen"."""
    name = PLACES.get(place, (place,))[0]
    return f"{_WORDS['at'].get(name, 'in the')} {name}"
