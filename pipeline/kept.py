"""The views' rows, kept in a DuckDB file of their own, so that a question needn't work them out again.

A cache beside the FAISS indexes: its name is a hash of what it was made from (segments, decisions, scripts),
so that a stale one is never opened; it is made again whenever missing. What the views mean is in `views.sql`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from blake3 import blake3

from ..schemas.errors import HomeUnusable
from ..schemas.paths import to_text
from .catalog import Catalog
from .home import disk_error
from .views import Bounds, connect, lock_down, script

#: Views that are kept as tables; the others (raw rows, embeddings) go on reading the Parquet files.
KEPT = (
    "files",
    "decisions",
    "detections",
    "hits",
    "vlm_captions",
    "captions",
    "caption_parts",
    "vlm_answers",
    "answers",
    "boxes",
    "failures",
    "models",
    "chosen",
    "photos",
    "sightings",
)
_CREATE = re.compile(r"CREATE OR REPLACE VIEW (\w+) AS")


@contextmanager
def connect_kept(catalog: Catalog, bounds: Bounds) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a read-only connection with the views, kept as far as can be; else those of `connect`."""
    database = refresh(catalog) if catalog.exists else None
    if database is None:
        with connect(catalog, bounds) as connection:
            yield connection
        return
    with duckdb.connect(str(database), read_only=True) as connection:
        lock_down(connection, catalog, bounds)
        yield connection


def refresh(catalog: Catalog) -> Path | None:
    """Return the file with the catalog's rows of this moment, made if need be.

    None where it can't be written or the catalog can't be read: whoever asks then meets the cause.
    """
    folder = catalog.folder / "index"
    final = folder / f"tables-{_digest(catalog)}.duckdb"
    if final.exists():
        return final
    staged = folder / f".{final.stem}-{os.getpid()}.duckdb"
    try:
        folder.mkdir(exist_ok=True)
        with duckdb.connect(str(staged)) as connection:
            for statement in duckdb.extract_statements(script(catalog)):
                connection.execute(_CREATE.sub(_table_or_view, statement.query))
        os.replace(staged, final)
        for old in folder.glob("tables-*.duckdb"):
            if old != final:
                old.unlink(missing_ok=True)
    except (duckdb.Error, OSError):
        for left in folder.glob(f"{staged.name}*"):
            left.unlink(missing_ok=True)
        return None
    return final


def drop(catalog: Catalog) -> None:
    """Remove what is kept, which names a concept that was renamed or forgotten. Raises HomeUnusable."""
    for left in (catalog.folder / "index").glob("*tables-*.duckdb*"):
        try:
            left.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(error, left) from error


def _table_or_view(match: re.Match[str]) -> str:
    name = match[1]
    return f"CREATE TABLE {name} AS" if name in KEPT else match[0]


def _digest(catalog: Catalog) -> str:
    """Names and times of folders say it all: a file comes, goes or is replaced, and none is written to."""
    try:
        decisions = sorted(os.listdir(catalog.decisions_folder)), _changed(catalog.decisions_folder)
        segments = [(segment.name, _changed(segment)) for segment in catalog.segments()]
    except OSError as error:
        raise HomeUnusable(f"can't read {to_text(catalog.folder)}: {error.strerror}") from error
    return blake3(repr((script(catalog), segments, decisions)).encode()).hexdigest(length=8)


def _changed(folder: Path) -> int:
    """When a file last came, went or was replaced there; 0 once the folder itself went."""
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
