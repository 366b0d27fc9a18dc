"""The pocket CLIP as open_clip loads it, on scenes that no recipe has drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from myvlm_tag.stages.clip import ImageTower, TextTower
from myvlm_tag.world.render import render
from myvlm_tag.world.scene import sample_scene
from myvlm_tag.world.sentences import caption
from myvlm_tag.world.things import sample_item, sample_lookalike

FOLDER = Path(__file__).parents[2] / "world" / "weights" / "clip"
LOAD = """
import json, sys, open_clip, torch
model, _, preprocess = open_clip.create_model_and_transforms("local-dir:" + sys.argv[1])
tokens = open_clip.get_tokenizer("local-dir:" + sys.argv[1])(["a white dog on the beach"])
size = preprocess.transforms[0].size
print(json.dumps({"text": list(model.encode_text(tokens).shape), "size": list(size)}))
"""


@pytest.fixture(scope="module")
def towers() -> tuple[ImageTower, TextTower]:
    return ImageTower(FOLDER), TextTower(FOLDER)


def test_open_clip_loads_it_offline_in_a_fresh_process(
    in_fresh_process: Callable[..., Any],
) -> None:
    assert in_fresh_process(LOAD, FOLDER) == {"text": [1, 512], "size": [192, 192]}


def test_a_caption_finds_its_own_scene_among_others(towers: tuple[ImageTower, TextTower]) -> None:
    image_tower, text_tower = towers
    scenes = [sample_scene(np.random.default_rng([41, number])) for number in range(12)]
    images = image_tower.encode([image_tower.fit(render(scene, 512)) for scene in scenes])

    words = text_tower.encode([caption(scene) for scene in scenes])

    right = ((words @ images.T).argmax(axis=1) == np.arange(12)).sum()
    assert right >= 9


def test_photos_of_one_mug_are_nearer_to_each_other_than_to_its_look_alike(
    towers: tuple[ImageTower, TextTower],
) -> None:
    image_tower, _ = towers
    rng = np.random.default_rng(42)
    nearer = 0
    for _ in range(8):
        mug = sample_item(rng, "mug")
        shown = [mug, mug, sample_lookalike(mug, rng)]
        photos = [render(sample_scene(rng, [], [item], strangers=False), 512) for item in shown]
        one, same, other = image_tower.encode([image_tower.fit(photo) for photo in photos])
        nearer += one @ same > one @ other

    assert nearer >= 7
