"""How often the pocket LLaVA is right: clothes, place, position, activity, boxes; and what a context vector
does.

Scenes and people come from a seed that no recipe uses; the shipped files are loaded as anyone loads them,
and asked one question at a time, greedily. What does not live here: training (`world.train.llava`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from ...stages.vlm.words import BOX, CAPTION
from ..boxes import intersection_over_union
from ..scene import Scene, sample_scene
from ..sentences import caption, questions, refer
from ..train.text import CAPTION_INSTRUCTIONS, IDENTIFIER, introduce
from ..truth import EntityTruth, truth
from .figure import Figure
from .photos import photographs

FOLDER = Path(__file__).parents[1] / "weights" / "llava"
SEED = 7_000_000
SCENES = 300
BATCH = 32
BARS = {"wearing": 0.92, "place": 0.98, "where": 0.95, "doing": 0.92, "box": 0.9}
LABELS = {
    "wearing": "LLaVA colour and garment",
    "place": "LLaVA place",
    "where": "LLaVA position",
    "doing": "LLaVA activity",
    "box": "LLaVA boxes, IoU of at least 0.5",
}

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Asked:
    """One question about one photo; `vectors` are the words of contexts that stand as vectors."""

    photo: int
    topic: str
    question: str
    answer: str
    vectors: tuple[str, ...] = ()


def figures(folder: Path = FOLDER) -> dict[str, Figure]:
    """The rows that LLaVA has to reach, then what is only reported."""
    scenes = [sample_scene(np.random.default_rng([SEED, number])) for number in range(SCENES)]
    found = [truth(scene) for scene in scenes]
    asked = [question for number in range(SCENES) for question in _ask(number, scenes[number], found[number])]
    speaker = Speaker(folder, list(photographs(scenes)))
    answers = speaker.answer(asked)
    right: dict[str, list[bool]] = {}
    for question, answer in zip(asked, answers, strict=True):
        right.setdefault(question.topic, []).append(_is_right(question, answer))
    shares = {topic: float(np.mean(scores)) for topic, scores in right.items()}
    barred = {LABELS[topic]: Figure(shares.pop(topic), bar) for topic, bar in BARS.items()}
    return barred | {f"LLaVA {topic}": Figure(share) for topic, share in sorted(shares.items())}


def _ask(number: int, scene: Scene, found: Sequence[EntityTruth]) -> list[Asked]:
    """What is asked about one photo: everyone's clothes and activity, two positions and boxes, place."""
    rng = np.random.default_rng([SEED + 1, number])
    main = [e for e in found if e.main]
    every = questions(scene, rng, found=found)
    people = {e.key for e in main if e.kind == "person"}
    some = {main[i].key for i in rng.permutation(len(main))[:2]}
    asked = []
    for qa in every:
        wanted = {"wearing": people, "doing": people, "where": some, "next_to": some, "place": {None}}
        if qa.key in wanted.get(qa.topic, ()):
            topic = "next to" if qa.topic == "next_to" else qa.topic
            asked.append(Asked(number, topic, qa.question, qa.answer))
    for entry in main:
        if entry.key in some:
            x0, y0, x1, y1 = entry.box
            box = f"{x0 / scene.aspect} {y0} {x1 / scene.aspect} {y1}"
            asked.append(Asked(number, "box", BOX.format(refer(scene, entry.key, rng, found=found)), box))
    instruction = str(rng.choice(CAPTION_INSTRUCTIONS))
    asked.append(Asked(number, "captions word for word", instruction, caption(scene, found=found)))
    return asked + _ask_with_vector(number, scene, main, rng)


def _ask_with_vector(
    number: int, scene: Scene, main: Sequence[EntityTruth], rng: np.random.Generator
) -> list[Asked]:
    """The same photo with one vector after the image that says who "sks" is."""
    if not main:
        return []
    entry = main[int(rng.integers(len(main)))]
    others = [e.entity for e in main if e.key != entry.key]
    introduction = introduce(IDENTIFIER, entry.entity, others, rng, entry.key)
    if introduction is None:
        return []
    vectors = (introduction.words,)
    named = caption(scene, {entry.key: IDENTIFIER}, found=main)
    asked = [Asked(number, "names said with a context vector", CAPTION, IDENTIFIER, vectors)]
    asked.append(Asked(number, "captions word for word with a context vector", CAPTION, named, vectors))
    if entry.kind == "person":
        alone = "alone" if sum(e.kind == "person" for e in main) == 1 else "among several"
        clothes = next(
            q for q in questions(scene, rng, {entry.key: IDENTIFIER}, found=[entry]) if q.topic == "wearing"
        )
        asked.append(
            Asked(number, f"clothes by a context vector, {alone}", clothes.question, clothes.answer, vectors)
        )
    return asked


def _is_right(asked: Asked, answer: str) -> bool:
    if asked.topic == "names said with a context vector":
        return asked.answer in answer.split()
    if asked.topic != "box":
        return answer == asked.answer
    given = [float(number) for number in re.findall(r"\d\.\d\d", answer)]
    return len(given) == 4 and intersection_over_union(given, [float(n) for n in asked.answer.split()]) >= 0.5


class Speaker:
    """The shipped model with photos to speak of."""

    def __init__(self, folder: Path, photos: Sequence[Image]) -> None:
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        self.pixels = self.processor.image_processor(list(photos), return_tensors="pt")["pixel_values"]

    def answer(self, asked: Sequence[Asked]) -> list[str]:
        """Greedy answers, in the order of the questions; questions of like length are asked together."""
        order = sorted(range(len(asked)), key=lambda i: (asked[i].topic, len(asked[i].question)))
        answers = [""] * len(asked)
        for at in range(0, len(order), BATCH):
            chosen = order[at : at + BATCH]
            for index, answer in zip(chosen, self._generate([asked[i] for i in chosen]), strict=True):
                answers[index] = answer
        return answers

    @torch.inference_mode()
    def _generate(self, asked: Sequence[Asked]) -> list[str]:
        tokenizer = self.processor.tokenizer
        image = self.model.get_image_features(
            pixel_values=self.pixels[[a.photo for a in asked]], return_dict=True
        )
        rows = []
        for row, question in enumerate(asked):
            before, after = (self._embed(part) for part in self._prompt(question.question))
            length = image.last_hidden_state[row, 0].norm()
            vectors = [self._vector(words, length) for words in question.vectors]
            rows.append(torch.cat([before, image.pooler_output[row], *vectors, after]))
        longest = max(len(row) for row in rows)
        embedded = torch.stack(
            [torch.cat([row.new_zeros(longest - len(row), row.shape[1]), row]) for row in rows]
        )
        mask = torch.stack([torch.arange(longest) >= longest - len(row) for row in rows]).long()
        made = self.model.generate(inputs_embeds=embedded, attention_mask=mask, do_sample=False)
        texts: list[str] = tokenizer.batch_decode(made, skip_special_tokens=True)
        return texts

    def _prompt(self, question: str) -> list[str]:
        content = [{"type": "image"}, {"type": "text", "text": question}]
        prompt = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        before, after = prompt.split(self.processor.image_token)
        return [self.processor.tokenizer.bos_token + before, after]

    def _embed(self, text: str) -> Tensor:
        ids = self.processor.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"][0]
        embedded: Tensor = self.model.get_input_embeddings()(ids)
        return embedded

    def _vector(self, words: str, length: Tensor) -> Tensor:
        mean = self._embed(words).mean(0, keepdim=True)
        return mean / mean.norm() * length
