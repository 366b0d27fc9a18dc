"""What is said about one photo in training: turns of context, question and answer, made from the truth.

What lives here: who is named and how they are introduced, captions, boxes and questions with and without
names. What does not: the sentences themselves (`world.sentences`, `world.questions`) and how turns become
tokens (`batches`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...stages.vlm.places import Box, BoxForm
from ...stages.vlm.wording import LLAVA, Wording
from ...stages.vlm.words import BOX, CAPTION, NAMED_CAPTION
from ..identity import Person, sample_person
from ..questions import QA, questions, refer
from ..sentences import WHERE_PHRASES, Part, caption_parts, hair, look, phrase
from ..things import Item, sample_item
from ..truth import EntityTruth
from ..vocabulary import FEMALE_NAMES, MALE_NAMES, NAMES
from .pool import Photo, view_box

IDENTIFIER = "sks"
CAPTION_INSTRUCTIONS = (
    CAPTION,
    "Describe this image.",
    "Write a caption for this photo.",
    "What is in this photo?",
)
TEMPLATES = (*CAPTION_INSTRUCTIONS, NAMED_CAPTION, BOX, "is at light dark skin", IDENTIFIER)

# How often a topic is asked about, relative to the others; the rest count 0.3.
_WEIGHTS = {"wearing": 3.0, "doing": 2.5, "where": 2.5, "next_to": 2.0, "color": 1.5, "place": 1.0}
ON_CROPS = ("wearing", "doing", "color", "hair", "glasses", "unique", "expression")


@dataclass(frozen=True)
class Introduction:
    """One context: who `name` is, as a sentence, or as the words that one vector in its place stands for."""

    name: str
    key: str | None  # None: someone who is not in the photo
    sentence: str
    words: str


@dataclass(frozen=True)
class Turn:
    """One question and its answer about a photo. The introductions stand right after the image."""

    introductions: tuple[Introduction, ...]
    as_vectors: bool
    question: str
    parts: tuple[Part, ...]  # the answer, with whom each piece of it speaks of
    topic: str

    @property
    def answer(self) -> str:
        """What is to be said."""
        return "".join(text for text, _ in self.parts)


def traits(entity: Person | Item) -> list[str]:
    """What can be said of an entity in every photo of it, beside its noun."""
    if isinstance(entity, Item):
        described = look(entity).split(" with ", 1)
        return [entity.color] + (described[1].split(" and ") if len(described) > 1 else [])
    own = [hair(entity)]
    own += ["glasses"] * entity.glasses + ["a beard"] * entity.beard  # freckles are too small to be seen
    if not 0.35 < entity.skin_tone < 0.65:
        own.append("light skin" if entity.skin_tone < 0.5 else "dark skin")
    return own


def introduce(
    name: str,
    entity: Person | Item,
    others: Sequence[Person | Item],
    rng: np.random.Generator,
    key: str | None,
) -> Introduction | None:
    """Say who `name` is by traits that no one of `others` has all of; None where none tell them apart."""
    own = traits(entity)
    rivals = [set(traits(o)) for o in others if o.noun == entity.noun]
    order = [own[i] for i in rng.permutation(len(own))]
    count = int(rng.integers(1, len(own) + 1)) if rng.random() < 0.6 else len(own)
    while any(set(order[:count]) <= rival for rival in rivals):
        count += 1
        if count > len(own):
            return None
    chosen = order[:count]
    if isinstance(entity, Item):
        colored = f"{entity.color} {entity.noun}" if entity.color in chosen else entity.noun
        parts = [c for c in chosen if c != entity.color]
    else:
        old = entity.age == "old" and rng.random() < 0.7
        colored, parts = (f"old {entity.noun}" if old else entity.noun), chosen
    described = f"{colored} with {' and '.join(parts)}" if parts else colored
    words = re.sub(r"\b(with|and|a|an)\b ?", "", described)
    return Introduction(name, key, f"{name} is the {described}.", f"{name} {name} {words}")


def turns(photo: Photo, rng: np.random.Generator, wording: Wording = LLAVA) -> list[Turn]:
    """About a dozen turns about one photo, in random order, each independent of the others.

    `wording` is how the model that learns from them is asked.
    """
    main = [e for e in photo.found if e.main]
    if photo.kind == "crop":
        return _crop_turns(photo, main, rng, wording)
    if not main:
        return [_caption_turn(photo, main, rng, 0.0, wording)]
    plain = questions(photo.scene, rng, found=photo.found)
    named = questions(photo.scene, rng, {e.key: f"entity-{e.key}" for e in main}, found=photo.found)
    made = [_caption_turn(photo, main, rng, odds, wording) for odds in (0.0, 1.0) if rng.random() < 0.7]
    if wording.boxes:
        made += [_box_turn(photo, main, rng, wording, wording.boxes) for _ in range(2)]
    if wording.boxes and wording.identify:
        made.append(_identify_turn(photo, main, rng, wording, wording.boxes))
    for index in rng.choice(len(plain), min(len(plain), 8), replace=False, p=question_odds(plain)):
        asked_named = rng.random() < 0.6 and named[index].key is not None
        turn = _named_turn(photo, main, named[index], rng, wording) if asked_named else None
        made.append(turn or _plain_turn(plain[index], plain[index].question, wording))
    return [made[i] for i in rng.permutation(len(made))]


def _plain_turn(asked: QA, question: str, wording: Wording) -> Turn:
    return Turn((), False, wording.to_answer(question), ((asked.answer, asked.key),), asked.topic)


def question_odds(asked: Sequence[QA]) -> np.ndarray:
    """How often each of these questions is asked, (questions,), in all 1."""
    weights = np.array([_WEIGHTS.get(q.topic, 0.3) for q in asked])
    return weights / weights.sum()


def _pick_name(entity: Person | Item, rng: np.random.Generator, taken: Sequence[str]) -> str:
    while True:
        if rng.random() < 0.4:
            name = IDENTIFIER
        elif isinstance(entity, Person) and rng.random() < 0.8:
            name = str(rng.choice(FEMALE_NAMES if entity.sex == "female" else MALE_NAMES))
        else:
            name = str(rng.choice(NAMES))
        if name not in taken:
            return name


def introduce_some(
    main: Sequence[EntityTruth], rng: np.random.Generator, first: str | None = None, absent: bool = True
) -> list[Introduction]:
    """One to three introductions, in random order, of the photo's entities (`first` too) or of others."""
    entities = {e.key: e.entity for e in main}
    count = int(rng.choice([1, 2, 3], p=[0.66, 0.24, 0.1]))
    shuffled = [str(key) for key in rng.permutation(list(entities)) if key != first]
    keys: list[str | None] = [*([first] if first else []), *shuffled]
    keys = keys[: min(count, len(keys))]
    if absent and rng.random() < (0.12 if first else 0.3):
        keys = [*keys[: int(rng.integers(len(keys)))], None] if not first else [first, None]
    made: list[Introduction] = []
    for key in keys:
        entity = entities[key] if key else _stranger(rng)
        others = [o for k, o in entities.items() if k != key]
        name = _pick_name(entity, rng, [i.name for i in made])
        introduction = introduce(name, entity, others, rng, key)
        if introduction is not None:
            made.append(introduction)
        elif key == first:
            return []
    return [made[i] for i in rng.permutation(len(made))]


