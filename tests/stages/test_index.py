import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from myvlm_tag.stages.index import HITS, open_index

DIMENSIONS = 32


def unit(vectors) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def clustered(count, seed=0) -> np.ndarray:
    """Unit vectors in clusters, as embeddings of photos of the same things are."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(max(1, count // 20), DIMENSIONS))
    spread = 0.5 * random.normal(size=(count, DIMENSIONS))
    return unit(centers[random.integers(0, len(centers), count)] + spread)


def write(file: Path, vectors, first=0, made_by="model", faces=True, variable=False) -> Path:
    """Rows as the catalog keeps them; photo number i is called i."""
    kind = pa.binary() if variable else pa.binary(2 * vectors.shape[1])
    numbers = range(first, first + len(vectors))
    columns = {"photo_id": pa.array([f"{number:08d}" for number in numbers], pa.string())}
    if faces:
        columns["face"] = pa.array([number % 3 for number in numbers], pa.int16())
    columns["embedding"] = pa.array([row.astype(np.float16).tobytes() for row in vectors], kind)
    columns["made_by"] = pa.array([made_by] * len(vectors), pa.string())
    pq.write_table(pa.table(columns), file, use_dictionary=False, compression="none")
    return file


def photos(hits) -> list[int]:
    return [int(name) for name in hits["photo_id"].to_pylist()]


@pytest.mark.parametrize("flat_rows", [10_000, 100], ids=["flat", "lists"])
def test_the_nearest_are_found(flat_rows, tmp_path):
    vectors = clustered(3000)
    index = open_index(tmp_path / "index", [write(tmp_path / "a.parquet", vectors)], "model", flat_rows)
    queries = unit(vectors[::100] + 0.05 * np.random.default_rng(1).normal(size=(30, DIMENSIONS)))
    hits = index.search(queries, 10)
    assert hits.schema == HITS and hits.num_rows == 300
    truth = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    found = np.array(photos(hits)).reshape(30, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth, strict=True)])
    assert recall > (0.99 if flat_rows == 10_000 else 0.85)
    assert hits["face"].to_pylist() == [number % 3 for number in photos(hits)]
    scores = np.array(hits["score"]).reshape(30, 10)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert scores[:, 0] == pytest.approx((queries * vectors[found[:, 0]]).sum(axis=1), abs=2e-3)


@pytest.mark.parametrize("flat_rows", [10_000, 100], ids=["flat", "lists"])
def test_new_files_are_added_in_place(flat_rows, tmp_path):
    vectors = clustered(1000)
    first = write(tmp_path / "a.parquet", vectors[:700])
    assert len(open_index(tmp_path / "index", [first], "model", flat_rows)) == 700
    files = [first, write(tmp_path / "b.parquet", vectors[700:], first=700)]
    index = open_index(tmp_path / "index", files, "model", flat_rows)
    assert len(index) == 1000
    assert photos(index.search(vectors[[5, 950]], 1)) == [5, 950]


def test_an_index_is_kept_between_runs_and_unread_files_stay_unread(tmp_path):
    files = [write(tmp_path / f"{i}.parquet", clustered(50, i), first=50 * i) for i in range(2)]
    open_index(tmp_path / "index", files, "model")
    state = next((tmp_path / "index").rglob("state.json"))
    before = state.stat().st_mtime_ns
    size = files[0].stat()
    files[0].write_bytes(bytes(size.st_size))  # unreadable now, though it looks unchanged
    os.utime(files[0], ns=(size.st_atime_ns, size.st_mtime_ns))
    assert len(open_index(tmp_path / "index", files, "model")) == 100
    files.append(write(tmp_path / "2.parquet", clustered(50, 2), first=100))
    assert len(open_index(tmp_path / "index", files, "model")) == 150
    assert state.stat().st_mtime_ns > before


def test_an_index_over_files_that_went_is_made_anew(tmp_path):
    vectors = clustered(100)
    parts = [
        write(tmp_path / "a.parquet", vectors[:50]),
        write(tmp_path / "b.parquet", vectors[50:], first=50),
    ]
    open_index(tmp_path / "index", parts, "model")
    compacted = write(tmp_path / "c.parquet", vectors)
    index = open_index(tmp_path / "index", [compacted], "model")
    assert len(index) == 100
    write(tmp_path / "c.parquet", vectors[:10])
    assert len(open_index(tmp_path / "index", [compacted], "model")) == 10


@pytest.mark.parametrize("damage", ["state.json", "*.faiss", "*.arrow"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_damaged_index_is_made_anew(damage, how, tmp_path):
    files = [write(tmp_path / "a.parquet", clustered(50))]
    open_index(tmp_path / "index", files, "model")
    broken = next((tmp_path / "index").rglob(damage))
    if how == "gone":
        broken.unlink()
    else:
        broken.write_bytes(broken.read_bytes()[:20])
    assert photos(open_index(tmp_path / "index", files, "model").search(clustered(50)[7], 1)) == [7]


def test_a_growing_library_moves_from_comparing_all_to_lists(tmp_path):
    vectors = clustered(600)
    files = [write(tmp_path / "a.parquet", vectors[:90])]
    open_index(tmp_path / "index", files, "model", 100)
    files.append(write(tmp_path / "b.parquet", vectors[90:], first=90))
    index = open_index(tmp_path / "index", files, "model", 100)
    assert photos(index.search(vectors[[3, 400]], 1)) == [3, 400]
    again = open_index(tmp_path / "index", files, "model", 100)
    assert photos(again.search(vectors[[3, 400]], 1)) == [3, 400]


def test_models_do_not_mix(tmp_path):
    old = write(tmp_path / "a.parquet", clustered(30), made_by="old")
    new = write(tmp_path / "b.parquet", np.eye(48)[:20], made_by="new")
    assert len(open_index(tmp_path / "index", [old, new], "old")) == 30
    index = open_index(tmp_path / "index", [old, new], "new")
    assert len(index) == 20
    assert photos(index.search(np.eye(48)[7], 1)) == [7]


def test_a_photo_done_twice_is_found_once(tmp_path):
    vectors = clustered(40)
    files = [write(tmp_path / "a.parquet", vectors), write(tmp_path / "b.parquet", vectors)]
    found = photos(open_index(tmp_path / "index", files, "model").search(vectors[3], 10))
    assert found[0] == 3 and len(set(found)) == len(found) == 10


def test_rows_without_an_embedding_are_left_out(tmp_path):
    table = pq.read_table(write(tmp_path / "a.parquet", clustered(3)))
    kind = table.schema.field("embedding").type
    some = pa.array([None, table["embedding"][1].as_py(), None], kind)
    pq.write_table(table.set_column(2, "embedding", some), tmp_path / "a.parquet")
    index = open_index(tmp_path / "index", [tmp_path / "a.parquet"], "model")
    assert photos(index.search(clustered(3)[0], 5)) == [1]


@pytest.mark.parametrize("faces", [True, False])
def test_an_empty_catalog_has_an_index_that_finds_nothing(faces, tmp_path):
    empty = write(tmp_path / "a.parquet", np.empty((0, DIMENSIONS)), faces=faces, variable=not faces)
    for files in ([], [empty]):
        index = open_index(tmp_path / "index", files, "model")
        assert len(index) == 0
        assert index.search(np.ones(DIMENSIONS), 5).num_rows == 0
    full = write(tmp_path / "b.parquet", clustered(5), faces=faces, variable=not faces)
    index = open_index(tmp_path / "index", [empty, full], "model")
    hits = index.search(clustered(5)[2], 1)
    assert (photos(hits), hits["face"].to_pylist()) == ([2], [2 if faces else None])


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path):
    (tmp_path / "index").write_text("a file where the folder should be")
    files = [write(tmp_path / "a.parquet", clustered(20))]
    assert photos(open_index(tmp_path / "index", files, "model").search(clustered(20)[4], 1)) == [4]


@pytest.mark.parametrize("flat_rows", [10_000, 100], ids=["flat", "lists"])
def test_a_search_among_some_photos_is_exact_and_finds_no_others(flat_rows, tmp_path):
    vectors = clustered(3000)
    index = open_index(tmp_path / "index", [write(tmp_path / "a.parquet", vectors)], "model", flat_rows)
    some = np.arange(0, 3000, 7)
    hits = index.search(vectors[3], 5, among=[f"{number:08d}" for number in some])
    assert photos(hits) == some[np.argsort(-(vectors[some] @ vectors[3]))[:5]].tolist()


@pytest.mark.parametrize("flat_rows", [10_000, 100], ids=["flat", "lists"])
def test_vectors_are_given_back_by_photo(flat_rows, tmp_path):
    vectors = clustered(3000)
    index = open_index(tmp_path / "index", [write(tmp_path / "a.parquet", vectors)], "model", flat_rows)
    ids, found = index.vectors(["00000010", "00000020", "nobody"])
    assert ids["photo_id"].to_pylist() == ["00000010", "00000020"]
    assert found == pytest.approx(vectors[[10, 20]], abs=2e-3)
    assert index.vectors([])[1].shape == (0, DIMENSIONS)
