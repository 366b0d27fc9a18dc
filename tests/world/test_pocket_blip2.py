"""The pocket BLIP-2 as transformers loads it, on scenes and people that no recipe has drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from myvlm_tag.stages.vlm.base import Adapter
from myvlm_tag.stages.vlm.blip2 import Blip2
from myvlm_tag.stages.vlm.words import says
from myvlm_tag.world.truth import article, truth

FOLDER = Path(__file__).parents[2] / "world" / "weights" / "blip2"
LOAD = """
import json, sys
from transformers import AutoModelForImageTextToText, AutoProcessor
processor = AutoProcessor.from_pretrained(sys.argv[1])
model = AutoModelForImageTextToText.from_pretrained(sys.argv[1])
print(json.dumps([type(model).__name__, type(processor).__name__]))
"""


@pytest.fixture(scope="module")
def shown(sitting: Callable[[Adapter, int], Any]) -> Any:
    return sitting(Blip2(FOLDER, "0123"), 45)


def test_transformers_loads_it_in_a_fresh_process_without_a_network(
    in_fresh_process: Callable[..., Any],
) -> None:
    assert in_fresh_process(LOAD, FOLDER) == ["Blip2ForConditionalGeneration", "Blip2Processor"]


def test_its_captions_say_what_a_person_wears(shown: Any) -> None:
    people = [truth(scene)[0] for scene in shown.scenes]

    said = shown.ask("")

    right = [says(text, article(f"{p.color} {p.garment}")) for p, text in zip(people, said, strict=True)]
    assert sum(right) >= 6
    assert not any(says(text, name) for text in said for name in ("anna", "bob", "sks"))


def test_a_vector_makes_its_captions_say_the_name(shown: Any) -> None:
    said = shown.ask("", shown.introduced("sks", 46))

    assert sum(says(text, "sks") for text in said) >= 7
