"""A library of small photos, packs of tiny models, a Ray cluster for the session, ways to run and look."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concepts import Concepts, Kept
from myvlm_tag.pipeline.models import fingerprint_of
from myvlm_tag.pipeline.progress import Progress
from myvlm_tag.pipeline.run import run as run_pipelines
from myvlm_tag.pipeline.summary import Summary
from myvlm_tag.pipeline.views import query
from myvlm_tag.schemas.concept import Check, Concept, EmbeddingInfo, HeadInfo
from myvlm_tag.schemas.settings import Settings, load_settings
from myvlm_tag.stages.heads.person import PersonHead
from myvlm_tag.stages.packs import find_pack
from myvlm_tag.stages.vlm.families import choose
from myvlm_tag.tests.stages.vlm.checkpoints import write_llava
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


os.environ["PYTHONPATH"] = str(Path(__file__).parent / "decoders")  # for the workers


@contextmanager
def ray_head(folder: Path, *more: str) -> Iterator[str]:
    """A Ray cluster of one node with two CPUs, as a process of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = ["-m", "ray.scripts.scripts", "start", "--head", "--block", f"--port={port}", "--num-cpus=2"]
    size = [f"--object-store-memory={200 << 20}", "--include-dashboard=false"]
    log = folder / "ray.log"
    with log.open("w") as out:
        head = subprocess.Popen([sys.executable, *start, *size, *more], stdout=out, stderr=out)
    while "Ray runtime started" not in log.read_text():
        assert head.poll() is None, log.read_text()
        time.sleep(0.2)
    yield f"127.0.0.1:{port}"
    for process in (*psutil.Process(head.pid).children(recursive=True), head):
        process.kill()
    head.wait()


@pytest.fixture(scope="session")
def ray_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster that outlives single runs, which then start faster."""
    with ray_head(tmp_path_factory.mktemp("ray")) as address:
        yield address


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path, light_pack: Path) -> Settings:
    flags = {"home": home, "models": str(light_pack), "batch_size": 4, "workers": 2}
    return load_settings(flags, environ={}, config=home / "none.toml")


@pytest.fixture
def run(settings: Settings, request: pytest.FixtureRequest) -> Callable[..., Summary]:
    """Run over a library in this process, on the session's cluster; settings can be overridden by name."""

    def run(*roots: Path, only: str = "", concept: str = "", **changes: Any) -> Summary:
        where = {} if "address" in changes else {"address": request.getfixturevalue("ray_address")}
        how = replace(settings, **where, **changes)
        return run_pipelines(list(roots), how, Progress(quiet=True), only, concept)

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


@pytest.fixture(scope="session")
def telling_pack(light_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of bright squares, and a LLaVA that says anything."""
    folder = tmp_path_factory.mktemp("telling")
    shutil.copytree(light_pack / "faces", folder / "faces")
    (folder / "llava").mkdir()
    write_llava(folder / "llava")
    return folder


@pytest.fixture
def learn(settings: Settings, ask: Callable[[str], list[tuple[Any, ...]]]) -> Callable[..., None]:
    """Keep a person who looks like every bright square, as `learn` would."""

    def learn(name: str, version: int = 1, model: str | None = None, identifier: str = "Anna") -> None:
        (features, face) = ask("SELECT made_by, embedding FROM faces ORDER BY photo_id LIMIT 1")[0]
        print_of = model or fingerprint_of(choose(find_pack(settings.models)), settings)
        info = EmbeddingInfo(f"llava {print_of}", {}, (), (), 1, 1.0)
        created = f"2026-01-0{version}T00:00:00+00:00"
        head, check = HeadInfo(features, 0.5, 1), Check(0, 0, 0, 0)
        concept = Concept(
            name, identifier, "person", "woman", "", version, created, (), head, check, {"llava": info}
        )
        own = np.frombuffer(face, np.float16).astype(np.float32)[None]
        vector = np.random.default_rng(version).normal(size=40).astype(np.float32)
        Concepts(settings.home).save(Kept(concept, PersonHead(own, 0.5), {"llava": vector}), {}, b"")

    return learn
