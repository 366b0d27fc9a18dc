"""However concepts, photos and decisions come, the views show what scoring everything anew would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from myvlm_tag.pipeline import heads
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concepts import Concepts, Kept
from myvlm_tag.pipeline.decisions import CONFIRM, REJECT, decide
from myvlm_tag.pipeline.heads import score_library
from myvlm_tag.pipeline.progress import Progress
from myvlm_tag.pipeline.views import connect, query
from myvlm_tag.schemas.concept import Check, Concept, HeadInfo
from myvlm_tag.schemas.ids import new_ulid
from myvlm_tag.schemas.settings import Settings
from myvlm_tag.schemas.tables import CLIP, FACE_DIM, FACES, FEATURES, FILES
from myvlm_tag.stages.heads.linear import LinearHead
from myvlm_tag.stages.heads.person import PersonHead

WIDTH, PHOTOS, WAYS = 16, 120, 6
_SHOWN = """
SELECT photo_id, concept, threshold, hit, face, made_by, coalesce(score, -1) FROM detections ORDER BY 1, 2
"""


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _face(way: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """A face of somebody who looks like everyone else: whose it is depends on who is known."""
    alike = np.eye(1, FACE_DIM, WAYS)[0] + 0.6 * np.eye(1, FACE_DIM, way)[0]
    return _unit(alike + noise * rng.normal(size=FACE_DIM) / np.sqrt(FACE_DIM))


def _table(schema: pa.Schema, rows: list[dict[str, Any]], **same: Any) -> pa.Table:
    return pa.Table.from_pylist([{**row, **same} for row in rows], schema)


def _add_photos(settings: Settings, start: int, count: int) -> None:
    rng = np.random.default_rng(start)
    names = [f"p{number:04}" for number in range(start, start + count)]
    faces: list[dict[str, Any]] = [
        {"photo_id": name, "face": face, "embedding": _face(int(rng.integers(WAYS)), 0.5, rng)}
        for name in names
        for face in range(int(rng.integers(4)))
    ]
    clip: list[dict[str, Any]] = [
        {"photo_id": name, "embedding": _unit(rng.normal(size=WIDTH))} for name in names
    ]
    for row in (*faces, *clip):
        row["embedding"] = row["embedding"].astype(np.float16).tobytes()
    photos = [{"photo_id": name, "path": f"/{name}.jpg"} for name in names]
    same = {"run_id": "01"}
    catalog = Catalog(settings.catalog)
    catalog.prepare()
    half = len(faces) // 2  # in two segments, one photo's faces among them
    catalog.commit(
        {
            "files": _table(FILES, photos, size=1, mtime_ns=1, root="/", gone=False, **same),
            "faces": _table(FACES, faces[:half], made_by="faces 1", **same),
            "clip": _table(CLIP, clip, made_by="clip 1", **same),
            "features": pa.concat_tables(
                _table(FEATURES, photos, stage=stage, items=1, made_by=f"{stage} 1", **same)
                for stage in ("faces", "clip")
            ),
        }
    )
    catalog.commit({"faces": _table(FACES, faces[half:], made_by="faces 1", **same)})


def _learn(settings: Settings, name: str, head: PersonHead | LinearHead, version: int = 1) -> None:
    person = isinstance(head, PersonHead)
    info = HeadInfo("faces 1" if person else "clip 1", head.threshold, 1)
    kind = "person" if person else "object"
    concept = Concept(name, "sks", kind, "", "", version, "2026", (), info, Check(0, 0, 0, 0), {})
    Concepts(settings.home).save(Kept(concept, head, {}), {}, b"")


def _person(settings: Settings, number: int, version: int = 1) -> None:
    rng = np.random.default_rng(2000 * number + version)
    kept = np.stack([_face(number, 0.3, rng) for _ in range(3)]).astype(np.float32)
    _learn(settings, f"person{number}", PersonHead(kept, 0.5), version)


def _thing(settings: Settings, number: int, version: int = 1) -> None:
    weight = np.random.default_rng(77 * number + version).normal(size=WIDTH).astype(np.float32)
    _learn(settings, f"thing{number}", LinearHead(weight * 4, -2.0, 0.5), version)


def _run(settings: Settings) -> dict[str, int]:
    return score_library(Catalog(settings.catalog), settings, new_ulid(), Progress(quiet=True))


def _ask(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with connect(Catalog(settings.catalog)) as connection:
        return connection.sql(sql).fetchall()


def _check_against_all_anew(settings: Settings) -> None:
    """Compare with what is shown once every row of detections was thrown away and made again."""
    shown = _ask(settings, _SHOWN)
    for path in settings.catalog.glob("segments/*/detections.parquet"):
        path.unlink()
    Catalog(settings.catalog).prepare()
    _run(settings)
    anew = _ask(settings, _SHOWN)
    assert [row[:-1] for row in anew] == [row[:-1] for row in shown]
    assert [row[-1] for row in anew] == pytest.approx([row[-1] for row in shown], abs=1e-5)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(heads, "_BLOCK", 7)
    settings = Settings(home=tmp_path)
    _add_photos(settings, 0, PHOTOS)
    return settings


def test_concepts_taught_one_by_one_photos_added_and_decisions_show_what_all_anew_would(
    settings: Settings,
) -> None:
    for number in range(3):
        _person(settings, number)
        _thing(settings, number)
        _run(settings)
    _add_photos(settings, PHOTOS, 20)
    _run(settings)
    found = query(Catalog(settings.catalog), "SELECT photo_id FROM hits WHERE concept = 'person1'").rows
    decide(settings, "person1", [f"/{photo}.jpg" for (photo,) in found[:3]], REJECT)
    decide(settings, "person1", [f"/{photo}.jpg" for (photo,) in found[3:5]], CONFIRM)
    _person(settings, 3)
    _run(settings)
    _person(settings, 0, version=2)
    _thing(settings, 1, version=2)
    Catalog(settings.catalog).compact()
    _run(settings)
    _person(settings, 4)
    _thing(settings, 4)
    _run(settings)
    shown = _ask(settings, _SHOWN)
    assert len(shown) == (PHOTOS + 20) * 9
    Catalog(settings.catalog).compact()
    assert _ask(settings, _SHOWN) == shown
    assert _ask(settings, "SELECT count(*) FROM all_detections") == [(len(shown),)]
    assert _run(settings) == {}
    _check_against_all_anew(settings)


def test_a_new_thing_adds_its_own_rows_and_no_others(settings: Settings) -> None:
    for number in range(4):
        _thing(settings, number)
        _run(settings)
        assert _ask(settings, "SELECT count(*) FROM all_detections") == [((number + 1) * PHOTOS,)]


def test_a_new_person_adds_their_rows_and_those_of_faces_that_changed_hands(settings: Settings) -> None:
    _person(settings, 0)
    _run(settings)
    before = dict(_ask(settings, "SELECT photo_id, face FROM detections"))
    _person(settings, 1)
    _run(settings)
    after = dict(_ask(settings, "SELECT photo_id, face FROM detections WHERE concept = 'person0'"))
    changed = [photo for photo in before if before[photo] != after[photo]]
    assert changed
    assert _ask(settings, "SELECT count(*) FROM all_detections") == [(2 * PHOTOS + len(changed),)]


def test_only_photos_that_were_no_hit_before_count_as_newly_found(settings: Settings) -> None:
    _person(settings, 0)
    _thing(settings, 0)
    assert _run(settings) == dict(_ask(settings, "SELECT concept, count(*) FROM hits GROUP BY ALL"))
    before = _hits(settings)
    _person(settings, 1)
    _thing(settings, 0, version=2)
    counted = _run(settings)
    new = {concept: len(photos - before.get(concept, set())) for concept, photos in _hits(settings).items()}
    assert counted == {concept: count for concept, count in new.items() if count}


def _hits(settings: Settings) -> dict[str, set[str]]:
    return {
        concept: set(photos)
        for concept, photos in _ask(settings, "SELECT concept, list(photo_id) FROM hits GROUP BY ALL")
    }


def test_what_was_said_of_a_face_is_looked_at_once(settings: Settings) -> None:
    _person(settings, 0)
    _run(settings)
    photo = _ask(settings, "SELECT min(photo_id) FROM hits")[0][0]
    decide(settings, "person0", [f"/{photo}.jpg"], REJECT)
    _run(settings)
    rows = _ask(settings, "SELECT count(*) FROM all_detections")
    _run(settings)
    assert _ask(settings, "SELECT count(*) FROM all_detections") == rows
    _check_against_all_anew(settings)
