"""What takes several words to say: numbers of faces, order, who is alone, sides, coordinates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from ...schemas.errors import UsageProblem
from .clauses import Faces, Near
from .words import NUMBERS

_N = rf"(?:\d{{1,5}}|{'|'.join(sorted((n for n in NUMBERS if n not in ('a', 'an')), key=len, reverse=True))})"
_PHOTO = r"(?:photo|picture|pic|image|shot|snap|one)"
_IN_PHOTO = r"(?:\s+of\s+(?:the\s+)?(?:photo|picture|image|frame))?"
_NOBODY = r"(?:no\s*(?:body|\s+one)|not\s+any(?:body|one)|without\s+any(?:body|one))"
_THERE = r"(?:\s+(?:in\s+(?:it|them|the\s+\w+)|around|there))?"
_MANY = {"several": 3, "many": 3, "lots of": 3, "a lot of": 3, "a group of": 3, "a crowd of": 5}
_PERSONS = r"(?:people|persons?|faces?|adults|friends|humans)"
_QUANTITY = r"(?P<how>exactly|at\s+(?:least|most)|(?:no\s+more|more|fewer|less)\s+than|over|up\s+to)"
_NEWEST = r"newest|latest|most\s+recent|oldest|earliest"
_TO_SIDE = r"(?:(?:on|at|to|in|towards?)\s+)?(?:(?:the|her|his)\s+)?(?:far\s+|very\s+)?"


@cache
def phrases() -> list[tuple[str, str, Any]]:
    """Kinds of tokens, the patterns of their phrases, and what they stand for; the first that fits counts."""
    number = r"(-?\d{1,3}(?:\.\d+)?)"
    within = r"within\s+(?P<km>\d+(?:\.\d+)?)\s*(?:km|kilomet(?:er|re)s?)\s+of"
    order, no_people = rf"(?P<order>{_NEWEST}|last|first)", r"(?!\s+(?:people|days?|weeks?|years?))"
    return [
        ("AND", rf"(?:what|which)\s+{_PHOTO}s?", None),
        ("NEAR", rf"(?:{within}|near|around|close\s+to|at)\s+{number}\s*[, ]\s*{number}", _near),
        ("NEAR", r"(?:with|has|have)\s+(?:a\s+)?(?:gps|location|coordinates|geotags?)(?:\s+data)?", Near()),
        ("AND", r"(?:the\s+)?(?:two|three|both|all)\s+of\s+(?:them|us)", None),
        (
            "COUNT",
            rf"(?:how\s+many|how\s+often|(?:the\s+)?(?:number|count)\s+of)(?:\s+{_PHOTO}s?)?|count",
            None,
        ),
        ("ORDER", rf"(?:the\s+)?{order}\s+(?P<n>{_N})(?:\s+{_PHOTO}s?)?{no_people}", _order),
        ("ORDER", rf"(?:the\s+)?(?P<n>{_N})\s+{order}(?:\s+{_PHOTO}s?)?", _order),
        ("ORDER", rf"(?:the\s+)?(?:very\s+)?{order}\s+(?P<one>{_PHOTO})", _order),
        ("ORDER", rf"(?:the\s+)?(?P<order>{_NEWEST})(?:\s+{_PHOTO}s)?(?:\s+first)?", _order),
        ("ALONE", rf"(?:(?:and|with|but)\s+)?{_NOBODY}\s+else{_THERE}", None),
        (
            "ALONE",
            r"(?:all\s+)?by\s+(?:(?:her|him|it)self|themselves)|on\s+(?:her|his|its|their)\s+own",
            None,
        ),
        ("ALONE", rf"(?:with\s+)?(?:no|without(?:\s+any)?)\s+(?:other\s+{_PERSONS}|others){_THERE}", None),
        ("ALONE", r"alone|solo|and\s+nothing\s+else", None),
        ("ONLY", r"no\s*(?:body|\s+one)\s+(?:but|except)|none\s+but", None),
        (
            "ONLY",
            r"(?:only|just|solely|exclusively)(?!\s+(?:those|photos?|pictures?|ones?|in|from|when|where|of))",
            None,
        ),
        ("FACES", rf"(?:{_QUANTITY}\s+)?(?P<n>{_N})(?P<more>\s+or\s+more)?\s+{_PERSONS}", _faces),
        ("FACES", rf"(?P<many>{'|'.join(_MANY)})\s+{_PERSONS}", lambda m: Faces(_MANY[_spaced(m["many"])])),
        (
            "FACES",
            rf"(?:a\s+)?(?:big\s+)?group(?:s|\s+(?:{_PHOTO}s?|portraits?))?|(?:a\s+)?crowds?",
            Faces(3),
        ),
        ("FACES", rf"(?:no|without(?:\s+any)?|empty\s+of|not\s+any)\s+{_PERSONS}|{_NOBODY}", Faces(0, 0)),
        ("ANYONE", r"(?:some|any|every)(?:body|one)|people|persons?|faces|humans?|strangers?", None),
        (
            "SIDE",
            rf"{_TO_SIDE}(?P<side>left|right){_IN_PHOTO}(?:[\s-]+hand)?(?:\s+(?:side|edge|half))?{_IN_PHOTO}"
            r"(?!\s+(?:next|now|behind|in\s+front))",
            lambda m: m["side"].lower(),
        ),
        ("SIDE", r"(?P<side>left|right)most", lambda m: m["side"].lower()),
        ("SIDE", rf"{_TO_SIDE}(?:middle|cent(?:er|re)(?:ed)?|centred){_IN_PHOTO}(?!\s+of\b)", "middle"),
        (
            "NEXT",
            r"(?:right\s+)?next\s+to|beside|alongside|by\s+the\s+side\s+of|close\s+to|near(?:\s+to)?",
            None,
        ),
        ("INHAND", r"in\s+(?:(?:her|his|their|its|one|both)\s+(?:hands?|arms)|hand)", None),
    ]


def _near(match: re.Match[str]) -> Near:
    latitude, longitude = float(match[2]), float(match[3])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise UsageProblem(
            f"{match[0].strip()!r} is no place on earth", "give latitude, longitude in degrees"
        )
    return Near(latitude, longitude, float(match["km"] or 1))


def _order(match: re.Match[str]) -> tuple[bool, int | None]:
    groups: Mapping[str, str | None] = match.groupdict()
    newest = _spaced(match["order"]) in ("newest", "latest", "most recent", "last")
    number = groups.get("n")
    return newest, _number(number) if number else 1 if groups.get("one") else None


def _faces(match: re.Match[str]) -> Faces:
    number, how = _number(match["n"]), _spaced(match["how"] or "")
    if match["more"] or how == "at least":
        return Faces(number)
    if how in ("more than", "over"):
        return Faces(number + 1)
    if how in ("fewer than", "less than"):
        return Faces(0, max(0, number - 1))
    if how in ("at most", "no more than", "up to"):
        return Faces(0, number)
    return Faces(number, number)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else NUMBERS[_spaced(text)]


def _spaced(text: str) -> str:
    return " ".join(text.lower().split())
