"""What a concept embedding is learnt from: photos in variants, each with captions and answers to aim at.

The plain model writes what the person didn't: it captions each photo, and answers the paper's questions about
the class word (MyVLM, section 3.4). The identifier then takes the class word's place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from ..images import Image
from . import words
from .base import Adapter, Features
from .embedding import Lesson
from .variants import mirror_words, variants
from .wording import Wording

_EVERY = (
    4  # held out are the caption and every so manieth question; all of them would cost more than the steps
)
_HARDER = 1.0  # nats per token; a wording that costs so much more than the person's own isn't the model's way
_TOKENS = 64  # of a caption or an answer; a caption's first two sentences say what there is to say


@dataclass(frozen=True)
class Pupil:
    """A photo to learn from, and what the person wrote about it, if anything.

    In `company` there are others of the concept's kind in the photo, so that only a caption that tells them
    apart by a word teaches anything: "a man ... and a girl ...".
    """

    image: Image
    captions: tuple[str, ...] = ()
    company: bool = False


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
    augmented: bool = True  # without it, steps see the photos as they are, and one wording of each caption
    seed: int = 0


@dataclass
class _View:
    """A photo, or its mirror image: its variants share what is said of it."""

    features: list[Features]
    exam: Features  # the variant held out
    plain: str = ""  # the model's own caption
    word: str = ""  # what it calls the concept there
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
    if all(pupil.company for pupil in pupils):
        pupils = [replace(pupil, company=False) for pupil in pupils]  # better than nothing
    views = [_encode(adapter, pupil.image, plan, number) for number, pupil in enumerate(pupils)]
    everything = [view for pair in views for view in pair]
    alone = [view for pupil, pair in zip(pupils, views, strict=True) if not pupil.company for view in pair]
    _caption(adapter, everything)
    class_word = words.class_word([view.plain for view in alone], person)
    for view in everything:
        # A child is "a girl" in one photo and "a boy" in the next: whoever is there alone is meant.
        there = words.count(view.plain, class_word) > 0
        view.word = class_word if there else words.class_word([view.plain], person)
    identifier = identifier or words.choose_identifier(name, person, class_word, taken, adapter.cost)
    for pupil, (plain, mirrored) in zip(pupils, views, strict=True):
        plain.captions = _targets(adapter, pupil, pupil.captions, plain, name, identifier)
        own = tuple(mirror_words(caption) for caption in pupil.captions)
        mirrored.captions = _targets(adapter, pupil, own, mirrored, name, identifier)
    if plan.questions:
        _answer(adapter, alone, person, identifier)
    description = _describe(alone, person, class_word, identifier)
    lessons = Lessons(identifier, class_word, description, [plain.captions for plain, _ in views])
    for pair in views:
        _add(lessons, pair, adapter.wording, plan.augmented)
    return lessons


def _add(lessons: Lessons, pair: tuple[_View, _View], wording: Wording, augmented: bool) -> None:
    """Put the lessons of one photo into groups of its captions and its answers, and some aside."""
    for kind in (_captions, _answers):
        group = [
            lesson if augmented else replace(lesson, targets=lesson.targets[:1])
            for view in (pair if augmented else pair[:1])
            for one in (view.features if augmented else view.features[:1])
            for lesson in kind(view, one, lessons.identifier, wording)
        ]
        lessons.groups += [group] if group else []
    for view in pair:
        captions, asked = (
            kind(view, view.exam, lessons.identifier, wording) for kind in (_captions, _answers)
        )
        first = len(lessons.exam) % _EVERY
        lessons.held_out += [*captions[:1], *asked[first::_EVERY]]
        lessons.exam += [view.exam] if view.captions else []


def _encode(adapter: Adapter, image: Image, plan: Plan, number: int) -> tuple[_View, _View]:
    """The plain and the mirrored view of one photo; each view's last variant is held out."""
    made = variants(image, plan.variants, plan.seed + number)
    features = adapter.encode([variant.image for variant in made])
    sides = [[f for f, v in zip(features, made, strict=True) if v.mirrored is side] for side in (False, True)]
    plain, mirrored = (_View(own[:-1], own[-1]) for own in sides)
    return plain, mirrored


