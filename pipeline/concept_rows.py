"""What becomes of all that names a concept when it is renamed or forgotten: rows, decisions, records of runs.

Its folder (`concepts.py`) comes last, and each step can be taken again: what was cut short is ended by the
same command.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from ..schemas.concept import Concept
from ..schemas.settings import Settings
from ..schemas.tables import TABLES
from ..stages.vlm.words import swap
from . import kept, summary
from .catalog import Catalog
from .concepts import Concepts
from .home import command_line, locked

#: The columns that name a concept, and the tables that have one.
_NAMING = {"concept", "concepts"}
_TABLES = [name for name, schema in TABLES.items() if _NAMING & set(schema.names)]

#: Columns with names, and the same words with identifiers.
_SPOKEN = {"caption": "mended", "answer": "said"}


def rename(settings: Settings, name: str, to: str) -> Concept:
    """Rename a concept everywhere. Raises ConceptMissing, UsageProblem, AlreadyRunning, DiskFull."""
    store = Concepts(settings.home)
    old, new = store.find(name), store.renamed(name, to)
    with locked(settings.home, command_line()):
        _change(settings, lambda rows: renamed(rows, old, new))
        summary.rename_found(settings.home, old, new.name)
        return store.rename(name, to)


def forget(settings: Settings, name: str) -> Concept:
    """Remove every trace of a concept. Raises ConceptMissing, AlreadyRunning, DiskFull."""
    store = Concepts(settings.home)
    concept = store.find(name)
    with locked(settings.home, command_line()):
        _change(settings, lambda rows: without(rows, concept.name))
        summary.rename_found(settings.home, concept, "")
        return store.forget(name)


def _change(settings: Settings, change: Callable[[pa.Table], pa.Table]) -> None:
    catalog = Catalog(settings.catalog)
    if catalog.exists:
        catalog.prepare()
        catalog.rewrite(_TABLES, change)
        catalog.rewrite_decisions(change)
        kept.drop(catalog)


def without(rows: pa.Table, name: str) -> pa.Table:
    """Leave out every row of the concept, and of photos told together with it: their words may name it."""
    if "concepts" in rows.column_names:
        together = rows["concepts"].combine_chunks()
        theirs = pc.list_parent_indices(together).filter(pc.equal(together.flatten(), name))
        numbers = pa.array(range(rows.num_rows), theirs.type)
        return rows.filter(pc.invert(pc.is_in(numbers, theirs)))
    if "concept" in rows.column_names:
        return rows.filter(pc.fill_null(pc.not_equal(rows["concept"], name), True))
    return rows


def renamed(rows: pa.Table, old: Concept, new: Concept) -> pa.Table:
    """Put the new name in place of the old, in what was said too; nothing has to be found or told anew."""

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
            rows = _put(rows, column, _with_names(rows, column, spoken))
    return rows


def _changed(values: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Change strings, or the strings inside lists."""
    if not pa.types.is_list(values.type):
        return change(values)
    offsets = pc.cumulative_sum(pc.list_value_length(values), skip_nulls=True)
    start = pa.array([0], offsets.type)
    return pa.ListArray.from_arrays(pa.concat_arrays([start, offsets]), change(values.flatten()))


def _with_names(rows: pa.Table, column: str, spoken: str) -> pa.Array:
    """The words of `column` from those of `spoken`; a row of an earlier version that has none stays."""
    columns = (rows[name].to_pylist() for name in (column, spoken, "identifiers", "concepts"))
    return pa.array(
        [
            before if said is None else swap(said, dict(zip(identifiers, concepts, strict=True)))
            for before, said, identifiers, concepts in zip(*columns, strict=True)
        ],
        pa.string(),
    )


def _put(rows: pa.Table, column: str, values: pa.Array) -> pa.Table:
    at = rows.column_names.index(column)
    return rows.set_column(at, rows.schema.field(at), values)
