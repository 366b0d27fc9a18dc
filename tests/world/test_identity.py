"""People and things keep their looks; siblings and look-alikes are near but not the same."""

import numpy as np
import pytest
from myvlm_tag.world.identity import IDENTITY_DIM, sample_person, sample_sibling
from myvlm_tag.world.render import render
from myvlm_tag.world.scene import sample_scene
from myvlm_tag.world.things import ITEM_DIM, PETS, THINGS, sample_item, sample_lookalike


def test_identity_vectors_have_the_promised_size_and_range():
    rng = np.random.default_rng(0)
    vectors = np.stack([sample_person(rng).vector() for _ in range(200)])
    assert vectors.shape == (200, IDENTITY_DIM) and vectors.dtype == np.float32
    assert np.abs(vectors).max() <= 1.0 + 1e-6
    items = np.stack([sample_item(rng).vector() for _ in range(200)])
    assert items.shape == (200, ITEM_DIM) and np.abs(items).max() <= 1.0 + 1e-6


def test_a_sibling_is_nearer_than_a_stranger_yet_another_person():
    rng = np.random.default_rng(1)
    near, far = [], []
    for _ in range(60):
        person = sample_person(rng)
        sibling, stranger = sample_sibling(person, rng), sample_person(rng)
        assert sibling.key != person.key and sibling.hair_color == person.hair_color
        near.append(np.linalg.norm(person.vector() - sibling.vector()))
        far.append(np.linalg.norm(person.vector() - stranger.vector()))
    assert min(near) > 0.3
    assert np.median(near) < 0.6 * np.median(far)


@pytest.mark.parametrize("category", PETS + THINGS)
def test_lookalikes_share_category_and_colour_but_can_be_seen_to_differ(category):
    rng = np.random.default_rng(2)
    item = sample_item(rng, category)
    other = sample_lookalike(item, rng)
    assert (other.category, other.color) == (item.category, item.color)
    scene = sample_scene(np.random.default_rng(9), people=[], items=[item], strangers=False)
    before = render(scene, 96, camera=False).astype(int)
    scene.actors[0].entity = other
    assert (np.abs(before - render(scene, 96, camera=False)).max(axis=2) > 40).sum() > 15


def test_children_have_no_beard_and_are_called_boy_or_girl():
    rng = np.random.default_rng(3)
    for _ in range(100):
        child = sample_person(rng, age="child")
        assert not child.beard and child.noun in ("boy", "girl") and child.hair_style != "bald"
