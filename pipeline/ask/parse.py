"""A sentence -> a `Question`: its tokens go through the grammar, and what can't be read is said.

What the grammar's tree means is `meaning.py`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

from lark import Lark
from lark.exceptions import UnexpectedInput, VisitError
from lark.lexer import Lexer
from rapidfuzz import process
from rapidfuzz.distance import OSA

from ...schemas.errors import UsageProblem
from .clauses import Question
from .meaning import Meaning, everything
from .settle import Piece
from .tokens import Known, read_tokens, tokens
from .words import fold

_AFTER_NAMES = frozenset({"WEAR", "DO", "HOLD", "SIDE", "NEXT", "ALONE", "NAME"})


def parse(sentence: str, known: Known, now: datetime.datetime) -> Question:
    """Read a sentence. Raises UsageProblem: what was not understood, and three sentences that work."""
    pieces = read_tokens(sentence, known, now)
    if not pieces:
        if not any(letter.isalnum() for letter in sentence):
            raise UsageProblem("there is no question", known.examples)
        return Question(everything())
    try:
        question = Meaning(pieces).transform(_grammar().parse(list(tokens(pieces))))
        return replace(question, suspects=tuple(_suspects(pieces, known)))
    except UnexpectedInput as error:
        raise UsageProblem(f"{_unread(error, pieces)} isn't understood here", known.examples) from None
    except VisitError as error:
        if isinstance(error.orig_exc, UsageProblem):
            raise error.orig_exc from None
        raise


def _unread(error: UnexpectedInput, pieces: Sequence[Piece]) -> str:
    token = getattr(error, "token", None)
    at = getattr(token, "start_pos", None)
    if at is None or getattr(token, "type", "") == "$END":
        return f"the end after {pieces[-1].said!r}"
    return repr(pieces[at].said)


def _suspects(pieces: Sequence[Piece], known: Known) -> Iterator[str]:
    """Words that stand where a name would, or nearly are one."""
    names = [fold(one.name) for one in known.concepts]
    for at, piece in enumerate(pieces):
        around = [one.kind for one in pieces[max(0, at - 1) : at + 2]]
        if piece.kind != "WORD" or around.count("WORD") > 1:
            continue
        follower = pieces[at + 1].kind if at + 1 < len(pieces) else ""
        capital = piece.said[:1].isupper() and (piece.start > 0 or follower in _AFTER_NAMES)
        slips = process.extractOne(fold(piece.said), names, scorer=OSA.distance, score_cutoff=1)
        if capital or (slips and len(piece.said) > 2):
            yield piece.said


class _Ready(Lexer):
    """Hands on the tokens that are there already."""

    def __init__(self, lexer_conf: Any) -> None:
        """Nothing to set up."""

    def lex(self, data: Any) -> Any:  # type: ignore[override]
        """Yield the tokens."""
        yield from data


@cache
def _grammar() -> Lark:
    text = (resources.files(__package__) / "grammar.lark").read_text("utf-8")
    return Lark(text, parser="lalr", lexer=_Ready)
