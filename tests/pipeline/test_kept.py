"""The rows kept for questions: the same as the views', never stale, and doing without where they can't be."""

from __future__ import annotations

from pathlib import Path

import pytest
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concept_rows import rename
from myvlm_tag.pipeline.decisions import CONFIRM, REJECT
from myvlm_tag.pipeline.kept import KEPT, refresh
from myvlm_tag.pipeline.views import Bounds, connect, query
from myvlm_tag.schemas.errors import SqlRefused
from myvlm_tag.schemas.settings import load_settings

from .ask.truthful import write_home
from .test_catalog import files

CONCEPTS = {"Anna": ("woman", "person"), "Ben": ("boy", "person"), "my-mug": ("mug", "object")}
RED = {"wearing": "a red dress", "doing": "waving", "where": "on the left", "next_to": "nothing"}
PHOTOS = [
    {"path": "/a.jpg", "sees": {"Anna": RED}, "caption": "Anna wearing a red dress waving in the café"},
    {"path": "/b.jpg", "sees": {"Anna": {}, "Ben": RED}, "caption": "Anna and Ben wearing a red dress"},
    {"path": "/c.jpg", "sees": {"my-mug": {"color": "blue"}}, "caption": "my-mug"},
]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(write_home(tmp_path / "home", PHOTOS, CONCEPTS) / "catalog")


def test_the_kept_rows_are_those_of_the_views(catalog: Catalog) -> None:
    with connect(catalog) as live:
        for name in KEPT:
            assert sorted(map(str, query(catalog, f"FROM {name}").rows)) == sorted(
                map(str, live.execute(f"FROM {name}").fetchall())
            )


def test_what_is_kept_follows_every_commit_and_decision(catalog: Catalog) -> None:
    first = refresh(catalog)
    assert refresh(catalog) == first
    catalog.commit({"files": files("x")})
    second = refresh(catalog)
    assert second != first
    assert not first.exists()
    assert query(catalog, "SELECT count(*) FROM files").rows == [(4,)]


def test_a_catalog_that_cant_be_written_to_is_asked_all_the_same(catalog: Catalog) -> None:
    (catalog.folder / "index").write_text("in the way")
    assert refresh(catalog) is None
    assert query(catalog, "SELECT count(*) FROM photos").rows == [(3,)]
    with pytest.raises(SqlRefused, match="more than 8 MB"):
        query(catalog, "SELECT list(range) FROM range(10_000_000)", Bounds(megabytes=8))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT path FROM photos_of('anna') ORDER BY path", [("/a.jpg",), ("/b.jpg",)]),
        ("SELECT path FROM wearing('Anna', 'Red')", [("/a.jpg",)]),
        ("SELECT path FROM wearing('Anna', 're')", []),
        ("SELECT path FROM doing('Ben', 'waving')", [("/b.jpg",)]),
        ("SELECT path FROM together('Ben', 'Anna')", [("/b.jpg",)]),
        ("SELECT count(*) FROM captions WHERE says(caption, 'cafe')", [(1,)]),
        ("SELECT count(*) FROM captions WHERE says_any(caption, ['x', 'café', '.*'])", [(1,)]),
        ("SELECT round(distance_km(52.52, 13.40, 48.14, 11.58))", [(504.0,)]),
        ("SELECT concept, kind, color FROM things", [("my-mug", "object", "blue")]),
        ("SELECT concept, position FROM people WHERE path = '/a.jpg'", [("Anna", "on the left")]),
        ("SELECT count(*) FROM runs", [(0,)]),
    ],
)
def test_views_and_macros_make_sql_short(catalog: Catalog, sql: str, expected: list) -> None:
    assert query(catalog, sql).rows == expected


def test_what_the_person_says_overrides_the_head(catalog: Catalog) -> None:
    from myvlm_tag.pipeline.decisions import decide

    settings = load_settings({"home": catalog.folder.parent}, environ={}, config=Path("/none"))
    assert decide(settings, "anna", ["/a.jpg"], REJECT) == 1
    assert query(catalog, "SELECT path FROM photos_of('Anna')").rows == [("/b.jpg",)]
    assert query(catalog, "SELECT count(*) FROM captions WHERE says(caption, 'red')").rows == [(1,)]
    decide(settings, "Anna", ["/a.jpg"], CONFIRM)
    found = query(catalog, "SELECT path FROM sightings WHERE concept = 'Anna' AND confirmed").rows
    assert found == [("/a.jpg",)]
    rename(settings, "Anna", "Annie")
    found = query(catalog, "SELECT concept, verdict FROM decisions").rows
    assert found == [("Annie", "confirm")]


@pytest.mark.parametrize(
    ("bounds", "cause"),
    [(Bounds(seconds=0.5), "more than 0.5 seconds"), (Bounds(megabytes=60), "more than 60 MB of memory")],
)
def test_a_query_that_takes_too_much_is_ended_with_a_clear_line(
    catalog: Catalog, bounds: Bounds, cause: str
) -> None:
    endless = "SELECT count(DISTINCT a.range * 7919 + b.range) FROM range(3000000) a, range(3000000) b"
    with pytest.raises(SqlRefused, match=cause):
        query(catalog, endless, bounds)


def test_a_statement_that_writes_is_refused_by_name(catalog: Catalog) -> None:
    with pytest.raises(SqlRefused, match="ATTACH is refused"):
        query(catalog, "ATTACH 'x.db'")
