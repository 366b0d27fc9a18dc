"""What is said about a photo with these or those context vectors, as tensors.

What lives here: the readings of one photo (each with its own vectors, a caption and questions), packing, and
which entity each slot is about. What does not: sentences and introductions (`text`) and the model (`blip2`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ...stages.vlm.wording import BLIP2
from ..identity import Person
from ..questions import QA, questions
from ..sentences import caption_parts, phrase
from ..truth import EntityTruth
from ..vocabulary import NAMES
from .batches import IGNORED
from .pool import Photo, Pool, view_box
from .text import IDENTIFIER, ON_CROPS, Introduction, introduce_some, names_of, question_odds
from .tokenizer import BOS_ID, EOS_ID, PAD_ID, words_of
from .vision import GRID, PATCH_FIELDS, entity_codes, owners, photo_codes, to_pixels

READINGS = 3  # of each photo: one without a vector, and two with one to three
QUERIES = 24
SLOTS = 5  # as many main entities as a photo has at most; the query behind them is for the photo itself
LENGTH = 64  # tokens of a reading: a caption and one or two questions
PHRASE = "a photo of"  # now and then a caption's beginning is given
VECTORS = 3
SPOKEN = ("", IDENTIFIER, *NAMES)  # what a slot's entity may be called; "" where nobody says
_VECTOR_WORDS = 14
_EVENNESS = 0.7  # 0: each token of an answer counts alike; 1: each answer does
_ASKED = 2  # questions tried for each reading; those that don't fit are left out


@dataclass(frozen=True)
class Said:
    """One prompt and what is to be said to it."""

    prompt: str
    answer: str
    topic: str


@dataclass
class Reading:
    """One photo with its vectors: tokens of all that is said, each turn blind to the others."""

    introductions: tuple[Introduction, ...]
    ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    segments: list[int] = field(default_factory=lambda: [0] * QUERIES)  # 0 for the queries, then 1, 2, ...
    positions: list[int] = field(default_factory=lambda: list(range(QUERIES)))
    said: list[Said] = field(default_factory=list)


@dataclass
class Blip2Batch:
    """n photos and n * READINGS readings as tensors."""

    pixels: Tensor  # (n, 3, SIZE, SIZE)
    ids: Tensor  # (readings, LENGTH), as are labels and weights
    labels: Tensor
    weights: Tensor
    segments: Tensor  # (readings, QUERIES + LENGTH), as are positions
    positions: Tensor
    vector_words: Tensor  # (readings, VECTORS, 14), padded
    present: Tensor  # (readings, VECTORS), whether there is a vector
    slot_vectors: Tensor  # (readings, SLOTS), which vector introduces the slot's entity, -1 for none
    slot_patches: Tensor  # (n, SLOTS, 81), whether a patch shows the slot's entity
    slot_names: Tensor  # (readings, SLOTS), what the slot's entity is called, an index in SPOKEN
    slot_codes: Tensor  # (n, SLOTS, fields), what is to be read off the slot
    photo_codes: Tensor  # (n, fields), what is to be read off the photo's own query
    readings: list[Reading]


def encode(vocabulary: dict[str, int], sentence: str) -> list[int]:
    """Token ids of a sentence, without `<s>` and `</s>`."""
    return [vocabulary.get(word, vocabulary["<unk>"]) for word in words_of(sentence)]


def slots_of(photo: Photo) -> list[EntityTruth]:
    """The main entities as the caption takes them: people, then things, each from left to right."""
    main = [entry for entry in photo.found if entry.main and view_box(entry.box, photo.view)]
    return sorted(main, key=lambda e: (not isinstance(e.entity, Person), e.box[0] + e.box[2]))[:SLOTS]


def readings(photo: Photo, vocabulary: dict[str, int], rng: np.random.Generator) -> list[Reading]:
    """READINGS ways to read one photo, the first without vectors."""
    main = [entry for entry in photo.found if entry.main]
    asked_of = main if photo.kind != "crop" else [e for e in main if e.key == photo.subject]
    plain = questions(photo.scene, rng, found=asked_of)
    named = questions(photo.scene, rng, {e.key: f"entity-{e.key}" for e in main}, found=asked_of)
    made = []
    for number in range(READINGS):
        introductions = introduce_some(asked_of, rng) if number and asked_of else []
        names = names_of(introductions)
        reading = Reading(tuple(introductions))
        if photo.kind != "crop":
            caption = "".join(text for text, _ in caption_parts(photo.scene, names, found=photo.found))
            _append(reading, Said(PHRASE if rng.random() < 0.1 else "", caption, "caption"), vocabulary)
        known = [qa for qa in named if qa.key in names]
        for qa in _draw(known or plain, photo.kind, rng):
            _append(reading, _answered(qa, names, main), vocabulary)
        made.append(reading)
    return made


def _draw(asked: Sequence[QA], kind: str, rng: np.random.Generator) -> list[QA]:
    if kind == "crop":
        asked = [qa for qa in asked if qa.topic in ON_CROPS]
    count = min(len(asked), _ASKED * (2 if kind == "crop" else 1))
    return [asked[i] for i in rng.choice(len(asked), count, replace=False, p=question_odds(asked))]


def _answered(asked: QA, names: dict[str, str], main: Sequence[EntityTruth]) -> Said:
    question, answer = asked.question, asked.answer
    for entry in main:
        called = names.get(entry.key) or phrase(entry.entity)
        question, answer = (text.replace(f"entity-{entry.key}", called) for text in (question, answer))
    return Said(BLIP2.to_answer(question), answer, asked.topic)


def _append(reading: Reading, said: Said, vocabulary: dict[str, int]) -> None:
    prompt = [BOS_ID, *encode(vocabulary, said.prompt)]
    answer = [*encode(vocabulary, said.answer), EOS_ID]
    if len(reading.ids) + len(prompt) + len(answer) > LENGTH:
        return
    reading.said.append(said)
    reading.ids += prompt + answer
    reading.labels += [IGNORED] * len(prompt) + answer
    reading.weights += [len(answer) ** -_EVENNESS] * len(prompt + answer)
    reading.segments += [len(reading.said)] * len(prompt + answer)
    reading.positions += range(QUERIES, QUERIES + len(prompt + answer))


def make_batch(
    words: PreTrainedTokenizerFast, pool: Pool, indices: Sequence[int], rng: np.random.Generator, device: str
) -> Blip2Batch:
    """Draw readings of these photos of the pool."""
    photos, images = pool.sample(indices, rng)
    vocabulary = words.get_vocab()
    drawn = [readings(photo, vocabulary, rng) for photo in photos]
    rows = [reading for own in drawn for reading in own]
    vector_words = np.full((len(rows), VECTORS, _VECTOR_WORDS), PAD_ID, np.int64)
    slot_vectors = np.full((len(rows), SLOTS), -1, np.int64)
    slot_names = np.zeros((len(rows), SLOTS), np.int64)
    slots = [slots_of(photo) for photo in photos]
    for row, reading in enumerate(rows):
        keys = [entry.key for entry in slots[row // READINGS]]
        for number, introduction in enumerate(reading.introductions):
            ids = encode(vocabulary, introduction.words)[:_VECTOR_WORDS]
            vector_words[row, number, : len(ids)] = ids
            if introduction.key in keys:
                slot_vectors[row, keys.index(introduction.key)] = number
                slot_names[row, keys.index(introduction.key)] = SPOKEN.index(introduction.name)
    patches, codes = zip(*(_slot_truth(p, own) for p, own in zip(photos, slots, strict=True)), strict=True)
    padded = [
        _padded([row.ids for row in rows], LENGTH, PAD_ID),
        _padded([row.labels for row in rows], LENGTH, IGNORED),
        _padded([row.weights for row in rows], LENGTH, 0, np.float32),
        _padded([row.segments for row in rows], QUERIES + LENGTH, -1),
        _padded([row.positions for row in rows], QUERIES + LENGTH, 0),
    ]
    present = vector_words[..., 0] != PAD_ID
    truths = [np.stack(patches), slot_names, np.stack(codes), np.stack([photo_codes(p) for p in photos])]
    arrays = [*padded, vector_words, present, slot_vectors, *truths]
    tensors = [torch.from_numpy(array).to(device) for array in arrays]
    return Blip2Batch(to_pixels(images, device), *tensors, rows)  # type: ignore[call-arg]


def _slot_truth(photo: Photo, slots: Sequence[EntityTruth]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Where each slot's entity is seen, (SLOTS, 81), and what it is, (SLOTS, fields)."""
    owner = owners(photo)
    numbers = {entry.key: number for number, entry in enumerate(photo.found)}
    patches = np.zeros((SLOTS, GRID * GRID), bool)
    codes = np.full((SLOTS, len(PATCH_FIELDS)), IGNORED, np.int64)
    codes[:, 0] = 0
    for slot, entry in enumerate(slots):
        patches[slot] = owner == numbers[entry.key]
        if patches[slot].any():
            codes[slot] = entity_codes(entry, photo.scene)
    return patches, codes


def _padded(
    rows: Sequence[Sequence[float]], length: int, value: float, kind: type[np.generic] = np.int64
) -> NDArray[np.generic]:
    out = np.full((len(rows), length), value, kind)
    for number, row in enumerate(rows):
        out[number, : len(row)] = row
    return out
