"""Small random checkpoints, and photos to look at with them."""

import numpy as np
import pytest
from myvlm_tag.tests.stages.vlm.blip2_checkpoints import write_blip2_opt, write_blip2_t5
from myvlm_tag.tests.stages.vlm.checkpoints import write_llava, write_llava_next, write_minigpt_v2


@pytest.fixture(scope="session")
def llava_next_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava-next")
    write_llava_next(folder)
    return folder


@pytest.fixture(scope="session")
def llava_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava")
    write_llava(folder)
    return folder


@pytest.fixture(scope="session")
def minigpt_v2_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("minigpt-v2")
    write_minigpt_v2(folder)
    return folder


@pytest.fixture(scope="session")
def blip2_t5_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blip2-t5")
    write_blip2_t5(folder)
    return folder


@pytest.fixture(scope="session")
def blip2_opt_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blip2-opt")
    write_blip2_opt(folder)
    return folder


@pytest.fixture(scope="session")
def photos():
    """Four pictures, landscape and portrait, so that any-resolution models see different numbers of tiles."""
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 256, (height, width, 3), np.uint8)
        for height, width in ((48, 64), (90, 40), (64, 48), (30, 100))
    ]
