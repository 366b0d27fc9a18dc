"""What a sentence can ask for, as a tree of conditions; no words of it are left here but those to look up."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

#: One thing to look up in a text, as the forms of its words that count: (("grey", "gray"), ("coat",)).
Words: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Named:
    """A person, pet or thing that was learnt, or the class word of one."""

    name: str
    class_word: str = ""
    kind: str = "person"


@dataclass(frozen=True)
class Shows:
    """A concept is in the photo."""

    who: Named


@dataclass(frozen=True)
class ClassOf:
    """Any concept of this class is in the photo, or the caption says the word: "a dog"."""

    text: Text


@dataclass(frozen=True)
class Told:
    """What the model answered about someone: `topic` is a column of `sightings`; `who` None is anyone."""

    who: Named | None
    topic: Literal["wearing", "color", "doing", "position", "next_to"]
    words: Words
    whom: Named | None = None  # a concept that the answer may name, or call by its class word


@dataclass(frozen=True)
class Alone:
    """These people, and nobody else, are in the photo; nobody at all if there are none."""

    who: tuple[Named, ...]


@dataclass(frozen=True)
class Faces:
    """How many faces there are."""

    least: int = 0
    most: int | None = None


@dataclass(frozen=True)
class When:
    """The photo was taken in this part of time; every part that is given holds."""

    said: str
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None  # not within
    months: tuple[int, ...] = ()
    days: tuple[tuple[int, int], ...] = ()  # (month, day), of any year
    weekdays: tuple[int, ...] = ()  # 1 is Monday
    hours: tuple[int, int] | None = None  # from, until (not within); over midnight if until is less


@dataclass(frozen=True)
class Taken:
    """The photo was taken with this camera: a make or model of the catalog."""

    camera: str


@dataclass(frozen=True)
class Near:
    """The photo was taken near a point on earth, in degrees; or has a place at all if there is none."""

    latitude: float | None = None
    longitude: float | None = None
    km: float = 1.0


@dataclass(frozen=True)
class Text:
    """Words that no column answers: looked up in captions and folders' names, then ranked by CLIP."""

    said: str
    words: Words
    place: bool = False
    who: Named | None = None  # of whom it is said


@dataclass(frozen=True)
class Untold:
    """The photo has no caption, so its caption can't tell."""


@dataclass(frozen=True)
class Not:
    """The condition does not hold."""

    condition: Condition


@dataclass(frozen=True)
class All:
    """Every one of the conditions holds."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Some:
    """At least one of the conditions holds."""

    conditions: tuple[Condition, ...]


Condition: TypeAlias = (
    Shows | ClassOf | Told | Alone | Faces | When | Taken | Near | Text | Untold | Not | All | Some
)


@dataclass(frozen=True)
class Question:
    """A whole sentence: which photos, in which order, how many."""

    condition: Condition
    count: bool = False
    newest_first: bool | None = None
    limit: int | None = None
    suspects: tuple[str, ...] = ()  # words that look like names, and are none that is known


def parts_of(condition: Condition) -> tuple[Condition, ...]:
    """The conditions that must all hold, taken apart, each once."""
    if isinstance(condition, All):
        return tuple(dict.fromkeys(part for one in condition.conditions for part in parts_of(one)))
    return (condition,)


def all_of(conditions: Sequence[Condition]) -> Condition:
    """The conditions as one."""
    return conditions[0] if len(conditions) == 1 else All(tuple(conditions))


def some_of(conditions: Sequence[Condition]) -> Condition:
    """Any of the conditions as one."""
    return conditions[0] if len(conditions) == 1 else Some(tuple(conditions))
