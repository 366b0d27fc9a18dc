"""One sample library for all tests of `world` that look at files."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pyarrow.parquet as pq
import pytest
from myvlm_tag.schemas.paths import from_text
from myvlm_tag.stages.vlm.base import Adapter, Features
from myvlm_tag.world.identity import sample_person
from myvlm_tag.world.render import render
from myvlm_tag.world.sample import SampleSummary, write_sample
from myvlm_tag.world.scene import Scene, sample_scene
from myvlm_tag.world.train.text import introduce
from myvlm_tag.world.truth import truth
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


def scenes(count: int) -> list[Scene]:
    """So many scenes of every kind, the same each time."""
    rng = np.random.default_rng(31)
    return [sample_scene(rng) for _ in range(count)]


@pytest.fixture(scope="session")
def portraits() -> Callable[[int, int], list[Scene]]:
    """So many scenes of a seed, each of one person alone in full daylight."""

    def portrait(rng: np.random.Generator) -> Scene:
        while True:
            scene = sample_scene(rng, [sample_person(rng)], [], strangers=False, facing="front")
            if scene.daytime == "day":
                return scene

    return lambda seed, count: [portrait(np.random.default_rng([seed, n])) for n in range(count)]


@pytest.fixture(scope="session")
def in_fresh_process() -> Callable[..., Any]:
    """What a program prints as JSON, run by itself without a network."""

    def run(code: str, *arguments: Path) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    return run


@dataclass(frozen=True)
class Sitting:
    """Portraits as a pocket model sees them."""

    adapter: Adapter
    scenes: list[Scene]
    features: list[Features]

    def ask(self, prompt: str, words: Sequence[str] = ()) -> list[str]:
        """The same of every portrait; `words` are, for each, those of a context that stands as a vector."""
        vectors = [[self.adapter.meaning(own)] for own in words] or [[] for _ in self.scenes]
        return self.adapter.generate(self.features, vectors, [prompt] * len(self.scenes), 64)

    def introduced(self, name: str, seed: int) -> list[str]:
        """For each portrait words that say who has that name."""
        rng = np.random.default_rng(seed)
        told = [introduce(name, truth(scene)[0].entity, [], rng, None) for scene in self.scenes]
        return [one.words for one in told if one]


@pytest.fixture(scope="session")
def sitting(portraits: Callable[[int, int], list[Scene]]) -> Callable[[Adapter, int], Sitting]:
    """Eight portraits of a seed, before a model."""

    def sit(adapter: Adapter, seed: int) -> Sitting:
        scenes = portraits(seed, 8)
        return Sitting(adapter, scenes, adapter.encode([render(scene, 512) for scene in scenes]))

    return sit
