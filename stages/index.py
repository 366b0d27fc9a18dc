"""Nearest neighbours among the catalog's embeddings: FAISS indexes, made from the Parquet files and kept.

An index is a cache. It is made when missing, added to when there are new files, and made anew when files it
knew are gone. What a vector means (whose face, which words) is not known here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from blake3 import blake3

#: Up to this many vectors every one is compared: exact, and no slower than anything cleverer.
FLAT_ROWS = 50_000
#: Above, inverted lists are searched, as many as find this share of the true ten nearest.
RECALL = 0.95
_RETRAIN = 4  # lists trained on so many times fewer vectors no longer fit
_TRAIN_PER_LIST = 64
_PROBE_QUERIES = 64
_NEIGHBOURS = 11  # itself and ten others
_PART = 65_536  # vectors made float32 at once, as FAISS wants them; a whole library may not fit

IDS = pa.schema([pa.field("photo_id", pa.string()), pa.field("face", pa.int16())])
HITS = pa.schema([pa.field("query", pa.int32()), *IDS, pa.field("score", pa.float32())])


@dataclass
class _State:
    """What is kept in `state.json`, which decides whether the other files can be used."""

    made_by: str
    token: str = ""  # in the names of the files that belong to this state
    files: dict[str, list[int]] = field(default_factory=dict)  # Parquet file -> size, mtime_ns
    trained_rows: int = 0  # 0: flat


class VectorIndex:
    """Embeddings of one model, from the Parquet files of one table (`faces` or `clip`)."""

    def __init__(self, index: Any, ids: pa.Table) -> None:
        """Search `index` (FAISS, inner product), whose row i is row i of `ids` (IDS)."""
        self._cpu = index
        self._searched = _on_gpu(index)
        self.ids = ids

    def __len__(self) -> int:
        """How many vectors there are."""
        return self._cpu.ntotal

    def search(self, queries: np.ndarray, k: int, among: Collection[str] | None = None) -> pa.Table:
        """The `k` nearest of each of the unit vectors `queries` (n, dimensions): a HITS table, best first.

        Only among these photos, if any are named. A photo that was done twice with the same model is there
        once.
        """
        queries = np.ascontiguousarray(np.atleast_2d(queries), np.float32)
        width = min(2 * k, len(self))  # twice as many as wanted, since some may be doubles
        if width == 0:
            return HITS.empty_table()
        if among is None:
            scores, rows = self._searched.search(queries, width)
        else:
            scores, rows = self._cpu.search(queries, width, params=self._only(self._rows_of(among)))
        found = self.ids.take(pa.array(np.maximum(rows, 0).ravel()))
        names = list(zip(found["photo_id"].to_pylist(), found["face"].to_pylist(), strict=True))
        hits = []
        for query in range(len(queries)):
            best: dict[tuple[str, int | None], float] = {}
            for place in range(width):
                if rows[query, place] >= 0:  # -1: the lists that were searched held no more
                    best.setdefault(names[query * width + place], float(scores[query, place]))
            hits += [(query, *name, score) for name, score in list(best.items())[:k]]
        columns = zip(*hits, strict=True) if hits else [[]] * len(HITS)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, HITS, strict=True)]
        return pa.Table.from_arrays(arrays, schema=HITS)

    def vectors(self, among: Collection[str]) -> tuple[pa.Table, np.ndarray]:
        """Return the vectors of these photos: IDS, and (n, dimensions), float32, row by row the same."""
        rows = self._rows_of(among)
        if not len(rows):
            return IDS.empty_table(), np.empty((0, self._cpu.d), np.float32)
        if hasattr(self._cpu, "make_direct_map"):
            self._cpu.make_direct_map()
        return self.ids.take(pa.array(rows)), self._cpu.reconstruct_batch(rows)

    def _rows_of(self, photos: Collection[str]) -> np.ndarray:
        found = pc.is_in(self.ids["photo_id"], pa.array(list(photos), pa.string()))
        return np.flatnonzero(found.to_numpy(zero_copy_only=False)).astype(np.int64)

    def _only(self, rows: np.ndarray) -> Any:
        """What makes FAISS look at these rows alone, in every list."""
        import faiss

        chosen = faiss.IDSelectorBatch(rows)
        if isinstance(self._cpu, faiss.IndexIVF):
            return faiss.SearchParametersIVF(sel=chosen, nprobe=self._cpu.nlist)
        return faiss.SearchParameters(sel=chosen)


def open_index(
    folder: Path, parquet: Sequence[Path], made_by: str, flat_rows: int = FLAT_ROWS
) -> VectorIndex:
    """The index over the rows of `made_by` in the files `parquet`, kept in `folder` and brought up to date.

    Every file has the columns photo_id, embedding (float16 bytes, unit length) and made_by, and may have
    face. A folder that cannot be written to costs time only.
    """
    folder = folder / blake3(made_by.encode()).hexdigest(length=8)
    now = {str(file): _stat(file) for file in sorted(parquet)}
    state, index, ids = _load(folder, made_by)
    added = [name for name in now if name not in state.files]
    if any(now.get(name) != known for name, known in state.files.items()) or index is None:
        state, index, ids, added = _State(made_by), None, IDS.empty_table(), list(now)
    if added or index is None:
        new_ids, vectors = _read(added, made_by)
        index, ids = _add(state, index, ids, new_ids, vectors, flat_rows)
        if _outgrown(state, len(ids), flat_rows):
            ids, vectors = _read(list(now), made_by)
            index = _build(state, vectors, flat_rows)
        state.files = now
        _save(folder, state, index, ids)
    return VectorIndex(index, ids)


def _stat(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _read(files: Sequence[str], made_by: str) -> tuple[pa.Table, np.ndarray]:
    """IDS and vectors (n, dimensions), float16, of the rows of one model."""
    ids, vectors = [IDS.empty_table()], []
    for file in files:
        there = pq.read_schema(file).names
        names = [name for name in ("photo_id", "face", "embedding", "made_by") if name in there]
        table = pq.read_table(file, columns=names, partitioning=None)
        own, usable = pc.equal(table["made_by"], made_by), pc.is_valid(table["embedding"])
        table = table.filter(pc.and_(own, usable))
        if "face" not in names:
            table = table.append_column("face", pa.nulls(table.num_rows, pa.int16()))
        if table.num_rows:
            ids.append(table.select(IDS.names).cast(IDS))
            vectors.append(_vectors(table["embedding"]))
    return pa.concat_tables(ids), np.concatenate(vectors) if vectors else np.empty((0, 0), np.float16)


def _vectors(column: pa.ChunkedArray) -> np.ndarray:
    """A column of float16 bytes, fixed size or not, as a matrix."""
    parts = []
    for chunk in column.chunks:
        if len(chunk):
            width = len(chunk[0].as_py())
            fixed = chunk.cast(pa.binary(width))
            flat = np.frombuffer(fixed.buffers()[1], np.float16).reshape(-1, width // 2)
            parts.append(flat[fixed.offset : fixed.offset + len(fixed)])
    return np.concatenate(parts)


def _add(
    state: _State, index: Any, ids: pa.Table, new_ids: pa.Table, vectors: np.ndarray, flat_rows: int
) -> tuple[Any, pa.Table]:
    if index is None or not len(ids):
        return _build(state, vectors, flat_rows), new_ids
    _add_in_parts(index, vectors)
    return index, pa.concat_tables([ids, new_ids])


def _outgrown(state: _State, rows: int, flat_rows: int) -> bool:
    return rows > flat_rows and rows > _RETRAIN * state.trained_rows


def _build(state: _State, vectors: np.ndarray, flat_rows: int) -> Any:
    import faiss

    rows, dimensions = len(vectors), max(1, vectors.shape[1])
    state.trained_rows = 0
    if rows <= flat_rows:
        index = faiss.IndexFlatIP(dimensions)
        _add_in_parts(index, vectors)
        return index
    lists = 2 ** round(np.log2(np.sqrt(rows)))
    index = faiss.index_factory(dimensions, f"IVF{lists},SQfp16", faiss.METRIC_INNER_PRODUCT)
    chosen = np.random.default_rng(0).choice(rows, min(rows, _TRAIN_PER_LIST * lists), replace=False)
    index.train(vectors[np.sort(chosen)].astype(np.float32))
    _add_in_parts(index, vectors)
    index.nprobe = _choose_probes(index, vectors)
    state.trained_rows = rows
    return index


def _add_in_parts(index: Any, vectors: np.ndarray) -> None:
    for start in range(0, len(vectors), _PART):
        index.add(vectors[start : start + _PART].astype(np.float32))


def _choose_probes(index: Any, vectors: np.ndarray) -> int:
    """The least power of two of lists to search at which `RECALL` of the true neighbours are found."""
    queries = vectors[:: max(1, len(vectors) // _PROBE_QUERIES)][:_PROBE_QUERIES].astype(np.float32)
    truth = _exact(vectors, queries)
    probes = 1
    while probes < index.nlist:
        index.nprobe = probes
        _, found = index.search(queries, _NEIGHBOURS)
        hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True))
        # A vector of the library finds itself in any case; the other neighbours are the test.
        if hits - len(queries) >= RECALL * (truth.size - len(queries)):
            break
        probes *= 2
    return probes


def _exact(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Rows of the nearest vectors of each query, found by comparing all."""
    import faiss

    best = faiss.ResultHeap(len(queries), _NEIGHBOURS, keep_max=True)
    for start in range(0, len(vectors), _PART):
        part = vectors[start : start + _PART].astype(np.float32)
        k = min(_NEIGHBOURS, len(part))
        scores, rows = faiss.knn(queries, part, k, faiss.METRIC_INNER_PRODUCT)
        best.add_result(scores, rows + start)
    best.finalize()
    return np.asarray(best.I)


