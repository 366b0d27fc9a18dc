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
from myvlm_tag.schemas.tables import CAPTIONS, CLIP, DETECTIONS, FILES, TABLES, coded


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


def detections(run_id: str, **scores: float) -> pa.Table:
    same = {"concept": "Anna", "run_id": run_id}
    return pa.Table.from_pylist(
        [{"photo_id": name, "score": x, **same} for name, x in scores.items()], DETECTIONS
    )


def test_compaction_leaves_out_the_rows_that_newer_ones_took_the_place_of(catalog: Catalog) -> None:
    catalog.commit({"files": files("a", "b"), "detections": detections("1", a=0.25, b=0.5)})
    catalog.commit({"files": files("c", run_id="3"), "detections": detections("3", a=0.75)})
    catalog.commit({"files": files("a", run_id="2", gone=True), "detections": detections("2", a=0.125, c=1)})
    shown = [query(catalog, f"FROM {view} ORDER BY ALL").rows for view in ("files", "detections")]
    catalog.compact()
    assert [query(catalog, f"FROM {view} ORDER BY ALL").rows for view in ("files", "detections")] == shown
    kept = [tuple(row.values()) for row in catalog.read("detections", ["photo_id", "score"]).to_pylist()]
    assert sorted(kept) == [("a", 0.75), ("b", 0.5), ("c", 1)]
    assert sorted(catalog.read("files")["path"].to_pylist()) == ["a", "b", "c"]


def test_rows_of_one_key_and_run_count_once_and_those_of_no_run_are_the_oldest(catalog: Catalog) -> None:
    nameless = detections("1", a=0.5).set_column(7, DETECTIONS.field("run_id"), pa.nulls(1, pa.string()))
    for rows in (detections("1", a=0.25, b=0.25), detections("1", a=0.25), nameless):
        catalog.commit({"detections": rows})
    catalog.compact()
    assert sorted(catalog.read("detections")["score"].to_pylist()) == [0.25, 0.25]


def test_compaction_of_some_segments_leaves_what_the_others_take_the_place_of(catalog: Catalog) -> None:
    many = {f"{number:050}{os.urandom(20).hex()}": 0.5 for number in range(2000)}
    catalog.commit({"files": files("a", *many), "detections": detections("2", a=0.5, **many)})
    catalog.commit({"detections": detections("1", a=0.25)})
    catalog.commit({"detections": detections("3", **dict.fromkeys(list(many)[:2], 0.75))})
    shown = query(catalog, "FROM detections ORDER BY ALL").rows
    assert catalog.compact(largest=20_000) == 3
    assert query(catalog, "FROM detections ORDER BY ALL").rows == shown


def test_compaction_keeps_every_telling_for_an_older_one_may_count_again(catalog: Catalog) -> None:
    for run_id in "12":
        rows = [{"photo_id": "a", "caption": run_id, "run_id": run_id}]
        catalog.commit({"captions": pa.Table.from_pylist(rows, CAPTIONS)})
    catalog.compact()
    assert catalog.read("captions")["caption"].to_pylist() == ["1", "2"]


def test_text_may_come_as_codes_and_in_parts(catalog: Catalog) -> None:
    parts = [detections("1", a=0.25), detections("2", b=0.5, c=0.75)]
    catalog.commit({"detections": (part.cast(coded(DETECTIONS)) for part in parts)})
    assert catalog.read("detections").equals(pa.concat_tables(parts))


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
