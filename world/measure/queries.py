"""Questions in plain English, put to a library that was learnt and gone through, held against its truth.

Each sentence has its true set of photos; what `query` gives, exact and ranked alike, is scored by F1. A
person is in a photo if the face can be seen, as everywhere (`judge.has_face`); a photo has a date and a
camera if its file tells them. Copies are one photo. What does not live here: how people, clothes and
answers fare by themselves (`end_to_end.py`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from ...pipeline.ask.answer import ask
from ...schemas.errors import MyvlmTagError
from ...schemas.paths import to_text
from ...schemas.settings import load_settings
from ..sentences import PLACE_PHRASES
from .figure import Figure
from .household import settled
from .judge import has_face, recognisable

#: Shapes of sentences that need nothing but people, dates and places.
PLAIN = frozenset(
    {"person", "two people", "either", "without", "month", "summer", "years", "place", "person at a place"}
)
_FEWEST = 2  # photos that a sentence must be true of: of one alone F1 is a coin
_NOW = datetime(2025, 6, 1)
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

Row = Mapping[str, Any]


@dataclass
class Scene:
    """What is true of one photo, copies taken together."""

    files: list[str]
    taken_at: datetime | None
    camera: str | None
    place: str
    caption: str
    entities: list[Row] = field(default_factory=list)

    @cached_property
    def shown(self) -> dict[str, Row]:
        """The concepts that can be recognised in it."""
        return recognisable(self.entities)

    @property
    def people(self) -> int:
        """How many people are in it, whether or not their faces are."""
        return sum(row["kind"] == "person" for row in self.entities)

    @property
    def faces(self) -> int:
        """How many faces can be seen."""
        return sum(row["kind"] == "person" and has_face(row) for row in self.entities)


@dataclass(frozen=True)
class Sentence:
    """A question of some shape, and the photos that it is true of (numbers of scenes)."""

    shape: str
    text: str
    truth: frozenset[int]


def figures(seed: int, photos: int, folder: Path | None = None) -> dict[str, Figure]:
    """Mean F1 over all sentences, over the plain ones and over clothes; then each shape's.

    What is in `folder` already (an earlier household) is not done again.
    """
    with settled(seed, photos, folder) as household:
        return judge(household.home, household.sample, seed)


def judge(
    home: Path, sample: Path, seed: int, report: Callable[[str], None] | None = None
) -> dict[str, Figure]:
    """Put every sentence to the catalog in `home`; `report` is told each one's F1."""
    scenes = read_scenes(sample)
    sentences = list(write_sentences(scenes, np.random.default_rng(seed)))
    library = to_text(os.path.abspath(sample / "library")) + "/"
    numbers = {library + file: number for number, scene in enumerate(scenes) for file in scene.files}
    settings = load_settings({"home": home})
    scores: dict[str, list[float]] = {}
    for sentence in sentences:
        try:
            rows = ask(settings, sentence.text, _NOW).rows
        except MyvlmTagError:
            rows = []
        found = {numbers[row.path] for row in rows}
        scores.setdefault(sentence.shape, []).append(f1(found, sentence.truth))
        if report:
            report(
                f"{scores[sentence.shape][-1]:.2f}  {sentence.text}  ({len(found)} of {len(sentence.truth)})"
            )
    every = [score for shape in scores.values() for score in shape]
    plain = [score for shape in PLAIN & scores.keys() for score in scores[shape]]
    summary = {
        f"{len(every)} sentences of {len(scores)} shapes, mean F1": Figure(float(np.mean(every)), 0.9),
        "photos where someone is wearing a colour, mean F1": Figure(float(np.mean(scores["wearing"])), 0.9),
        "people, dates and places alone, mean F1": Figure(float(np.mean(plain)), 0.97),
    }
    return summary | {f"  {shape}": Figure(float(np.mean(of))) for shape, of in sorted(scores.items())}


