"""What a photo's telling asks for: its caption, and about each concept in it the questions and the box.

Here prompts are put together; the model is asked in `tell.py`. MyVLM by itself doesn't know which of several
people a vector means, while the face head does. Its knowledge can be used in three ways:

- plain: not at all, as in the paper;
- place: in company, a question begins with where the face is of whom it is about, and a box is asked for by
  the side on which they are, where nobody else is there;
- crop: besides, what concerns a person alone is asked of the part of the photo around their body, and the
  caption is put right by that, and things that it calls by no name get theirs (`mending.py`).

The caption is always asked for without a word about anyone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from blake3 import blake3

from ...schemas.settings import CROP, PLAIN
from .places import Box, pointed_out
from .wording import LLAVA, Wording

#: Topics whose answer stands in the crop around a person; others need the whole photo.
ON_CROPS = ("wearing", "doing", "color", "hair", "glasses", "expression")
WHOLE = -1  # the photo, no part of it

_VERSION = 4  # raised when the same settings would ask, or mend, in another way


@dataclass(frozen=True)
class Subject:
    """One concept in one photo."""

    concept: str
    identifier: str
    person: bool
    face: Box | None = None  # in parts of the photo; None for things, and where no face is known


@dataclass(frozen=True)
class Request:
    """One prompt. Numbers are places in the photo's list of subjects."""

    prompt: str
    vectors: tuple[int, ...]  # the subjects whose vectors stand behind the photo
    about: int = -1
    topic: str = ""
    question: str = ""
    part: int = WHOLE  # or the subject around whom the photo is cut


@dataclass(frozen=True)
class Requests:
    """All that is asked about one photo."""

    caption: Request
    answers: list[Request]
    boxes: list[Request]
    crops: dict[int, Box]  # the faces around which the photo is cut for that, by subject


@dataclass(frozen=True)
class Manner:
    """How photos are told. Questions are by topic, with {} for whom they are about."""

    people: str  # plain, place or crop
    person_questions: Mapping[str, str]
    object_questions: Mapping[str, str]
    wording: Wording = LLAVA  # of the model that is asked
    boxes: bool = True  # whether it is the one that says where things are
    temperature: float = 0.0  # at which captions and answers are drawn; 0: the likeliest

    @property
    def identity(self) -> str:
        """What rows name as their settings: another value means that photos are told again."""
        parts = [str(_VERSION), self.wording.to_caption(), self.wording.box]
        for questions in (self.person_questions, self.object_questions):
            parts += [f"{topic}: {question}" for topic, question in sorted(questions.items())]
        if self.temperature:
            parts.append(f"drawn at {self.temperature:g}")
        asked = f"{self.people} {blake3('|'.join(parts).encode()).hexdigest(length=6)}"
        return asked if self.boxes else f"{asked} without boxes"

    @property
    def enough(self) -> list[str]:
        """The settings of rows that hold all that would be asked, and maybe boxes besides."""
        return sorted({self.identity, replace(self, boxes=True).identity})

    def requests(self, subjects: Sequence[Subject], faces: Sequence[Box]) -> Requests:
        """What to ask about a photo; `faces` are all that are in it, strangers' too."""
        answers, boxes, crops = [], [], {}
        for about, subject in enumerate(subjects):
            face = subject.face if self.people != PLAIN else None
            hint, whom = "", subject.identifier
            if face and len(faces) > 1:
                if self.wording.boxes:
                    hint = f"{subject.identifier} is at {self.wording.boxes.write(face)}. "
                whom = pointed_out(face, faces) or whom  # a box said beforehand would be said back
            questions = self.person_questions if subject.person else self.object_questions
            for topic, question in questions.items():
                prompt, part = question.replace("{}", subject.identifier), WHOLE
                if face and self.people == CROP and topic in ON_CROPS:
                    crops[about], part = face, about
                else:
                    prompt = hint + prompt
                prompt = self.wording.to_answer(prompt)
                answers.append(Request(prompt, (about,), about, topic, question, part))
            if self.boxes and self.wording.points:
                boxes.append(Request(self.wording.to_point(whom), (about,), about))
        # Never with a name: it would be said back whether the model knows whose it is or not.
        caption = Request(self.wording.to_caption(), tuple(range(len(subjects))))
        return Requests(caption, answers, boxes, crops)
