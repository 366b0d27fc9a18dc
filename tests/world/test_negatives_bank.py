"""The bank beside the pocket CLIP belongs to it, and holds every kind of thing."""

import numpy as np
import pytest
from myvlm_tag.pipeline.negatives import BANK
from myvlm_tag.stages.clip import ImageTower
from myvlm_tag.world.render import render_squashed
from myvlm_tag.world.scene import sample_scene
from myvlm_tag.world.things import PETS, THINGS, sample_item
from myvlm_tag.world.train.__main__ import WEIGHTS
from safetensors.numpy import load_file

CLIP = WEIGHTS / "clip"

pytestmark = pytest.mark.skipif(not (CLIP / BANK).exists(), reason="the pocket CLIP is not trained yet")


@pytest.fixture(scope="module")
def bank():
    return load_file(CLIP / BANK)["features"].astype(np.float32)


def test_the_bank_has_unit_rows_enough_for_every_category(bank):
    assert len(bank) >= 150 + 50 * len(PETS + THINGS)
    assert np.allclose(np.linalg.norm(bank, axis=1), 1, atol=2e-3)


def test_the_nearest_rows_of_a_thing_are_of_its_category_far_more_often_than_by_chance(bank):
    tower = ImageTower(CLIP)
    shares = []
    for number, category in enumerate(PETS + THINGS):
        rng = np.random.default_rng([5, number])
        photo = render_squashed(sample_scene(rng, [], [sample_item(rng, category)], strangers=False), 192)
        nearest = np.argsort(-(bank @ tower.encode([tower.fit(photo)])[0]))[:10]
        shares.append(float(np.mean(nearest // 60 == number)))
    assert np.mean(shares) > 4 / len(PETS + THINGS), shares
