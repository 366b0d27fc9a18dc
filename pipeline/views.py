"""DuckDB over the catalog: the views and macros, and queries that can do nothing but read them.

`connect` reads the Parquet files themselves; `query` reads the tables kept of them (`kept.py`), which is the
same rows, sooner. Needs neither torch nor Ray. Sentences become SQL elsewhere (`ask/`); here SQL is only run.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
from blake3 import blake3

from ..schemas.errors import CatalogDamaged, HomeUnusable, SqlRefused
from ..schemas.paths import to_text
from ..schemas.settings import Settings
from .catalog import Catalog
from .home import check_name, disk_error

DATABASE = "catalog.duckdb"
SCRIPTS = ("views.sql", "macros.sql")
_VIEW = re.compile(r"^CREATE OR REPLACE VIEW (\w+)", re.MULTILINE)
_RUNS = {
    "run_id": "VARCHAR",
    "roots": "VARCHAR[]",
    "models": "VARCHAR",
    **dict.fromkeys(["files", "new", "changed", "gone", "todo", "done", "failed"], "BIGINT"),
    "seconds": "DOUBLE",
    "ended": "VARCHAR",
}


@dataclass(frozen=True)
class Answer:
    """Rows of a query: column names, and one tuple per row."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """Return one dict per row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Bounds:
    """What one query may take; beyond it, it is refused in one line."""

    seconds: float = 60
    megabytes: int = 2048

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """What the person allows."""
        return cls(settings.query_seconds, settings.query_megabytes)


