"""`python -m myvlm_tag.world.demo DEMO OUT.jpg`: the README's picture, from the contact sheet of a demo."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from .tour import SHEET

WIDTH = 1240  # pixels; a README is read at half of that


def main() -> None:
    """Write a demo's contact sheet as a small JPEG."""
    parser = argparse.ArgumentParser(prog="python -m myvlm_tag.world.demo", description=__doc__)
    parser.add_argument("demo", type=Path, help="folder of a demo")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    with Image.open(options.demo / SHEET) as sheet:
        sheet.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
        sheet.save(options.out, quality=82, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