def _stranger(rng: np.random.Generator) -> Person | Item:
    return sample_person(rng) if rng.random() < 0.6 else sample_item(rng)


def names_of(introductions: Sequence[Introduction]) -> dict[str, str]:
    """What those who are in the photo are called, by key."""
    return {i.key: i.name for i in introductions if i.key}


def _caption_turn(
    photo: Photo, main: Sequence[EntityTruth], rng: np.random.Generator, named: float, wording: Wording
) -> Turn:
    """A caption, with introductions at odds `named`; without one no name is said, not even the question's."""
    introductions = introduce_some(main, rng) if rng.random() < named and main else []
    instruction = str(rng.choice(CAPTION_INSTRUCTIONS))
    if rng.random() < 0.25:
        name = introductions[0].name if introductions else str(rng.choice([IDENTIFIER, *NAMES]))
        instruction = NAMED_CAPTION.format(name)
    question = wording.to_caption(_hints(introductions, photo, main, rng, wording) + instruction)
    parts = caption_parts(photo.scene, names_of(introductions), found=photo.found)
    return Turn(tuple(introductions), rng.random() < 0.65, question, tuple(parts), "caption")


def _hints(
    introductions: Sequence[Introduction],
    photo: Photo,
    main: Sequence[EntityTruth],
    rng: np.random.Generator,
    wording: Wording,
) -> str:
    """In some turns, where those who are introduced stand: "anna is on the left. "."""
    if rng.random() > 0.22 or photo.kind == "crop":
        return ""
    by_box = wording.boxes if rng.random() < 0.4 else None
    said = ""
    for introduction in introductions:
        entry = next((e for e in main if e.key == introduction.key), None)
        if entry is None:
            continue
        alone = sum(e.where == entry.where and e.kind == entry.kind for e in main) == 1
        if by_box:
            box = view_box(entry.face_box or entry.box, photo.view) or (0.0, 0.0, 1.0, 1.0)
            said += f"{introduction.name} is at {by_box.write(box)}. "
        elif alone:
            said += f"{introduction.name} is {WHERE_PHRASES[entry.where]}. "
    return said


