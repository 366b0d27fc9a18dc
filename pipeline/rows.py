"""From what the chain gives for a batch of photos to the rows of each table."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..schemas.tables import CLIP, FACES, FAILURES, FEATURES, PHOTOS
from .plan import WORKER, Wanted


def to_tables(batch: pa.Table, stages: Collection[str], wanted: Wanted, run_id: str) -> dict[str, pa.Table]:
    """Return the tables that `batch` (output of a chain) fills; a photo's rows are in all of them together.

    Only `stages` are written, whatever else had to run for them. A photo that failed in one stage keeps what
    the stages before it gave.
    """
    tables = {"failures": failure_rows(batch, wanted, run_id)}
    features = []
    for stage, build in (("decode", _photos), ("faces", _faces), ("clip", _clip)):
        if stage not in stages:
            continue
        done = batch.filter(_finished(batch, stage))
        made = {"made_by": wanted.made_by[stage], "run_id": run_id}
        name, rows, items = build(done, made)
        tables[name] = rows
        features.append(
            fill(FEATURES, {"photo_id": done["photo_id"], "stage": stage, "items": items, **made})
        )
    tables["features"] = pa.concat_tables(features) if features else FEATURES.empty_table()
    return tables


def _finished(batch: pa.Table, stage: str) -> pa.ChunkedArray:
    column = {"decode": "width", "faces": "faces", "clip": "clip"}[stage]
    return pc.is_valid(batch[column])


def fill(schema: pa.Schema, columns: Mapping[str, object]) -> pa.Table:
    """Build rows of `schema`; a string or number given for a column stands in every row.

    A column not given is null.
    """
    rows = next(len(column) for column in columns.values() if not isinstance(column, str | int))  # type: ignore[arg-type]
    arrays = []
    for field in schema:
        value = columns.get(field.name)
        if value is None:
            value = pa.nulls(rows, field.type)
        elif isinstance(value, str | int):
            value = pa.repeat(pa.scalar(value, field.type), rows)
        arrays.append(value.cast(field.type) if value.type != field.type else value)  # type: ignore[attr-defined]
    return pa.table(arrays, schema=schema)


def _photos(done: pa.Table, made: dict[str, str]) -> tuple[str, pa.Table, pa.Array]:
    given = {name: done[name] for name in PHOTOS.names if name in done.column_names}
    return "photos", fill(PHOTOS, {**given, **made}), _ones(done.num_rows)


def _clip(done: pa.Table, made: dict[str, str]) -> tuple[str, pa.Table, pa.Array]:
    rows = fill(CLIP, {"photo_id": done["photo_id"], "embedding": done["clip"], **made})
    return "clip", rows, _ones(done.num_rows)


def _faces(done: pa.Table, made: dict[str, str]) -> tuple[str, pa.Table, pa.Array]:
    lists = done["faces"].combine_chunks()
    counts = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int32)
    flat = pc.list_flatten(lists)
    number = np.concatenate([np.arange(count) for count in counts] or [np.arange(0)]).astype(np.int16)
    columns = {
        "photo_id": done["photo_id"].combine_chunks().take(pc.list_parent_indices(lists)),
        "face": pa.array(number, pa.int16()),
        **{field.name: pc.struct_field(flat, field.name) for field in flat.type},
    }
    return "faces", fill(FACES, {**columns, **made}), pa.array(counts, pa.int32())


def _ones(rows: int) -> pa.Array:
    return pa.array(np.ones(rows, np.int32))


def failure_rows(batch: pa.Table, wanted: Wanted, run_id: str) -> pa.Table:
    """Return rows of FAILURES for those photos of `batch` that failed, in whichever stage."""
    failed = batch.filter(pc.is_valid(batch["failure"]))
    parts = {name: pc.struct_field(failed["failure"], name) for name in ("stage", "kind", "reason")}
    tried_by = {**wanted.tried_by, WORKER: wanted.chain}
    columns = {name: failed[name] for name in ("photo_id", "path", "size", "mtime_ns")}
    made = pa.array([tried_by.get(stage, wanted.chain) for stage in parts["stage"].to_pylist()], pa.string())
    return fill(FAILURES, {**columns, **parts, "made_by": made, "run_id": run_id})
