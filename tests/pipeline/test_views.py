"""SQL over the catalog: reading everything in it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.views import DATABASE, query, write_database
from myvlm_tag.schemas.errors import CatalogDamaged, HomeUnusable, SqlRefused

from .test_catalog import files


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog(tmp_path / "home" / "catalog")
    catalog.prepare()
    catalog.commit({"files": files("a", "b")})
    return catalog


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM files",
        "WITH x AS (FROM files) SELECT count(*) FROM x",
        "SELECT 2;",
        "VALUES (2)",
        "SELECT count(*) FROM files -- with a comment; and a semicolon",
    ],
)
def test_any_single_select_is_answered(catalog: Catalog, sql: str) -> None:
    assert query(catalog, sql).rows == [(2,)]


@pytest.mark.parametrize("how", ["EXPLAIN", "explain analyze", "EXPLAIN (FORMAT JSON)"])
def test_a_select_can_be_explained(catalog: Catalog, how: str) -> None:
    assert query(catalog, f"{how} SELECT count(*) FROM files").rows


def test_columns_of_one_name_are_told_apart(catalog: Catalog) -> None:
    assert query(catalog, "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a").records() == [
        {"a": 1, "a_1": 2, "a_1_1": 3, "a_2": 4}
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP VIEW files",
        "SELECT 1; DROP VIEW files",
        "CREATE TABLE x (a INT)",
        "INSERT INTO files VALUES (1)",
        "COPY (SELECT 1) TO 'x.csv'",
        "COPY (SELECT 1) TO '{folder}/x.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/x.csv'",
        "EXPLAIN /* SELECT */ ANALYZE COPY (SELECT 1) TO '{folder}/x.csv'",
        "-- SELECT\nEXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/x.csv'",
        "EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{folder}/x.csv'",
        "EXPLAIN (ANALYZE, FORMAT JSON) COPY (SELECT 1) TO '{folder}/x.csv'",
        "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1",
        "-- EXPLAIN (\nEXPLAIN ANALYZE COPY files TO '{folder}/x.csv' /* )\nSELECT 1 -- */",
        "EXPLAIN -- (\nANALYZE COPY files TO '{folder}/x.csv' /* )\nSELECT 1 -- */",
        "EXPLAIN EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/x.csv'",
        "ATTACH 'x.db'",
        "ATTACH '{folder}/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "EXPORT DATABASE '{folder}/x'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_text('{folder}/../secret.txt')",
        "SELECT * FROM read_parquet('https://example.org/x.parquet')",
        "SELECT * FROM catalog",  # a Python variable of that name is in scope
        "SELECT getenv('HOME')",
        "",
        "SELEC 1",
        "SELECT * FROM no_such_table",
    ],
)
def test_everything_else_is_refused_in_one_line(catalog: Catalog, sql: str) -> None:
    (catalog.folder.parent / "secret.txt").write_text("secret")
    with pytest.raises(SqlRefused) as caught:
        query(catalog, sql.format(folder=catalog.folder))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert not list(catalog.folder.rglob("x*"))


def test_a_table_that_is_not_there_brings_the_names_of_those_that_are(catalog: Catalog) -> None:
    with pytest.raises(SqlRefused, match="tables are: answers, boxes, caption_parts, captions, clip"):
        query(catalog, "FROM pictures")


def test_no_catalog_is_one_line_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(HomeUnusable, match="myvlm-tag run"):
        query(Catalog(tmp_path / "catalog"), "SELECT 1")


def test_a_damaged_catalog_is_said_to_be_damaged(catalog: Catalog) -> None:
    for segment in catalog.segments():
        for path in segment.iterdir():
            path.write_bytes(b"no parquet")
    with pytest.raises(CatalogDamaged, match="doctor"):
        query(catalog, "FROM files")


def test_duckdb_itself_opens_the_same_views(catalog: Catalog) -> None:
    write_database(catalog)
    with duckdb.connect(str(catalog.folder / DATABASE), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM files").fetchall() == [(2,)]


def test_the_database_follows_a_home_that_was_moved(catalog: Catalog, tmp_path: Path) -> None:
    write_database(catalog)
    (tmp_path / "home").rename(tmp_path / "moved")
    moved = Catalog(tmp_path / "moved" / "catalog")
    write_database(moved)
    with duckdb.connect(str(moved.folder / DATABASE), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM files").fetchall() == [(2,)]
