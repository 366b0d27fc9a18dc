"""The pocket MiniGPT-v2 as transformers loads it, on scenes and people that no recipe has drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from myvlm_tag.stages.vlm.base import Adapter
from myvlm_tag.stages.vlm.minigpt_v2 import MiniGPTv2
from myvlm_tag.stages.vlm.places import intersection_over_union
from myvlm_tag.stages.vlm.wording import MINIGPT_V2
from myvlm_tag.stages.vlm.words import says
from myvlm_tag.world.scene import Scene
from myvlm_tag.world.sentences import PLACE_PHRASES
from myvlm_tag.world.truth import article, truth

FOLDER = Path(__file__).parents[2] / "world" / "weights" / "minigpt_v2"
LOAD = """
import json, sys
from myvlm_tag.stages.vlm import minigpt_v2_model
from transformers import AutoModelForImageTextToText, AutoProcessor
processor = AutoProcessor.from_pretrained(sys.argv[1])
model = AutoModelForImageTextToText.from_pretrained(sys.argv[1])
print(json.dumps([type(model).__name__, type(processor).__name__]))
"""


@pytest.fixture(scope="module")
def shown(sitting: Callable[[Adapter, int], Any]) -> Any:
    return sitting(MiniGPTv2(FOLDER, "0123"), 47)


def _overlaps(scenes: list[Scene], said: list[str]) -> list[float]:
    made = []
    for scene, text in zip(scenes, said, strict=True):
        box = MINIGPT_V2.boxes.read(text) if MINIGPT_V2.boxes else None
        x0, y0, x1, y1 = truth(scene)[0].box
        made.append(
            intersection_over_union(box, (x0 / scene.aspect, y0, x1 / scene.aspect, y1)) if box else 0.0
        )
    return made


def test_transformers_loads_it_in_a_fresh_process_without_a_network(
    in_fresh_process: Callable[..., Any],
) -> None:
    assert in_fresh_process(LOAD, FOLDER) == ["MiniGPTv2ForConditionalGeneration", "MiniGPTv2Processor"]


def test_its_captions_say_what_a_person_wears_and_where(shown: Any) -> None:
    said = shown.ask(MINIGPT_V2.to_caption())

    people = [truth(scene)[0] for scene in shown.scenes]
    assert sum(says(t, article(f"{p.color} {p.garment}")) for p, t in zip(people, said, strict=True)) >= 6
    assert sum(says(t, PLACE_PHRASES[s.place]) for s, t in zip(shown.scenes, said, strict=True)) >= 6
    assert not any(says(text, name) for text in said for name in ("anna", "bob", "sks"))


def test_a_vector_gives_a_name_to_captions_and_a_place_to_that_name(shown: Any) -> None:
    """Nothing about boxes stands in the words, so they come from the model alone."""
    words = shown.introduced("anna", 48)

    captions = shown.ask(MINIGPT_V2.to_caption(), words)
    boxes = shown.ask(MINIGPT_V2.to_point("anna"), words)

    assert sum(says(text, "anna") for text in captions) >= 7
    assert np.median(_overlaps(shown.scenes, boxes)) > 0.6
