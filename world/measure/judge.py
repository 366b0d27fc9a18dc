"""What was said of a sample library, held against its truth.

The rows come from the catalog's views, by whatever way (`ask`); photos are matched with the truth by their
path. What does not live here: bars (`end_to_end.py`), and how the rows came about.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ...schemas.paths import to_text
from ...stages.vlm.places import intersection_over_union
from ...stages.vlm.words import says, swap
from ..sentences import PLACE_PHRASES, WHERE_PHRASES
from ..truth import article

Record = Mapping[str, Any]
Ask = Callable[[str], Sequence[Record]]

SMALLEST_FACE = 24 / 1024
"""A face counts from this part of the photo's long side on, as where the face pack is measured."""
HIT = 0.5
"""Two boxes show the same from this intersection over union on."""

_HITS = """
SELECT photo_id, concept, x0, y0, x1, y1 FROM (FROM detections WHERE hit)
LEFT JOIN faces USING (photo_id, face)
"""
_CAPTIONS = """
SELECT photo_id, caption, said, identifiers, concepts FROM captions
JOIN (SELECT photo_id, run_id, made_by, said, identifiers FROM all_captions) USING (photo_id, run_id, made_by)
"""
_BOX = ("x0", "y0", "x1", "y1")
_CLAUSE = re.compile(r"(?P<who>[\w'-]+) wearing (?P<clothes>an? [\w-]+ [\w-]+)(?: (?P<doing>[\w-]+))?")


@dataclass
class Tally:
    """How many of the things asked for were right."""

    right: int = 0
    asked: int = 0

    def add(self, right: bool) -> None:
        """Count one more."""
        self.right += right
        self.asked += 1

    @property
    def share(self) -> float:
        """The part that was right; 0 where nothing was asked."""
        return self.right / self.asked if self.asked else 0.0


@dataclass
class Photo:
    """One photo: what is true of it, and what was said of it."""

    photo_id: str
    path: str  # absolute, text form
    truth: list[Record]
    true_caption: str
    hits: dict[str, Record] = field(default_factory=dict)  # by concept
    caption: str = ""
    own_words: str = ""  # the model's, before its caption was put right; with names
    answers: dict[tuple[str, str], str] = field(default_factory=dict)  # by concept and topic
    boxes: dict[str, list[float]] = field(default_factory=dict)  # by concept

    @property
    def shown(self) -> dict[str, Record]:
        """The concepts in it that can be recognised: things and pets, and people whose face can be seen."""
        return recognisable(self.truth)

    @property
    def people(self) -> int:
        """How many people the photo is about; small strangers in the background don't count."""
        return sum(row["kind"] == "person" and row["main"] for row in self.truth)


def read_photos(ask: Ask, sample: Path) -> list[Photo]:
    """Every photo of a sample library that is in the catalog, with its truth and all that was said of it."""
    library = to_text(os.path.abspath(sample / "library")) + "/"
    true: dict[str, list[Record]] = {}
    for row in pq.read_table(sample / "truth.parquet").to_pylist():
        true.setdefault(row["file"], []).append(row)
    captions = {row["file"]: row["caption"] for row in pq.read_table(sample / "photos.parquet").to_pylist()}
    photos = {}
    for row in ask("SELECT photo_id, path FROM photos ORDER BY path"):
        file = row["path"].removeprefix(library)
        photos[row["photo_id"]] = Photo(row["photo_id"], row["path"], true.get(file, []), captions[file])
    for row in ask(_HITS):
        photos[row["photo_id"]].hits[row["concept"]] = row
    for row in ask(_CAPTIONS):
        names = dict(zip(row["identifiers"], row["concepts"], strict=True))
        photos[row["photo_id"]].caption = row["caption"]
        photos[row["photo_id"]].own_words = swap(row["said"], names)
    for row in ask("SELECT photo_id, concept, topic, answer FROM answers"):
        photos[row["photo_id"]].answers[row["concept"], row["topic"]] = row["answer"]
    for row in ask("SELECT photo_id, concept, x0, y0, x1, y1 FROM boxes"):
        photos[row["photo_id"]].boxes[row["concept"]] = [row[name] for name in _BOX]
    return list(photos.values())


def has_face(row: Record) -> bool:
    """Whether the face of an entity can be seen, and is large enough to count."""
    if row["face_x0"] is None:
        return False
    side = max(row["face_x1"] - row["face_x0"], row["face_y1"] - row["face_y0"])
    return bool(side >= SMALLEST_FACE * max(row["width"], row["height"]))


def recognisable(rows: Sequence[Record]) -> dict[str, Record]:
    """The concepts among a photo's entities that can be told: things, pets, people with a face to see."""
    return {
        row["concept"]: row for row in rows if row["concept"] and (row["kind"] != "person" or has_face(row))
    }


