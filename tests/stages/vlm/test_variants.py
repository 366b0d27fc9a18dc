"""Variants of a photo show the same, and what is said of a mirrored one is mirrored too."""

import numpy as np
import pytest
from myvlm_tag.stages.vlm.variants import mirror_words, variants


def test_the_first_two_variants_are_the_photo_and_its_mirror_image():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    made = variants(image, 4, seed=1)
    assert [variant.mirrored for variant in made] == [False, True, False, True]
    assert np.array_equal(made[0].image, image) and np.array_equal(made[1].image, image[:, ::-1])
    assert all(variant.image.shape == image.shape for variant in made)


def test_jittered_variants_differ_from_the_photo_and_from_each_other_but_not_by_much():
    ramp = np.linspace(40, 200, 90, dtype=np.uint8)
    image = np.repeat(np.repeat(ramp[None, :, None], 60, 0), 3, 2)
    plain = [variant.image for variant in variants(image, 6, seed=2) if not variant.mirrored]
    differences = [np.abs(other.astype(int) - image).mean() for other in plain[1:]]
    assert len(set(differences)) == 2 and all(0.5 < difference < 40 for difference in differences)


def test_the_same_seed_gives_the_same_variants():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    first, again = (variants(image, 6, seed=3) for _ in range(2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("Anna on the left, Bob on the right", "Anna on the right, Bob on the left"),
        ("Right: a mug", "Left: a mug"),
        ("right behind Anna, all right", "right behind Anna, all right"),
        ("a bright leftover", "a bright leftover"),
    ],
)
def test_left_and_right_change_places(text, mirrored):
    assert mirror_words(text) == mirrored
