"""How well the pocket CLIP tells instances apart, and finds a photo by its caption.

Photos and instances come from a seed that no recipe uses; features and heads are made by the product's own
code. What does not live here: training (`world.train.clip`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...stages.clip import ImageTower, TextTower
from ...stages.heads.linear import fit, probabilities
from ..identity import Person
from ..scene import Scene, sample_scene
from ..sentences import caption
from ..things import Item, sample_item, sample_lookalike
from ..truth import truth
from .figure import Figure
from .photos import photographs

FOLDER = Path(__file__).parents[1] / "weights" / "clip"
SEED = 5_000_000
CATEGORIES = ("dog", "cat", "mug", "backpack", "ball", "teddy bear")
INSTANCES = 4  # per category
TRAINED_ON, TESTED_ON = 4, 6  # photos of each instance
NEGATIVES = 150  # of the same category, to train on; as many others to test on
SCENES = 100

Features = NDArray[np.float32]


def figures(folder: Path = FOLDER) -> dict[str, Figure]:
    """The two rows that CLIP has to reach."""
    tower = ImageTower(folder)
    found, rejected = _heads(tower)
    return {
        "things and pets found": Figure(found, 0.966),
        "same-category negatives rejected": Figure(rejected, 0.909),
        "CLIP text to photo, recall@5 of 100": Figure(_recall(tower, TextTower(folder)), 0.9),
    }


def _heads(tower: ImageTower) -> tuple[float, float]:
    """MyVLM's protocol, 4 photos and 150 same-category negatives per head: both rates, averaged."""
    found: list[float] = []
    rejected: list[float] = []
    for number, category in enumerate(CATEGORIES):
        rng = np.random.default_rng([SEED, number])
        instances = [sample_item(rng, category) for _ in range(INSTANCES)]
        scenes = [_show(item, rng) for item in instances for _ in range(TRAINED_ON + TESTED_ON)]
        scenes += [_show(_another(instances, category, rng), rng) for _ in range(2 * NEGATIVES)]
        features = _features(tower, scenes)
        shown, negatives = np.split(features, [INSTANCES * (TRAINED_ON + TESTED_ON)])
        for own in np.split(shown, INSTANCES):
            head, _ = fit(own[:TRAINED_ON], negatives[:NEGATIVES])
            found.append(float((probabilities(own[TRAINED_ON:], [head]) >= head.threshold).mean()))
            rejected.append(float((probabilities(negatives[NEGATIVES:], [head]) < head.threshold).mean()))
    return float(np.mean(found)), float(np.mean(rejected))


def _another(instances: list[Item], category: str, rng: np.random.Generator) -> Item:
    """Any other item of the category; every fifth looks like one of the instances."""
    if rng.random() < 0.2:
        return sample_lookalike(instances[int(rng.integers(len(instances)))], rng)
    return sample_item(rng, category)


def _show(item: Item, rng: np.random.Generator) -> Scene:
    """A photo of the item alone, with people, or with something else."""
    while True:
        people: list[Person] | None = None if rng.random() < 0.4 else []
        others = [sample_item(rng)] if people is not None and rng.random() < 0.4 else []
        scene = sample_scene(rng, people, [item, *others])
        if any(entry.key == item.key for entry in truth(scene)):
            return scene


def _recall(tower: ImageTower, text: TextTower) -> float:
    rng = np.random.default_rng([SEED, 99])
    scenes = [sample_scene(rng) for _ in range(SCENES)]
    scores = text.encode([caption(scene) for scene in scenes]) @ _features(tower, scenes).T
    own = scores.diagonal()[:, None]
    return float(((scores > own).sum(axis=1) < 5).mean())


def _features(tower: ImageTower, scenes: list[Scene]) -> Features:
    fitted = [tower.fit(photo) for photo in photographs(scenes)]
    return np.concatenate([tower.encode(fitted[at : at + 32]) for at in range(0, len(fitted), 32)])
