"""A sentence, cut into the grammar's tokens: names, dates, cameras and numbers first, then single words."""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lark.lexer import Token

from ...schemas.errors import UsageProblem
from .clauses import Named
from .dates import find_dates
from .phrases import phrases
from .settle import Piece, settle
from .single_date import Unreadable
from .words import ARTICLES, CLASSES, FILLERS, NOT_ASKED, PLACES, fold, kind_of

_LONGEST = 500  # characters
#: Words whose meaning their neighbours settle.
_SETTLED = {"in": "IN", "has": "HAS", "have": "HAS", "having": "HAS"}


@dataclass(frozen=True)
class Known:
    """What the catalog knows by name: concepts, and the makes and models of cameras."""

    concepts: Sequence[Named] = ()
    cameras: Sequence[str] = ()

    @property
    def class_words(self) -> frozenset[str]:
        """What the concepts are called without their names."""
        return frozenset(fold(one.class_word) for one in self.concepts if one.class_word)

    @property
    def examples(self) -> str:
        """Three sentences that work here."""
        people = [one.name for one in self.concepts if one.kind == "person"] or ["Anna", "Ben"]
        thing = next((one.name for one in self.concepts if one.kind != "person"), "dog")
        first, other = people[0], people[-1]
        return (
            f'ask for example: "{first} wearing red", "{first} or {other} on the beach last summer",'
            f' "how many photos of {thing} without people in 2023"'
        )


@dataclass
class _Found:
    """Pieces found so far, and the sentence with them blanked out."""

    text: str
    pieces: list[Piece] = field(default_factory=list)

    def take(self, kind: str, start: int, end: int, means: Any = None) -> None:
        self.pieces.append(Piece(kind, self.text[start:end].strip(), start, end, means))
        self.text = f"{self.text[:start]}{chr(0) * (end - start)}{self.text[end:]}"


def read_tokens(sentence: str, known: Known, now: datetime.datetime) -> list[Piece]:
    """Cut a sentence into pieces, in order. Raises UsageProblem for what is no question or no date."""
    text = clean(sentence)
    found = _Found(text)
    try:
        dates = find_dates(text, now)
    except Unreadable as error:
        raise UsageProblem(
            f"the date isn't understood: {error}", "write it as 3 May 2021 or July 2023"
        ) from None
    _take(found, "QUOTED", r'"([^"]*[^"\s][^"]*)"', lambda match: match[1].strip())
    _take_cameras(found, known, sure=True)
    _take_names(found, known, [(date.start, date.end) for date in dates])
    for date in dates:
        if chr(0) not in found.text[date.start : date.end]:
            found.take("WHEN", date.start, date.end, date.when)
    _take_cameras(found, known, sure=False)
    _take_phrases(found)
    _take_words(found, known)
    return settle(sorted(found.pieces, key=lambda piece: piece.start))


def clean(sentence: str) -> str:
    """The sentence in composed Unicode, with straight quotes and single spaces. Raises UsageProblem."""
    text = unicodedata.normalize("NFC", sentence)
    for curly, straight in (("’", "'"), ("‘", "'"), ("“", '"'), ("”", '"')):
        text = text.replace(curly, straight)
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split()).rstrip(" ?!.,;:")
    if len(text) > _LONGEST:
        raise UsageProblem(f"a question has at most {_LONGEST} characters, this one has {len(text):,}")
    return text


def tokens(pieces: Sequence[Piece]) -> Iterator[Token]:
    """The pieces as lark's tokens; `start_pos` is the piece's number."""
    for number, piece in enumerate(pieces):
        yield Token(piece.kind, piece.said, start_pos=number)


def _take(found: _Found, kind: str, pattern: str, means: Any = None) -> None:
    """Take every place that the pattern matches; `means`, where callable, may return None to pass."""
    for match in list(re.finditer(pattern, found.text, re.IGNORECASE)):
        value = means(match) if callable(means) else means
        if value is not None or means is None:
            found.take(kind, match.start(), match.end(), value)


def _word(pattern: str) -> str:
    return rf"(?<![\w'-])(?:{pattern})(?![\w-])"


