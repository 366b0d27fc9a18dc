"""The concept record: what `learn` keeps about one person, pet or thing, and where its files lie.

    concepts/<folder>/concept.json                   this record
    concepts/<folder>/head.safetensors               what recognises it
    concepts/<folder>/embedding.<vlm>.safetensors    what makes that vision-language model speak of it
    concepts/<folder>/photos/                        copies of the photos used
    concepts/<folder>/report.png                     the same photos, with what was taken from each

Nothing here reads or writes files, or knows what a head or an embedding is made of.
"""

from __future__ import annotations

import dataclasses
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from blake3 import blake3

from .errors import ConceptDamaged, UsageProblem

Kind = Literal["person", "object"]

RECORD = "concept.json"
HEAD = "head.safetensors"
REPORT = "report.png"
PHOTOS = "photos"

_FORMAT = 1  # of concept.json
_LONGEST_NAME = 80  # characters
_LONGEST_FOLDER = 40
_SAFE = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class TrainingPhoto:
    """One photo a concept was learnt from."""

    file: str  # its copy, relative to `photos/`
    source: str  # where it was found, text form
    photo_id: str  # hash of its bytes
    box: tuple[float, float, float, float] | None  # the face taken, in pixels of the upright photo
    captions: tuple[str, ...]  # the targets, with the identifier; the first is what was written or seen


@dataclass(frozen=True)
class HeadInfo:
    """How the concept is recognised. A score above `threshold` (for people: a distance below) is a hit."""

    made_by: str  # the stage and model whose features it reads
    threshold: float
    examples: int  # kept embeddings, or positive photos
    negatives: int = 0
    loss: float | None = None  # mean cross entropy of the last tenth of the steps
    seconds: float = 0.0
    revision: int = 1  # higher where it was made anew for what other concepts look like


@dataclass(frozen=True)
class EmbeddingInfo:
    """How the concept embedding of one vision-language model came about."""

    made_by: str  # the model
    settings: Mapping[str, Any]
    losses: tuple[float, ...]  # one per step
    held_out: tuple[tuple[int, float], ...]  # (step, loss on variants of the photos that no step saw)
    kept_step: int  # the one whose vector was kept
    named: float  # share of the held-out variants whose caption says the identifier, unasked
    seconds: Mapping[str, float] = field(default_factory=dict)  # captions, embedding


@dataclass(frozen=True)
class Check:
    """The head, judged on what it did not see: each photo by a head made from the other photos.

    `negatives` are photos or faces of others. With one photo there is nothing to leave out: `photos` is 0.
    """

    photos: int
    found: int
    negatives: int
    rejected: int


@dataclass(frozen=True)
class Concept:
    """One person, pet or thing that was learnt."""

    name: str  # what the person calls it
    identifier: str  # what the vision-language model calls it: a short word that it can say
    kind: Kind
    class_word: str  # what it is called without a name: "woman", "mug"
    why: str  # why this kind, and what was taken from the photos
    version: int  # 1, 2, ... with every re-learning
    created: str  # ISO 8601, UTC
    photos: tuple[TrainingPhoto, ...]
    head: HeadInfo
    check: Check
    embeddings: Mapping[str, EmbeddingInfo]  # by the model's name

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return folder_of(self.name)

    @property
    def made_by(self) -> str:
        """What rows told with this version of the concept name as their origin."""
        return f"{self.folder} v{self.version} of {self.created}"

    @property
    def found_by(self) -> str:
        """What rows of detections name: another head finds it anew, but what is said of it stays."""
        return f"{self.made_by} head {self.head.revision} on {self.head.made_by}"

    def to_json(self) -> str:
        """Return the text of concept.json."""
        return json.dumps({"format": _FORMAT, **dataclasses.asdict(self)}, indent=1, ensure_ascii=False)


def embedding_file(vlm: str) -> str:
    """Return the name of the file that holds the concept embedding for that model."""
    return f"embedding.{vlm}.safetensors"


def from_json(text: str, where: str) -> Concept:
    """Read concept.json. Raises ConceptDamaged, naming `where`, when it isn't one of ours."""
    try:
        values = json.loads(text)
        if values.pop("format") != _FORMAT:
            raise ValueError("it is of another version of this program")
        values["photos"] = tuple(_photo(photo) for photo in values["photos"])
        values["head"] = HeadInfo(**values["head"])
        values["check"] = Check(**values["check"])
        values["embeddings"] = {name: _embedding(info) for name, info in values["embeddings"].items()}
        return Concept(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConceptDamaged(f"{where} can't be read: {error}", "learn the concept again") from error


def _photo(values: Mapping[str, Any]) -> TrainingPhoto:
    box = values["box"]
    return TrainingPhoto(**{**values, "box": box and tuple(box), "captions": tuple(values["captions"])})


def _embedding(values: Mapping[str, Any]) -> EmbeddingInfo:
    held_out = tuple((int(step), float(loss)) for step, loss in values["held_out"])
    return EmbeddingInfo(**{**values, "losses": tuple(values["losses"]), "held_out": held_out})


def clean_name(name: str) -> str:
    """Return a concept's name as it is kept: composed Unicode, single spaces. Raises UsageProblem."""
    clean = " ".join(unicodedata.normalize("NFC", name).split())
    if not any(letter.isalnum() for letter in clean):
        raise UsageProblem(f"{name!r} is no name for a concept", "it needs a letter or a digit")
    if len(clean) > _LONGEST_NAME or not clean.isprintable():
        raise UsageProblem(
            f"{clean[:20]!r}... is no name for a concept",
            f"at most {_LONGEST_NAME} printable characters, please",
        )
    return clean


def folder_of(name: str) -> str:
    """Return the folder for a name: the name itself where that is safe, else its letters and a hash.

    Names that differ only in case are one concept.
    """
    key = clean_name(name).casefold()
    if _SAFE.fullmatch(key) and len(key) <= _LONGEST_FOLDER:
        return key
    ascii_only = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:_LONGEST_FOLDER]
    digest = blake3(key.encode()).hexdigest(length=4)
    return f"{readable}-{digest}" if readable else digest
