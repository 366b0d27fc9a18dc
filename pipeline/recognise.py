"""From the photos given to a concept's head, and how that head does on photos it didn't see."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..schemas.concept import Check, Concept, HeadInfo, folder_of
from ..schemas.settings import Settings
from ..stages.clip import Clip
from ..stages.faces import Faces
from ..stages.heads import linear, person
from ..stages.heads.linear import LinearHead
from ..stages.packs import CLIP, FACES, locate
from .catalog import Catalog
from .concepts import Concepts, Head
from .given import Given, Say, clip_features, read_features, silent, stage_of
from .models import Models
from .negatives import WANTED, Negatives, from_library, from_person, said_of, weighed
from .subject import Face, Subject

Floats = NDArray[np.float32]

_SAME_PHOTO = 0.999  # similarity of a photo's features, once decoded from one copy and once from another


@dataclass(frozen=True)
class Recognised:
    """A head, how it was made, and how sure it is."""

    head: Head
    info: HeadInfo
    check: Check


def person_threshold(models: Models, settings: Settings) -> float:
    """The largest distance at which a face is a person's, for the pack's recogniser."""
    found = models.pack.of_kind(FACES)
    return person.threshold_of(locate(found[0], settings.home), found[0].settings) if found else 0.0


def make_person_head(models: Models, threshold: float, subject: Subject, faces: Sequence[Face]) -> Recognised:
    """Keep the person's faces. Left out one by one, each should be found by the others."""
    started = time.monotonic()
    own = np.stack([face.embedding for face in subject.faces.values()])
    head = person.fit(own, threshold)
    rest = [person.fit(np.delete(own, row, 0), threshold) for row in range(len(own))] if len(own) > 1 else []
    found = sum(
        float(person.distances(own[row : row + 1], [one])[0, 0]) <= threshold for row, one in enumerate(rest)
    )
    mine = {id(face) for face in subject.faces.values()}
    others = [face.embedding for face in faces if id(face) not in mine and face.photo in subject.faces]
    rejected = int((person.distances(np.stack(others), [head]) > threshold).sum()) if others else 0
    seconds = round(time.monotonic() - started, 3)
    info = HeadInfo(stage_of(models, Faces).made_by, threshold, len(own), seconds=seconds)
    return Recognised(head, info, Check(len(rest), found, len(others), rejected))


def make_object_head(
    models: Models, settings: Settings, given: Given, negatives: Path | None, say: Say, name: str = ""
) -> Recognised:
    """Train a linear head on the photos, on what looks like them, and on what was said of the concept `name`.

    Left out one by one, each photo should be found by a head made from the others, and each negative turned
    down by a head that didn't see it. Raises PhotosUnusable without anything to tell the object from.
    """
    positives, own = clip_features(models, given), [photo.photo_id for photo in given.photos]
    if negatives is None:
        others = _given_before(settings, stage_of(models, Clip).made_by, name, positives.shape[1], say)
    else:
        hint = "give another folder: --negatives"
        others = read_features(models, negatives, 10 * WANTED, say, hint)
    return _object_head(models, settings, positives, own, others, say, name)


def tell_apart(models: Models, settings: Settings, name: str, new: LinearHead, say: Say) -> None:
    """Make anew the heads that take photos of the object `name`, just kept, for theirs: told from it now.

    Photos are searched anew for each; what was said of those that still show it stays, unasked.
    """
    store = Concepts(settings.home)
    for concept, head in _other_objects(settings, stage_of(models, Clip).made_by, name):
        taken = int((linear.probabilities(new.own, [head])[:, 0] >= head.threshold).sum())
        if taken:
            say(f"{concept.name} was found in {taken} of these photos: it is told apart from {name} now")
            own = [photo.photo_id for photo in concept.photos]
            positives = head.own[: len(own)]
            again = _object_head(models, settings, positives, own, head.given, silent, concept.name)
            info = replace(again.info, revision=concept.head.revision + 1)
            store.save_head(replace(concept, head=info, check=again.check), again.head)


