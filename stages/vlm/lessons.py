"""What a concept embedding is learnt from: photos in variants, each with captions and answers to aim at.

The plain model writes what the person didn't: it captions each photo, and answers the paper's questions about
the class word (MyVLM, section 3.4). The identifier then takes the class word's place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ..images import Image
from . import words
from .base import Adapter, Features
from .embedding import Lesson
from .variants import mirror_words, variants

_TOKENS = 64  # of a caption or an answer; a caption's first two sentences say what there is to say
_UNNAMED_PHOTO = "a photo of {}"  # where a caption speaks of no such thing


@dataclass(frozen=True)
class Pupil:
    """A photo to learn from, and what the person wrote about it, if anything."""

    image: Image
    captions: tuple[str, ...] = ()


@dataclass
class Lessons:
    """The material of one concept."""

    identifier: str
    class_word: str
    description: str  # identifier, class word, and what the model says of it in most photos
    captions: list[tuple[str, ...]]  # per photo, the targets for the photo as it is
    groups: list[list[Lesson]] = field(default_factory=list)  # what the steps draw from
    held_out: list[Lesson] = field(default_factory=list)  # on variants that no step sees
    exam: list[Features] = field(default_factory=list)  # those variants


@dataclass(frozen=True)
class Plan:
    """How much is made of each photo."""

    variants: int = 6  # of each photo, the mirrored among them; the last two are held out
    questions: bool = True
    seed: int = 0


@dataclass
class _View:
    """A photo, or its mirror image: its variants share what is said of it."""

    features: list[Features]
    exam: list[Features]
    plain: str = ""  # the model's own caption
    captions: tuple[str, ...] = ()
    answers: dict[str, str] = field(default_factory=dict)  # question, with {} for who is asked about


def write_lessons(
    adapter: Adapter,
    pupils: Sequence[Pupil],
    name: str,
    person: bool,
    taken: Collection[str],
    plan: Plan,
    identifier: str = "",
) -> Lessons:
    """Encode the photos and their variants once, and write what is to be said of each.

    `name` is the concept's; what the person wrote may use it. `taken` are the identifiers of other concepts,
    which a chosen one must not be; `identifier` is the person's own choice.
    """
    views = [_encode(adapter, pupil.image, plan, number) for number, pupil in enumerate(pupils)]
    everything = [view for pair in views for view in pair]
    _caption(adapter, everything)
    class_word = words.class_word([plain.plain for plain, _ in views], person)
    identifier = identifier or words.choose_identifier(name, person, class_word, taken, adapter.cost)
    for pupil, (plain, mirrored) in zip(pupils, views, strict=True):
        plain.captions = _targets(adapter, pupil.captions, plain.plain, name, class_word, identifier)
        own = tuple(mirror_words(caption) for caption in pupil.captions)
        mirrored.captions = _targets(adapter, own, mirrored.plain, name, class_word, identifier)
    if plan.questions:
        _answer(adapter, everything, person, class_word, identifier)
    description = _describe(everything, person, class_word, identifier)
    lessons = Lessons(identifier, class_word, description, [plain.captions for plain, _ in views])
    for pair in views:
        lessons.groups.append(
            [lesson for view in pair for f in view.features for lesson in _captions(view, f, identifier)]
        )
        asked = [lesson for view in pair for f in view.features for lesson in _answers(view, f, identifier)]
        lessons.groups += [asked] if asked else []
        for view in pair:
            for features in view.exam:
                lessons.held_out += [
                    *_captions(view, features, identifier),
                    *_answers(view, features, identifier),
                ]
        lessons.exam += [features for view in pair for features in view.exam]
    return lessons


def _encode(adapter: Adapter, image: Image, plan: Plan, number: int) -> tuple[_View, _View]:
    """The plain and the mirrored view of one photo; each view's last variant is held out."""
    made = variants(image, plan.variants, plan.seed + number)
    features = adapter.encode([variant.image for variant in made])
    sides = [[f for f, v in zip(features, made, strict=True) if v.mirrored is side] for side in (False, True)]
    plain, mirrored = (_View(own[:-1], own[-1:]) for own in sides)
    return plain, mirrored


def _caption(adapter: Adapter, views: Sequence[_View]) -> None:
    """Let the plain model describe every view."""
    said = adapter.generate(
        [view.features[0] for view in views], [[]] * len(views), [words.CAPTION] * len(views), _TOKENS
    )
    for view, text in zip(views, said, strict=True):
        view.plain = text


def _targets(
    adapter: Adapter, written: Sequence[str], plain: str, name: str, class_word: str, identifier: str
) -> tuple[str, ...]:
    """The captions to aim at: the person's, varied, else the model's own; each says the identifier."""
    made: list[str] = []
    for caption in written:
        text = words.swap(caption, {name: identifier})
        if not words.says(text, identifier):
            text = words.put_identifier(text, class_word, identifier) or f"{identifier}: {text}"
        made += [text, *words.paraphrases(text, adapter.cost)]
    if not made:
        # The model's own words are what it says with ease: they need no variation.
        made = [words.put_identifier(plain, class_word, identifier) or _UNNAMED_PHOTO.format(identifier)]
    return tuple(dict.fromkeys(made))


def _answer(adapter: Adapter, views: Sequence[_View], person: bool, class_word: str, identifier: str) -> None:
    """Let the plain model answer the paper's questions about "the woman", "the mug"."""
    called = f"the {class_word or ('person' if person else 'object')}"
    questions = words.PERSON_QUESTIONS if person else words.OBJECT_QUESTIONS
    rows = [(view, question) for view in views for question in questions]
    said = adapter.generate(
        [view.features[0] for view, _ in rows],
        [[]] * len(rows),
        [question.format(called) for _, question in rows],
        _TOKENS,
    )
    for (view, question), answer in zip(rows, said, strict=True):
        if answer:
            view.answers[question] = words.put_identifier(answer, class_word, identifier) or answer


def _describe(views: Sequence[_View], person: bool, class_word: str, identifier: str) -> str:
    """What stays of the concept from photo to photo, as the plain model sees it; its name counts double."""
    stays = words.PERSON_STAYS if person else words.OBJECT_STAYS
    parts = class_word.split()
    for question in stays:
        said = Counter(view.answers[question] for view in views if view.answers.get(question))
        answer = said.most_common(1)[0][0] if said else ""
        parts += [word for word in re.findall(r"[\w'-]+", answer.lower()) if word not in words.FILLERS]
    return " ".join([identifier, identifier, *dict.fromkeys(parts)])


def _captions(view: _View, features: Features, identifier: str) -> list[Lesson]:
    """The caption, asked for with the identifier as in the paper, and without, as tell asks."""
    prompts = (words.CAPTION, words.NAMED_CAPTION.format(identifier))
    return [Lesson(features, prompt, view.captions) for prompt in prompts]


def _answers(view: _View, features: Features, identifier: str) -> list[Lesson]:
    return [
        Lesson(features, question.format(identifier), (answer,)) for question, answer in view.answers.items()
    ]
