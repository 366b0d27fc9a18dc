"""Turns as tokens: many turns about one photo in one row, each blind to the others.

What lives here: packing, and the attention mask and positions that make every turn see exactly what it
would see if it were asked alone. What does not: the turns (`text`) and the models (`llava`, `minigpt_v2`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ...stages.vlm.wording import Wording
from ..truth import EntityTruth
from .pool import Photo, Pool
from .text import Turn, turns
from .tokenizer import BOS_ID, EOS_ID, IMAGE_ID, PAD_ID, words_of
from .vision import owners, to_pixels

IGNORED = -100
NOBODY = -2  # not -1, which owns the background's patches
_VECTOR_WORDS = 14
_EVENNESS = 0.7  # 0: each token of an answer counts alike; 1: each answer does
_VECTORS_PER_PHOTO = 12


@dataclass(frozen=True)
class Frame:
    """How a model's sequence goes: `<s>`, `before`, the photo, contexts, `behind`, question, `answer`, ..."""

    before: tuple[str, ...]
    behind: tuple[str, ...]
    answer: str  # the word behind which the answer is due
    image_tokens: int
    length: int  # of a row
    wording: Wording

    @property
    def start(self) -> int:
        """Where the photo's tokens begin."""
        return 1 + len(self.before)

    @property
    def prefix(self) -> int:
        """Where contexts and questions begin."""
        return self.start + self.image_tokens


@dataclass
class Row:
    """One photo's tokens. `segments` is 0 for the photo, then 1, 2, ... for its turns, -1 for padding."""

    ids: list[int]
    labels: list[int]
    about: list[int]  # indices in the photo's `found`
    weights: list[float]
    segments: list[int]
    positions: list[int]
    vectors: list[tuple[int, list[int]]] = field(
        default_factory=list
    )  # place in the row, words it stands for
    said: list[Turn] = field(default_factory=list)


class Packer:
    """Turns photos into batches with one tokenizer and one frame."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, frame: Frame) -> None:
        self.frame = frame
        self._ids = tokenizer.get_vocab()
        self._words = {number: word for word, number in self._ids.items()}
        self._unknown: int = self._ids["<unk>"]

    def encode(self, sentence: str) -> list[int]:
        """Token ids of a sentence, without `<s>` and `</s>`."""
        return [self._ids.get(word, self._unknown) for word in words_of(sentence)]

    def decode(self, ids: Sequence[int]) -> str:
        """The words of tokens, with a space between any two."""
        return " ".join(self._words[number] for number in ids)

    def row(self, said: Sequence[Turn], found: Sequence[EntityTruth] = ()) -> Row:
        """Pack as many of the turns as fit, in order; `found` is who their answers may speak of."""
        frame, size = self.frame, self.frame.prefix
        ids = [BOS_ID, *(self._ids[word] for word in frame.before), *[IMAGE_ID] * frame.image_tokens]
        row = Row(ids, [IGNORED] * size, [NOBODY] * size, [0.0] * size, [0] * size, list(range(size)))
        numbers: dict[str | None, int] = {entry.key: number for number, entry in enumerate(found)}
        for turn in said:
            self._append(row, turn, numbers)
        return row

    def _append(self, row: Row, turn: Turn, numbers: Mapping[str | None, int]) -> None:
        start = len(row.ids)
        asked = [*self.encode(turn.question), self._ids[self.frame.answer]]
        question = [*(self._ids[word] for word in self.frame.behind), *asked]
        pieces = [(self.encode(text), numbers.get(key, NOBODY)) for text, key in turn.parts]
        answer = [token for tokens, _ in pieces for token in tokens] + [EOS_ID]
        about = [number for tokens, number in pieces for _ in tokens] + [NOBODY]
        context: list[int] = []
        vectors: list[tuple[int, list[int]]] = []
        for introduction in turn.introductions:
            if turn.as_vectors:
                vectors.append((start + len(context), self.encode(introduction.words)[:_VECTOR_WORDS]))
                context.append(PAD_ID)
            else:
                context += self.encode(introduction.sentence)
        ids = context + question + answer
        if start + len(ids) > self.frame.length or len(row.vectors) + len(vectors) > _VECTORS_PER_PHOTO:
            return
        row.said.append(turn)
        row.vectors += vectors
        row.ids += ids
        row.labels += [IGNORED] * (len(context) + len(question)) + answer
        row.about += [NOBODY] * (len(context) + len(question)) + about
        row.weights += [len(answer) ** -_EVENNESS] * len(ids)
        row.segments += [len(row.said)] * len(ids)
        row.positions += range(self.frame.prefix, self.frame.prefix + len(ids))


@dataclass
class Batch:
    """Rows as tensors, (n, length) unless said otherwise; unused vectors point one past the last token."""

    pixels: Tensor  # (n, 3, SIZE, SIZE)
    ids: Tensor
    labels: Tensor
    about: Tensor  # of whom the token speaks, an index in the photo's `found`, or NOBODY
    owners: Tensor  # (n, 81), whose each patch is
    weights: Tensor  # float32
    segments: Tensor
    positions: Tensor
    vector_places: Tensor  # (n * 12,) in the flattened batch
    vector_words: Tensor  # (n * 12, 14), padded
    rows: list[Row]
    photos: list[Photo]


def make_batch(
    packer: Packer, pool: Pool, indices: Sequence[int], rng: np.random.Generator, device: str
) -> Batch:
    """Draw turns for these photos of the pool."""
    photos, images = pool.sample(indices, rng)
    length = packer.frame.length
    rows = [packer.row(turns(photo, rng, packer.frame.wording), photo.found) for photo in photos]
    places = np.full((len(rows) * _VECTORS_PER_PHOTO,), len(rows) * length, np.int64)
    words = np.full((len(places), _VECTOR_WORDS), PAD_ID, np.int64)
    slot = 0
    for number, row in enumerate(rows):
        for place, stands_for in row.vectors:
            places[slot] = number * length + place
            words[slot, : len(stands_for)] = stands_for
            slot += 1
    return Batch(
        to_pixels(images, device),
        _padded([r.ids for r in rows], length, PAD_ID, device),
        _padded([r.labels for r in rows], length, IGNORED, device),
        _padded([r.about for r in rows], length, NOBODY, device),
        torch.from_numpy(np.stack([owners(photo) for photo in photos])).to(device),
        _padded([r.weights for r in rows], length, 0, device, np.float32),
        _padded([r.segments for r in rows], length, -1, device),
        _padded([r.positions for r in rows], length, 0, device),
        torch.from_numpy(places).to(device),
        torch.from_numpy(words).to(device),
        rows,
        photos,
    )


def _padded(
    rows: Sequence[Sequence[float]], length: int, value: int, device: str, kind: type[np.generic] = np.int64
) -> Tensor:
    out = np.full((len(rows), length), value, kind)
    for number, row in enumerate(rows):
        out[number, : len(row)] = row
    return torch.from_numpy(out).to(device)


def attention_mask(segments: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive mask (n, 1, L, L): every token sees the photo and what came before it in its own turn."""
    length = segments.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    query, key = segments[:, :, None], segments[:, None, :]
    seen = causal & ((key == 0) | (key == query))
    return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)[:, None]
