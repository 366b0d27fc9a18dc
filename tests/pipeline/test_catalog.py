"""Segments: all or nothing, whatever happens while one is written or merged."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from myvlm_tag.pipeline import catalog as catalog_module
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.views import query
from myvlm_tag.schemas.errors import CatalogDamaged, DiskFull
from myvlm_tag.schemas.tables import CLIP, FILES, TABLES


def files(*names: str, run_id: str = "1", gone: bool = False) -> pa.Table:
    rows = [
        {
            "path": name,
            "photo_id": name,
            "size": 1,
            "mtime_ns": 1,
            "root": "/photos",
            "gone": gone,
            "run_id": run_id,
        }
        for name in names
    ]
    return pa.Table.from_pylist(rows, FILES)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog(tmp_path / "it's [a] home*" / "catalog")
    catalog.prepare()
    return catalog


def paths(catalog: Catalog) -> list[str]:
    return [row[0] for row in query(catalog, "SELECT path FROM files ORDER BY path").rows]


def test_every_table_can_be_queried_from_the_start(catalog: Catalog) -> None:
    for table in TABLES:
        assert query(catalog, f"FROM {table}").rows == []


def test_a_committed_segment_is_read_back_as_it_was(catalog: Catalog) -> None:
    vectors = pa.table(
        {"photo_id": ["a"], "embedding": [b"\1\2"], "made_by": ["m"], "run_id": ["1"]}, schema=CLIP
    )
    catalog.commit({"files": files("a", "b"), "clip": vectors})
    assert catalog.read("clip").equals(vectors)
    assert paths(catalog) == ["a", "b"]


def test_embeddings_are_stored_plainly(catalog: Catalog) -> None:
    vectors = pa.table(
        {"photo_id": ["a"], "embedding": [b"\1\2"], "made_by": ["m"], "run_id": ["1"]}, schema=CLIP
    )
    segment = catalog.commit({"clip": vectors})
    column = pq.ParquetFile(segment / "clip.parquet").metadata.row_group(0).column(1)
    assert (column.path_in_schema, column.compression, column.is_stats_set) == (
        "embedding",
        "UNCOMPRESSED",
        False,
    )
    assert "RLE_DICTIONARY" not in column.encodings


def test_newer_rows_win_and_gone_files_leave_the_view(catalog: Catalog) -> None:
    catalog.commit({"files": files("a", "b", run_id="1")})
    catalog.commit({"files": files("b", run_id="2", gone=True)})
    assert paths(catalog) == ["a"]
    catalog.commit({"files": files("b", run_id="3")})
    assert paths(catalog) == ["a", "b"]


@pytest.mark.parametrize("call", ["fsync", "rename", "mkdir"])
def test_a_full_disk_at_any_step_leaves_the_catalog_as_it_was(
    catalog: Catalog, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.commit({"files": files("a")})

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((Path, call) if call == "mkdir" else (catalog_module.os, call)), full)
    with pytest.raises(DiskFull, match="no space left"):
        catalog.commit({"files": files("b")})
    monkeypatch.undo()
    assert paths(catalog) == ["a"]
    assert list(catalog.staging.iterdir()) == []
    catalog.commit({"files": files("b")})
    assert paths(catalog) == ["a", "b"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_parquet_that_meets_a_full_disk_is_a_named_error(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, mode: str) -> IO[bytes]:
        return open("/dev/full", mode)

    monkeypatch.setattr(catalog_module, "open", full, raising=False)
    with pytest.raises(DiskFull):
        catalog.commit({"files": files("b")})


def test_what_a_killed_run_left_in_staging_is_never_read_and_goes_with_the_next_run(catalog: Catalog) -> None:
    half = catalog.staging / "01HALF"
    half.mkdir()
    pq.write_table(files("ghost"), half / "files.parquet")
    assert paths(catalog) == []
    catalog.prepare()
    assert not half.exists()


def test_compaction_keeps_every_row_and_leaves_one_segment(catalog: Catalog) -> None:
    for number in range(5):
        catalog.commit({"files": files(f"{number}")})
    before = paths(catalog)
    assert catalog.compact() == 6  # with the first, empty one
    assert len(catalog.segments()) == 1
    assert paths(catalog) == before
    assert catalog.compact() == 0


def test_a_kill_between_a_merge_and_the_clearing_up_is_mended(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        catalog.commit({"files": files(f"{number}")})
    monkeypatch.setattr(Catalog, "_drop_replaced", lambda *_: None)  # as if killed right after the rename
    catalog.compact()
    monkeypatch.undo()
    assert len(catalog.segments()) == 5
    assert paths(catalog) == ["0", "1", "2"]  # rows stand there twice, and count once
    catalog.prepare()
    assert len(catalog.segments()) == 1
    assert paths(catalog) == ["0", "1", "2"]


def test_only_small_segments_are_merged_when_asked(catalog: Catalog) -> None:
    catalog.commit({"files": files(*(f"{number:050}{os.urandom(20).hex()}" for number in range(2000)))})
    catalog.commit({"files": files("x")})
    catalog.commit({"files": files("y")})
    assert catalog.compact(largest=20_000) == 3
    assert len(catalog.segments()) == 2


def test_a_damaged_segment_is_named_with_what_to_do(catalog: Catalog) -> None:
    segment = catalog.commit({"files": files("a")})
    (segment / "files.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(CatalogDamaged, match=segment.name):
        catalog.read("files")
