"""Tokens in context: what a word alone can't tell, such as which "or" it is, is decided by its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .words import PREPOSITIONS, fold

_ALIKE = {
    "NAME": "who",
    "CLASS": "who",
    "ANYONE": "who",
    "COLOR": "cloth",
    "GARMENT": "cloth",
    "QUOTED": "WORD",
}
_FREE = frozenset({"AND", "OR", "NOT", "ABSENT"})
_WHO = frozenset({"NAME", "CLASS", "ANYONE"})
_BESIDE = (["NAME"], ["CLASS"], ["ANYONE"], ["COLOR"], ["WORD"])


@dataclass(frozen=True)
class Piece:
    """One token: its kind in the grammar, what was said, and what it stands for."""

    kind: str
    said: str
    start: int
    end: int
    means: Any = None


def settle(pieces: list[Piece]) -> list[Piece]:
    """Decide what a word alone can't tell: "in" before clothes, "with a mug in her hand", which "or"."""
    pieces = _lists(_dress(_hands(_nouns(pieces))))
    pieces = [p for i, p in enumerate(pieces) if p.kind != "ONLY" or _leads_to_who(pieces, i)]
    pieces = [p for p in pieces if p.kind != "WORD" or fold(p.said) not in PREPOSITIONS]
    settled = []
    for at, piece in enumerate(pieces):
        if piece.kind == "NOT" and pieces[at + 1 : at + 2] and pieces[at + 1].kind not in ("AND", "OR"):
            settled.append(piece)
        elif piece.kind == "NOT":  # nothing follows that it could be about: "Anna is not"
            settled.append(replace(piece, kind="ABSENT"))
        elif piece.kind in ("AND", "OR") and _joins(pieces, at):
            settled.append(replace(piece, kind=f"{piece.kind}_SAME"))
        else:
            settled.append(piece)
    return settled


def _leads_to_who(pieces: Sequence[Piece], at: int) -> bool:
    rest = _kinds(pieces, at)
    return rest[:1] in (["NAME"], ["CLASS"], ["ANYONE"]) or rest == ["COLOR", "CLASS"]


def _kinds(pieces: Sequence[Piece], at: int) -> list[str]:
    """The kinds of the next two."""
    return [piece.kind for piece in pieces[at + 1 : at + 3]]


def _nouns(pieces: list[Piece]) -> list[Piece]:
    """After "riding", bikes are things; "waving Ben" is Ben, waving."""
    settled: list[Piece] = []
    for piece in pieces:
        last = settled[-1] if settled else None
        person = piece.kind == "NAME" and getattr(piece.means, "kind", "") == "person"
        if piece.kind == "DO" and last and last.kind in ("DO", "HOLD"):
            piece = replace(piece, kind="WORD")
        if person and last and last.kind == "DO" and not any(one.kind in _WHO for one in settled):
            settled.insert(len(settled) - 1, piece)
        else:
            settled.append(piece)
    return settled


def _hands(pieces: list[Piece]) -> list[Piece]:
    """To have "a mug in her hand" is holding it."""
    for at, piece in enumerate(pieces):
        if piece.kind == "INHAND":
            openers = [i for i in range(at - 1) if pieces[i].kind in ("HAS", "AND", "HOLD")]
            if openers:
                pieces[openers[-1]] = replace(pieces[openers[-1]], kind="HOLD", means="holding")
    return [piece for piece in pieces if piece.kind not in ("INHAND", "HAS")]


def _dress(pieces: list[Piece]) -> list[Piece]:
    """To be "in red" or "with a red coat" is wearing it; any other "in" is left out."""
    settled: list[Piece] = []
    for at, piece in enumerate(pieces):
        rest = _kinds(pieces, at)
        garment = rest[:1] == ["GARMENT"] or rest == ["COLOR", "GARMENT"]
        color = rest[:1] == ["COLOR"] and rest[1:] not in (["WORD"], ["CLASS"], ["PLACE"])
        with_it = piece.kind == "AND" and piece.said.lower() == "with"
        if (piece.kind == "IN" and (garment or color)) or (with_it and garment):
            settled.append(replace(piece, kind="WEAR"))
        elif piece.kind == "NEXT" and rest[:1] not in _BESIDE:
            continue  # "near the lake" is at the lake
        elif piece.kind != "IN" and (piece.kind != "WEAR" or rest):
            settled.append(piece)
    kinds = [piece.kind for piece in settled] + [""]
    return [piece for at, piece in enumerate(settled) if kinds[at : at + 2] != ["WEAR", "WEAR"]]


def _lists(pieces: list[Piece]) -> list[Piece]:
    """In "Anna, Ben or Clara" the comma is an "or"; ", and" is one word; what joins nothing goes."""
    settled: list[Piece] = []
    for piece in pieces:
        joined = settled[-1].kind if settled else "AND"
        if piece.kind == "AND" and joined == "NOT":
            continue  # "except with Ben"
        if piece.kind in ("AND", "OR") and joined in ("AND", "OR"):
            if settled and (piece.kind == "OR" or (joined == "AND" and _apart(piece))):
                settled[-1] = piece
        else:
            settled.append(piece)
    while settled and settled[-1].kind in ("AND", "OR"):
        settled.pop()
    for at in range(len(settled) - 3, -1, -1):
        if settled[at].said == "," and settled[at + 2].kind == "OR":
            settled[at] = replace(settled[at], kind="OR")
    return settled


def _joins(pieces: Sequence[Piece], at: int) -> bool:
    """Whether the "and" or "or" at this place stands between two of a kind."""
    if at == 0 or at + 1 >= len(pieces):
        return False
    if at > 1 and pieces[at - 2].kind == "NOT" and _apart(pieces[at]):
        return False  # "without Ben, with Anna"
    left, right = pieces[at - 1].kind, pieces[at + 1].kind
    if right == "COLOR" and at + 2 < len(pieces) and pieces[at + 2].kind in ("CLASS", "WORD"):
        right = pieces[at + 2].kind
    before = [piece.kind for piece in pieces[: at - 1] if piece.kind != "COLOR"][-1:]
    either = pieces[at].kind == "OR"
    if before and before[0] in ("HOLD", "DO", "NEXT", "WEAR") and left in ("NAME", "CLASS", "WORD"):
        return left == right and before[0] in (("HOLD", "DO") if either else ("HOLD",))
    if not either and (
        "WORD" in (left, right) or (pieces[at].said.lower() == "with" and _same(left) != "who")
    ):
        return False
    return left not in _FREE and _same(left) == _same(right)


def _apart(piece: Piece) -> bool:
    """Whether this "and" begins something else."""
    return piece.kind == "AND" and piece.said.lower() in ("with", "but")


def _same(kind: str) -> str:
    return _ALIKE.get(kind, kind)
