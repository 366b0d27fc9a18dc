"""How often the pocket BLIP-2's captions are right: clothes, activity, place; and what a context vector does.

Scenes and people come from a seed that no recipe uses. Without vectors the adapter says what the stock model
says (tests hold it to that), so all is asked through it, greedily. What does not live here: training
(`world.train.blip2`), and figures by learnt embeddings (`myvlm-tag evaluate`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from ...stages.vlm.base import Adapter
from ...stages.vlm.blip2 import Blip2
from ...stages.vlm.wording import BLIP2
from ...stages.vlm.words import says
from ..identity import sample_person
from ..questions import questions
from ..scene import Scene, sample_scene
from ..sentences import PLACE_PHRASES, caption
from ..train.text import IDENTIFIER, introduce
from ..truth import EntityTruth, article, truth
from .figure import Figure
from .photos import photographs

FOLDER = Path(__file__).parents[1] / "weights" / "blip2"
SEED = 7_000_000
SCENES = 300
NAMED = "names said with a context vector"
BARS = {NAMED: 0.871}  # MyVLM, table 1: recall of its concepts in BLIP-2's captions
_TOKENS = 64


@dataclass(frozen=True)
class Asked:
    """One prompt about one photo; `vectors` are the words of contexts that stand as vectors.

    Right is each topic of which every phrase is said, or with `unsaid`, none.
    """

    photo: int
    prompt: str
    topics: tuple[tuple[str, tuple[str, ...]], ...]
    vectors: tuple[str, ...] = ()
    unsaid: bool = False


def figures(folder: Path = FOLDER) -> dict[str, Figure]:
    """The row that BLIP-2 has to reach, then what is only reported."""
    scenes = [sample_scene(np.random.default_rng([SEED, number])) for number in range(SCENES)]
    asked = [one for number, scene in enumerate(scenes) for one in _ask(number, scene)]
    adapter = Blip2(folder, "measured")
    features = adapter.encode(list(photographs(scenes)))
    known = {words: _vector(adapter, words) for one in asked for words in one.vectors}
    answers = adapter.generate(
        [features[one.photo] for one in asked],
        [[known[words] for words in one.vectors] for one in asked],
        [one.prompt for one in asked],
        _TOKENS,
    )
    right: dict[str, list[bool]] = {}
    for one, answer in zip(asked, answers, strict=True):
        for topic, phrases in one.topics:
            said = [
                answer == phrase if "word for word" in topic else says(answer, phrase) for phrase in phrases
            ]
            right.setdefault(topic, []).append(not any(said) if one.unsaid else all(said))
    order = [*BARS, *sorted(right.keys() - BARS.keys())]
    return {f"BLIP-2 {topic}": Figure(float(np.mean(right[topic])), BARS.get(topic)) for topic in order}


def _vector(adapter: Adapter, words: str) -> Tensor:
    vector = adapter.meaning(words)
    if vector is None:
        raise ValueError("this model reads no words as vectors")
    return vector


def _ask(number: int, scene: Scene) -> list[Asked]:
    """A caption, its facts apart; questions; and captions with someone who is there, and who is not."""
    rng = np.random.default_rng([SEED + 1, number])
    found = truth(scene)
    main = [entry for entry in found if entry.main]
    facts: list[tuple[str, tuple[str, ...]]] = [
        ("captions word for word", (caption(scene, found=found),)),
        ("captions: place", (PLACE_PHRASES[scene.place],)),
    ]
    for entry in main:
        if entry.kind == "person":
            facts.append(("captions: colour and garment", (_clothes(entry),)))
            facts.append(("captions: activity", (entry.doing.split()[0],)))
    asked = [Asked(number, BLIP2.to_caption(), tuple(facts))]
    for qa in questions(scene, rng, found=found):
        if qa.topic in ("wearing", "doing", "where", "place"):
            topics = ((f"answers: {qa.topic} word for word", (qa.answer,)),)
            asked.append(Asked(number, BLIP2.to_answer(qa.question), topics))
    return asked + _ask_with_vector(number, scene, main, rng)


def _ask_with_vector(
    number: int, scene: Scene, main: Sequence[EntityTruth], rng: np.random.Generator
) -> list[Asked]:
    """The same photo with one vector that says who "sks" is, or "anna", who is not there."""
    entities = [entry.entity for entry in main]
    stranger = introduce("anna", sample_person(rng), entities, rng, None)
    asked = []
    if stranger:
        topics = (("absent people not named", ("anna",)),)
        asked.append(Asked(number, BLIP2.to_caption(), topics, (stranger.words,), unsaid=True))
    if not main:
        return asked
    entry = main[int(rng.integers(len(main)))]
    others = [other for other in entities if other.key != entry.key]
    introduction = introduce(IDENTIFIER, entry.entity, others, rng, entry.key)
    if introduction is None:
        return asked
    facts: list[tuple[str, tuple[str, ...]]] = [
        (NAMED, (IDENTIFIER,)),
        ("captions word for word with a context vector", (caption(scene, {entry.key: IDENTIFIER}),)),
    ]
    if entry.kind == "person":
        alone = "alone" if sum(e.kind == "person" for e in main) == 1 else "among several"
        whole = f"{IDENTIFIER} wearing {_clothes(entry)} {entry.doing.split()[0]}"
        facts.append((f"name, clothes and activity by a context vector, {alone}", (whole,)))
    return [*asked, Asked(number, BLIP2.to_caption(), tuple(facts), (introduction.words,))]


def _clothes(entry: EntityTruth) -> str:
    return article(f"{entry.color} {entry.garment}")
