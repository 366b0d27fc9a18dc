"""The plan: photos on disk minus keys in the catalog; failures rest until something changed."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from myvlm_tag.pipeline import plan
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.views import query
from myvlm_tag.schemas.tables import FAILURES, FEATURES

from .test_catalog import files

WANTED = plan.Wanted({"decode": "d1", "faces": "f1"}, {"decode": "d1 libjpeg", "faces": "f1"})


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog(tmp_path / "catalog")
    catalog.prepare()
    return catalog


def features(photo: str, run_id: str = "1", **made_by: str) -> pa.Table:
    rows = [
        {"photo_id": photo, "stage": stage, "items": 1, "made_by": by, "run_id": run_id}
        for stage, by in made_by.items()
    ]
    return pa.Table.from_pylist(rows, FEATURES)


def failure(photo: str, stage: str, made_by: str, kind: str = "damaged", run_id: str = "1") -> pa.Table:
    row = {
        "photo_id": photo,
        "path": photo,
        "stage": stage,
        "kind": kind,
        "made_by": made_by,
        "run_id": run_id,
    }
    return pa.Table.from_pylist([row], FAILURES)


def missing(catalog: Catalog, *roots: str, wanted: plan.Wanted = WANTED) -> dict[str, str]:
    todo = plan.missing(catalog, wanted, roots or ["/"])
    return dict(zip(todo["photo_id"].to_pylist(), todo["stages"].to_pylist(), strict=True))


def test_a_new_photo_lacks_every_stage_and_a_finished_one_none(catalog: Catalog) -> None:
    catalog.commit({"files": files("/new", "/done"), "features": features("/done", decode="d1", faces="f1")})
    assert missing(catalog) == {"/new": "decode+faces"}


def test_after_a_model_changed_only_its_stage_is_missing(catalog: Catalog) -> None:
    catalog.commit({"files": files("/a"), "features": features("/a", decode="d1", faces="f0")})
    assert missing(catalog) == {"/a": "faces"}


def test_photos_outside_the_roots_and_photos_that_went_are_left_alone(catalog: Catalog) -> None:
    catalog.commit({"files": files("/x/a", "/xy/b", "/x/c")})
    catalog.commit({"files": files("/x/c", run_id="2", gone=True)})
    assert missing(catalog, "/x") == {"/x/a": "decode+faces"}
    assert set(missing(catalog, "/x/", "/xy")) == {"/x/a", "/xy/b"}


def test_a_failure_rests_until_what_it_failed_in_changed(catalog: Catalog) -> None:
    catalog.commit({"files": files("/a"), "failures": failure("/a", "decode", "d1 libjpeg")})
    assert missing(catalog) == {}
    newer = plan.Wanted(WANTED.made_by, {**WANTED.tried_by, "decode": "d1 libjpeg2"})
    assert missing(catalog, wanted=newer) == {"/a": "decode+faces"}


def test_a_killer_rests_until_anything_in_the_chain_changed(catalog: Catalog) -> None:
    catalog.commit(
        {"files": files("/a"), "failures": failure("/a", plan.WORKER, WANTED.chain, "killed_worker")}
    )
    assert missing(catalog) == {}
    other = plan.Wanted(WANTED.made_by, {**WANTED.tried_by, "faces": "f2"})
    assert missing(catalog, wanted=other) == {"/a": "decode+faces"}


def test_a_file_without_permission_is_tried_every_time(catalog: Catalog) -> None:
    catalog.commit({"files": files("/a"), "failures": failure("/a", "decode", "d1 libjpeg", "unreadable")})
    assert missing(catalog) == {"/a": "decode+faces"}


def test_two_packs_in_turn_do_nothing_twice(catalog: Catalog) -> None:
    catalog.commit({"files": files("/a"), "features": features("/a", decode="d1", faces="f1")})
    catalog.commit({"features": features("/a", run_id="2", decode="d1", faces="f2")})
    assert missing(catalog) == {}


def test_the_old_model_answers_until_the_new_one_has_done_all_it_can(catalog: Catalog) -> None:
    def current() -> str:
        return query(catalog, "SELECT made_by FROM models WHERE stage = 'faces' AND current").rows[0][0]

    catalog.commit({"files": files("/a", "/b", "/c")})
    for photo in ("/a", "/b", "/c"):
        catalog.commit({"features": features(photo, run_id="1", faces="old")})
    catalog.commit({"features": features("/a", run_id="2", faces="new")})
    assert current() == "old"
    catalog.commit({"features": features("/b", run_id="2", faces="new")})
    assert current() == "old"
    catalog.commit({"failures": failure("/c", "faces", "new", run_id="2")})
    assert current() == "new"
    chosen = query(catalog, "SELECT photo_id, made_by FROM chosen ORDER BY 1").rows
    assert chosen == [("/a", "new"), ("/b", "new"), ("/c", "old")]


def test_the_latest_run_is_the_greatest_id_in_any_table(catalog: Catalog) -> None:
    assert plan.latest_run(catalog) == ""
    catalog.commit({"files": files("/a", run_id="3"), "features": features("/a", run_id="5", decode="d1")})
    assert plan.latest_run(catalog) == "5"