@contextmanager
def connect(catalog: Catalog, bounds: Bounds | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection with the views, which reaches the catalog's folder and nothing else."""
    if not catalog.exists:
        home = to_text(catalog.folder.parent)
        raise HomeUnusable(f"there is no catalog in {home} yet", "make one: myvlm-tag run FOLDER_OF_PHOTOS")
    with duckdb.connect(":memory:") as connection:
        try:
            connection.execute(script(catalog))
            lock_down(connection, catalog, bounds)
        except duckdb.Error as error:
            raise _damaged(catalog, error) from error
        yield connection


def lock_down(connection: duckdb.DuckDBPyConnection, catalog: Catalog, bounds: Bounds | None = None) -> None:
    """Take from a connection, for good, everything but reading the catalog's folder and the runs'."""
    # Both spellings: what is opened is checked by its name, what is listed by its pattern.
    reached = (catalog.folder, catalog.runs)
    spellings = {spelling for folder in reached for spelling in (str(folder), _glob_safe(folder))}
    folders = ", ".join(f"'{_quoted(spelling + os.sep)}'" for spelling in sorted(spellings))
    connection.execute(
        "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;"
        "SET python_enable_replacements = false;"
        + (f"SET memory_limit = '{bounds.megabytes}MB'; SET temp_directory = '';" if bounds else "")
        + f"SET allowed_directories = [{folders}]; SET enable_external_access = false;"
        "SET lock_configuration = true"
    )


def query(catalog: Catalog, sql: str, bounds: Bounds | None = None) -> Answer:
    """Run one SELECT. Raises SqlRefused with DuckDB's reason when it is anything else, or isn't valid.

    Columns of the same name are told apart, as `concept` and `concept_1`.
    """
    from .kept import connect_kept

    bounds = bounds or Bounds()
    statement = _only_select(sql)
    for attempt in (1, 2):  # a compaction may take a segment away between listing and reading
        try:
            with connect_kept(catalog, bounds) as connection, _interrupted_after(connection, bounds.seconds):
                cursor = connection.execute(statement)
                return Answer(_apart([column[0] for column in cursor.description or []]), cursor.fetchall())
        except duckdb.InterruptException:
            raise SqlRefused(f"it took more than {bounds.seconds:g} seconds", _ASK_LESS) from None
        except duckdb.OutOfMemoryException:
            raise SqlRefused(f"it needs more than {bounds.megabytes:,} MB of memory", _ASK_LESS) from None
        except duckdb.IOException as error:
            if attempt == 2:
                raise SqlRefused(_first_line(error)) from None
        except duckdb.Error as error:
            raise SqlRefused(_first_line(error), _known_views(error)) from None
        except RuntimeError as error:  # DuckDB's own word for Ctrl-C
            raise KeyboardInterrupt from error
    raise AssertionError("unreachable")


def _apart(names: list[str]) -> list[str]:
    """The names, each once."""
    found: dict[str, None] = {}
    for name in names:
        number = 0
        while (own := f"{name}_{number}" if number else name) in found:
            number += 1
        found[own] = None
    return list(found)


_ASK_LESS = "ask for less (WHERE, LIMIT), or allow more: query_seconds and query_megabytes in config.toml"


_EXPLAIN = re.compile(r"\s*EXPLAIN\b(\s+ANALYZE\b)?(\s*\([\w\s,]*\))?", re.IGNORECASE)


def _only_select(sql: str) -> duckdb.Statement:
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise SqlRefused(f"not valid SQL: {_first_line(error)}") from None
    allowed = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    others = [statement.type.name for statement in statements if statement.type not in allowed]
    if others:
        raise SqlRefused(f"{others[0]} is refused: the catalog is read-only here", "ask with one SELECT")
    if len(statements) != 1:
        raise SqlRefused("only one SELECT at a time: the catalog is read-only here")
    if statements[0].type == duckdb.StatementType.EXPLAIN:  # with ANALYZE it does what it explains
        before = _EXPLAIN.match(sql)
        if before is None:
            raise SqlRefused("a comment before EXPLAIN is refused", "begin with EXPLAIN")
        _only_select(sql[before.end() :])
    return statements[0]


@contextmanager
def _interrupted_after(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def write_database(catalog: Catalog) -> None:
    """Put `catalog.duckdb` (views only) beside the segments, for people who open it with DuckDB itself."""
    final, text = catalog.folder / DATABASE, script(catalog)
    marker = f"-- {blake3(text.encode()).hexdigest(length=16)}"
    if final.exists() and marker.encode() in final.read_bytes():
        return
    staged = catalog.staging / DATABASE
    try:
        catalog.staging.mkdir(exist_ok=True)
        staged.unlink(missing_ok=True)
        with duckdb.connect(str(staged)) as connection:
            connection.execute(text)
            connection.execute(f"COMMENT ON VIEW photos IS '{marker}'")
        os.replace(staged, final)
    except duckdb.IOException as error:
        raise HomeUnusable(f"can't write {to_text(final)}: {_first_line(error)}") from error
    except OSError as error:
        raise disk_error(error, final) from error


def script(catalog: Catalog) -> str:
    """Return the SQL that makes all views and macros of this catalog. Raises HomeUnusable."""
    check_name(catalog.folder.parent)
    text = "\n".join(source(name) for name in SCRIPTS)
    places = {
        "{segments}": _quoted(_glob_safe(catalog.segments_folder)),
        "{decisions}": _quoted(_glob_safe(catalog.decisions_folder)),
        "{runs}": _runs(catalog),
    }
    for place, value in places.items():
        text = text.replace(place, value)
    return text


def source(name: str) -> str:
    """Return the text of one of `SCRIPTS`."""
    return (resources.files(__package__) / name).read_text("utf-8")


def view_names() -> list[str]:
    """Return the views a person asks, in the script's order; those named all_... are the rows beneath."""
    inner = {"current_files", "latest_failures", "finished", "chosen"}
    names = _VIEW.findall(source("views.sql"))
    return [name for name in names if not name.startswith("all_") and name not in inner]


def _runs(catalog: Catalog) -> str:
    """What `runs` reads: no file matches before the first run has ended, which DuckDB takes for an error."""
    if any(catalog.runs.glob("*.json")):
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in _RUNS.items())
        return f"read_json('{_quoted(_glob_safe(catalog.runs))}/*.json', columns = {{{columns}}})"
    nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in _RUNS.items())
    return f"(SELECT {nothing} LIMIT 0)"


def _damaged(catalog: Catalog, error: duckdb.Error) -> CatalogDamaged:
    return CatalogDamaged(
        f"the catalog in {to_text(catalog.folder)} can't be read: {_first_line(error)}",
        "look at it with: myvlm-tag doctor",
    )


def _glob_safe(folder: Path) -> str:
    return re.sub(r"([*?\[])", r"[\1]", str(folder))


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def _known_views(error: Exception) -> str:
    missing = "Table with name" in str(error) and "does not exist" in str(error)
    return f"tables are: {', '.join(sorted(view_names()))}" if missing else ""
