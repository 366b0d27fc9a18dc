"""Who belongs to one sample library: the eight concepts, the people around them, the look-alikes.

What does not live here: in which photo they are (`library`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..identity import Person, sample_person, sample_sibling
from ..things import PETS, THINGS, Item, sample_item, sample_lookalike
from ..vocabulary import FEMALE_NAMES, MALE_NAMES

#: Age and sex of the four people; None is drawn.
_ROLES: tuple[tuple[str, str | None], ...] = (
    ("adult", "female"),
    ("adult", "male"),
    ("child", None),
    ("old", None),
)
_PET_NAMES = (
    "rex",
    "luna",
    "milo",
    "bella",
    "coco",
    "simba",
    "nala",
    "balu",
    "kira",
    "pepper",
    "mochi",
    "pixel",
)
_FRIENDS = 3
_LOOKALIKES = 3


@dataclass(frozen=True)
class Cast:
    """Everyone who comes back in a library. Strangers are drawn photo by photo."""

    people: dict[str, Person]  # by concept name
    items: dict[str, Item]  # by concept name: two pets, then two things
    sibling: Person  # nearly the same as one of `people`, and no concept
    sibling_of: str  # the name of that one
    friends: tuple[Person, ...]  # no concepts either, but not strangers
    lookalikes: tuple[Item, ...]  # same category and main colour as one of `items`

    @property
    def names(self) -> dict[str, str]:
        """Entity key -> concept name."""
        return {entity.key: name for name, entity in (self.people | self.items).items()}

    @property
    def concepts(self) -> dict[str, Person | Item]:
        """Concept name -> entity."""
        return {**self.people, **self.items}

    @property
    def pets(self) -> list[Item]:
        """The two pets among the concepts."""
        return [item for item in self.items.values() if item.kind == "pet"]

    @property
    def things(self) -> list[Item]:
        """The two things among the concepts."""
        return [item for item in self.items.values() if item.kind == "thing"]


def sample_cast(rng: np.random.Generator) -> Cast:
    """Draw the people, pets and things of one library; another generator gives others."""
    people = [sample_person(rng, age, sex) for age, sex in _ROLES]
    pets = [sample_item(rng, category) for category in _some(rng, PETS, 2)]
    things = [sample_item(rng, category) for category in _some(rng, THINGS, 2)]
    names, pet_names = _person_names(rng, people), _some(rng, _PET_NAMES, 2)
    alike = int(rng.integers(len(people)))
    return Cast(
        people=dict(zip(names, people, strict=True)),
        items=dict(zip([*pet_names, *(_thing_name(t) for t in things)], [*pets, *things], strict=True)),
        sibling=sample_sibling(people[alike], rng),
        sibling_of=names[alike],
        friends=tuple(sample_person(rng) for _ in range(_FRIENDS)),
        lookalikes=tuple(sample_lookalike(i, rng) for i in [*pets, *things] for _ in range(_LOOKALIKES)),
    )


def _person_names(rng: np.random.Generator, people: Iterable[Person]) -> list[str]:
    pools = {"female": _some(rng, FEMALE_NAMES, len(_ROLES)), "male": _some(rng, MALE_NAMES, len(_ROLES))}
    return [pools[person.sex].pop() for person in people]


def _thing_name(thing: Item) -> str:
    return "my-" + thing.category.replace(" ", "-")


def _some(rng: np.random.Generator, values: Sequence[str], count: int) -> list[str]:
    return [str(value) for value in rng.choice(list(values), count, replace=False)]
