"""What becomes of the catalog's rows when a concept is renamed or forgotten, whatever table they are in.

The concepts themselves, and the lock, are `concepts.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from ..schemas.concept import Concept
from ..stages.vlm.words import swap

#: Columns with names, and the same words with identifiers.
_SPOKEN = {"caption": "mended", "answer": "said"}


def without(rows: pa.Table, name: str) -> pa.Table:
    """Leave out every row of the concept, and of photos told together with it: their words may name it."""
    if "concepts" in rows.column_names:
        together = rows["concepts"].combine_chunks()
        theirs = pc.list_parent_indices(together).filter(pc.equal(together.flatten(), name))
        numbers = pa.array(range(rows.num_rows), theirs.type)
        return rows.filter(pc.invert(pc.is_in(numbers, theirs)))
    if "concept" in rows.column_names:
        return rows.filter(pc.not_equal(rows["concept"], name))
    return rows


def renamed(rows: pa.Table, old: Concept, new: Concept) -> pa.Table:
    """Put the new name in place of the old, in what was said too; nothing has to be found or told anew."""
    if not {"concept", "concepts"} & set(rows.column_names):
        return rows

    def name(values: pa.Array) -> pa.Array:
        return pc.if_else(pc.equal(values, old.name), new.name, values)

    def version(values: pa.Array) -> pa.Array:
        rest = pc.utf8_slice_codeunits(values, len(old.made_by))
        return pc.if_else(
            pc.starts_with(values, old.made_by),
            pc.binary_join_element_wise(new.made_by, rest, ""),
            values,
        )

    for column, change in (
        ("concept", name),
        ("concepts", name),
        ("made_by", version),
        ("versions", version),
    ):
        if column in rows.column_names:
            rows = _put(rows, column, _changed(rows[column].combine_chunks(), change))
    for column, spoken in _SPOKEN.items():
        if column in rows.column_names:
            rows = _put(rows, column, _with_names(rows, spoken))
    return rows


def _changed(values: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Change strings, or the strings inside lists."""
    if not pa.types.is_list(values.type):
        return change(values)
    offsets = pc.cumulative_sum(pc.list_value_length(values), skip_nulls=True)
    start = pa.array([0], offsets.type)
    return pa.ListArray.from_arrays(pa.concat_arrays([start, offsets]), change(values.flatten()))


def _with_names(rows: pa.Table, spoken: str) -> pa.Array:
    columns = (rows[name].to_pylist() for name in (spoken, "identifiers", "concepts"))
    return pa.array(
        [
            swap(said, dict(zip(identifiers, concepts, strict=True)))
            for said, identifiers, concepts in zip(*columns, strict=True)
        ],
        pa.string(),
    )


def _put(rows: pa.Table, column: str, values: pa.Array) -> pa.Table:
    at = rows.column_names.index(column)
    return rows.set_column(at, rows.schema.field(at), values)