def _box_turn(
    photo: Photo, main: Sequence[EntityTruth], rng: np.random.Generator, wording: Wording, boxes: BoxForm
) -> Turn:
    entry = main[int(rng.integers(len(main)))]
    introductions = introduce_some(main, rng, entry.key) if rng.random() < 0.45 else []
    who = names_of(introductions).get(entry.key) or refer(photo.scene, entry.key, rng, found=photo.found)
    parts = ((boxes.write(_seen_at(entry, photo)), entry.key),)
    return Turn(tuple(introductions), rng.random() < 0.65, wording.to_point(who), parts, "box")


def _identify_turn(
    photo: Photo, main: Sequence[EntityTruth], rng: np.random.Generator, wording: Wording, boxes: BoxForm
) -> Turn:
    """Who or what is in a box: by name where there is an introduction."""
    entry = main[int(rng.integers(len(main)))]
    introductions = introduce_some(main, rng, entry.key) if rng.random() < 0.45 else []
    answer = names_of(introductions).get(entry.key) or phrase(entry.entity)
    question = wording.to_identify(boxes.write(_seen_at(entry, photo)))
    return Turn(tuple(introductions), rng.random() < 0.65, question, ((answer, entry.key),), "identify")


def _seen_at(entry: EntityTruth, photo: Photo) -> Box:
    return view_box(entry.box, photo.view) or (0.0, 0.0, 1.0, 1.0)


def _named_turn(
    photo: Photo, main: Sequence[EntityTruth], asked: QA, rng: np.random.Generator, wording: Wording
) -> Turn | None:
    """The question about a named entity, who is introduced in words, as a vector, or by where they are."""
    entry = next(e for e in main if e.key == asked.key)
    introductions = introduce_some([entry] if photo.kind == "crop" else main, rng, asked.key)
    as_vectors = rng.random() < 0.65
    hints = _hints(introductions, photo, main, rng, wording) if asked.topic != "where" else ""
    if f"{names_of(introductions).get(entry.key)} is" in hints and rng.random() < 0.3:
        introductions = [i for i in introductions if i.key == entry.key]
        names, said = names_of(introductions), []  # the place alone must do
    else:
        names, said = names_of(introductions), introductions
    if not names:
        return None
    if len(said) == 1 and as_vectors and rng.random() < 0.3:
        said = [replace(said[0], words=said[0].words.replace(f"{said[0].name} ", ""))]
    question = wording.to_answer(hints + asked.question.replace(f"entity-{asked.key}", names[entry.key]))
    answer = asked.answer
    for other in main:
        answer = answer.replace(f"entity-{other.key}", names.get(other.key) or phrase(other.entity))
    return Turn(tuple(said), as_vectors, question, ((answer, entry.key),), asked.topic)


def _crop_turns(
    photo: Photo, main: Sequence[EntityTruth], rng: np.random.Generator, wording: Wording
) -> list[Turn]:
    """Questions about the one person a crop was cut around, by name, or as "the person in the middle"."""
    subject = [e for e in main if e.key == photo.subject]
    named = questions(photo.scene, rng, {str(photo.subject): f"entity-{photo.subject}"}, found=subject)
    asked = [q for q in named if q.topic in ON_CROPS]
    made: list[Turn] = []
    for index in rng.choice(len(asked), 12, p=question_odds(asked)):
        turn = _named_turn(photo, main, asked[index], rng, wording) if rng.random() < 0.75 else None
        if turn is None:
            called = "the person in the middle" if rng.random() < 0.5 else IDENTIFIER
            question = asked[index].question.replace(f"entity-{photo.subject}", called)
            turn = _plain_turn(asked[index], question, wording)
        made.append(turn)
    return made
