"""Predicates, and whom they are about: what is said of someone becomes a condition once it is known of whom.

A predicate belongs to whoever was named last before it ("Anna in red and Ben in blue"), else to who comes
after it, else to anyone. What does not live here: the grammar's tree and its tokens (`meaning.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .clauses import (
    Alone,
    ClassOf,
    Condition,
    Faces,
    Named,
    Not,
    Shows,
    Text,
    Told,
    Words,
    all_of,
    some_of,
)
from .words import forms

Predicate = Callable[[Named], Condition]


@dataclass
class Group:
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
class Unit:
    """A part of the sentence: a predicate, or a condition on the photo."""

    predicate: Predicate | None = None
    condition: Condition | None = None
    negated: bool = False


@dataclass
class Object:
    """What is held or stood next to: words to look up, and the concept if it has a name."""

    words: Words = ()
    whom: Named | None = None


@dataclass
class Said:
    """The parts of a sentence so far; each predicate goes to whom it is about as it comes."""

    groups: list[Group] = field(default_factory=list)
    pending: list[tuple[bool, Predicate]] = field(default_factory=list)  # about who comes next
    of_photo: list[Condition] = field(default_factory=list)

    def add(self, part: Group | Unit | str) -> None:
        """The next part; "alone" and "not alone" are words."""
        current = next((group for group in reversed(self.groups) if not group.negated), None)
        if isinstance(part, Group):
            self.groups.append(part)
            if not part.negated:
                part.predicates, self.pending = part.predicates + self.pending, []
        elif isinstance(part, str):
            self.of_photo += _company(current, part)
        elif part.predicate is not None and current is not None:
            current.predicates.append((part.negated, part.predicate))
        elif part.predicate is not None:
            self.pending.append((part.negated, part.predicate))
        elif part.condition is not None:
            self.of_photo.append(Not(part.condition) if part.negated else part.condition)

    def absent(self) -> None:
        """A "not" at the end, about who was named last."""
        if self.groups:
            self.groups[-1].negated = True

    def conditions(self) -> list[Condition]:
        """What must hold; predicates that nobody came after are about anyone."""
        anyone = [Group([[Named("")]], predicates=self.pending)] if self.pending else []
        return [*(group.condition() for group in [*self.groups, *anyone]), *self.of_photo]


def _company(group: Group | None, said: str) -> list[Condition]:
    """To be alone is said of who was named last; with nobody named it is one face."""
    if said == "not alone":
        return [Faces(2)]
    if group is None:
        return [Faces(1, 1)]
    group.alone = True
    return []


def is_told(topic: Any, words: Words) -> Predicate:
    """These words, in answer to what is asked about the topic."""
    return lambda who: Told(who, topic, words)


def tinted(words: Words) -> Unit:
    """A colour alone: of a person the clothes', of a thing its own."""
    return Unit(predicate=lambda who: Told(who, "wearing" if who.kind == "person" else "color", words))


def beside(object_: Object) -> Predicate:
    """To stand next to someone or something."""
    return lambda who: Told(who, "next_to", object_.words, object_.whom)


def does(verb: Words, object_: Object) -> Predicate:
    """A deed, and what it is done to."""
    return lambda who: Told(who, "doing", (*verb, *object_.words), object_.whom)
