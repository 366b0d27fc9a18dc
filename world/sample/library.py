"""The plan of a sample library: who is in which photo, when, how it is taken, in which file.

Nothing is drawn or written here: a `Shot` holds all that `develop` needs to make the file in any process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from ..identity import Person, sample_person
from ..things import Item, sample_item
from .cast import Cast
from .events import Moment, events
from .naming import Naming
from .technique import Deck, Technique, Techniques

# What is in the photos of a library, as a deck of cards. P: one of the four people, C: of their circle (now
# and then the sibling or a friend), S: a stranger, p: a pet, t: a thing, l: a look-alike, i: any item.
_SUBJECTS = (
    ["P"] * 11 + ["PC"] * 8 + ["PCC"] * 6 + ["p"] * 4 + ["Pp"] * 5 + ["t"] * 4 + ["Pt"] * 5 + ["PCp"] * 2
    + ["Ppt"] + ["sibling"] * 2 + ["friend"] + ["l"] * 3 + ["Pl"] * 3 + ["Sl"] + ["S"] * 2 + ["SS"]
    + ["i"] + ["Si"] + [""]
)  # fmt: skip
_EXTRAS = ["none"] * 26 + ["burst"] * 2 + ["copy"] * 2
_BURST = 3
_COPY_FOLDERS = ["Favourites ⭐", "to print", "Backup of old laptop/Pictures"]


@dataclass(frozen=True)
class Shot:
    """One photo to be made. `seed` fixes the scene, `frame` the place in a burst."""

    file: str  # relative, POSIX
    people: tuple[Person, ...]
    items: tuple[Item, ...]
    seed: tuple[int, ...]
    moment: Moment
    technique: Technique
    copies: tuple[str, ...] = ()  # further files with the same bytes
    frame: int = 0
    burst: int | None = None  # the same number for all photos of a burst
    strangers: bool = True
    facing: str | None = None
    star: str | None = None  # key of the entity that must be clearly seen


class _Casting:
    """Turns subject cards into people and items, each concept as often as its like."""

    def __init__(self, cast: Cast, rng: np.random.Generator) -> None:
        self._rng = rng
        self._subjects = Deck(rng, _SUBJECTS)
        self._people = Deck(rng, list(cast.people.values()))
        # Of the company, one in five is no concept.
        self._circle = Deck(rng, [*cast.people.values()] * 4 + [cast.sibling] * 2 + [*cast.friends[:2]])
        self._others = {"sibling": Deck(rng, [cast.sibling]), "friend": Deck(rng, cast.friends)}
        self._items = {
            "p": Deck(rng, cast.pets),
            "t": Deck(rng, cast.things),
            "l": Deck(rng, cast.lookalikes),
        }

    def draw(self) -> tuple[tuple[Person, ...], tuple[Item, ...]]:
        """The people and items of the next photo."""
        card = self._subjects.draw()
        if card in self._others:
            return (self._others[card].draw(),), ()
        people: list[Person] = []
        items: list[Item] = []
        for letter in card:
            if letter in "PCS":
                people.append(self._person(letter, people))
            else:
                items.append(sample_item(self._rng) if letter == "i" else self._items[letter].draw())
        return tuple(people), tuple(items)

    def _person(self, letter: str, taken: list[Person]) -> Person:
        if letter == "S":
            return sample_person(self._rng)
        return (self._people if letter == "P" else self._circle).draw(other_than=taken)


def library_shots(cast: Cast, photos: int, seed: int) -> Iterator[Shot]:
    """Yield the shots of a library of exactly `photos` files, copies counted, about in order of time."""
    rng = np.random.default_rng([seed, 1])
    casting, techniques, naming = _Casting(cast, rng), Techniques(rng), Naming(rng)
    extras, copy_folders = Deck(rng, _EXTRAS), Deck(rng, _COPY_FOLDERS)
    left = photos
    for number, moment in enumerate(itertools.chain.from_iterable(events(rng, photos))):
        if left <= 0:
            return
        people, items = casting.draw()
        shot = Shot("", people, items, (seed, 2, number), moment, techniques.draw(moment.when.year))
        extra = extras.draw()
        for frame in _burst(shot, number) if extra == "burst" else [shot]:
            if left <= 0:
                return
            file = naming.file(frame.moment, frame.technique)
            left -= 1
            copies: tuple[str, ...] = ()
            if extra == "copy" and left > 0:
                copies = (naming.unused(f"{copy_folders.draw()}/{file.rpartition('/')[2]}"),)
                left -= 1
            yield replace(frame, file=file, copies=copies)


def _burst(shot: Shot, number: int) -> list[Shot]:
    def later(frame: int) -> Moment:
        return replace(shot.moment, when=shot.moment.when + frame * timedelta(milliseconds=640))

    return [replace(shot, frame=k, burst=number, moment=later(k)) for k in range(_BURST)]


def concept_shots(cast: Cast, name: str, count: int, seed: int) -> Iterator[Shot]:
    """Yield the photos that teach one concept: clearly seen, a face shown, alone but for a person's last one.

    Files are relative to the folder of all concepts.
    """
    entity = cast.concepts[name]
    rng = np.random.default_rng([seed, 3, list(cast.concepts).index(name)])
    techniques, naming = Techniques(rng), Naming(rng)
    friend = cast.friends[int(rng.integers(len(cast.friends)))]
    for number, event in enumerate(itertools.islice(events(rng, 20 * count), 0, 2 * count, 2)):
        moment = replace(event[0], folder=name)
        technique = techniques.draw(moment.when.year)
        people: tuple[Person, ...] = ()
        if isinstance(entity, Person):
            people = (entity, friend) if number == count - 1 else (entity,)
        yield Shot(
            file=naming.file(moment, technique),
            people=people,
            items=() if isinstance(entity, Person) else (entity,),
            seed=(seed, 4, int(rng.integers(1 << 31))),
            moment=moment,
            technique=technique,
            strangers=False,
            facing=("front", "three-quarter")[number % 2],
            star=entity.key,
        )
