"""Which of many rows are the newest of their key, as the views choose them, told from codes for the words.

A hundred million rows take a few numbers each here, and no text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def newest(rows: pa.Table, key: Sequence[str]) -> NDArray[np.bool_]:
    """Mark, for each value of the columns `key`, the row with the greatest `run_id`; of equals the last."""
    keys = np.zeros(rows.num_rows, np.int64)
    for name in key:
        codes, values = _codes(rows[name])
        keys *= len(values) + 1
        keys += codes
    codes, values = _codes(rows["run_id"])
    age = np.zeros(len(values) + 1, np.int64)  # rows of no run, the last code, are the oldest
    age[pc.sort_indices(values).to_numpy()] = np.arange(1, len(values) + 1)
    keys *= len(age)
    keys += age[codes]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    keys //= len(age)
    last = np.ones(len(keys), bool)
    last[:-1] = keys[1:] != keys[:-1]
    kept = np.zeros(len(keys), bool)
    kept[order[last]] = True
    return kept


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], pa.Array]:
    """One number per row, and what the numbers stand for; null is the number after the last."""
    encoded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    array = encoded.unify_dictionaries().combine_chunks()
    codes = pc.fill_null(array.indices, len(array.dictionary))
    return codes.to_numpy(zero_copy_only=False), array.dictionary
