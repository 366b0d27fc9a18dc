"""A picture of the world: photos side by side, each over its true caption.

`python -m myvlm_tag.world.gallery OUT.jpg [--seed S]` draws the one in the README.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .render import render
from .scene import sample_scene
from .sentences import caption

_COLUMNS, _ROWS, _HEIGHT, _MARGIN, _TEXT = 4, 2, 270, 12, 62


def gallery(seed: int) -> Image.Image:
    """Eight photos of different places with their captions; the same seed draws the same picture."""
    rng = np.random.default_rng(seed)
    width = _HEIGHT * 4 // 3
    size = (_COLUMNS * (width + _MARGIN) + _MARGIN, _ROWS * (_HEIGHT + _TEXT + _MARGIN) + _MARGIN)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    places: set[str] = set()
    while len(places) < _COLUMNS * _ROWS:
        scene = sample_scene(rng, aspect=4 / 3)
        if scene.place in places or scene.daytime == "night" or len(scene.actors) < 2:
            continue
        row, column = divmod(len(places), _COLUMNS)
        x, y = _MARGIN + column * (width + _MARGIN), _MARGIN + row * (_HEIGHT + _TEXT + _MARGIN)
        sheet.paste(Image.fromarray(render(scene, _HEIGHT)), (x, y))
        lines = textwrap.wrap(caption(scene), 48)
        draw.multiline_text((x, y + _HEIGHT + 4), "\n".join(lines), "black", font)
        places.add(scene.place)
    return sheet


def main() -> None:
    """Write the gallery to a file."""
    parser = argparse.ArgumentParser(description=gallery.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=2)
    arguments = parser.parse_args()
    gallery(arguments.seed).save(arguments.out, quality=88)


if __name__ == "__main__":
    main()
