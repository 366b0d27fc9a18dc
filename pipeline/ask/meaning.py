"""From the grammar's tree to conditions: what each of its rules stands for.

What does not live here: how the tree comes about (`parse.py`), whom a predicate is about (`predicates.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from lark import Token, Transformer, v_args

from .clauses import Condition, Faces, Named, Question, Taken, Text, When, Words, all_of, some_of
from .predicates import Group, Object, Predicate, Said, Unit, beside, does, is_told, tinted
from .settle import Piece
from .words import HOLDING, forms

_PERSON = ("man", "woman", "boy", "girl", "person", "child", "people", "men", "women")


@dataclass
class _Order:
    newest: bool
    limit: int | None


class _Count:
    """To be counted."""


class Meaning(Transformer[Token, Question]):
    """From the grammar's tree to conditions, bottom up."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        """Tokens stand for `pieces`."""
        super().__init__(visit_tokens=False)
        self._pieces = pieces

    def _means(self, token: Token) -> Any:
        return self._pieces[cast(int, token.start_pos)].means

    def _word(self, token: Token) -> str:
        return cast(str, self._means(token))

    # Words ---------------------------------------------------------------------------------------------

    def words(self, children: list[Token]) -> tuple[str, Words]:
        """Words in a row."""
        return " ".join(children), tuple(forms(self._word(token)) for token in children)

    def tint(self, children: list[Token]) -> Words:
        """One or more colours, all of them."""
        return tuple(forms(self._word(token)) for token in children if token.type == "COLOR")

    def cloth(self, children: list[Any]) -> Words:
        """A garment with its colours."""
        return tuple(
            words
            for child in children
            for words in ([forms(self._word(child))] if isinstance(child, Token) else child)
        )

    def subject(self, children: list[Token]) -> Named:
        """A name, a class word, or anyone."""
        last = children[-1]
        if last.type == "NAME":
            return cast(Named, self._means(last))
        if last.type == "ANYONE":
            return Named("")
        return Named("", " ".join(self._word(token) for token in children))

    # Predicates ----------------------------------------------------------------------------------------

    def wear(self, children: list[Any]) -> Unit:
        """Clothes: those joined by "and" all, by "or" any."""
        parts = [_worn(child) for child in children if getattr(child, "type", "") != "WEAR"]
        return Unit(predicate=_joined(parts, lambda words: is_told("wearing", words)))

    def side(self, children: list[Token]) -> Unit:
        """Left, middle or right."""
        parts = [(_side_words(child),) if child.type == "SIDE" else child for child in self._said(children)]
        return Unit(predicate=_joined(parts, lambda words: is_told("position", words)))

    def hold(self, children: list[Any]) -> Unit:
        """Held things."""
        parts = [_object(child) for child in children[1:]]
        return Unit(predicate=_joined(parts, lambda held: does((HOLDING,), held)))

    def deed(self, children: list[Any]) -> tuple[Words, Object]:
        """A deed, and what it is done to."""
        return (forms(self._word(children[0])),), _object(children[1]) if len(children) > 1 else Object()

    def do(self, children: list[Any]) -> Unit:
        """Deeds; an object alone continues the deed before it."""
        parts: list[Any] = []
        verb: Words = ()
        for child in children:
            if isinstance(child, Token):
                parts.append(child)
            elif isinstance(child, tuple) and isinstance(child[1], Object):
                verb = child[0]
                parts.append(child)
            else:
                parts.append((verb, _object(child)))
        return Unit(predicate=_joined(parts, lambda deed: does(*deed)))

    def next(self, children: list[Any]) -> Unit:
        """Who or what stands beside."""
        return Unit(predicate=beside(_object(children[1])))

    # Conditions on the photo ---------------------------------------------------------------------------

    def place(self, children: list[Token]) -> Unit:
        """Any of the places: a photo is taken in one."""
        texts = [Text(str(t), (forms(self._word(t)),), place=True) for t in self._only(children, "PLACE")]
        return Unit(condition=some_of(texts))

    def when(self, children: list[Token]) -> Unit:
        """Any of the times: nothing is taken in two; but "since" and "before" go together."""
        times = [cast(When, self._means(token)) for token in self._only(children, "WHEN")]
        sides = {(one.start is None, one.end is None) for one in times}
        joined = {token.type for token in children} == {"WHEN", "AND_SAME"}
        both = joined and len(times) == 2 and sides == {(True, False), (False, True)}
        return Unit(condition=all_of(times) if both else some_of(times))

    def camera(self, children: list[Token]) -> Unit:
        """Any of the cameras."""
        return Unit(condition=some_of([Taken(self._word(t)) for t in self._only(children, "CAMERA")]))

    def near(self, children: list[Token]) -> Unit:
        """A point on earth."""
        return Unit(condition=self._means(children[0]))

    def faces(self, children: list[Token]) -> Unit:
        """A number of faces."""
        return Unit(condition=self._means(children[0]))

    def text(self, children: list[Any]) -> Unit:
        """Words that only captions and similarity can answer."""
        texts = []
        for child in children:
            if isinstance(child, Token):
                if child.type == "QUOTED":
                    texts.append(
                        Text(self._word(child), tuple((word,) for word in self._word(child).split()))
                    )
            else:
                texts.append(Text(*child))
        return Unit(condition=some_of(texts))

    # Who -----------------------------------------------------------------------------------------------

    def who(self, children: list[Any]) -> Group:
        """In "Anna and Ben or Clara", "and" binds closer."""
        ways: list[list[Named]] = [[]]
        for child in children:
            if isinstance(child, Named):
                ways[-1].append(child)
            elif child.type == "OR_SAME":
                ways.append([])
        only = any(isinstance(child, Token) and child.type == "ONLY" for child in children)
        return Group(ways, only)

    def alone(self, children: list[Token]) -> str:
        """Nobody else."""
        return "alone"

    @v_args(inline=True)
    def negated(self, *children: Any) -> Any:
        """What is not so, or, denied twice, is."""
        inner = children[-1]
        odd = sum(isinstance(child, Token) for child in children[:-1]) % 2 == 1
        if inner == "alone":
            return "not alone" if odd else "alone"
        if isinstance(inner, tuple):  # a colour
            inner = tinted(inner)
        if isinstance(inner, Unit | Group):
            inner.negated = odd
        return inner

    # The whole -----------------------------------------------------------------------------------------

    def all(self, children: list[Any]) -> tuple[Condition, list[Any]]:
        """Every part holds. Returns the condition, and what is said of the answer as a whole."""
        said = Said()
        whole: list[Any] = []
        for child in children:
            if isinstance(child, Token):
                whole += _whole(child, self._means(child))
                if child.type == "ABSENT":
                    said.absent()
            else:
                said.add(tinted(child) if isinstance(child, tuple) else child)
        return all_of(said.conditions() or [everything()]), whole

    def start(self, children: list[Any]) -> Question:
        """The question."""
        parts = [child for child in children if isinstance(child, tuple)]
        whole = [one for _, said in parts for one in said]
        order = next((one for one in whole if isinstance(one, _Order)), None)
        return Question(
            some_of([condition for condition, _ in parts]),
            count=any(isinstance(one, _Count) for one in whole),
            newest_first=order.newest if order else None,
            limit=order.limit if order else None,
        )

    def _only(self, children: Sequence[Token], kind: str) -> list[Token]:
        return [child for child in children if child.type == kind]

    def _said(self, children: Sequence[Token]) -> list[Token]:
        return [child for child in children if child.type in ("SIDE", "OR_SAME")]


