"""What an evaluation works on: a folder of concepts, each a folder of photos with captions.

    FOLDER/<concept>/*.jpg            photos of it, five or more
    FOLDER/<concept>/captions.json    {"1.jpg": ["Anna on a bench"]}: what should be said, with its name
    FOLDER/<concept>/facts.json       what is known besides, if anything (`Facts`)

A folder of one's own and a rendered one come in this way alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...schemas.errors import UsageProblem
from ...schemas.paths import to_text
from ...stages.formats import named_like_photo
from ..written import read_captions

FACTS = "facts.json"
_LEAST = 2  # photos of a concept: one to learn from, one to judge by
_EXAMPLE = "a folder like FOLDER/<concept>/*.jpg with captions.json in each"


@dataclass(frozen=True)
class Facts:
    """What is known of one photo besides its caption; every part may be left out."""

    teaches: bool = True  # whether it may be learnt from: the paper learns people from photos of them alone
    box: tuple[float, float, float, float] | None = None  # around the concept, in pixels of the upright photo
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # topic -> every right answer
    others: tuple[str, ...] = ()  # other concepts of the folder that are in it, too


@dataclass(frozen=True)
class Shot:
    """A photo of a concept."""

    path: Path
    captions: tuple[str, ...]
    facts: Facts


@dataclass(frozen=True)
class Subject:
    """A concept with its photos, by file name."""

    name: str
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class Draw:
    """One division of a subject's photos."""

    training: tuple[Shot, ...]
    validation: tuple[Shot, ...]


@dataclass(frozen=True)
class Dataset:
    """Concepts that are judged together, under one seed."""

    label: str
    seed: int
    subjects: tuple[Subject, ...]


def read_dataset(folder: Path, label: str, seed: int, most: int = 0) -> Dataset:
    """Read a folder of concepts, the first `most` of them if that isn't 0. Raises UsageProblem."""
    if not folder.is_dir():
        raise UsageProblem(f"there is no folder {to_text(folder)}", f"name {_EXAMPLE}")
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._")
    subjects = [_subject(path) for path in inner]
    usable = [subject for subject in subjects if len(subject.shots) >= _LEAST]
    if not usable:
        raise UsageProblem(f"no folder in {to_text(folder)} holds {_LEAST} photos", f"name {_EXAMPLE}")
    return Dataset(label, seed, tuple(usable[:most] if most else usable))


def _subject(folder: Path) -> Subject:
    photos = sorted(path for path in folder.iterdir() if path.is_file() and named_like_photo(path.name))
    written = read_captions(photos)
    known = _facts(folder / FACTS)
    shots = (Shot(path, written.get(path, ()), known.get(path.name, Facts())) for path in photos)
    return Subject(folder.name, tuple(shots))


def _facts(path: Path) -> dict[str, Facts]:
    try:
        values: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text("utf-8"))
        return {name: _one(facts) for name, facts in values.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageProblem(
            f"{to_text(path)} can't be read as facts: {error}", "mend it or remove it"
        ) from error


def _one(facts: Mapping[str, Any]) -> Facts:
    box = facts.get("box")
    return Facts(
        bool(facts.get("teaches", True)),
        tuple(float(value) for value in box) if box else None,  # type: ignore[arg-type]
        {topic: tuple(right) for topic, right in facts.get("answers", {}).items()},
        tuple(facts.get("others", ())),
    )


def divide(subject: Subject, seed: int, training: int, validation: int) -> Draw:
    """Draw photos to learn from, and of the rest up to `validation` to judge by (MyVLM, section 4.1)."""
    rng = np.random.default_rng([seed, *subject.name.encode()])
    able = [shot for shot in subject.shots if shot.facts.teaches] or list(subject.shots)
    count = min(training, len(able), len(subject.shots) - 1)
    chosen = sorted(int(number) for number in rng.permutation(len(able))[:count])
    taught = tuple(able[number] for number in chosen)
    rest = [shot for shot in subject.shots if shot not in taught]
    kept = sorted(int(number) for number in rng.permutation(len(rest))[:validation])
    return Draw(taught, tuple(rest[number] for number in kept))
