"""`python -m myvlm_tag.world.train.negatives`: the bank of features that lies beside the pocket CLIP.

What lives here: which photos are in it (pets and things of every category, each another instance, and people
without any), and writing their features. What does not: how a concept head chooses among them
(`pipeline/negatives.py`), and the CLIP model (`clip`), which must be trained first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ...pipeline.negatives import BANK
from ...stages.clip import ImageTower
from ..identity import Person
from ..render import render_squashed
from ..scene import sample_scene
from ..things import PETS, THINGS, sample_item
from .__main__ import WEIGHTS
from .clip import SIZE

_SEED = 30_000_000  # training and measuring use others
_EACH = 60  # photos of each category
_WITHOUT = 120  # photos of people and nothing else
_BATCH = 32


def photos() -> Iterator[NDArray[np.uint8]]:
    """Render the bank's photos; half of those with a pet or a thing have people in them too."""
    for number, category in enumerate(PETS + THINGS):
        for photo in range(_EACH):
            rng = np.random.default_rng([_SEED, number, photo])
            people: list[Person] | None = None if photo % 2 else []
            yield render_squashed(sample_scene(rng, people, [sample_item(rng, category)]), SIZE)
    for photo in range(_WITHOUT):
        rng = np.random.default_rng([_SEED, len(PETS + THINGS), photo])
        yield render_squashed(sample_scene(rng, None, []), SIZE)


def write_bank(clip: Path) -> Path:
    """Encode the photos with the CLIP model in `clip`, and write the bank beside it."""
    tower = ImageTower(clip)
    inputs = [tower.fit(photo) for photo in photos()]
    parts = [tower.encode(inputs[start : start + _BATCH]) for start in range(0, len(inputs), _BATCH)]
    save_file({"features": np.concatenate(parts).astype(np.float16)}, clip / BANK)
    return clip / BANK


if __name__ == "__main__":
    print(write_bank(WEIGHTS / "clip"))