def _object_head(
    models: Models,
    settings: Settings,
    positives: Floats,
    own: Collection[str],
    given: Floats,
    say: Say,
    name: str,
) -> Recognised:
    """`given` are the negatives that the person named, if any."""
    started = time.monotonic()
    catalog, made_by = Catalog(settings.catalog), stage_of(models, Clip).made_by
    said = said_of(catalog, made_by, name, own, positives.shape[1])
    others = _negatives(models, settings, positives, given, [*own, *said.photos])
    say(f"told apart from {others.origin}")
    if said.photos:
        say(f"and by what you said: {len(said.confirmed)} confirmed, {len(said.rejected)} rejected")
    clip = models.pack.of_kind(CLIP)[0]
    threshold = float(clip.settings.get("probability", 0.5))
    alike = [_but(head.own, positives) for _, head in _other_objects(settings, made_by, name)]
    known = np.concatenate([said.rejected, *alike])
    told = (said.confirmed, weighed(known, len(others.features)))
    head, losses = _fit(positives, others.features, told, threshold)
    check = _left_out(positives, others.features, told, threshold)
    tail = losses[-max(1, len(losses) // 10) :]
    info = HeadInfo(
        made_by,
        threshold,
        len(positives) + len(said.confirmed),
        len(others.features) + len(known),
        round(float(np.mean(tail)), 4),
        round(time.monotonic() - started, 3),
    )
    return Recognised(replace(head, given=given), info, check)


def _given_before(settings: Settings, made_by: str, name: str, dimensions: int, say: Say) -> Floats:
    """The negatives that the person gave when this object was learnt before."""
    store = Concepts(settings.home)
    if any(one.folder == folder_of(name) for one in store.all()):
        kept = store.load(name)
        if isinstance(kept.head, LinearHead) and len(kept.head.given):
            if kept.concept.head.made_by == made_by:
                return kept.head.given
            say("the CLIP model is another one now: give the photos to tell it from again, with --negatives")
    return np.empty((0, dimensions), np.float32)


def _other_objects(settings: Settings, made_by: str, name: str) -> list[tuple[Concept, LinearHead]]:
    """The objects but `name` whose photos are known to the same CLIP model."""
    store = Concepts(settings.home)
    kept = [store.load(one.name) for one in store.all() if one.folder != folder_of(name)]
    return [
        (one.concept, one.head)
        for one in kept
        if isinstance(one.head, LinearHead) and len(one.head.own) and one.concept.head.made_by == made_by
    ]


def _but(photos: Floats, positives: Floats) -> Floats:
    """Without those that are among the positives, too: one photo may teach two things."""
    return photos[(photos @ positives.T).max(1) < _SAME_PHOTO]


def _negatives(
    models: Models,
    settings: Settings,
    positives: Floats,
    given: Floats,
    own: Collection[str],
) -> Negatives:
    if len(given):
        return from_person(given, positives)
    clip = locate(models.pack.of_kind(CLIP)[0], settings.home)
    made_by = stage_of(models, Clip).made_by
    return from_library(Catalog(settings.catalog), made_by, clip, positives, own)


def _fit(
    positives: Floats, negatives: Floats, told: tuple[Floats, Floats], threshold: float
) -> tuple[LinearHead, list[float]]:
    """Train on what was given or found, and on what the person `told`: confirmed, rejected."""
    confirmed, rejected = told
    return linear.fit(
        np.concatenate([positives, confirmed]), np.concatenate([rejected, negatives]), threshold
    )


def _left_out(positives: Floats, negatives: Floats, told: tuple[Floats, Floats], threshold: float) -> Check:
    """Leave out each photo in turn, and with it every n-th negative; what the person told stays."""
    count = len(positives)
    if count < 2 or len(negatives) < count:
        return Check(0, 0, 0, 0)
    found = rejected = 0
    for row in range(count):
        held = np.arange(len(negatives)) % count == row
        head, _ = _fit(np.delete(positives, row, 0), negatives[~held], told, threshold)
        found += int(linear.probabilities(positives[row : row + 1], [head])[0, 0] >= threshold)
        rejected += int((linear.probabilities(negatives[held], [head]) < threshold).sum())
    return Check(count, found, len(negatives), rejected)
