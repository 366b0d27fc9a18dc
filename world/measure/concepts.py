"""Rendered concepts to evaluate on: folders of photos with captions and facts, as `evaluate` reads any.

Five photos of each are clearly of it alone, to learn from; the others show it as a library does, in company,
among look-alikes, somewhere in the picture. Nobody wrote a caption for those that teach, so that the model
learns in its own words, as it does from most people's photos: variations of a written one are beyond the few
ways to speak that a pocket model knows, and draw the vector away (in one draw recall 0 instead of 100 %).
What does not live here: the evaluation (`pipeline/evaluate`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...pipeline.evaluate.data import FACTS
from ...pipeline.written import CAPTIONS
from ...schemas.settings import OBJECT_QUESTIONS, PERSON_QUESTIONS
from ..identity import Person, sample_person
from ..sample.cast import Cast, sample_cast
from ..sample.develop import develop
from ..sample.events import events
from ..sample.library import Shot, concept_shots
from ..sample.naming import Naming
from ..sample.technique import Deck, Techniques
from ..things import Item
from .judge import Photo, recognisable, right_answers

_TAUGHT = 5
#: Who is in the photo besides. P: one of the household, S: a stranger, p: a pet, t: a thing, l: a look-alike.
_WITH_PEOPLE = ["", "", "P", "P", "PP", "p", "t", "Pt", "S"]
_WITH_THINGS = ["", "P", "P", "PP", "l", "Pl", "S", "Pt"]

Progress = Callable[[int, int], None]


def write_concepts(
    out: Path, seed: int, concepts: int, photos: int, progress: Progress = lambda done, total: None
) -> Path:
    """Write up to eight concepts of a seed below `out`, each with `photos` to judge by; returns `out`."""
    cast = sample_cast(np.random.default_rng([seed, 0]))
    names = _mixed(cast)[:concepts]
    for done, name in enumerate(names):
        progress(done * (_TAUGHT + photos), len(names) * (_TAUGHT + photos))
        _write(out, cast, name, photos, seed)
    return out


def _mixed(cast: Cast) -> list[str]:
    """People and things in turn, so that the first few are some of each."""
    people, items = list(cast.people), list(cast.items)
    items = [items[at] for at in (0, 2, 1, 3)]  # a pet, a thing, a pet, a thing
    return [name for pair in zip(people, items, strict=True) for name in pair]


def _write(out: Path, cast: Cast, name: str, photos: int, seed: int) -> None:
    """One concept's folder."""
    captions: dict[str, list[str]] = {}
    facts: dict[str, dict[str, Any]] = {}
    taught = [(shot, True) for shot in concept_shots(cast, name, _TAUGHT, seed)]
    seen = ((shot, False) for shot in _company(cast, name, seed))
    left = photos
    for shot, teaches in itertools.chain(taught, itertools.islice(seen, 4 * photos)):
        if not teaches and not left:
            break
        made = develop(shot, out, {cast.concepts[name].key: name})
        file = shot.file.rpartition("/")[2]
        row = recognisable(made.truth).get(name)
        if row is None:
            (out / shot.file).unlink()
            continue
        left -= not teaches
        alone = len(shot.people) <= 1 or not isinstance(cast.concepts[name], Person)
        caption = made.photos[0]["caption"]
        if not teaches:
            captions[file] = [caption]
        photo = Photo(file, file, list(made.truth), caption)
        questions = PERSON_QUESTIONS if row["kind"] == "person" else OBJECT_QUESTIONS
        facts[file] = {
            "teaches": teaches and alone,
            "box": [float(row[corner]) for corner in ("x0", "y0", "x1", "y1")],
            "answers": {topic: sorted(right_answers(topic, row, photo)) for topic in questions},
            "others": sorted({cast.names[key] for key in _keys(shot) if key in cast.names} - {name}),
        }
    (out / name / CAPTIONS).write_text(json.dumps(captions, indent=1), "utf-8")
    (out / name / FACTS).write_text(json.dumps(facts, indent=1), "utf-8")


def _keys(shot: Shot) -> list[str]:
    return [person.key for person in shot.people] + [item.key for item in shot.items]


def _company(cast: Cast, name: str, seed: int) -> Iterator[Shot]:
    """Shots of a concept as a library has them, without end but for the events."""
    entity = cast.concepts[name]
    rng = np.random.default_rng([seed, 5, list(cast.concepts).index(name)])
    techniques, naming = Techniques(rng), Naming(rng)
    deck = Deck(rng, _WITH_PEOPLE if isinstance(entity, Person) else _WITH_THINGS)
    for number, event in enumerate(itertools.islice(events(rng, 1000), 1, None, 2)):
        moment = replace(event[0], folder=name)
        people, items = _others(cast, entity, deck.draw(), rng)
        technique = techniques.draw(moment.when.year)
        yield Shot(
            file=naming.file(moment, technique).replace(f"{name}/", f"{name}/seen "),
            people=people,
            items=items,
            seed=(seed, 6, number, int(rng.integers(1 << 31))),
            moment=moment,
            technique=technique,
        )


def _others(
    cast: Cast, entity: Person | Item, card: str, rng: np.random.Generator
) -> tuple[tuple[Person, ...], tuple[Item, ...]]:
    """The concept, and whoever and whatever the card says, each once."""
    people: list[Person] = [entity] if isinstance(entity, Person) else []
    items: list[Item] = [entity] if isinstance(entity, Item) else []
    pools = {"p": cast.pets, "t": cast.things, "l": cast.lookalikes}
    for letter in card:
        if letter == "S":
            people.append(sample_person(rng))
        elif letter == "P":
            free_people = [one for one in cast.people.values() if one not in people]
            people.append(free_people[int(rng.integers(len(free_people)))])
        else:
            free_items = [one for one in pools[letter] if one not in items]
            items.append(free_items[int(rng.integers(len(free_items)))])
    return tuple(people), tuple(items)
