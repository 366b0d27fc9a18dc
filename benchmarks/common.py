"""What the benchmarks share: sizes, a library of photos, settings, and how a figure is printed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from myvlm_tag.schemas.settings import Settings, load_settings
from myvlm_tag.world.sample import write_sample

_DIFFERENT = 40  # photos that are rendered; the others have the same pixels and bytes of their own


@dataclass(frozen=True)
class Sizes:
    """How large the benchmarks are."""

    photos: int
    files: int
    vectors: int
    models: str


def library(folder: Path, photos: int) -> Path:
    """Write `photos` JPEGs of the sample world: a few dozen rendered, copies that differ in a byte."""
    rendered = _rendered()
    target = folder / f"library-{photos}"
    target.mkdir(parents=True)
    for number in range(photos):
        data = rendered[number % len(rendered)]
        (target / f"{number:06}.jpg").write_bytes(data + number.to_bytes(4, "little") + b"\xff\xd9")
    return target


@cache
def _rendered() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        write_sample(Path(folder) / "sample", _DIFFERENT, 11, False)
        return [path.read_bytes() for path in sorted(Path(folder).rglob("*.jpg"))]


def settings(home: Path, sizes: Sizes, **changes: Any) -> Settings:
    """Return settings for a run with the benchmark's models."""
    return load_settings({"home": home, "models": sizes.models, **changes}, environ={}, config=home / "none")


def figure(name: str, value: float, bar: str = "") -> None:
    """Print one figure, and what it should be."""
    print(f"  {name:<58} {value:>10,.3f}{f'   (should be {bar})' if bar else ''}")
