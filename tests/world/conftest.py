"""One sample library for all tests of `world` that look at files."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pillow_heif
import pyarrow.parquet as pq
import pytest
from myvlm_tag.schemas.paths import from_text
from myvlm_tag.world.sample import SampleSummary, write_sample
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()

PHOTOS, SEED = 52, 5  # just enough for more than one process


@dataclass
class Sample:
    """A sample on disk, with its tables as lists of rows."""

    out: Path
    seed: int
    summary: SampleSummary
    progress: list[tuple[int, int]] = field(default_factory=list)

    def rows(self, table: str) -> list[dict]:
        return pq.read_table(self.out / f"{table}.parquet").to_pylist()

    def path(self, file: str, folder: str = "library") -> Path:
        return self.out / folder / from_text(file)

    def upright(self, file: str, folder: str = "library") -> np.ndarray:
        """Pixels of a photo, RGB uint8, as a viewer shows them."""
        return _upright(self.path(file, folder))


@functools.lru_cache(maxsize=4)  # rows of one photo follow each other
def _upright(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    out = tmp_path_factory.mktemp("sample") / "out"
    progress: list[tuple[int, int]] = []
    tell: Callable[[int, int], None] = lambda done, total: progress.append((done, total))  # noqa: E731
    yield Sample(out, SEED, write_sample(out, PHOTOS, SEED, hostile=True, progress=tell), progress)
    (out / "library" / "odd ends" / "locked.jpg").chmod(0o600)
