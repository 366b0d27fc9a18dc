"""A dataset's concepts, made ready: photos drawn and decoded, heads made and applied.

No vision-language model has part in this, so that it is done once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...schemas.errors import PhotosUnusable
from ...schemas.settings import Settings
from ...stages.heads import linear, person
from ...stages.heads.linear import LinearHead
from ...stages.heads.person import PersonHead
from ..given import Given, GivenPhoto, Say, clip_features, find_faces, read_files, silent
from ..learn import Looked, look
from ..models import Models
from .data import Dataset, Shot, Subject, divide
from .paper import ALL, OBJECTS, PEOPLE
from .tables import Tables

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Sizes:
    """How many photos of a concept are learnt from, and judged by at most."""

    training: int = 4  # MyVLM, section 4.1
    validation: int = 6


@dataclass(frozen=True)
class Ready:
    """One concept: what was learnt, and the photos that judge it."""

    subject: Subject
    looked: Looked
    shots: list[Shot]  # to judge by, with
    photos: list[GivenPhoto]  # their pictures, and whether
    fires: NDArray[np.bool_]  # the concept's own head finds it there
    clip: Floats | None  # features of these photos; None without a CLIP model

    @property
    def person(self) -> bool:
        """Whether it is one."""
        return self.looked.subject.kind == "person"

    @property
    def kinds(self) -> tuple[str, str]:
        """The columns that it counts in."""
        return (PEOPLE if self.person else OBJECTS, ALL)


def make_ready(
    models: Models, settings: Settings, dataset: Dataset, sizes: Sizes, tables: Tables, say: Say
) -> list[Ready]:
    """Every concept of a dataset that can be learnt; table 7 gets its figures.

    One that can't is told, a line, and left out. Raises PhotosUnusable where that leaves none.
    """
    drawn, looked, given = [], [], []
    for subject in dataset.subjects:
        draw = divide(subject, dataset.seed, sizes.training, sizes.validation)
        written = {shot.path: shot.captions for shot in draw.training if shot.captions}
        try:
            taught = read_files(models, [shot.path for shot in draw.training], sizes.training, say)
            judged = read_files(models, [shot.path for shot in draw.validation], sizes.validation, say)
            looked.append(look(settings, models, subject.name, taught, written, None, None, silent))
        except PhotosUnusable as error:
            say(f"{subject.name} is left out: {error.cause}")
            continue
        drawn.append((subject, draw))
        given.append(judged)
    if not drawn:
        raise PhotosUnusable(f"no concept of {dataset.label} can be learnt", "see above why")
    clips = [clip_features(models, one) if _has_clip(models) else None for one in given]
    heads = [one.recognised.head for one in looked]
    persons = {number: head for number, head in enumerate(heads) if isinstance(head, PersonHead)}
    people = list(persons)
    owners = [_owners(models, one, list(persons.values())) for one in given]
    ready = []
    for number, (subject, draw) in enumerate(drawn):
        paths = {shot.path: shot for shot in draw.validation}
        shots = [paths[photo.path] for photo in given[number].photos]
        head = heads[number]
        if isinstance(head, LinearHead):
            fires = linear.probabilities(clips[number], [head])[:, 0] >= head.threshold
        else:
            fires = np.array([people.index(number) in found for found in owners[number]])
        ready.append(Ready(subject, looked[number], shots, given[number].photos, fires, clips[number]))
    names = [drawn[number][0].name for number in people]
    _table_7(ready, owners, names, tables)
    return ready


def _has_clip(models: Models) -> bool:
    return any(stage.name == "clip" for stage in models.stages)


def _owners(models: Models, given: Given, heads: Sequence[PersonHead]) -> list[set[int]]:
    """Which of the people are found in each photo: a face goes to one alone."""
    faces = find_faces(models, given) if heads else []
    found: list[set[int]] = [set() for _ in given.photos]
    if faces:
        embeddings = np.stack([face.embedding for face in faces])
        where = np.array([face.photo for face in faces])
        _, owner = person.judge(where, embeddings, heads)
        for photo, who in zip(where.tolist(), owner.tolist(), strict=True):
            if who != person.NOBODY:
                found[photo].add(int(who))
    return found


def _table_7(
    ready: Sequence[Ready], owners: Sequence[Sequence[set[int]]], names: Sequence[str], tables: Tables
) -> None:
    found, wrong, missed, seen, rejected = [], [], [], [], []
    for one, of_photos in zip(ready, owners, strict=True):
        for shot, fires, who in zip(one.shots, one.fires, of_photos, strict=True):
            if not one.person:
                seen.append(bool(fires))
                continue
            strange = {names[number] for number in who} - {one.subject.name, *shot.facts.others}
            found.append(bool(fires))
            wrong.append(bool(strange) and not fires)
            missed.append(not strange and not fires)
    for one in ready:
        head = one.looked.recognised.head
        if isinstance(head, LinearHead):
            rejected += _rejections(one, head, ready)
    groups: Mapping[str, Mapping[str, list[bool]]] = {
        PEOPLE: {"found": found, "taken for another": wrong, "missed": missed},
        OBJECTS: {"found": seen, "others rejected": rejected},
    }
    for row, columns in groups.items():
        for column, values in columns.items():
            if values:
                tables.add("7", "", row, column, 100 * float(np.mean(values)))


def _rejections(one: Ready, head: LinearHead, ready: Sequence[Ready]) -> list[bool]:
    """Photos of the others in which it isn't, turned down or not."""
    turned_down: list[bool] = []
    for other in ready:
        if other is not one and other.clip is not None:
            sure = linear.probabilities(other.clip, [head])[:, 0]
            turned_down += [
                bool(value < head.threshold)
                for value, shot in zip(sure, other.shots, strict=True)
                if one.subject.name not in shot.facts.others
            ]
    return turned_down