def _on_gpu(index: Any) -> Any:
    """The index on all GPUs if FAISS was built for them and there are any; itself otherwise."""
    import faiss

    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
        return index
    options = faiss.GpuMultipleClonerOptions()
    options.useFloat16 = True
    return faiss.index_cpu_to_all_gpus(index, co=options)


def _load(folder: Path, made_by: str) -> tuple[_State, Any, pa.Table]:
    """What an earlier call saved; an empty state if there is nothing, or nothing sound."""
    import faiss

    try:
        state = _State(**json.loads((folder / "state.json").read_text("utf-8")))
        index = faiss.read_index(str(folder / f"{state.token}.faiss"))
        with pa.ipc.open_file(folder / f"{state.token}.arrow") as file:
            ids = file.read_all()
        if state.made_by == made_by and index.ntotal == len(ids) and ids.schema == IDS:
            return state, index, ids
    except (OSError, ValueError, TypeError, RuntimeError, pa.ArrowInvalid):
        pass  # it is a cache
    return _State(made_by), None, IDS.empty_table()


def _save(folder: Path, state: _State, index: Any, ids: pa.Table) -> None:
    """Write new files, then the state that names them, then drop the old ones."""
    import faiss

    state.token = os.urandom(8).hex()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        faiss.write_index(index, str(folder / f"{state.token}.faiss"))
        with pa.ipc.new_file(folder / f"{state.token}.arrow", IDS) as file:
            file.write_table(ids)
        temporary = folder / f"{state.token}.json"
        temporary.write_text(json.dumps(asdict(state)), "utf-8")
        temporary.replace(folder / "state.json")
        for old in folder.iterdir():
            if old.stem not in (state.token, "state"):
                old.unlink(missing_ok=True)
    except (OSError, RuntimeError):
        pass  # next time it is made anew