def f1(found: Collection[int], true: Collection[int]) -> float:
    """The harmonic mean of precision and recall."""
    right = len(set(found) & set(true))
    return 2 * right / (len(found) + len(true)) if found or true else 1.0


def read_scenes(sample: Path) -> list[Scene]:
    """What is true of a sample library, photo by photo."""
    scenes: dict[str, Scene] = {}
    for row in pq.read_table(sample / "photos.parquet").to_pylist():
        scene = scenes.get(row["copy_of"] or row["file"])
        if scene is None:
            dated = row["camera"] is not None  # without EXIF nothing is told
            taken = row["taken_at"] if dated else None
            scenes[row["file"]] = Scene([row["file"]], taken, row["camera"], row["place"], row["caption"])
        else:
            scene.files.append(row["file"])
    for row in pq.read_table(sample / "truth.parquet").to_pylist():
        if row["file"] in scenes:
            scenes[row["file"]].entities.append(row)
    return list(scenes.values())


def write_sentences(scenes: Sequence[Scene], rng: np.random.Generator) -> Iterator[Sentence]:
    """Sentences of every shape about this library, each true of a few photos at least."""
    writer = _Writer(scenes, rng)
    for shape in (writer.people, writer.dates, writer.places, writer.clothes, writer.deeds, writer.counts):
        for name, text, holds in shape():
            true = frozenset(number for number, scene in enumerate(scenes) if holds(scene))
            if len(true) >= _FEWEST:
                yield Sentence(name, text, true)


Holds = Callable[[Scene], bool]
_Candidate = tuple[str, str, Holds]