def _caption(adapter: Adapter, views: Sequence[_View]) -> None:
    """Let the plain model describe every view."""
    said = adapter.generate(
        [view.features[0] for view in views],
        [[]] * len(views),
        [adapter.wording.to_caption()] * len(views),
        _TOKENS,
    )
    for view, text in zip(views, said, strict=True):
        view.plain = text


def _targets(
    adapter: Adapter, pupil: Pupil, written: Sequence[str], view: _View, name: str, identifier: str
) -> tuple[str, ...]:
    """The captions to aim at: the person's, varied, else the model's own; each says the identifier."""
    if pupil.company and not written and words.count(view.plain, view.word) != 1:
        return ()
    made: list[str] = []
    for caption in written:
        text = words.swap(caption, {name: identifier})
        if not words.says(text, identifier):
            text = words.put_identifier(text, view.word, identifier) or f"{identifier}: {text}"
        made += [text, *_sayable(adapter, view.features[0], text)]
    if not made:
        # The model's own words are what it says with ease: they need no variation.
        made = [words.put_identifier(view.plain, view.word, identifier) or identifier]
    return tuple(dict.fromkeys(made))


def _sayable(adapter: Adapter, photo: Features, text: str) -> list[str]:
    """The paraphrases of `text` that the model says of the photo with about as much ease.

    A vector that is to make a model speak in a way that isn't its own has no strength left for the name:
    with the pocket LLaVA and captions written for three things, all paraphrases named them in 92 % of photos
    alone and 8 % in company, those said with ease in 100 and 83 %.
    """

    def cost(words: str) -> float:
        inputs = adapter.inputs([photo], [[]], [adapter.wording.to_caption()], [words])
        return float(adapter.loss(inputs, attention=False).words)

    most = cost(text) + _HARDER
    return [other for other in words.paraphrases(text, adapter.cost) if cost(other) <= most]


def _answer(adapter: Adapter, views: Sequence[_View], person: bool, identifier: str) -> None:
    """Let the plain model answer the paper's questions about "the woman", "the mug"."""
    questions = words.PERSON_QUESTIONS if person else words.OBJECT_QUESTIONS
    rows = [(view, question) for view in views for question in questions]
    called = {id(view): f"the {view.word or ('person' if person else 'object')}" for view in views}
    said = adapter.generate(
        [view.features[0] for view, _ in rows],
        [[]] * len(rows),
        [adapter.wording.to_answer(question.format(called[id(view)])) for view, question in rows],
        _TOKENS,
    )
    for (view, question), answer in zip(rows, said, strict=True):
        if answer:
            view.answers[question] = words.put_identifier(answer, view.word, identifier) or answer


def _describe(views: Sequence[_View], person: bool, class_word: str, identifier: str) -> str:
    """What stays of the concept from photo to photo, as the plain model sees it; its name counts double."""
    stays = words.PERSON_STAYS if person else words.OBJECT_STAYS
    parts = class_word.split()
    for question in stays:
        said = Counter(view.answers[question] for view in views if view.answers.get(question))
        answer = said.most_common(1)[0][0] if said else ""
        parts += [word for word in re.findall(r"[\w'-]+", answer.lower()) if word not in words.FILLERS]
    return " ".join([identifier, identifier, *dict.fromkeys(parts)])


def _captions(view: _View, features: Features, identifier: str, wording: Wording) -> list[Lesson]:
    """The caption, asked for with the identifier as in the paper, and without, as tell asks."""
    instructions = (words.CAPTION, words.NAMED_CAPTION.format(identifier))
    prompts = dict.fromkeys(wording.to_caption(instruction) for instruction in instructions)
    return [Lesson(features, prompt, view.captions) for prompt in prompts if view.captions]


def _answers(view: _View, features: Features, identifier: str, wording: Wording) -> list[Lesson]:
    return [
        Lesson(features, wording.to_answer(question.format(identifier)), (answer,))
        for question, answer in view.answers.items()
    ]
