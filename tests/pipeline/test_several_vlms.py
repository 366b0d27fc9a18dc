"""Several vision-language models tell of the same photos: each for itself, one answer to whoever asks."""

import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from myvlm_tag.pipeline import tell
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concepts import Concepts, Kept
from myvlm_tag.pipeline.models import fingerprint_of, load_models
from myvlm_tag.pipeline.views import query
from myvlm_tag.schemas.concept import Check, Concept, EmbeddingInfo, HeadInfo
from myvlm_tag.schemas.errors import UsageProblem
from myvlm_tag.schemas.tables import BOXES, CAPTIONS, DETECTIONS, FAILURES, FILES
from myvlm_tag.stages.heads.person import PersonHead
from myvlm_tag.stages.packs import find_pack
from myvlm_tag.stages.vlm.families import choose_all, grounding
from myvlm_tag.tests.stages.vlm.checkpoints import write_llava

BOTH = "llava,llava-small"


@pytest.fixture(scope="module")
def pack(light_pack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    shutil.copytree(light_pack / "faces", folder / "faces")
    for name in ("llava", "llava-small"):
        (folder / name).mkdir()
        write_llava(folder / name)
    (folder / "pack.json").write_text('{"llava-small": {"grounds": 3}}')
    return folder


@pytest.fixture
def settings(settings, pack):
    return replace(settings, models=str(pack), vlm=BOTH)


@pytest.fixture
def catalog(settings):
    """Mom, known to both models, in two photos."""
    vlms = choose_all(find_pack(settings.models), BOTH)
    infos = {
        vlm.key: EmbeddingInfo(f"{vlm.key} {fingerprint_of(vlm, settings)}", {}, (), (), 1, 1.0)
        for vlm in vlms
    }
    head, check = HeadInfo("faces x", 0.5, 1), Check(0, 0, 0, 0)
    concept = Concept("Mom", "Anna", "person", "woman", "", 1, "2026-01-01", (), head, check, infos)
    vectors = {key: np.ones(40, np.float32) for key in infos}
    kept = Kept(concept, PersonHead(np.ones((1, 512), np.float32), 0.5), vectors)
    Concepts(settings.home).save(kept, {}, b"")
    catalog = Catalog(settings.catalog)
    catalog.prepare()
    files = [
        {"path": f"/photos/{name}", "photo_id": name, "size": 1, "mtime_ns": 1, "gone": False, "run_id": "01"}
        for name in "ab"
    ]
    hits = [
        {"photo_id": name, "concept": "Mom", "hit": True, "made_by": concept.found_by, "run_id": "01"}
        for name in "ab"
    ]
    rows = {"files": (files, FILES), "detections": (hits, DETECTIONS)}
    catalog.commit({name: pa.Table.from_pylist(*given) for name, given in rows.items()})
    return catalog


def _tellings(settings):
    return tell.prepare(settings, load_models(settings), pytest.fail)


def _tell(catalog, telling, photo, run_id="02"):
    """What a run would commit of a photo that was told."""
    row = {
        "photo_id": photo, "concepts": ["Mom"], "identifiers": ["Anna"], "concept": "Mom", "x0": 1.0,
        "versions": [found_by.partition(" head ")[0] for found_by in telling.found_by.values()],
        "settings": telling.tell.manner.identity,
        "turn": telling.turn, "made_by": telling.tell.made_by, "run_id": run_id,
        "caption": f"told by {telling.tell.model.key} in {run_id}",
    }  # fmt: skip
    tables = {"captions": pa.Table.from_pylist([row], CAPTIONS)}
    if telling.tell.manner.boxes:
        tables["boxes"] = pa.Table.from_pylist([row], BOXES)
    catalog.commit(tables)


def _left(catalog, telling):
    found = tell.missing(catalog, telling, ["/photos"])
    return dict(zip(found["photo_id"].to_pylist(), found["why"].to_pylist(), strict=True))


def _ask(catalog, sql):
    return query(catalog, sql).rows


def test_what_one_model_told_is_still_to_be_told_by_the_other(settings, catalog):
    first, second = _tellings(settings)
    assert _left(catalog, first) == _left(catalog, second) == {"a": "never told", "b": "never told"}
    _tell(catalog, first, "a")
    _tell(catalog, second, "b")
    assert _left(catalog, first) == {"b": "never told"}
    assert _left(catalog, second) == {"a": "never told"}


def test_a_head_made_anew_leaves_what_was_told_of_photos_that_it_finds_too(settings, catalog):
    _tell(catalog, _tellings(settings)[0], "a")
    store = Concepts(settings.home)
    kept = store.load("Mom")
    info = replace(kept.concept.head, revision=2)
    store.save_head(replace(kept.concept, head=info), kept.head)
    anew = store.find("Mom").found_by
    rows = [
        {"photo_id": name, "concept": "Mom", "hit": True, "made_by": anew, "run_id": "03"} for name in "ab"
    ]
    catalog.commit({"detections": pa.Table.from_pylist(rows, DETECTIONS)})
    assert _left(catalog, _tellings(settings)[0]) == {"b": "never told"}
    assert _ask(catalog, "SELECT photo_id FROM captions") == [("a",)]


def test_a_photo_has_one_caption_that_of_the_model_asked_first(settings, catalog):
    first, second = _tellings(settings)
    _tell(catalog, second, "a")
    captions = "SELECT caption, vlm FROM captions WHERE photo_id = 'a'"
    assert _ask(catalog, captions) == [("told by llava-small in 02", "llava-small")]
    _tell(catalog, first, "a")
    _tell(catalog, second, "a", "03")
    assert _ask(catalog, captions) == [("told by llava in 02", "llava")]
    assert _ask(catalog, "SELECT vlm, caption FROM vlm_captions ORDER BY ALL") == [
        ("llava", "told by llava in 02"),
        ("llava-small", "told by llava-small in 03"),
    ]


def test_a_model_that_tells_alone_from_now_on_takes_the_place_of_the_first(settings, catalog):
    _tell(catalog, _tellings(settings)[0], "a")
    (alone,) = _tellings(replace(settings, vlm="llava-small"))
    _tell(catalog, alone, "a", "03")
    assert _ask(catalog, "SELECT vlm FROM captions") == [("llava-small",)]


def test_boxes_come_from_the_model_that_the_pack_trusts_most_or_the_settings_name(settings, catalog):
    for boxes, wanted in (("auto", "llava-small"), ("llava", "llava"), ("llava-small", "llava-small")):
        tellings = _tellings(replace(settings, boxes=boxes))
        assert [t.tell.model.key for t in tellings if t.tell.manner.boxes] == [wanted]
    with pytest.raises(UsageProblem, match="'blip2' is not among the models that tell and write boxes"):
        _tellings(replace(settings, boxes="blip2"))
    assert grounding([]) is None


def test_who_told_with_boxes_is_not_asked_again_once_another_gives_them(settings, catalog):
    (alone,) = _tellings(replace(settings, vlm="llava"))
    assert alone.tell.manner.boxes
    _tell(catalog, alone, "a")
    first, _ = _tellings(settings)
    assert not first.tell.manner.boxes
    assert _left(catalog, first) == {"b": "never told"}
    _tell(catalog, first, "b")
    assert _left(catalog, alone) == {"b": "it is asked in another way"}  # there are no boxes yet
    assert _ask(catalog, "SELECT photo_id, vlm FROM boxes") == [("a", "llava")]


def test_that_one_model_told_does_not_hide_that_the_other_failed(settings, catalog):
    first, second = _tellings(settings)
    _tell(catalog, first, "a")
    failure = {
        "photo_id": "a", "path": "/photos/a", "stage": "tell", "kind": "killed_worker", "reason": "?",
        "made_by": second.tell.tried_by, "run_id": "02",
    }  # fmt: skip
    catalog.commit({"failures": pa.Table.from_pylist([failure], FAILURES)})
    assert _ask(catalog, "SELECT path FROM failures") == [("/photos/a",)]
    _tell(catalog, second, "a", "03")
    assert _ask(catalog, "SELECT path FROM failures") == []


def test_rows_from_before_there_were_turns_can_be_read_and_merged(settings, catalog):
    _tell(catalog, _tellings(settings)[0], "a")
    for path in catalog.segments_folder.glob("*/captions.parquet"):
        pq.write_table(pq.ParquetFile(path).read().drop(["turn"]), path)
    catalog.prepare()
    assert _ask(catalog, "SELECT caption FROM captions") == [("told by llava in 02",)]
    catalog.compact()
    assert catalog.read("captions")["turn"].to_pylist() == [None]
    assert _ask(catalog, "SELECT caption FROM captions") == [("told by llava in 02",)]
