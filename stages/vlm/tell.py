"""The tell stage: a vision-language model says what it sees of the concepts found in a photo.

Each picture is encoded once, and so is the part around each person who is asked about apart; caption, answers
and boxes of the whole batch are then generated together. What is asked stands in `asking.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...schemas.settings import CROP
from ...schemas.tables import FAILURE
from ..base import Stage
from ..images import IMAGE_FIELDS, Image, from_table
from ..packs import Model, locate
from .asking import WHOLE, Manner, Request, Requests, Subject
from .base import Sampling
from .families import load, version
from .mending import Look, Thing, mend, name_things
from .places import Box, body_around, from_square
from .words import swap

if TYPE_CHECKING:
    from .base import Features

#: New tokens at most. The paper's number for captions (MyVLM, appendix B.2); a model ends long before.
_CAPTION, _ANSWER, _BOX = 512, 128, 48

_FACE = pa.list_(pa.float32(), 4)

ASKED = pa.schema(
    [
        pa.field("concepts", pa.list_(pa.string())),  # found in the photo
        pa.field("faces", pa.list_(_FACE)),  # all of the photo, in pixels of the original turned upright
        pa.field("face", pa.list_(pa.int16())),  # per concept, which of them it is; null for things
    ]
)
_SPOKEN = [pa.field("prompt", pa.string()), pa.field("said", pa.string())]
CAPTION = pa.struct([pa.field("caption", pa.string()), *_SPOKEN, pa.field("mended", pa.string())])
ANSWER = pa.struct(
    [
        pa.field("concept", pa.string()),
        pa.field("topic", pa.string()),
        pa.field("question", pa.string()),
        pa.field("answer", pa.string()),
        *_SPOKEN,
    ]
)
BOX = pa.struct(
    [
        pa.field("concept", pa.string()),
        *(pa.field(corner, pa.float32()) for corner in ("x0", "y0", "x1", "y1")),
        *_SPOKEN,
    ]
)


@dataclass(frozen=True)
class Spoken:
    """What the model needs to speak of a concept."""

    identifier: str
    person: bool
    class_word: str  # what a caption calls it without a name; empty if unknown
    vector: NDArray[np.float32]  # (width,), norm 1


@dataclass
class _Photo:
    """One photo of the batch, and all that is asked about it."""

    row: int
    size: tuple[int, int]  # of the original
    image: Image
    subjects: list[Subject]
    requests: Requests
    features: dict[int, Features] = field(default_factory=dict)  # of the whole, and around subjects
    said: dict[Request, str] = field(default_factory=dict)


class Tell(Stage):
    """Caption, answers and boxes for photos in which concepts were found."""

    name: ClassVar[str] = "tell"
    needs: ClassVar[pa.Schema] = pa.schema(
        [
            ("photo_id", pa.string()),
            *ASKED,
            *IMAGE_FIELDS,
            ("width", pa.int32()),
            ("height", pa.int32()),
            pa.field("failure", FAILURE),
        ]
    )
    gives: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("caption", CAPTION),  # null where there is no picture
            pa.field("answers", pa.list_(ANSWER)),
            pa.field("boxes", pa.list_(BOX)),
        ]
    )
    gpus: ClassVar[float] = 1.0
    batch_size: ClassVar[int] = 16

    def __init__(
        self, model: Model, home: Path, fingerprint: str, spoken: Mapping[str, Spoken], manner: Manner
    ) -> None:
        """Tell with a model of a pack; `spoken` are the concepts by name, `fingerprint` names its content."""
        self.model = model
        self.home = home
        self.fingerprint = fingerprint
        self.spoken = spoken
        self.manner = manner

    @property
    def made_by(self) -> str:
        """The model and its content."""
        return version(self.model, self.fingerprint)

    @property
    def memory(self) -> int:
        """Twice the files: 16-bit weights are widened on a CPU."""
        return 2 * sum(path.stat().st_size for path in locate(self.model, self.home).glob("*.safetensors"))

    @property
    def tried_by(self) -> str:
        """Also how it is asked: another question may do where one failed."""
        return f"{self.made_by} {self.manner.identity}"

    def prepare_node(self) -> None:
        """Raise ModelMissing if this machine lacks the model."""
        locate(self.model, self.home)

    def setup(self) -> None:
        """Load the model, and the concepts' vectors onto its device."""
        self._adapter = load(self.model, self.home, self.fingerprint)
        self._vectors = {name: self._adapter.vector(one.vector) for name, one in self.spoken.items()}

    def __call__(self, table: pa.Table) -> pa.Table:
        """Tell all photos of the batch that have a picture."""
        photos = self._photos(table)
        self._encode(photos)
        drawn = self.manner.temperature  # boxes are never drawn by chance
        self._say(
            [(photo, request) for photo in photos for request in photo.requests.answers], _ANSWER, drawn
        )
        self._say([(photo, request) for photo in photos for request in photo.requests.boxes], _BOX)
        self._say([(photo, photo.requests.caption) for photo in photos], _CAPTION, drawn)
        columns: dict[str, list[Any]] = {name: [None] * table.num_rows for name in self.gives.names}
        for photo in photos:
            columns["caption"][photo.row] = self._caption(photo)
            columns["answers"][photo.row] = _answers(photo)
            columns["boxes"][photo.row] = [self._box(photo, request) for request in photo.requests.boxes]
        for given in self.gives:
            table = table.append_column(given, pa.array(columns[given.name], given.type))
        return table

    def _photos(self, table: pa.Table) -> list[_Photo]:
        names = ("concepts", "faces", "face", "width", "height")
        columns = (table[name].to_pylist() for name in names)
        photos = []
        for row, (image, *given) in enumerate(zip(from_table(table), *columns, strict=True)):
            if image is None:
                continue
            concepts, faces, own, width, height = given
            parts = [_parts(face, width, height) for face in faces]
            subjects = [
                Subject(
                    concept,
                    self.spoken[concept].identifier,
                    self.spoken[concept].person,
                    None if face is None else parts[face],
                )
                for concept, face in zip(concepts, own, strict=True)
            ]
            requests = self.manner.requests(subjects, parts)
            photos.append(_Photo(row, (width, height), image, subjects, requests))
        return photos

    def _encode(self, photos: Sequence[_Photo]) -> None:
        """Encode every picture, and every part that is asked about, once."""
        pictures = [(photo, WHOLE, photo.image) for photo in photos]
        for photo in photos:
            pictures += [
                (photo, about, _cut(photo.image, face)) for about, face in photo.requests.crops.items()
            ]
        encoded = self._adapter.encode([picture for *_, picture in pictures])
        for (photo, part, _), features in zip(pictures, encoded, strict=True):
            photo.features[part] = features

    def _say(self, asked: Sequence[tuple[_Photo, Request]], tokens: int, temperature: float = 0.0) -> None:
        """Let the model answer; all of the batch at once."""
        said = self._adapter.generate(
            [photo.features[request.part] for photo, request in asked],
            [[self._vectors[photo.subjects[i].concept] for i in request.vectors] for photo, request in asked],
            [request.prompt for _, request in asked],
            tokens,
            Sampling(temperature) if temperature else None,
        )
        for (photo, request), text in zip(asked, said, strict=True):
            photo.said[request] = text

    def _caption(self, photo: _Photo) -> dict[str, str]:
        """The caption as it was said, put right if that is wanted, and with names."""
        said = photo.said[photo.requests.caption]
        mended = self._mended(photo, said) if self.manner.people == CROP else said
        prompt = photo.requests.caption.prompt
        return {"caption": _named(photo, mended), "prompt": prompt, "said": said, "mended": mended}

    def _mended(self, photo: _Photo, caption: str) -> str:
        """Put right by the closer looks at people, and by the class words of things."""
        looks, things = [], []
        for about, subject in enumerate(photo.subjects):
            if about in photo.requests.crops:
                seen = (_answer(photo, about, topic) for topic in ("wearing", "doing"))
                looks.append(Look(subject.identifier, *seen))
            elif not subject.person:
                word = self.spoken[subject.concept].class_word
                things.append(Thing(subject.identifier, word, _answer(photo, about, "color")))
        identifiers = [subject.identifier for subject in photo.subjects]
        return name_things(mend(caption, looks, identifiers), things)

    def _box(self, photo: _Photo, request: Request) -> dict[str, Any]:
        """The box in pixels of the original; null corners where the words are none."""
        width, height = photo.size
        form = self.manner.wording.boxes
        box = form.read(photo.said[request]) if form else None
        if box is not None and self.model.settings.get("boxes") == "padded":
            box = from_square(box, width, height)
        x0, y0, x1, y1 = (None,) * 4 if box is None else np.multiply(box, [width, height] * 2).tolist()
        corners = {"x0": x0, "y0": y0, "x1": x1, "y1": y1}
        return {"concept": photo.subjects[request.about].concept, **corners, **_spoken(photo, request)}