def _take_names(found: _Found, known: Known, dates: Sequence[tuple[int, int]]) -> None:
    """Names of concepts, longest first; inside a longer date a name is part of the date."""
    folded = _fold_in_place(found.text)
    for one in sorted(known.concepts, key=lambda one: -len(one.name)):
        for variant in _variants(one.name):
            pattern = re.compile(rf"(?<![\w'-]){variant}(?:'s|s'|')?(?![\w-])", re.IGNORECASE)
            for match in pattern.finditer(folded):
                start, end = match.span()
                in_date = any(a <= start and end <= b and b - a > end - start for a, b in dates)
                if chr(0) not in found.text[start:end] and not in_date:
                    found.take("NAME", start, end, one)


def _fold_in_place(text: str) -> str:
    """Folded letter by letter, so that positions stay."""
    return "".join(folded if len(folded := fold(letter)) == 1 else letter for letter in text)


def _variants(name: str) -> list[str]:
    """Patterns for a name: "my-mug" is also said "my mug"."""
    parts = [re.escape(part) for part in re.split(r"[\s_-]+", _fold_in_place(name)) if part]
    return [r"[\s_-]+".join(parts)] if parts else []


def _take_cameras(found: _Found, known: Known, *, sure: bool) -> None:
    """Makes and models, whole or any run of their words: "iPhone" of "Apple iPhone 8".

    What is `sure` can't be a concept of that name: several words, or "taken with" before it.
    """
    phrases = set()
    for camera in known.cameras:
        words = camera.split()
        for start in range(len(words)):
            for end in range(start + 1, len(words) + 1):
                phrase = " ".join(words[start:end])
                if len(re.findall(r"[^\W\d_]", phrase)) >= 3 and fold(phrase) not in FILLERS:
                    phrases.add(phrase)
    article = r"(?:(?:the|my|our|a|an|his|her)\s+)?"
    taken = r"(?:taken|shot|made|captured|took)\s+(?:with|by|on|using|from)\s+"
    for phrase in sorted(phrases, key=len, reverse=True):
        words_pattern = r"\s+".join(map(re.escape, phrase.split()))
        lead = taken if sure and " " not in phrase else r"(?:(?:with|by|on|using|from)\s+)?"
        _take(found, "CAMERA", _word(rf"{lead}{article}{words_pattern}(?:\s+(?:camera|phone))?"), phrase)


def _take_phrases(found: _Found) -> None:
    """Numbers of faces, order, who is alone, sides, coordinates: what takes several words."""
    for kind, pattern, means in phrases():
        _take(found, kind, _word(pattern), means)


_NOT = _word(
    r"(?:any|every|all)\s+(?:\w+\s+)?but(?!\s+not)|unless|without|not|no|never|neither|nor|except(?:\s+for|\s+with)?|excluding|minus|other\s+than|rather\s+than"
    r"|isn't|aren't|wasn't|weren't|doesn't|don't|didn't|hasn't|haven't|cannot|can't"
)
_AND = (
    _word(r"and|plus|as\s+well\s+as|along\s+with|together\s+with|accompanied\s+by|with|but|while|&")
    + r"|[,&+;]"
)


def _take_words(found: _Found, known: Known) -> None:
    """What is left: joining words, places of several words, then word by word."""
    _take(found, "NOT", _NOT)
    _take(found, "OR", _word(r"or(?:\s+else)?"))
    many = [re.escape(place) for place in PLACES if " " in place]
    _take(found, "PLACE", _word(rf"{'|'.join(many)}"), lambda m: " ".join(m[0].lower().split()))
    _take(found, "AND", _AND)
    for match in re.finditer(r"[^\W_]+(?:[-'][^\W_]+)*", found.text):
        word = fold(match[0]).removesuffix("'s")
        kind = _kind(word, known.class_words)
        before = re.search(r"(\w+)\s+$", found.text[: match.start()])
        if kind == "DO" and before and before[1].lower() in ARTICLES:
            kind = "WORD"
        first = all(piece.kind == "AND" for piece in found.pieces if piece.start < match.start())
        if word in NOT_ASKED and first:
            raise UsageProblem(f"{match[0]!r} isn't understood: query finds photos", known.examples)
        if kind != "WORD" or word not in FILLERS:
            found.pieces.append(Piece(kind, match[0], *match.span(), word))


def _kind(word: str, classes: frozenset[str]) -> str:
    if word in _SETTLED:
        return _SETTLED[word]
    single = word[:-1] if word.endswith("s") else word
    if word in PLACES or (single in PLACES and word not in FILLERS):
        return "PLACE"
    if word in CLASSES or word in classes or single in classes:
        return "CLASS"
    return kind_of(word) if word not in FILLERS else "WORD"
