"""How long a second run takes to see that there is nothing to do, and how that grows."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.models import load_models
from myvlm_tag.pipeline.progress import Progress
from myvlm_tag.pipeline.run import run
from myvlm_tag.schemas.tables import FEATURES, FILES
from myvlm_tag.stages.base import Stage

from .common import Sizes, figure, settings

_PER_FOLDER = 1000


def planning_a_second_run(sizes: Sizes, folder: Path) -> None:
    """A run over files that are all done (real files, rows made up): seconds, and how they grow."""
    quarter = _second_run(folder / "quarter", sizes.files // 4, sizes)
    whole = _second_run(folder / "whole", sizes.files, sizes)
    figure(f"{sizes.files // 4:,} files, seconds", quarter)
    figure(f"{sizes.files:,} files, seconds", whole, "seconds")
    figure("growth for 4 times the files", whole / quarter, "about 4")


def _second_run(folder: Path, count: int, sizes: Sizes) -> float:
    how = settings(folder / "home", sizes)
    library = folder / "library"
    rows = []
    for number in range(count):
        path = library / f"{number // _PER_FOLDER:04}" / f"IMG_{number:06}.jpg"
        if number % _PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.touch()
        rows.append((str(path), f"{number:032x}", 0, path.stat().st_mtime_ns, str(library), False, "0"))
    files = pa.table([pa.array(column) for column in zip(*rows, strict=True)], names=FILES.names).cast(FILES)
    done = [_done(files["photo_id"], stage) for stage in load_models(how).stages]
    catalog = Catalog(how.catalog)
    catalog.prepare()
    (how.catalog / "index").mkdir()
    catalog.commit({"files": files, "features": pa.concat_tables(done)})
    started = time.perf_counter()
    summary = run([library], how, Progress(quiet=True))
    assert (summary.files, summary.new, summary.todo) == (count, 0, 0)
    return time.perf_counter() - started


def _done(photo_ids: pa.ChunkedArray, stage: Stage) -> pa.Table:
    same = {"stage": stage.name, "items": 1, "made_by": stage.made_by, "run_id": "0"}
    columns = {
        "photo_id": photo_ids,
        **{name: pa.array([value] * len(photo_ids)) for name, value in same.items()},
    }
    return pa.table(columns).select(FEATURES.names).cast(FEATURES)
