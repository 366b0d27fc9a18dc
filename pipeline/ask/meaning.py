"""From the grammar's tree to conditions: each predicate is given to whom it is about.

A predicate belongs to whoever was named last before it ("Anna in red and Ben in blue"), else to who comes
after it, else to anyone. How the tree comes about is `parse.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from lark import Token, Transformer, v_args

from .clauses import (
    Alone,
    ClassOf,
    Condition,
    Faces,
    Named,
    Not,
    Question,
    Shows,
    Taken,
    Text,
    Told,
    When,
    Words,
    all_of,
    some_of,
)
from .settle import Piece
from .words import HOLDING, forms

_PERSON = ("man", "woman", "boy", "girl", "person", "child", "people", "men", "women")

Predicate = Callable[[Named], Condition]


@dataclass
class _Group:
    """Who was named together: any of `ways`, each of them all its subjects; and what is said of them."""

    ways: list[list[Named]]
    only: bool = False
    alone: bool = False
    negated: bool = False
    predicates: list[tuple[bool, Predicate]] = field(default_factory=list)

    def condition(self) -> Condition:
        """The group as one condition; negated, none of its ways may hold."""
        ways = [all_of(list(self._way(way))) for way in self.ways]
        return (
            all_of([Not(way) for way in ways])
            if self.negated and len(ways) > 1
            else self._signed(some_of(ways))
        )

    def _signed(self, condition: Condition) -> Condition:
        return Not(condition) if self.negated else condition

    def _way(self, way: list[Named]) -> list[Condition]:
        conditions: list[Condition] = []
        for who in way:
            told = [(negated, predicate(who)) for negated, predicate in self.predicates]
            if who.name:
                conditions.append(Shows(who))
            elif not any(not negated for negated, _ in told):
                conditions.append(_unnamed(who))
            conditions += [Not(one) if negated else one for negated, one in told]
        if self.only or self.alone:
            conditions.append(Alone(tuple(who for who in way if who.name or who.class_word)))
        return conditions


def _unnamed(who: Named) -> Condition:
    """A photo of someone or something that has no name: a face, or the word for it."""
    if not who.class_word:
        return Faces(1)
    return ClassOf(Text(who.class_word, tuple(forms(word) for word in who.class_word.split())))


@dataclass
class _Unit:
    """A part of the sentence: a predicate, or a condition on the photo."""

    predicate: Predicate | None = None
    condition: Condition | None = None
    negated: bool = False


@dataclass
class _Order:
    newest: bool
    limit: int | None


@dataclass
class _Object:
    """What is held or stood next to: words to look up, and the concept if it has a name."""

    words: Words = ()
    whom: Named | None = None


class _Count:
    """To be counted."""


class _Absent:
    """A "not" at the end, about who was named last."""


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

    def wear(self, children: list[Any]) -> _Unit:
        """Clothes: those joined by "and" all, by "or" any."""
        parts = [_worn(child) for child in children if getattr(child, "type", "") != "WEAR"]
        return _Unit(predicate=_joined(parts, lambda words: _told("wearing", words)))

    def side(self, children: list[Token]) -> _Unit:
        """Left, middle or right."""
        parts = [(_side_words(child),) if child.type == "SIDE" else child for child in self._said(children)]
        return _Unit(predicate=_joined(parts, lambda words: _told("position", words)))

    def hold(self, children: list[Any]) -> _Unit:
        """Held things."""
        parts = [_object(child) for child in children[1:]]
        return _Unit(predicate=_joined(parts, lambda held: _deed((HOLDING,), held)))

    def deed(self, children: list[Any]) -> tuple[Words, _Object]:
        """A deed, and what it is done to."""
        return (forms(self._word(children[0])),), _object(children[1]) if len(children) > 1 else _Object()

    def do(self, children: list[Any]) -> _Unit:
        """Deeds; an object alone continues the deed before it."""
        parts: list[Any] = []
        verb: Words = ()
        for child in children:
            if isinstance(child, Token):
                parts.append(child)
            elif isinstance(child, tuple) and isinstance(child[1], _Object):
                verb = child[0]
                parts.append(child)
            else:
                parts.append((verb, _object(child)))
        return _Unit(predicate=_joined(parts, lambda deed: _deed(*deed)))

    def next(self, children: list[Any]) -> _Unit:
        """Who or what stands beside."""
        beside = _object(children[1])
        return _Unit(predicate=lambda who: Told(who, "next_to", beside.words, beside.whom))

    # Conditions on the photo ---------------------------------------------------------------------------

    def place(self, children: list[Token]) -> _Unit:
        """Any of the places: a photo is taken in one."""
        texts = [Text(str(t), (forms(self._word(t)),), place=True) for t in self._only(children, "PLACE")]
        return _Unit(condition=some_of(texts))

    def when(self, children: list[Token]) -> _Unit:
        """Any of the times: nothing is taken in two; but "since" and "before" go together."""
        times = [cast(When, self._means(token)) for token in self._only(children, "WHEN")]
        sides = {(one.start is None, one.end is None) for one in times}
        joined = {token.type for token in children} == {"WHEN", "AND_SAME"}
        both = joined and len(times) == 2 and sides == {(True, False), (False, True)}
        return _Unit(condition=all_of(times) if both else some_of(times))

    def camera(self, children: list[Token]) -> _Unit:
        """Any of the cameras."""
        return _Unit(condition=some_of([Taken(self._word(t)) for t in self._only(children, "CAMERA")]))

    def near(self, children: list[Token]) -> _Unit:
        """A point on earth."""
        return _Unit(condition=self._means(children[0]))

    def faces(self, children: list[Token]) -> _Unit:
        """A number of faces."""
        return _Unit(condition=self._means(children[0]))

    def text(self, children: list[Any]) -> _Unit:
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
        return _Unit(condition=some_of(texts))

    # Who -----------------------------------------------------------------------------------------------

    def who(self, children: list[Any]) -> _Group:
        """In "Anna and Ben or Clara", "and" binds closer."""
        ways: list[list[Named]] = [[]]
        for child in children:
            if isinstance(child, Named):
                ways[-1].append(child)
            elif child.type == "OR_SAME":
                ways.append([])
        only = any(isinstance(child, Token) and child.type == "ONLY" for child in children)
        return _Group(ways, only)

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
            inner = _tinted(inner)
        if isinstance(inner, _Unit | _Group):
            inner.negated = odd
        return inner

    # The whole -----------------------------------------------------------------------------------------

    def all(self, children: list[Any]) -> tuple[Condition, list[Any]]:
        """Every part holds. Returns the condition, and what is said of the answer as a whole."""
        groups: list[_Group] = []
        pending: list[tuple[bool, Predicate]] = []
        conditions: list[Condition] = []
        whole: list[Any] = []
        for child in children:
            if isinstance(child, Token):
                whole += _whole(child, self._means(child))
                if child.type == "ABSENT" and groups:
                    groups[-1].negated = True
                continue
            unit = _tinted(child) if isinstance(child, tuple) else child
            current = next((group for group in reversed(groups) if not group.negated), None)
            if isinstance(unit, _Group):
                groups.append(unit)
                if not unit.negated:
                    unit.predicates, pending = unit.predicates + pending, []
            elif isinstance(unit, str):
                conditions += _company(current, unit)
            elif unit.predicate is not None and current is not None:
                current.predicates.append((unit.negated, unit.predicate))
            elif unit.predicate is not None:
                pending.append((unit.negated, unit.predicate))
            elif unit.condition is not None:
                conditions.append(Not(unit.condition) if unit.negated else unit.condition)
        if pending:
            groups.append(_Group([[Named("")]], predicates=pending))
        return all_of([*(group.condition() for group in groups), *conditions] or [everything()]), whole

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


def _company(group: _Group | None, said: str) -> list[Condition]:
    """To be alone is said of who was named last; with nobody named it is one face."""
    if said == "not alone":
        return [Faces(2)]
    if group is None:
        return [Faces(1, 1)]
    group.alone = True
    return []


def _worn(child: Any) -> Any:
    """Joining tokens stay, and so do the words of clothes; other words lose how they were said."""
    return child[1] if isinstance(child, tuple) and child and isinstance(child[0], str) else child


def _told(topic: Any, words: Words) -> Predicate:
    return lambda who: Told(who, topic, words)


def _tinted(words: Words) -> _Unit:
    """A colour alone: of a person the clothes', of a thing its own."""
    return _Unit(predicate=lambda who: Told(who, "wearing" if who.kind == "person" else "color", words))


def _deed(verb: Words, object_: _Object) -> Predicate:
    return lambda who: Told(who, "doing", (*verb, *object_.words), object_.whom)


def _object(child: Any) -> Any:
    """Tokens stay; a subject, a garment or words become what is held."""
    if isinstance(child, Token):
        return child
    if isinstance(child, Named):
        if child.name:
            return _Object(whom=child)
        return _Object(tuple(forms(word) for word in child.class_word.split()) or (_PERSON,))
    return _Object(child[1] if isinstance(child[0], str) else child)


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
