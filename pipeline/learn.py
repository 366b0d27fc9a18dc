"""`learn`: a folder of one to five photos becomes a concept on disk.

Everything runs in this process: for five photos a cluster is not worth its start. Here the steps are put in
order; each has a module of its own: `given.py` reads the photos, `subject.py` decides what they show,
`recognise.py` makes the head, `stages/vlm/` the embedding, `concepts.py` keeps them.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..schemas.concept import PHOTOS, Concept, EmbeddingInfo, Kind, TrainingPhoto, clean_name
from ..schemas.errors import UsageProblem
from ..schemas.paths import to_text
from ..schemas.settings import Settings
from ..stages.heads.linear import LinearHead
from ..stages.vlm import families
from ..stages.vlm.base import Adapter
from ..stages.vlm.embedding import learn as optimise
from ..stages.vlm.lessons import Plan, Pupil, write_lessons
from ..stages.vlm.recipe import Recipe
from ..stages.vlm.words import says, swap
from .concepts import Concepts, Kept
from .given import Given, GivenPhoto, Say, find_faces, read_photos, silent
from .home import ensure_home
from .models import Models, fingerprint_of, load_models
from .recognise import Recognised, make_object_head, make_person_head, person_threshold, tell_apart
from .report import draw_report
from .subject import Face, Subject, find_subject
from .written import CAPTIONS, read_captions

MOST_PHOTOS = 5  # more than the paper's four teach little and cost time
_EXAM_TOKENS = 64


@dataclass(frozen=True)
class Request:
    """What the person asked for; what is left empty is decided here."""

    name: str
    folder: Path
    kind: str | None = None  # person or object
    identifier: str = ""
    captions: Path | None = None
    negatives: Path | None = None
    vlm: str = ""  # which of the pack's models learn to speak of it, as "blip2,llava"; else the settings'
    sources: Mapping[str, str] = field(default_factory=dict)  # where photos came from, by id, if known
    recipe: Recipe | None = None  # otherwise the model's own
    plan: Plan = field(default_factory=Plan)


@dataclass(frozen=True)
class Looked:
    """What the photos given show, and how it is recognised; no vision-language model has seen them yet."""

    subject: Subject
    recognised: Recognised
    used: list[int]  # the photos that an embedding is learnt from
    pupils: list[Pupil]  # the same with what is written about them


def learn(settings: Settings, request: Request, say: Say = silent) -> Concept:
    """Learn a concept and keep it; one of that name that is there already gets a new version.

    It keeps its name in whatever case it is written now: rows and decisions go by that. `say` is told what is
    going on, a line at a time. Raises UsageProblem, PhotosUnusable, NotLearnt, ModelMissing, ModelDamaged,
    DiskFull; nothing is kept then.
    """
    store, kind = Concepts(settings.home), _kind(request.kind)
    before = store.get(request.name)
    name = before.name if before else clean_name(request.name)
    ensure_home(settings.home)
    models = load_models(settings)
    vlms = families.choose_all(models.pack, request.vlm or settings.vlm)
    prints = {vlm.key: fingerprint_of(vlm, settings) for vlm in vlms}
    taken = store.identifiers(name)
    if request.identifier.casefold() in (other.casefold() for other in taken):
        raise UsageProblem(f"another concept is called {request.identifier!r} already", "choose another word")
    given = read_photos(models, request.folder, MOST_PHOTOS, say)
    written = read_captions([photo.path for photo in given.photos], request.captions)
    looked = look(settings, models, name, given, written, kind, request.negatives, say)
    subject, recognised, used = looked.subject, looked.recognised, looked.used
    say(f"learning to speak of it from {len(used)} photo{'s' if len(used) > 1 else ''}")
    spoken: dict[str, _Spoken] = {}
    for vlm in vlms:
        adapter = families.load(vlm, settings.home, prints[vlm.key])
        spoken[vlm.key] = _speak(adapter, looked.pupils, name, subject, request, taken)
        request = replace(request, identifier=spoken[vlm.key].identifier)  # one word for all models
        del adapter  # before the next is loaded
    first = spoken[vlms[0].key]
    captions = dict(zip(used, first.captions, strict=True))
    concept = Concept(
        name=name,
        identifier=first.identifier,
        kind=subject.kind,
        class_word=first.class_word,
        why=subject.why,
        version=before.version + 1 if before else 1,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        photos=tuple(
            _used(row, photo, subject, captions, request.sources) for row, photo in enumerate(given.photos)
        ),
        head=recognised.info,
        check=recognised.check,
        embeddings={key: one.info for key, one in spoken.items()},
    )
    report = draw_report(concept, [(photo.image, photo.scale) for photo in given.photos])
    kept = Kept(concept, recognised.head, {key: one.vector for key, one in spoken.items()})
    store.save(kept, _copies(given, written, {name: concept.identifier}), report)
    if isinstance(recognised.head, LinearHead):
        tell_apart(models, settings, name, recognised.head, say)
    return concept


def retrain(settings: Settings, name: str, say: Say = silent, vlm: str = "") -> Concept:
    """Learn a concept anew from the photos and captions that were kept with it, as the same kind.

    By the models that know it, or those that `vlm` names.
    """
    store = Concepts(settings.home)
    concept = store.find(name)
    return learn(
        settings,
        Request(
            concept.name,
            store.path(name) / PHOTOS,
            concept.kind,
            identifier=concept.identifier,
            vlm=vlm or ",".join(concept.embeddings),
            sources={photo.photo_id: photo.source for photo in concept.photos},
        ),
        say,
    )


def look(
    settings: Settings,
    models: Models,
    name: str,
    given: Given,
    written: Mapping[Path, tuple[str, ...]],
    kind: Kind | None,
    negatives: Path | None,
    say: Say,
) -> Looked:
    """Decide whom or what photos show, and make the head. Raises PhotosUnusable, UsageProblem."""
    faces = [] if kind == "object" else find_faces(models, given)
    threshold = person_threshold(models, settings)
    subject = find_subject(faces, len(given.photos), threshold, kind)
    say(subject.why)
    if subject.kind == "person":
        recognised = make_person_head(models, threshold, subject, faces)
    else:
        recognised = make_object_head(models, settings, given, negatives, say, name)
    return Looked(subject, recognised, *_pupils(given, faces, subject, written))


def _pupils(
    given: Given, faces: Sequence[Face], subject: Subject, written: Mapping[Path, tuple[str, ...]]
) -> tuple[list[int], list[Pupil]]:
    """The photos that the embedding is learnt from; of a person those that show their face."""
    person = subject.kind == "person"
    used = sorted(subject.faces) if person else list(range(len(given.photos)))
    company = {face.photo for face in faces if person and face is not subject.faces.get(face.photo)}
    photos = [given.photos[row] for row in used]
    return used, [
        Pupil(photo.image, written.get(photo.path, ()), row in company)
        for row, photo in zip(used, photos, strict=True)
    ]


def _kind(asked: str | None) -> Kind | None:
    if asked in (None, "person", "object"):
        return cast("Kind | None", asked)
    raise UsageProblem(f"there is no kind {asked!r}", "it is person or object")


@dataclass(frozen=True)
class _Spoken:
    """What a vision-language model learnt, and from which words."""

    identifier: str
    class_word: str
    captions: list[tuple[str, ...]]  # per photo used
    vector: NDArray[np.float32]
    info: EmbeddingInfo


def _speak(
    adapter: Adapter,
    pupils: Sequence[Pupil],
    name: str,
    subject: Subject,
    request: Request,
    taken: Sequence[str],
) -> _Spoken:
    """Write the lessons, optimise the embedding, and see whether it works on what no step saw."""
    started = time.monotonic()
    person = subject.kind == "person"
    lessons = write_lessons(adapter, pupils, name, person, taken, request.plan, request.identifier)
    prepared = time.monotonic() - started
    recipe = request.recipe or adapter.recipe
    learnt = optimise(adapter, lessons.groups, lessons.held_out, recipe, lessons.description)
    count = len(lessons.exam)
    vector = adapter.vector(learnt.vector)
    asked = [adapter.wording.to_caption()] * count
    said = adapter.generate(lessons.exam, [[vector]] * count, asked, _EXAM_TOKENS)
    info = EmbeddingInfo(
        made_by=adapter.made_by,
        settings={**asdict(recipe), **asdict(request.plan)},
        losses=tuple(round(loss, 4) for loss in learnt.losses),
        held_out=tuple((step, round(loss, 4)) for step, loss in learnt.held_out),
        kept_step=learnt.kept_step,
        named=sum(says(text, lessons.identifier) for text in said) / count,
        seconds={"captions": round(prepared, 3), "embedding": round(learnt.seconds, 3)},
    )
    return _Spoken(lessons.identifier, lessons.class_word, lessons.captions, learnt.vector, info)


def _used(
    row: int,
    photo: GivenPhoto,
    subject: Subject,
    captions: Mapping[int, tuple[str, ...]],
    sources: Mapping[str, str],
) -> TrainingPhoto:
    face = subject.faces.get(row)
    return TrainingPhoto(
        file=_copy_name(row, photo),
        source=sources.get(photo.photo_id) or to_text(photo.path),
        photo_id=photo.photo_id,
        box=face.box if face else None,
        captions=captions.get(row, ()),
    )


def _copy_name(row: int, photo: GivenPhoto) -> str:
    return f"{row + 1}{photo.path.suffix.lower()}"


def _copies(
    given: Given, written: Mapping[Path, tuple[str, ...]], identifier: Mapping[str, str]
) -> dict[str, bytes]:
    """What is kept to learn from again: the photos as they are, and what was written about them.

    That says the identifier in place of the name, which may be another one by then.
    """
    files = {_copy_name(row, photo): photo.path.read_bytes() for row, photo in enumerate(given.photos)}
    captions = {
        _copy_name(row, photo): [swap(caption, identifier) for caption in written[photo.path]]
        for row, photo in enumerate(given.photos)
        if photo.path in written
    }
    if captions:
        files[CAPTIONS] = json.dumps(captions, ensure_ascii=False, indent=1).encode()
    return files
