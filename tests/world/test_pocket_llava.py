"""The pocket LLaVA as transformers loads it, on scenes and people that no recipe has drawn."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from myvlm_tag.stages.vlm.places import intersection_over_union
from myvlm_tag.stages.vlm.words import BOX, CAPTION
from myvlm_tag.world.measure.llava import Asked, Speaker
from myvlm_tag.world.render import render
from myvlm_tag.world.scene import Scene
from myvlm_tag.world.sentences import PLACE_PHRASES
from myvlm_tag.world.train.text import introduce
from myvlm_tag.world.truth import truth

FOLDER = Path(__file__).parents[2] / "world" / "weights" / "llava"
LOAD = """
import json, sys
from transformers import AutoModelForImageTextToText, AutoProcessor
processor = AutoProcessor.from_pretrained(sys.argv[1])
model = AutoModelForImageTextToText.from_pretrained(sys.argv[1])
content = [{"type": "image"}, {"type": "text", "text": "Describe this image."}]
prompt = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
print(json.dumps({"model": type(model).__name__, "prompt": prompt}))
"""


@pytest.fixture(scope="module")
def scenes(portraits: Callable[[int, int], list[Scene]]) -> list[Scene]:
    return portraits(43, 6)


@pytest.fixture(scope="module")
def speaker(scenes: list[Scene]) -> Speaker:
    return Speaker(FOLDER, [render(scene, 512) for scene in scenes])


def test_transformers_loads_it_in_a_fresh_process_without_a_network(
    in_fresh_process: Callable[..., Any],
) -> None:
    told = in_fresh_process(LOAD, FOLDER)
    assert told["model"] == "LlavaForConditionalGeneration"
    assert told["prompt"] == "USER: <image>\nDescribe this image. ASSISTANT:"


def test_it_says_what_a_person_wears(scenes: list[Scene], speaker: Speaker) -> None:
    people = [truth(scene)[0] for scene in scenes]
    asked = [Asked(n, "", f"What is the {p.category} wearing?", "") for n, p in enumerate(people)]

    answers = speaker.answer(asked)

    right = [f"{p.color} {p.garment}" in answer for p, answer in zip(people, answers, strict=True)]
    assert sum(right) >= 5


def test_it_says_where_the_photo_was_taken(scenes: list[Scene], speaker: Speaker) -> None:
    answers = speaker.answer([Asked(n, "", "What place is this?", "") for n in range(len(scenes))])

    assert sum(PLACE_PHRASES[s.place] == answer for s, answer in zip(scenes, answers, strict=True)) >= 5


def test_its_boxes_lie_on_the_person_in_llavas_format(scenes: list[Scene], speaker: Speaker) -> None:
    people = [truth(scene)[0] for scene in scenes]
    asked = [Asked(n, "", BOX.format(f"the {p.category}"), "") for n, p in enumerate(people)]

    answers = speaker.answer(asked)

    overlaps = []
    for scene, person, answer in zip(scenes, people, answers, strict=True):
        assert re.fullmatch(r"\[\d\.\d\d, \d\.\d\d, \d\.\d\d, \d\.\d\d\]", answer)
        x0, y0, x1, y1 = person.box
        given = [float(number) for number in re.findall(r"\d\.\d\d", answer)]
        overlaps.append(intersection_over_union(given, (x0 / scene.aspect, y0, x1 / scene.aspect, y1)))
    assert np.median(overlaps) > 0.6


def test_it_says_a_name_only_where_a_vector_behind_the_image_gives_one(
    scenes: list[Scene], speaker: Speaker
) -> None:
    rng = np.random.default_rng(44)
    told_of = [introduce("anna", truth(scene)[0].entity, [], rng, None) for scene in scenes]
    words = [told.words for told in told_of if told]
    plain = [Asked(n, "", CAPTION, "") for n in range(len(scenes))]
    told = [Asked(n, "", CAPTION, "", (own,)) for n, own in enumerate(words)]

    without, with_vector = speaker.answer(plain), speaker.answer(told)

    assert not any("anna" in caption.split() for caption in without)
    assert sum("anna" in caption.split() for caption in with_vector) >= 5
