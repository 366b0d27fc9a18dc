"""Pets and things, each an instance with a look of its own.

What does not live here: how they are drawn (`pets`, `objects`) and where they stand in a photo (`scene`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .identity import one_hot
from .paint import Color

COLORS: dict[str, Color] = {
    "red": (208, 42, 42),
    "blue": (42, 82, 204),
    "green": (38, 146, 62),
    "yellow": (240, 208, 48),
    "white": (240, 240, 238),
    "black": (34, 34, 38),
    "orange": (240, 126, 30),
    "purple": (132, 58, 170),
    "pink": (246, 142, 184),
    "brown": (120, 76, 42),
}
COATS: dict[str, Color] = {
    "brown": (136, 88, 50),
    "black": (46, 42, 44),
    "white": (238, 234, 226),
    "gray": (140, 142, 148),
    "orange": (222, 142, 66),
}
PETS = ("dog", "cat", "rabbit")
THINGS = ("mug", "backpack", "ball", "bicycle", "teddy bear", "vase", "umbrella", "toy car", "guitar")
PATTERNS = ("plain", "striped", "dotted", "checked", "starred")
COAT_PATTERNS = ("plain", "striped", "spotted", "patched")
ITEM_DIM = 57
_SHAPES = 4


@dataclass(frozen=True)
class Item:
    """One pet or thing.

    `accessory_color` is a pet's collar or a thing's trim (handle, straps, wheels); "none" for a bare neck.
    `shape` are proportions in [-1, 1] whose meaning depends on the category.
    """

    key: str
    category: str
    color: str
    second_color: str
    pattern: str
    accessory_color: str
    pattern_scale: float
    tint: float
    shape: tuple[float, ...]

    @property
    def kind(self) -> str:
        """Either "pet" or "thing"."""
        return "pet" if self.category in PETS else "thing"

    @property
    def noun(self) -> str:
        """The class word."""
        return self.category

    @property
    def palette(self) -> dict[str, Color]:
        """The colours its body can have, by name."""
        return COATS if self.kind == "pet" else COLORS

    def vector(self) -> NDArray[np.float32]:
        """The look, float32 (ITEM_DIM,), each about in [-1, 1]; a plain item has no second colour."""
        colors = (*COLORS, "gray")
        plain = self.pattern == "plain"
        parts = [
            one_hot(self.category, PETS + THINGS),
            one_hot(self.color, colors),
            one_hot(self.second_color, colors) * (0.0 if plain else 1.0),
            one_hot(self.pattern, tuple(dict.fromkeys(PATTERNS + COAT_PATTERNS))),
            one_hot(self.accessory_color, tuple(COLORS)),
            np.array([0.0 if plain else self.pattern_scale, self.tint, *self.shape]),
        ]
        return np.concatenate(parts).astype(np.float32)


def sample_item(rng: np.random.Generator, category: str | None = None) -> Item:
    """Draw an instance, of one category if given."""
    category = category or str(rng.choice(PETS + THINGS))
    pet = category in PETS
    color, second = (str(c) for c in rng.choice(list(COATS if pet else COLORS), 2, replace=False))
    bare = pet and rng.random() < 0.2
    accessories = [c for c in COLORS if pet or c != color]
    return Item(
        key=f"item-{rng.integers(1 << 48):012x}",
        category=category,
        color=color,
        second_color=second,
        pattern=str(rng.choice(COAT_PATTERNS if pet else PATTERNS)),
        accessory_color="none" if bare else str(rng.choice(accessories)),
        pattern_scale=float(rng.uniform(-1, 1)),
        tint=float(rng.uniform(-1, 1)),
        shape=tuple(float(v) for v in rng.uniform(-1, 1, _SHAPES)),
    )


def sample_lookalike(item: Item, rng: np.random.Generator) -> Item:
    """Another instance of the same category that shares its main colour: the hardest kind of negative."""
    while True:
        other = replace(sample_item(rng, item.category), color=item.color)
        if other.second_color == other.color:
            continue
        if (other.pattern, other.second_color) != (item.pattern, item.second_color):
            return other
