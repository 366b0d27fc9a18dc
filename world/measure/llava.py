"""How often the pocket LLaVA is right: clothes, place, position, activity, boxes; and what a context vector
does.

Scenes and people come from a seed that no recipe uses; the shipped files are loaded as anyone loads them,
and asked one question at a time, greedily. Any model of LLaVA's kind can be asked so (`measured`). What does
not live here: training (`world.train.llava`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from ...stages.vlm.places import intersection_over_union
from ...stages.vlm.wording import LLAVA, Wording
from ..questions import questions, refer
from ..scene import Scene, sample_scene
from ..sentences import caption, phrase
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
    "wearing": "colour and garment",
    "place": "place",
    "where": "position",
    "doing": "activity",
    "box": "boxes, IoU of at least 0.5",
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
    return measured(folder, "LLaVA", LLAVA, BARS)


def measured(folder: Path, title: str, wording: Wording, bars: Mapping[str, float]) -> dict[str, Figure]:
    """The figures of the model in `folder`; first those that have a bar, by topic."""
    scenes = [sample_scene(np.random.default_rng([SEED, number])) for number in range(SCENES)]
    found = [truth(scene) for scene in scenes]
    asked = [one for n in range(SCENES) for one in _ask(n, scenes[n], found[n], wording)]
    speaker = Speaker(folder, list(photographs(scenes)))
    answers = speaker.answer(asked)
    right: dict[str, list[bool]] = {}
    for question, answer in zip(asked, answers, strict=True):
        right.setdefault(question.topic, []).append(_is_right(question, answer, wording))
    shares = {LABELS.get(topic, topic): float(np.mean(scores)) for topic, scores in right.items()}
    limits = {LABELS.get(topic, topic): bar for topic, bar in bars.items()}
    order = [*limits, *sorted(shares.keys() - limits.keys())]
    return {f"{title} {name}": Figure(shares[name], limits.get(name)) for name in order}


def _ask(number: int, scene: Scene, found: Sequence[EntityTruth], wording: Wording) -> list[Asked]:
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
            asked.append(Asked(number, topic, wording.to_answer(qa.question), qa.answer))
    for entry in main:
        if entry.key in some:
            who = refer(scene, entry.key, rng, found=found)
            asked.append(Asked(number, "box", wording.to_point(who), _corners(scene, entry)))
            if wording.identify:
                asked.append(_identified(number, scene, entry, wording, phrase(entry.entity)))
    instruction = str(rng.choice(CAPTION_INSTRUCTIONS))
    truly = caption(scene, found=found)
    asked.append(Asked(number, "captions word for word", wording.to_caption(instruction), truly))
    return asked + _ask_with_vector(number, scene, main, rng, wording)


def _ask_with_vector(
    number: int, scene: Scene, main: Sequence[EntityTruth], rng: np.random.Generator, wording: Wording
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
    prompt = wording.to_caption()
    asked = [
        Asked(number, "names said with a context vector", prompt, IDENTIFIER, vectors),
        Asked(number, "captions word for word with a context vector", prompt, named, vectors),
    ]
    box = _corners(scene, entry)
    asked.append(Asked(number, "boxes by a context vector", wording.to_point(IDENTIFIER), box, vectors))
    if wording.identify:
        asked.append(_identified(number, scene, entry, wording, IDENTIFIER, vectors))
    if entry.kind == "person":
        alone = "alone" if sum(e.kind == "person" for e in main) == 1 else "among several"
        clothes = next(
            q for q in questions(scene, rng, {entry.key: IDENTIFIER}, found=[entry]) if q.topic == "wearing"
        )
        topic, question = f"clothes by a context vector, {alone}", wording.to_answer(clothes.question)
        asked.append(Asked(number, topic, question, clothes.answer, vectors))
    return asked


def _identified(
    number: int,
    scene: Scene,
    entry: EntityTruth,
    wording: Wording,
    answer: str,
    vectors: tuple[str, ...] = (),
) -> Asked:
    """Who or what is in that box?"""
    x0, y0, x1, y1 = (float(corner) for corner in _corners(scene, entry).split())
    assert wording.boxes
    topic = "named in a box by a context vector" if vectors else "named in a box"
    return Asked(number, topic, wording.to_identify(wording.boxes.write((x0, y0, x1, y1))), answer, vectors)


def _corners(scene: Scene, entry: EntityTruth) -> str:
    x0, y0, x1, y1 = entry.box
    return f"{x0 / scene.aspect} {y0} {x1 / scene.aspect} {y1}"


def _is_right(asked: Asked, answer: str, wording: Wording) -> bool:
    if asked.topic == "names said with a context vector":
        return asked.answer in answer.split()
    if not asked.topic.startswith("box"):
        return answer == asked.answer
    given = wording.boxes.read(answer) if wording.boxes else None
    truly = [float(corner) for corner in asked.answer.split()]
    return given is not None and intersection_over_union(given, truly) >= 0.5


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
