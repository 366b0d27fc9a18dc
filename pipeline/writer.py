"""Gathers rows as they arrive and commits them to the catalog in segments of a sensible size."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pyarrow as pa

from ..schemas.settings import Settings
from .catalog import Catalog

_MANY_SEGMENTS = 64  # more small ones than this are merged: each costs every query a file per table
_SMALL = 64 << 20  # bytes


class Writer:
    """Commits after so many photos or so much time, so that a kill costs at most what is pending."""

    def __init__(self, catalog: Catalog, settings: Settings, merging: bool = True) -> None:
        """Start with nothing pending. Who reads from segments meanwhile does the `merging` afterwards."""
        self.catalog = catalog
        self.settings = settings
        self.merging = merging
        self.committed = 0  # photos
        self._pending: dict[str, list[pa.Table]] = {}
        self._photos = 0
        self._since = time.monotonic()

    def add(self, tables: Mapping[str, pa.Table], photos: int) -> None:
        """Take the rows of `photos` photos; they are committed together, now or later."""
        for name, rows in tables.items():
            if rows.num_rows:
                self._pending.setdefault(name, []).append(rows)
        self._photos += photos
        waited = time.monotonic() - self._since
        if self._photos >= self.settings.commit_photos or waited >= self.settings.commit_seconds:
            self.commit()

    def commit(self) -> None:
        """Commit what is pending, if anything."""
        if self._pending:
            self.catalog.commit(self._pending)
            if self.merging:
                merge_small(self.catalog)
        self.committed += self._photos
        self._pending, self._photos, self._since = {}, 0, time.monotonic()


def merge_small(catalog: Catalog) -> None:
    """Merge the small segments if there are many."""
    if catalog.count(largest=_SMALL) > _MANY_SEGMENTS:
        catalog.compact(largest=_SMALL)