def _answer(photo: _Photo, about: int, topic: str) -> str:
    """What was said of one subject to the question on that topic; empty where it wasn't asked."""
    requests = photo.requests.answers
    asked = (request for request in requests if (request.about, request.topic) == (about, topic))
    return next((photo.said[request] for request in asked), "")


def _answers(photo: _Photo) -> list[dict[str, str]]:
    return [
        {
            "concept": photo.subjects[request.about].concept,
            "topic": request.topic,
            "question": request.question,
            "answer": _named(photo, photo.said[request]),
            **_spoken(photo, request),
        }
        for request in photo.requests.answers
    ]


def _spoken(photo: _Photo, request: Request) -> dict[str, str]:
    return {"prompt": request.prompt, "said": photo.said[request]}


def _named(photo: _Photo, text: str) -> str:
    return swap(text, {subject.identifier: subject.concept for subject in photo.subjects})


def _parts(box: Sequence[float], width: int, height: int) -> Box:
    """A box in pixels of the original as parts of the photo."""
    x0, y0, x1, y1 = (float(np.clip(v, 0.0, 1.0)) for v in np.divide(box, [width, height] * 2))
    return (x0, y0, x1, y1)


def _cut(image: Image, face: Box) -> Image:
    """The part of the picture around the body of whoever has that face."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.rint(np.multiply(body_around(face), [width, height] * 2)).astype(int)
    x0, y0 = min(x0, width - 1), min(y0, height - 1)  # a face may lie outside, by rounding
    return np.ascontiguousarray(image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)])