class _Writer:
    """Writes sentences about what there is."""

    def __init__(self, scenes: Sequence[Scene], rng: np.random.Generator) -> None:
        self.scenes, self.rng = scenes, rng
        kinds = {name: row["kind"] for scene in scenes for name, row in scene.shown.items()}
        self.persons = sorted(name for name, kind in kinds.items() if kind == "person")
        self.things = sorted(name for name, kind in kinds.items() if kind != "person")

    def people(self) -> Iterator[_Candidate]:
        """Who is in it, and who isn't."""
        for name in self.persons:
            yield "person", f"photos of {said(name)}", _shows(name)
            yield "alone", f"{said(name)} alone", _all(_shows(name), lambda scene: scene.people == 1)
        for name in self.things:
            yield "pet or thing", f"pictures of {said(name)}", _shows(name)
        for a, b in self._pairs():
            yield "two people", f"{a} and {b} together", _all(_shows(a), _shows(b))
            yield "without", f"{said(a)} without {said(b)}", _all(_shows(a), _not(_shows(b)))
        for name in self.persons[:2]:
            for thing in self.things[:2]:
                held = f"{said(name)} with {said(thing)}"
                yield "person with a thing", held, _all(_shows(name), _shows(thing))

    def dates(self) -> Iterator[_Candidate]:
        """When it was taken."""
        months = Counter((s.taken_at.year, s.taken_at.month) for s in self.scenes if s.taken_at)
        for (year, month), _ in months.most_common(4):
            last = date(year + month // 12, month % 12 + 1, 1)
            yield "month", f"photos from {_MONTHS[month - 1]} {year}", _taken(date(year, month, 1), last)
        years = Counter(s.taken_at.year for s in self.scenes if s.taken_at).most_common(4)
        for year, _ in years:
            a, b = self._pairs()[0]
            that_year = _taken(date(year, 1, 1), date(year + 1, 1, 1))
            yield "either", f"{said(a)} or {said(b)} in {year}", _all(_any(_shows(a), _shows(b)), that_year)
            summer = _taken(date(year, 6, 1), date(year, 9, 1))
            yield "summer", f"everything from the summer of {year}", summer
        for name in self.persons:
            low = int(self.rng.integers(2014, 2021))
            span = _taken(date(low, 1, 1), date(low + 4, 1, 1))
            yield "years", f"{said(name)} between {low} and {low + 3}", _all(_shows(name), span)

    def places(self) -> Iterator[_Candidate]:
        """Where it was taken."""
        common = [place for place, _ in Counter(scene.place for scene in self.scenes).most_common(8)]
        for place in common:
            yield "place", f"photos {PLACE_PHRASES[place]}", _at(place)
        for place in common[:5]:
            name = str(self.rng.choice(self.persons))
            text = f"{said(name)} {PLACE_PHRASES[place]}"
            yield "person at a place", text, _all(_shows(name), _at(place))

    def clothes(self) -> Iterator[_Candidate]:
        """What someone wears."""
        for (name, color), _ in self._seen("color").most_common(8):
            yield "wearing", f"photos where {said(name)} is wearing {color}", _is(name, "color", color)
        for (name, garment), _ in self._seen("garment").most_common(4):
            yield "garment", f"{said(name)} in a {garment}", _is(name, "garment", garment)
        for (name, color, garment), _ in self._seen("color", "garment").most_common(4):
            worn = _all(_is(name, "color", color), _is(name, "garment", garment))
            yield "clothes", f"{said(name)}'s {color} {garment}", worn

    def deeds(self) -> Iterator[_Candidate]:
        """What someone does, and on which side."""
        for (name, doing), _ in self._seen("doing").most_common(6):
            yield "doing", f"{said(name)} {doing}", _is(name, "doing", doing)
        for name in self.persons:
            side = str(self.rng.choice(["left", "right"]))
            yield "side", f"{said(name)} on the {side}", _is(name, "where", side)
        for a, b in self._pairs()[:3]:
            waving = _any(_is(a, "doing", "waving"), _is(b, "doing", "waving"))
            yield "either doing", f"{said(a)} or {said(b)} waving", waving
            places = _any(_all(_shows(a), _at("street")), _all(_shows(b), _at("kitchen")))
            yield "two conditions", f"{said(a)} on the street or {said(b)} in the kitchen", places

    def counts(self) -> Iterator[_Candidate]:
        """Faces and cameras."""
        for camera, _ in Counter(s.camera for s in self.scenes if s.camera).most_common(3):
            yield "camera", f"taken with the {camera}", _by(camera)
        yield "faces", "photos with exactly two faces", lambda scene: scene.faces == 2
        yield "nobody", "photos without people", _nobody
        for name in self.things:
            yield "thing without people", f"{said(name)} without people", _all(_shows(name), _nobody)

    def _seen(self, *what: str) -> Counter[tuple[str, ...]]:
        """How often each person is seen with these values."""
        return Counter(
            (name, *(row[one] for one in what))
            for scene in self.scenes
            for name, row in scene.shown.items()
            if name in self.persons
        )

    def _pairs(self) -> list[tuple[str, str]]:
        pairs = [(a, b) for a in self.persons for b in self.persons if a < b]
        return [pairs[i] for i in self.rng.permutation(len(pairs))[:5]]


def _shows(name: str) -> Holds:
    return lambda scene: name in scene.shown


def _is(name: str, what: str, value: str) -> Holds:
    return lambda scene: name in scene.shown and scene.shown[name][what] == value


def _at(place: str) -> Holds:
    return lambda scene: scene.place == place


def _by(camera: str) -> Holds:
    return lambda scene: scene.camera == camera


def _taken(first: date, end: date) -> Holds:
    return lambda scene: scene.taken_at is not None and first <= scene.taken_at.date() < end


def _nobody(scene: Scene) -> bool:
    return scene.people == 0


def _all(*conditions: Holds) -> Holds:
    return lambda scene: all(holds(scene) for holds in conditions)


def _any(*conditions: Holds) -> Holds:
    return lambda scene: any(holds(scene) for holds in conditions)


def _not(condition: Holds) -> Holds:
    return lambda scene: not condition(scene)


def said(name: str) -> str:
    """How one says a thing's name: my-toy-car is "my toy car"; pets are called like people."""
    return name.replace("-", " ") if "-" in name else name.title()
