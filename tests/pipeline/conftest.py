"""A library of small photos, packs of tiny models, a Ray cluster for the session, ways to run and look."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.progress import Progress
from myvlm_tag.pipeline.run import Summary
from myvlm_tag.pipeline.run import run as run_pipelines
from myvlm_tag.pipeline.views import query
from myvlm_tag.schemas.settings import Settings, load_settings
from PIL import Image


def write_photos(folder: Path, count: int, seed: int = 0, prefix: str = "photo") -> list[Path]:
    """Write `count` different JPEGs, every second one with a bright square, a "face"."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        pixels = rng.integers(0, 90, (120, 160, 3), np.uint8)
        if number % 2:
            pixels[40:80, 40:80] = 255
        paths.append(folder / f"{prefix} {number:04d}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=85)
    return paths


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """A Ray cluster of two CPUs that outlives single runs, which then start faster."""
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = str(Path(__file__).parent / "decoders")  # for the workers
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "object_store_memory": 200 << 20})
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path, light_pack: Path, ray_address: str) -> Settings:
    flags = {"home": home, "models": str(light_pack), "address": ray_address, "batch_size": 4, "workers": 2}
    return load_settings(flags, environ={}, config=home / "none.toml")


@pytest.fixture
def run(settings: Settings) -> Callable[..., Summary]:
    """Run over a library in this process; settings can be overridden by name."""
    from dataclasses import replace

    def run(*roots: Path, **changes: Any) -> Summary:
        return run_pipelines(list(roots), replace(settings, **changes), Progress(quiet=True))

    return run


@pytest.fixture
def ask(home: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    """Query the catalog."""
    return lambda sql: query(Catalog(home / "catalog"), sql).rows


def command(*arguments: str | Path) -> list[str]:
    """The command line of `myvlm-tag` with these arguments, in this Python."""
    return [sys.executable, "-m", "myvlm_tag.cli", *map(str, arguments)]


@pytest.fixture
def tag() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `myvlm-tag` as a process of its own."""

    def tag(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return tag
