"""What one vision-language model is put through: the paper's tables 1, 2, 5 and 6, questions and boxes.

MyVLM, section 4 and appendix C; dataset by dataset.

As in the paper each concept is judged by itself: its own vector stands behind the photo, where its own head
fires; else the caption is the plain model's. Captions are asked for without a name, so that none can be said
back. What the product does besides in company (`asking.py`, `mending.py`) has no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from ...schemas.settings import Settings
from ...stages.vlm.base import Adapter, Features
from ...stages.vlm.embedding import learn as optimise
from ...stages.vlm.lessons import Lessons, Plan, write_lessons
from ...stages.vlm.places import from_square, intersection_over_union
from ...stages.vlm.recipe import Recipe
from ...stages.vlm.words import says
from .baselines import guided, keywords, simple
from .likeness import Likeness
from .metrics import caption_metrics, neutral
from .paper import (
    ALL,
    FULL,
    GUIDED,
    IMAGE,
    MYVLM,
    NEITHER,
    OBJECTS,
    PEOPLE,
    PLAIN,
    RECALL,
    SIMPLE,
    TEXT,
    UNAUGMENTED,
    UNREGULARISED,
)
from .subjects import Ready
from .tables import Tables

_TOKENS, _ANSWER, _BOX = 96, 48, 48
_CHUNK = 8  # photos encoded at once
_FEWER = (1, 2)  # photos to learn from, besides all (MyVLM, table 2)
_HIT = 0.5  # intersection over union


@dataclass(frozen=True)
class _Learnt:
    """A concept's vector and the words around it."""

    vector: Tensor
    lessons: Lessons
    seconds: dict[str, float]


