"""DuckDB over the catalog: the views of `views.sql`, and queries that can do nothing but read them.

Needs neither torch nor Ray. Sentences become SQL elsewhere (`ask.py`); here SQL is only run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb

from ..schemas.errors import CatalogDamaged, HomeUnusable, SqlRefused
from ..schemas.paths import to_text
from ..schemas.tables import TABLES
from .catalog import Catalog
from .home import disk_error

DATABASE = "catalog.duckdb"


@dataclass(frozen=True)
class Answer:
    """Rows of a query: column names, and one tuple per row."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """Return one dict per row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@contextmanager
def connect(catalog: Catalog) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection with the views, which reaches the catalog's folder and nothing else."""
    if not catalog.exists:
        home = to_text(catalog.folder.parent)
        raise HomeUnusable(f"there is no catalog in {home} yet", "make one: myvlm-tag run FOLDER_OF_PHOTOS")
    with duckdb.connect(":memory:") as connection:
        # Both spellings: what is opened is checked by its name, what is listed by its pattern.
        spellings = {str(catalog.folder), _glob_safe(catalog.folder)}
        folders = ", ".join(f"'{_quoted(spelling + os.sep)}'" for spelling in spellings)
        try:
            connection.execute(_view_sql(catalog))
            connection.execute(
                "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;"
                "SET python_enable_replacements = false;"
                f"SET allowed_directories = [{folders}]; SET enable_external_access = false;"
                "SET lock_configuration = true"
            )
        except duckdb.Error as error:
            raise CatalogDamaged(
                f"the catalog in {to_text(catalog.folder)} can't be read: {_first_line(error)}",
                "look at it with: myvlm-tag doctor",
            ) from error
        yield connection


def query(catalog: Catalog, sql: str) -> Answer:
    """Run one SELECT. Raises SqlRefused with DuckDB's reason when it is anything else, or isn't valid."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise SqlRefused(f"not valid SQL: {_first_line(error)}") from None
    allowed = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    if len(statements) != 1 or statements[0].type not in allowed:
        raise SqlRefused("only one SELECT at a time: the catalog is read-only here")
    for attempt in (1, 2):  # a compaction may take a segment away between listing and reading
        try:
            with connect(catalog) as connection:
                cursor = connection.execute(statements[0])
                return Answer([column[0] for column in cursor.description or []], cursor.fetchall())
        except duckdb.IOException as error:
            if attempt == 2:
                raise SqlRefused(_first_line(error)) from None
        except duckdb.Error as error:
            raise SqlRefused(_first_line(error), _known_views(error)) from None
    raise AssertionError("unreachable")


def write_database(catalog: Catalog) -> None:
    """Put `catalog.duckdb` (views only) beside the segments, for people who open it with DuckDB itself."""
    final = catalog.folder / DATABASE
    if (
        final.exists()
        and final.stat().st_mtime > _script().stat().st_mtime
        and _still_points_here(catalog, final)
    ):
        return
    staged = catalog.staging / DATABASE
    try:
        catalog.staging.mkdir(exist_ok=True)
        staged.unlink(missing_ok=True)
        with duckdb.connect(str(staged)) as connection:
            connection.execute(_view_sql(catalog))
        os.replace(staged, final)
    except duckdb.IOException as error:
        raise HomeUnusable(f"can't write {to_text(final)}: {_first_line(error)}") from error
    except OSError as error:
        raise disk_error(error, final) from error


def _still_points_here(catalog: Catalog, database: Path) -> bool:
    return _glob_safe(catalog.segments_folder).encode() in database.read_bytes()


def _script() -> Path:
    return Path(str(resources.files(__package__) / "views.sql"))


def _view_sql(catalog: Catalog) -> str:
    return _script().read_text("utf-8").replace("{segments}", _quoted(_glob_safe(catalog.segments_folder)))


def _glob_safe(folder: Path) -> str:
    return re.sub(r"([*?\[])", r"[\1]", str(folder))


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def _known_views(error: Exception) -> str:
    known = sorted([*TABLES, "models"])
    return f"tables are: {', '.join(known)}" if "does not exist" in str(error) else ""
