"""The Parquet catalog: segments, atomic commit, compaction, reading whole tables.

A segment is a folder of Parquet files, one per table it has rows for. It is written under `staging/` and
becomes part of the catalog by one rename; no reader ever looks at `staging/`. Queries live in `views.py`,
planning in `plan.py`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from ..schemas.errors import CatalogDamaged
from ..schemas.ids import new_ulid
from ..schemas.paths import to_text
from ..schemas.tables import DECISIONS, KEYS, TABLES, coded
from .home import disk_error
from .newest import newest

_REPLACES = "replaces.json"  # in a segment: which others, or which files of others, it stands for
ROW_GROUP = 122_880  # rows; DuckDB's own, the fastest to query

#: A table's rows, whole or in parts: with parts, no more than a few of them are ever in memory.
Rows: TypeAlias = pa.Table | Iterable[pa.Table]


class Catalog:
    """The tables under `folder`, `<home>/catalog`: one writer at a time (`home.locked`), many readers."""

    def __init__(self, folder: Path) -> None:
        """Open; nothing is read or written yet."""
        self.folder = folder
        self.segments_folder = folder / "segments"
        self.decisions_folder = folder / "decisions"
        self.runs = folder.parent / "runs"
        self.staging = folder / "staging"

    @property
    def exists(self) -> bool:
        """Whether a run has ever prepared this catalog."""
        return self.segments_folder.is_dir()

    def segments(self) -> list[Path]:
        """Return committed segments, oldest first."""
        return sorted(path for path in self.segments_folder.iterdir() if path.is_dir()) if self.exists else []

    def prepare(self) -> None:
        """Make the folders, drop what a killed run left behind, and give every table a file to be globbed.

        A catalog of an earlier version gets one with the columns that are new.

        Only for the holder of the lock.
        """
        try:
            self.segments_folder.mkdir(parents=True, exist_ok=True)
            self._prepare_decisions()
            shutil.rmtree(self.staging, ignore_errors=True)
            self.staging.mkdir()
            for segment in self.segments():
                self._drop_replaced(segment)
        except OSError as error:
            raise disk_error(error, self.folder) from error
        missing = [name for name in TABLES if not self._has_columns(name)]
        if missing:
            self.commit({name: TABLES[name].empty_table() for name in missing})

    def _has_columns(self, table: str) -> bool:
        """Whether the newest file of a table has all its columns."""
        newest = max(self.segments_folder.glob(f"*/{table}.parquet"), default=None)
        return newest is not None and set(TABLES[table].names) <= set(pq.read_schema(newest).names)

    def _prepare_decisions(self) -> None:
        self.decisions_folder.mkdir(exist_ok=True)
        if not any(self.decisions_folder.glob("*.parquet")):
            self.decide(DECISIONS.empty_table())

    def decide(self, rows: pa.Table) -> None:
        """Add what the person said (rows of DECISIONS): it lasts as long as the concept it is about.

        Raises DiskFull or HomeUnusable.
        """
        self.decisions_folder.mkdir(parents=True, exist_ok=True)
        self._put_decisions(self.decisions_folder / f"{new_ulid()}.parquet", rows)

    def rewrite_decisions(self, change: Callable[[pa.Table], pa.Table]) -> None:
        """Put `change(rows)` in place of what the person said, file by file. For the lock's holder."""
        for path in sorted(self.decisions_folder.glob("*.parquet")):
            try:
                rows = _with_columns(pq.ParquetFile(path).read(), DECISIONS)
            except (OSError, pa.ArrowException) as error:
                raise CatalogDamaged(
                    f"{to_text(path)} can't be read: {error}", "move it away; what you said there is lost"
                ) from error
            changed = change(rows)
            if not changed.equals(rows):
                self._put_decisions(path, changed)

    def _put_decisions(self, final: Path, rows: pa.Table) -> None:
        staged = final.with_suffix(".new")
        try:
            _write(staged, DECISIONS, rows)
            os.replace(staged, final)
            _sync_folder(self.decisions_folder)
        except OSError as error:
            staged.unlink(missing_ok=True)
            raise disk_error(error, final) from error

    def commit(self, tables: Mapping[str, Rows], replaces: list[str] | None = None) -> Path:
        """Write `tables` as one new segment: all of them, or after any failure none.

        Text may come as codes into a dictionary, which is much the faster for many rows of few words. Raises
        DiskFull or HomeUnusable; the catalog is then as it was.
        """
        existing = self.segments()
        name = new_ulid(existing[-1].name if existing else "")
        staged, final = self.staging / name, self.segments_folder / name
        try:
            staged.mkdir(parents=True)
            for table, rows in tables.items():
                _write(staged / f"{table}.parquet", TABLES[table], rows)
            if replaces:
                _write_text(staged / _REPLACES, json.dumps(replaces))
            _sync_folder(staged)
            os.rename(staged, final)
            _sync_folder(self.segments_folder)
        except OSError as error:
            shutil.rmtree(staged, ignore_errors=True)
            raise disk_error(error, self.folder) from error
        return final

    def read(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """Return all rows of one table, superseded ones included, in the order they were committed."""
        return self._read(self.segments(), table, columns)

    def _read(self, segments: list[Path], table: str, columns: list[str] | None = None) -> pa.Table:
        schema = TABLES[table]
        wanted = pa.schema([schema.field(name) for name in columns or schema.names])
        return pa.concat_tables([wanted.empty_table(), *self._parts(segments, table, wanted)])

    def _parts(self, segments: list[Path], table: str, wanted: pa.Schema) -> Iterator[pa.Table]:
        """Yield rows part by part; columns that `wanted` has as codes are read as such."""
        codes = [field.name for field in wanted if pa.types.is_dictionary(field.type)]
        for segment in segments:
            path = segment / f"{table}.parquet"
            try:
                with pq.ParquetFile(path, read_dictionary=codes) as file:
                    there = [name for name in wanted.names if name in file.schema_arrow.names]
                    for batch in file.iter_batches(ROW_GROUP, columns=there):
                        yield _with_columns(pa.Table.from_batches([batch]), wanted)
            except FileNotFoundError:
                continue
            except (OSError, pa.ArrowException) as error:
                raise CatalogDamaged(
                    f"{to_text(path)} can't be read: {error}",
                    f"move {to_text(segment)} away and run again; what it held is computed anew",
                ) from error

    def count(self, largest: int = 1 << 62) -> int:
        """Return how many segments have at most `largest` bytes."""
        return sum(_size(segment) <= largest for segment in self.segments())

    def compact(self, largest: int = 1 << 62) -> int:
        """Merge the segments of at most `largest` bytes into one; return how many went into it.

        Of the tables in KEYS, rows that a newer one among them takes the place of are left out. One rename
        makes the merged segment visible; the ones it stands for go afterwards. A reader who comes in between
        sees rows twice, which the views take for one; a kill in between is mended by `prepare`.
        """
        small = [segment for segment in self.segments() if _size(segment) <= largest]
        if len(small) < 2:
            return 0
        old = [segment.name for segment in small]
        self._replace(old, {name: self._newest(small, name) for name in TABLES})
        return len(small)

    def _newest(self, segments: list[Path], table: str) -> Iterator[pa.Table]:
        parts = self._parts(segments, table, TABLES[table])
        if table not in KEYS:
            yield from parts
            return
        names = [*KEYS[table], "run_id"]
        wanted = coded(pa.schema([TABLES[table].field(name) for name in names]))
        keys = [wanted.empty_table(), *self._parts(segments, table, wanted)]
        kept = newest(pa.concat_tables(keys), KEYS[table])
        start = 0
        for part in parts:
            yield part.filter(pa.array(kept[start : start + part.num_rows]))
            start += part.num_rows

    def rewrite(self, tables: Collection[str], change: Callable[[pa.Table], pa.Table]) -> None:
        """Put `change(rows)` in place of the rows of these tables, in one step. For the lock's holder.

        The rows come in parts: what becomes of one can't depend on others. A reader who comes in between sees
        old rows beside new ones; a kill in between is mended by `prepare`.
        """
        segments = self.segments()
        old = [f"{segment.name}/{table}.parquet" for segment in segments for table in tables]
        parts = {table: map(change, self._parts(segments, table, TABLES[table])) for table in tables}
        self._replace(old, parts)

    def _replace(self, old: list[str], tables: Mapping[str, Rows]) -> None:
        """Commit `tables` in place of segments, or of single files in them."""
        merged = self.commit(tables, replaces=old)
        try:
            self._drop_replaced(merged)
        except OSError as error:
            raise disk_error(error, self.folder) from error

    def _drop_replaced(self, segment: Path) -> None:
        listing = segment / _REPLACES
        if not listing.exists():
            return
        for name in json.loads(listing.read_text("utf-8")):
            old = self.segments_folder / name
            if old.is_dir():  # out of the readers' sight first: a folder isn't deleted in one step
                os.rename(old, self.staging / name)
                shutil.rmtree(self.staging / name)
            elif old.exists():
                old.unlink()
                with suppress(OSError):  # it holds other tables
                    old.parent.rmdir()
        listing.unlink()


def _with_columns(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """The columns of `wanted`; those that an earlier version didn't write are null."""
    for field in wanted:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(wanted.names).cast(wanted)


def _write(path: Path, schema: pa.Schema, rows: Rows) -> None:
    """Write one table; embeddings in the form that is fast: no dictionary, statistics or compression."""
    vectors = {
        field.name
        for field in schema
        if pa.types.is_binary(field.type) or pa.types.is_fixed_size_binary(field.type)
    }
    others = [name for name in _leaf_columns(schema) if name.split(".")[0] not in vectors]
    strings = [field.name for field in schema if pa.types.is_string(field.type)]
    groups = _row_groups(schema, [rows] if isinstance(rows, pa.Table) else rows)
    first = next(groups)
    with open(path, "wb") as handle:
        with pq.ParquetWriter(
            handle,
            first.schema,
            use_dictionary=strings,
            write_statistics=others,
            compression={name: "none" if name in vectors else "zstd" for name in [*vectors, *others]},
        ) as writer:
            for group in chain([first], groups):
                writer.write_table(group, row_group_size=ROW_GROUP)
        handle.flush()
        os.fsync(handle.fileno())


def _row_groups(schema: pa.Schema, parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Put small parts together, up to a row group; there is always one, be it empty."""
    gathered: list[pa.Table] = []
    for part in parts:
        if gathered and sum(rows.num_rows for rows in gathered) + part.num_rows > ROW_GROUP:
            yield pa.concat_tables(gathered).unify_dictionaries()
            gathered = []
        as_codes = any(pa.types.is_dictionary(field.type) for field in part.schema)
        gathered.append(part.cast(coded(schema) if as_codes else schema))
    yield pa.concat_tables(gathered or [schema.empty_table()]).unify_dictionaries()


def _leaf_columns(schema: pa.Schema) -> list[str]:
    """Return Parquet's names of the columns (a list has its values one level down)."""
    return [
        f"{f.name}.list.element"
        if pa.types.is_list(f.type) or pa.types.is_fixed_size_list(f.type)
        else f.name
        for f in schema
    ]


def _write_text(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(segment: Path) -> int:
    return sum(path.stat().st_size for path in segment.iterdir())