@dataclass
class _Scores:
    """Per photo, by row and column: what a table's cells are the means of."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, row: str, column: str, value: float) -> None:
        self.values.setdefault((row, column), []).append(value)

    def give(self, tables: Tables, table: str, vlm: str, columns: Sequence[str] = ()) -> None:
        """Put the means into a table, columns in order where that is given."""
        order = {column: at for at, column in enumerate(columns)}
        for (row, column), values in sorted(self.values.items(), key=lambda item: order.get(item[0][1], 0)):
            tables.add(table, vlm, row, column, float(np.mean(values)))


class Protocol:
    """One model, one dataset after the other."""

    def __init__(
        self,
        adapter: Adapter,
        key: str,
        settings: Settings,
        likeness: Likeness | None,
        wanted: Sequence[str],
        padded: bool = False,
    ) -> None:
        """`wanted` are the tables asked for; `likeness` compares captions where there is a CLIP model.

        `padded`: boxes are in parts of the photo padded to a square.
        """
        self._adapter, self._key, self._settings = adapter, key, settings
        self._likeness, self._wanted = likeness, set(wanted)
        self._padded = padded

    def judge(self, ready: Sequence[Ready], tables: Tables) -> None:
        """Learn and ask all of a dataset; every figure goes into `tables`."""
        self._recall, self._fewer, self._ablated = _Scores(), _Scores(), _Scores()
        self._answers, self._seconds = _Scores(), _Scores()
        self._said: dict[str, list[tuple[str, list[str]]]] = {PLAIN: [], MYVLM: []}
        ablated = {id(next((one for one in ready if one.person is side), None)) for side in (True, False)}
        for one in ready:
            self._judge(one, id(one) in ablated)
        self._recall.give(tables, "1", self._key, (OBJECTS, PEOPLE, ALL))
        self._fewer.give(tables, "2", self._key, (RECALL, IMAGE, TEXT))
        self._ablated.give(tables, "5", self._key, (RECALL, IMAGE, TEXT))
        self._answers.give(tables, "vqa", self._key)
        self._seconds.give(tables, "time", self._key)
        for row, pairs in self._said.items() if "6" in self._wanted else ():
            told = [(said, right) for said, right in pairs if right]
            for column, value in caption_metrics(*zip(*told, strict=True)).items() if told else ():
                tables.add("6", self._key, row, column, value)

    def _judge(self, one: Ready, ablated: bool) -> None:
        full = self._learn(one, len(one.looked.pupils))
        for part, seconds in full.seconds.items():
            self._seconds.add(MYVLM, part, seconds)
        features = self._encode([photo.image for photo in one.photos])
        plain = self._caption(features, [[]] * len(features))
        mine = self._personal(one, full, features, plain)
        name, category = full.lessons.identifier, full.lessons.class_word or "object"
        if "1" in self._wanted:
            self._table_1(one, full, mine, plain)
        if "2" in self._wanted:
            for count in _FEWER:
                if count < len(one.looked.pupils):
                    fewer = self._learn(one, count)
                    self._rate(
                        self._fewer, str(count), one, fewer, self._personal(one, fewer, features, plain)
                    )
            self._rate(self._fewer, str(len(one.looked.pupils)), one, full, mine)
        if "5" in self._wanted and ablated:
            self._table_5(one, full, features, plain, mine)
        for shot, personal, own in zip(one.shots, mine, plain, strict=True):
            right = [neutral(caption, one.subject.name, category) for caption in shot.captions]
            self._said[MYVLM].append((neutral(personal, name, category), right))
            self._said[PLAIN].append((own, right))
        if "vqa" in self._wanted:
            self._questions(one, full, features)
            self._boxes(one, full, features)

    def _table_1(self, one: Ready, learnt: _Learnt, mine: Sequence[str], plain: Sequence[str]) -> None:
        name = learnt.lessons.identifier
        taught = self._caption(self._encode([pupil.image for pupil in one.looked.pupils]), None)
        words = keywords(taught, learnt.lessons.class_word, one.person)
        ways = {
            SIMPLE: [simple(caption, words, name) for caption in plain],
            GUIDED: guided(self._adapter, plain, words, name),
            MYVLM: mine,
        }
        for row, captions in ways.items():
            for caption in captions or ():
                for column in one.kinds:
                    self._recall.add(row, column, 100 * says(caption, name))

    def _table_5(
        self,
        one: Ready,
        full: _Learnt,
        features: Sequence[Features],
        plain: Sequence[str],
        mine: Sequence[str],
    ) -> None:
        self._rate(self._ablated, FULL, one, full, mine)
        free = replace(self._adapter.recipe, attention=0.0)
        bare = self._learn(one, len(one.looked.pupils), Plan(augmented=False))
        for row, learnt in (
            (UNREGULARISED, self._optimise(full.lessons, free)),
            (UNAUGMENTED, bare),
            (NEITHER, self._optimise(bare.lessons, free)),
        ):
            self._rate(self._ablated, row, one, learnt, self._personal(one, learnt, features, plain))

    def _rate(self, scores: _Scores, row: str, one: Ready, learnt: _Learnt, captions: Sequence[str]) -> None:
        """Recall and likeness of captions, photo by photo."""
        name, category = learnt.lessons.identifier, learnt.lessons.class_word or "object"
        for caption in captions:
            scores.add(row, RECALL, 100 * says(caption, name))
        if self._likeness is None or one.clip is None:
            return
        told = [neutral(caption, name, category) for caption in captions]
        right = [
            neutral(shot.captions[0], one.subject.name, category) if shot.captions else ""
            for shot in one.shots
        ]
        for value in self._likeness.to_photos(told, one.clip):
            scores.add(row, IMAGE, value)
        for value in self._likeness.to_words(told, right):
            scores.add(row, TEXT, value)

    def _questions(self, one: Ready, learnt: _Learnt, features: Sequence[Features]) -> None:
        """Each question whose right answers are known, with the vector and the name."""
        questions = self._settings.person_questions if one.person else self._settings.object_questions
        asked = [
            (at, topic)
            for at, shot in enumerate(one.shots)
            for topic in questions
            if shot.facts.answers.get(topic)
        ]
        name = learnt.lessons.identifier
        said = self._adapter.generate(
            [features[at] for at, _ in asked],
            [[learnt.vector]] * len(asked),
            [self._adapter.wording.to_answer(questions[topic].replace("{}", name)) for _, topic in asked],
            _ANSWER,
        ) if asked else []  # fmt: skip
        for (at, topic), answer in zip(asked, said, strict=True):
            right = {text.casefold() for text in one.shots[at].facts.answers[topic]}
            self._answers.add(MYVLM, topic.replace("_", " "), 100 * (answer.strip(" .").casefold() in right))

    def _boxes(self, one: Ready, learnt: _Learnt, features: Sequence[Features]) -> None:
        """Where the concept is; only of models that write boxes."""
        wording = self._adapter.wording
        rows = [at for at, shot in enumerate(one.shots) if shot.facts.box is not None]
        if wording.boxes is None or not rows:
            return
        prompt = wording.to_point(learnt.lessons.identifier)
        said = self._adapter.generate(
            [features[at] for at in rows], [[learnt.vector]] * len(rows), [prompt] * len(rows), _BOX
        )
        for at, text in zip(rows, said, strict=True):
            photo, true = one.photos[at], one.shots[at].facts.box
            height, width = (side / photo.scale for side in photo.image.shape[:2])
            box = wording.boxes.read(text)
            if box is not None and self._padded:
                box = from_square(box, round(width), round(height))
            hit = False
            if box is not None and true is not None:
                hit = intersection_over_union(np.multiply(box, [width, height] * 2).tolist(), true) >= _HIT
            self._answers.add(MYVLM, "boxes", 100.0 * hit)

    def _learn(self, one: Ready, count: int, plan: Plan | None = None) -> _Learnt:
        """Learn from the first `count` photos."""
        pupils = one.looked.pupils[:count]
        lessons = write_lessons(self._adapter, pupils, one.subject.name, one.person, (), plan or Plan())
        return self._optimise(lessons, self._adapter.recipe)

    def _optimise(self, lessons: Lessons, recipe: Recipe) -> _Learnt:
        learnt = optimise(self._adapter, lessons.groups, lessons.held_out, recipe, lessons.description)
        return _Learnt(self._adapter.vector(learnt.vector), lessons, {"embedding": learnt.seconds})

    def _encode(self, images: Sequence[np.ndarray]) -> list[Features]:
        parts = [self._adapter.encode(images[at : at + _CHUNK]) for at in range(0, len(images), _CHUNK)]
        return [features for part in parts for features in part]

    def _personal(
        self, one: Ready, learnt: _Learnt, features: Sequence[Features], plain: Sequence[str]
    ) -> list[str]:
        """With the vector where the head fires; elsewhere what the plain model says."""
        rows = [at for at, fires in enumerate(one.fires) if fires]
        said = self._caption([features[at] for at in rows], [[learnt.vector]] * len(rows))
        captions = list(plain)
        for at, text in zip(rows, said, strict=True):
            captions[at] = text
        return captions

    def _caption(self, features: Sequence[Features], vectors: Sequence[Sequence[Tensor]] | None) -> list[str]:
        if not features:
            return []
        own = vectors if vectors is not None else [[]] * len(features)
        return self._adapter.generate(
            features, own, [self._adapter.wording.to_caption()] * len(features), _TOKENS
        )
