"""Every concept is scored on every photo from the catalog's features, once, and can be forgotten."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concept_rows import forget, rename
from myvlm_tag.pipeline.concepts import Concepts, Kept
from myvlm_tag.pipeline.heads import score_library
from myvlm_tag.pipeline.progress import Progress
from myvlm_tag.pipeline.views import query
from myvlm_tag.schemas.concept import Check, Concept, HeadInfo
from myvlm_tag.schemas.settings import Settings
from myvlm_tag.schemas.tables import CLIP, FACE_DIM, FACES, FEATURES, FILES
from myvlm_tag.stages.heads.linear import LinearHead
from myvlm_tag.stages.heads.person import PersonHead

WIDTH = 8
#: Per photo: which direction each face has, and how far the photo goes in the direction of the mug.
PHOTOS = {"p0": ([0], 0.9), "p1": ([1, 0], 0.1), "p2": ([], 0.9), "p3": ([5], -0.9), "p4": ([0, 0], 0.0)}


def _direction(number, size):
    return np.eye(1, size, number, dtype=np.float16)[0].tobytes()


def _table(schema, **columns):
    rows = len(columns["photo_id" if "photo_id" in columns else "path"])
    given = {"made_by": "faces 1", "run_id": "01", **columns}
    spread = {name: given.get(name) for name in schema.names}
    filled = {name: value if isinstance(value, list) else [value] * rows for name, value in spread.items()}
    return pa.table(filled, schema=schema)


@pytest.fixture
def settings(tmp_path):
    settings = Settings(home=tmp_path)
    catalog = Catalog(settings.catalog)
    catalog.prepare()
    photos = list(PHOTOS)
    faces = [(photo, number, way) for photo, (ways, _) in PHOTOS.items() for number, way in enumerate(ways)]
    mugs = [np.array([mug, *[0.1] * (WIDTH - 1)], np.float16).tobytes() for _, mug in PHOTOS.values()]
    catalog.commit(
        {
            "files": _table(
                FILES,
                path=[f"/{photo}.jpg" for photo in photos],
                photo_id=photos,
                size=1,
                mtime_ns=1,
                root="/",
                gone=False,
            ),
            "faces": _table(
                FACES,
                photo_id=[photo for photo, _, _ in faces],
                face=[number for _, number, _ in faces],
                embedding=[_direction(way, FACE_DIM) for _, _, way in faces],
            ),
            "clip": _table(CLIP, photo_id=photos, embedding=mugs, made_by="clip 1"),
            "features": pa.concat_tables(
                [
                    _table(FEATURES, photo_id=photos, stage="faces", items=1),
                    _table(FEATURES, photo_id=photos, stage="clip", items=1, made_by="clip 1"),
                ]
            ),
        }
    )
    return settings


def _concept(settings, name, head, made_by, version=1):
    kind = "person" if isinstance(head, PersonHead) else "object"
    threshold = head.threshold
    concept = Concept(
        name, "sks", kind, "", "", version, "2026", (), HeadInfo(made_by, threshold, 1), Check(0, 0, 0, 0), {}
    )
    Concepts(settings.home).save(Kept(concept, head, {}), {}, b"")


def _person(settings, name, direction, **changes):
    kept = np.eye(1, FACE_DIM, direction, dtype=np.float32)
    _concept(settings, name, PersonHead(kept, 0.5), "faces 1", **changes)


@pytest.fixture
def anna(settings):
    _person(settings, "Anna", 0)


@pytest.fixture
def mug(settings):
    weight = np.eye(1, WIDTH, dtype=np.float32)[0] * 10
    _concept(settings, "mug", LinearHead(weight, -5.0, 0.5), "clip 1")


def _run(settings, number=2):
    return score_library(Catalog(settings.catalog), settings, f"{number:02}", Progress(quiet=True))


def _ask(settings, sql):
    return query(Catalog(settings.catalog), sql).rows


def test_people_and_things_are_found_where_they_are(settings, anna, mug):
    assert _run(settings) == {"Anna": 3, "mug": 2}
    hits = _ask(settings, "SELECT concept, photo_id, face FROM detections WHERE hit ORDER BY ALL")
    assert hits == [
        ("Anna", "p0", 0),
        ("Anna", "p1", 1),
        ("Anna", "p4", 0),
        ("mug", "p0", None),
        ("mug", "p2", None),
    ]


def test_every_score_is_there_beside_its_threshold_and_none_where_there_is_no_face(settings, anna, mug):
    _run(settings)
    rows = _ask(
        settings, "SELECT photo_id, score, threshold FROM detections WHERE concept = 'Anna' ORDER BY 1"
    )
    assert rows == [("p0", 1.0, 0.5), ("p1", 1.0, 0.5), ("p2", None, 0.5), ("p3", 0.0, 0.5), ("p4", 1.0, 0.5)]
    scores = _ask(settings, "SELECT score FROM detections WHERE concept = 'mug' ORDER BY photo_id")
    logits = [10 * float(np.float16(mug)) - 5 for _, mug in PHOTOS.values()]
    assert [score for (score,) in scores] == pytest.approx([1 / (1 + np.exp(-z)) for z in logits], abs=1e-3)


def test_what_was_scored_is_not_scored_again(settings, anna, mug):
    _run(settings)
    segments = len(Catalog(settings.catalog).segments())
    assert _run(settings, 3) == {}
    assert len(Catalog(settings.catalog).segments()) == segments


def test_without_concepts_nothing_happens(settings):
    assert _run(settings) == {}


def test_a_new_person_takes_over_the_faces_that_fit_them_better(settings, anna):
    _run(settings)
    _person(settings, "Annie", 0)  # the same face: in each photo one of them can have it
    _run(settings, 3)
    rows = _ask(settings, "SELECT photo_id, count(*) FROM detections WHERE hit GROUP BY 1 ORDER BY 1")
    assert rows == [("p0", 1), ("p1", 1), ("p4", 2)]


def test_a_new_version_is_scored_and_its_rows_win(settings, anna):
    _run(settings)
    _person(settings, "Anna", 5, version=2)
    assert _run(settings, 3) == {"Anna": 1}
    assert _ask(settings, "SELECT photo_id FROM detections WHERE hit") == [("p3",)]
    assert _ask(settings, "SELECT count(*) FROM detections") == [(5,)]


def test_forgetting_takes_the_rows_and_renaming_renames_them(settings, anna, mug):
    _run(settings)
    rename(settings, "mug", "my cup")
    forget(settings, "anna")
    assert _ask(settings, "SELECT DISTINCT concept FROM detections") == [("my cup",)]
    assert _ask(settings, "SELECT count(*) FROM all_detections") == [(5,)]
    assert _ask(settings, "SELECT count(*) FROM faces") == [(6,)]
    assert [concept.name for concept in Concepts(settings.home).all()] == ["my cup"]


def test_photos_that_went_are_not_scored(settings, anna):
    gone = _table(FILES, path=["/p0.jpg"], photo_id=["p0"], gone=True, run_id="02")
    Catalog(settings.catalog).commit({"files": gone})
    assert _run(settings, 3) == {"Anna": 2}


def test_a_head_made_with_another_model_waits_for_its_features(settings):
    _concept(settings, "Bob", PersonHead(np.eye(1, FACE_DIM, dtype=np.float32), 0.5), "faces 9")
    assert _run(settings) == {}
    assert dataclasses.asdict(Concepts(settings.home).find("Bob"))["name"] == "Bob"
