"""The renderer: the same scene always gives the same pixels, at any size and for any part."""

import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest
from myvlm_tag.world.render import jpeg, render, render_squashed
from myvlm_tag.world.scene import PLACES, sample_scene

SCENE_DIGEST = """
import hashlib, numpy as np
from myvlm_tag.world.render import render
from myvlm_tag.world.scene import sample_scene
rng = np.random.default_rng(11)
print(hashlib.sha256(b"".join(render(sample_scene(rng), 96).tobytes() for _ in range(4))).hexdigest())
"""


def test_the_same_seed_draws_the_same_pixels_in_another_process():
    rng = np.random.default_rng(11)
    here = hashlib.sha256(b"".join(render(sample_scene(rng), 96).tobytes() for _ in range(4))).hexdigest()
    there = subprocess.run([sys.executable, "-c", SCENE_DIGEST], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_another_seed_draws_another_photo():
    first, second = (render(sample_scene(np.random.default_rng(seed), aspect=1.5), 64) for seed in (1, 2))
    assert np.abs(first.astype(int) - second).mean() > 5


@pytest.mark.parametrize("place", PLACES)
def test_every_place_is_drawn_at_any_size(place):
    scene = sample_scene(np.random.default_rng(3), place=place, aspect=4 / 3)
    assert render(scene, 48).shape == (48, 64, 3)
    large = render(scene, 768)
    assert large.shape == (768, 1024, 3) and large.dtype == np.uint8
    assert large.std() > 10


def test_a_view_shows_the_same_part_as_the_whole_photo():
    scene = sample_scene(np.random.default_rng(5), aspect=4 / 3)
    whole = render(scene, 480, camera=False)
    part = render(scene, 240, view=(0.25, 0.25, 0.75, 0.75), camera=False)
    assert np.abs(part.astype(int) - whole[120:360, 120:360]).mean() < 3


def test_a_squashed_photo_is_the_photo_resized():
    scene = sample_scene(np.random.default_rng(6), aspect=4 / 3)
    direct = render_squashed(scene, 144, camera=False).astype(int)
    whole = render(scene, 576, camera=False)
    resized = whole.reshape(144, 4, 768, 3).mean(axis=1)
    columns = np.linspace(0, 768, 145).round().astype(int)
    spans = itertools.pairwise(columns)
    resized = np.stack([resized[:, a:b].mean(axis=1) for a, b in spans], axis=1)
    assert np.abs(direct - resized).mean() < 4


def test_the_camera_changes_light_but_not_the_picture():
    scene = sample_scene(np.random.default_rng(7))
    plain, taken = render(scene, 96, camera=False).astype(float), render(scene, 96).astype(float)
    assert not np.array_equal(plain, taken)
    assert np.corrcoef(plain.ravel(), taken.ravel())[0, 1] > 0.9


def test_jpeg_keeps_the_shape_and_loses_more_at_low_quality():
    image = render(sample_scene(np.random.default_rng(8)), 128)
    losses = [np.abs(jpeg(image, quality).astype(int) - image).mean() for quality in (95, 30)]
    assert jpeg(image, 30).shape == image.shape
    assert 0 < losses[0] < losses[1] < 12
