"""Small random checkpoints, and photos to look at with them."""

import numpy as np
import pytest
from myvlm_tag.tests.stages.vlm.blip2_checkpoints import write_blip2_opt, write_blip2_t5
from myvlm_tag.tests.stages.vlm.checkpoints import (
    write_llava,
    write_llava_next,
    write_minigpt_v2,
    write_minigpt_v2_parts,
)


def written(write):
    """A fixture: the folder that `write` filled, once for all tests."""

    @pytest.fixture(scope="session")
    def folder(tmp_path_factory):
        made = tmp_path_factory.mktemp(write.__name__)
        write(made)
        return made

    return folder


llava_next_folder = written(write_llava_next)
llava_folder = written(write_llava)
minigpt_v2_folder = written(write_minigpt_v2)
minigpt_v2_parts = written(write_minigpt_v2_parts)
blip2_t5_folder = written(write_blip2_t5)
blip2_opt_folder = written(write_blip2_opt)


@pytest.fixture(scope="session")
def photos():
    """Four pictures, landscape and portrait, so that any-resolution models see different numbers of tiles."""
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 256, (height, width, 3), np.uint8)
        for height, width in ((48, 64), (90, 40), (64, 48), (30, 100))
    ]