def everything() -> Condition:
    """True of every photo."""
    return Faces(0)


def _whole(token: Token, means: Any) -> list[Any]:
    if token.type == "COUNT":
        return [_Count()]
    return [_Order(*means)] if token.type == "ORDER" else []


def _worn(child: Any) -> Any:
    """Joining tokens stay, and so do the words of clothes; other words lose how they were said."""
    return child[1] if isinstance(child, tuple) and child and isinstance(child[0], str) else child


def _object(child: Any) -> Any:
    """Tokens stay; a subject, a garment or words become what is held."""
    if isinstance(child, Token):
        return child
    if isinstance(child, Named):
        if child.name:
            return Object(whom=child)
        return Object(tuple(forms(word) for word in child.class_word.split()) or (_PERSON,))
    return Object(child[1] if isinstance(child[0], str) else child)


def _side_words(token: Token) -> tuple[str, ...]:
    said = token.lower()
    return next((side,) for side in ("left", "right", "middle") if side in said or side == "middle")


def _joined(parts: Sequence[Any], predicate: Callable[[Any], Predicate]) -> Predicate:
    """Parts joined by "and" and "or" tokens, as one predicate; "and" binds closer."""
    ways: list[list[Predicate]] = [[]]
    for part in parts:
        if not isinstance(part, Token):
            ways[-1].append(predicate(part))
        elif part.type == "OR_SAME":
            ways.append([])
    return lambda who: some_of([all_of([one(who) for one in way]) for way in ways])
