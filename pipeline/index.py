"""The FAISS indexes over the catalog's faces and CLIP embeddings: where they stand, and keeping them up."""

from __future__ import annotations

from ..schemas.errors import ModelMissing
from ..stages.index import VectorIndex, open_index
from .catalog import Catalog
from .plan import Wanted
from .progress import Progress

#: Tables with a column `embedding`; each is named like the stage that fills it.
INDEXED = ("faces", "clip")


def open_table(catalog: Catalog, table: str, wanted: Wanted) -> VectorIndex:
    """Return the index over `table`'s rows of the wanted model, brought up to date with the segments.

    Raises ModelMissing if the pack has no such model.
    """
    if table not in wanted.made_by:
        raise ModelMissing(f"the model pack has no {table} model", "name another with --models")
    files = [path for segment in catalog.segments() if (path := segment / f"{table}.parquet").exists()]
    return open_index(catalog.folder / "index" / table, files, wanted.made_by[table])


def update(catalog: Catalog, wanted: Wanted, progress: Progress) -> None:
    """Bring every index up to date."""
    tables = [table for table in INDEXED if table in wanted.made_by]
    with progress.step("index", len(tables), "tables") as step:
        for table in tables:
            open_table(catalog, table, wanted)
            step.advance()