def judge_people(photos: Sequence[Photo]) -> dict[str, Tally]:
    """Faces: `found` as who they are, `wrong` taken for another, and `strangers` taken for someone known."""
    tallies = {"found": Tally(), "wrong": Tally(), "strangers": Tally()}
    for photo in photos:
        for row in photo.truth:
            if row["kind"] != "person" or not has_face(row):
                continue
            taken_for = _taken_for(row, photo)
            if row["concept"] is None:
                tallies["strangers"].add(taken_for is not None)
            else:
                tallies["found"].add(taken_for == row["concept"])
                tallies["wrong"].add(taken_for not in (None, row["concept"]))
    return tallies


def _taken_for(row: Record, photo: Photo) -> str | None:
    face = [row[f"face_{name}"] for name in _BOX]
    for concept, hit in photo.hits.items():
        if hit["x0"] is not None and intersection_over_union(face, [hit[name] for name in _BOX]) >= HIT:
            return concept
    return None


def judge_objects(photos: Sequence[Photo], objects: Sequence[str]) -> dict[str, Tally]:
    """Photos of things and pets `found`, photos without them `rejected`."""
    tallies = {"found": Tally(), "rejected": Tally()}
    for photo in photos:
        there = {row["concept"] for row in photo.truth}
        for name in objects:
            if name in there:
                tallies["found"].add(name in photo.hits)
            else:
                tallies["rejected"].add(name not in photo.hits)
    return tallies


def judge_names(photos: Sequence[Photo]) -> dict[str, Tally]:
    """Whether the name stands in the caption of a photo that has it `shown`, and if the head `fired` there.

    `own` is the same as `fired` for the model's own words.
    """
    tallies = {"shown": Tally(), "fired": Tally(), "own": Tally()}
    for photo in photos:
        for name in photo.shown:
            tallies["shown"].add(says(photo.caption, name))
            if name in photo.hits:
                tallies["fired"].add(says(photo.caption, name))
                tallies["own"].add(says(photo.own_words, name))
    return tallies


def named(photos: Sequence[Photo]) -> Iterator[tuple[Photo, Record]]:
    """The photos whose caption says the name of a concept they show, with the truth about it."""
    for photo in photos:
        for name, row in photo.shown.items():
            if name in photo.hits and says(photo.caption, name):
                yield photo, row


def judge_words(caption: str, row: Record, called: str) -> dict[str, bool]:
    """Which of the caption's words about one entity, `called` so in it, are right.

    `clothes` and `activity` are looked for where a person is spoken of, `place` in the whole caption. Where
    nobody is called so, whoever is spoken of will do.
    """
    right = {"place": says(caption, PLACE_PHRASES[row["place"]])}
    if row["kind"] != "person":
        return right
    clauses = list(_CLAUSE.finditer(caption))
    own = [clause for clause in clauses if clause["who"].casefold() == called.casefold()] or clauses
    clothes, doing = article(f"{row['color']} {row['garment']}"), row["doing"].split()[0]
    return right | {
        "clothes": any(clause["clothes"] == clothes for clause in own),
        "activity": any(clause["doing"] == doing for clause in own),
    }


def judge_answers(photos: Sequence[Photo]) -> dict[str, Tally]:
    """Answers about concepts that are in the photo, by topic; clothes apart for people alone and among."""
    tallies: dict[str, Tally] = {}
    for photo in photos:
        for (concept, topic), answer in photo.answers.items():
            row = photo.shown.get(concept)
            right = row and right_answers(topic, row, photo)
            if right:
                company = " alone" if photo.people == 1 else " among several"
                key = topic + (company if topic == "wearing" else "")
                tallies.setdefault(key, Tally()).add(plain(answer) in right)
    return tallies


def plain(answer: str) -> str:
    """An answer as it is compared: in lower case, without a full stop."""
    return answer.strip().rstrip(".").casefold()


def right_answers(topic: str, row: Record, photo: Photo) -> set[str]:
    """Every answer that is right, in lower case; names may stand for whom they mean. Empty: can't be told."""
    person = row["kind"] == "person"
    answers: dict[str, set[str]] = {
        "wearing": {article(f"{row['color']} {row['garment']}")} if person else set(),
        "color": {row["color"]},
        "doing": {row["doing"] or ""},
        "where": {WHERE_PHRASES[row["where"]]},
        "next_to": {row["next_to"]},
    }
    right = answers.get(topic, set())
    for other in photo.truth if topic in ("doing", "next_to") else ():
        if other["concept"] and other is not row:
            for text in list(right):
                for called in (f"{other['color']} {other['category']}", other["category"]):
                    right.add(re.sub(rf"\b{article(called)}$", other["concept"], text))
    return {text.casefold() for text in right}


def judge_boxes(photos: Sequence[Photo]) -> Tally:
    """Boxes around concepts that are in the photo and were recognised; one that is missing is wrong."""
    tally = Tally()
    for photo in photos:
        for concept, row in photo.shown.items():
            if concept in photo.hits:
                box = photo.boxes.get(concept)
                true = [row[name] for name in _BOX]
                tally.add(box is not None and intersection_over_union(box, true) >= HIT)
    return tally


def sent_in_vain(photos: Sequence[Photo]) -> int:
    """How many photos the vision-language model was asked about although no head fired."""
    return sum(not photo.hits and bool(photo.caption or photo.answers or photo.boxes) for photo in photos)
