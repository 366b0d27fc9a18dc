"""Photos per second: the pipeline against bare loops over the same photos and weights."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
from myvlm_tag.pipeline import plan
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.cluster import ray_session
from myvlm_tag.pipeline.models import load_models
from myvlm_tag.pipeline.rows import to_tables
from myvlm_tag.pipeline.stream import Stream
from myvlm_tag.pipeline.writer import Writer
from myvlm_tag.schemas.settings import Settings
from myvlm_tag.stages.base import Stage
from myvlm_tag.stages.clip import Clip
from myvlm_tag.stages.decode import Decode

from .common import Sizes, figure, library, settings

_WARM = 64  # photos before the clock starts, on either side


def features_against_a_bare_loop(sizes: Sizes, folder: Path) -> None:
    """Decode, faces and CLIP: photos/s of the pipeline over those of one process calling the same stages."""
    todo = _todo(library(folder, sizes.photos + _WARM))
    how = settings(folder / "home", sizes)
    stages = list(load_models(how).stages)
    bare = _loop(stages, todo, how.batch_size)
    rate, start = _pipeline(stages, todo, how)
    figure("bare loop, photos/s", bare)
    figure("pipeline, photos/s", rate)
    figure("pipeline / bare loop", rate / bare, ">= 0.9")
    figure("start-up until the first photos, seconds", start)


def clip_against_a_plain_loop(sizes: Sizes, folder: Path) -> None:
    """CLIP alone: photos/s of the pipeline over those of PIL + open_clip as its documentation shows them."""
    photos = library(folder, sizes.photos + _WARM)
    how = settings(folder / "home", sizes)
    stages: list[Stage] = [stage for stage in load_models(how).stages if isinstance(stage, Decode | Clip)]
    clip = next(stage for stage in stages if isinstance(stage, Clip))
    plain = _plain_open_clip(clip, sorted(photos.iterdir()), how.batch_size)
    rate, _ = _pipeline(stages, _todo(photos), how)
    figure("PIL + open_clip, photos/s", plain)
    figure("pipeline, photos/s", rate)
    figure("pipeline / PIL + open_clip", rate / plain, ">= 1.5")


def _todo(photos: Path) -> pa.Table:
    rows = [
        {"photo_id": path.stem, "path": str(path), "size": path.stat().st_size, "mtime_ns": 0, "stages": ""}
        for path in sorted(photos.iterdir())
    ]
    return pa.Table.from_pylist(rows, plan.TODO)


def _loop(stages: list[Stage], todo: pa.Table, batch: int) -> float:
    """One process, all threads its libraries take by themselves, batch after batch."""
    import torch

    for stage in stages:
        if hasattr(stage, "threads"):
            stage.threads = torch.get_num_threads()
        stage.setup()
    started = 0.0
    for start in range(0, todo.num_rows, batch):
        if start >= _WARM and not started:
            started, first = time.perf_counter(), start
        table = todo.slice(start, batch)
        for stage in stages:
            table = stage(table)
    for stage in stages:
        stage.__dict__ = {name: value for name, value in vars(stage).items() if not name.startswith("_")}
        if hasattr(stage, "threads"):
            stage.threads = 1
    return (todo.num_rows - first) / (time.perf_counter() - started)


def _pipeline(stages: list[Stage], todo: pa.Table, how: Settings) -> tuple[float, float]:
    """Return photos/s after the first `_WARM`, commits included, and seconds until the first photos."""
    catalog = Catalog(how.catalog)
    catalog.prepare()
    writer = Writer(catalog, how)
    names = [stage.name for stage in stages]
    wanted = plan.Wanted({s.name: s.made_by for s in stages}, {s.name: s.tried_by for s in stages})
    began = time.perf_counter()
    arrived: list[tuple[float, int]] = []
    with ray_session(how) as resources:
        for batch in Stream(stages, [], how, resources).run(todo):
            arrived.append((time.perf_counter(), batch.num_rows + (arrived[-1][1] if arrived else 0)))
            writer.add(to_tables(batch, names, wanted, "run"), batch.num_rows)
        writer.commit()
        ended = time.perf_counter()
    warm, done = next((at, count) for at, count in arrived if count >= _WARM)
    return (todo.num_rows - done) / (ended - warm), arrived[0][0] - began


def _plain_open_clip(clip: Clip, paths: list[Path], batch: int) -> float:
    import open_clip
    import torch
    from myvlm_tag.stages.packs import locate
    from PIL import Image

    name = f"local-dir:{locate(clip.model, clip.home)}"
    model, preprocess = open_clip.create_model_from_pretrained(name)
    model.eval()
    started = 0.0
    for start in range(0, len(paths), batch):
        if start >= _WARM and not started:
            started, first = time.perf_counter(), start
        images = [preprocess(Image.open(path).convert("RGB")) for path in paths[start : start + batch]]
        with torch.no_grad():
            torch.nn.functional.normalize(model.encode_image(torch.stack(images)), dim=-1)
    return (len(paths) - first) / (time.perf_counter() - started)
