"""What the person says of photos holds at once, and teaches the heads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from myvlm_tag.cli import app
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concepts import Concepts, Kept
from myvlm_tag.pipeline.models import load_models
from myvlm_tag.schemas.concept import Check, Concept, HeadInfo
from myvlm_tag.schemas.settings import Settings, load_settings
from myvlm_tag.schemas.tables import FACE_DIM, FACES, FEATURES
from myvlm_tag.stages.heads.person import PersonHead
from typer.testing import CliRunner

from .test_unknown import add_photos

ANNA, SISTER = np.eye(2, FACE_DIM)
ALIKE = 0.7  # how much Anna's sister looks like her: nearer than the threshold


def _faces(count: int, way: np.ndarray, seed: int) -> np.ndarray:
    """One person's faces: a direction, and a little of chance."""
    vectors = way + 0.1 * np.random.default_rng(seed).normal(size=(count, FACE_DIM)) / np.sqrt(FACE_DIM)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def _sister(count: int, seed: int) -> np.ndarray:
    return _faces(count, ALIKE * ANNA + np.sqrt(1 - ALIKE**2) * SISTER, seed)


@pytest.fixture
def settings(tmp_path: Path, light_pack: Path) -> Settings:
    flags = {"home": tmp_path / "home", "models": str(light_pack)}
    return load_settings(flags, environ={}, config=tmp_path / "none")


@pytest.fixture
def library(tmp_path: Path, settings: Settings) -> list[Path]:
    """Three photos of Anna, then three of her sister; Anna is known by one face."""
    faces = np.concatenate([_faces(3, ANNA, 1), _sister(3, 2)])
    paths = add_photos(tmp_path / "photos", settings, list(faces))
    made_by = load_models(settings).wanted.made_by["faces"]
    concept = Concept(
        "Anna", "Anna", "person", "woman", "", 1, "2026", (), HeadInfo(made_by, 0.5, 1), Check(0, 0, 0, 0), {}
    )
    head = PersonHead(_faces(1, ANNA, 3).astype(np.float32), 0.5)
    Concepts(settings.home).save(Kept(concept, head, {}), {}, b"")
    return paths


def _score(settings: Settings, library: list[Path]) -> list[str]:
    """The photos Anna is found in, after the heads looked at what is to be looked at."""
    _invoke(settings, "run", library[0].parent, "--only", "heads", "--models", settings.models)
    return _hits(settings)


def _invoke(settings: Settings, *arguments: object) -> str:
    where = ["--home", str(settings.home)]
    done = CliRunner().invoke(app, [*map(str, arguments), *where], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def _hits(settings: Settings) -> list[str]:
    rows: list[dict[str, Any]] = json.loads(
        _invoke(settings, "sql", "SELECT photo_id FROM hits ORDER BY 1", "--json")
    )
    return [row["photo_id"] for row in rows]


def test_a_rejected_face_takes_all_faces_like_it_along_and_a_new_copy_too(
    settings: Settings,
    library: list[Path],
    tmp_path: Path,
) -> None:
    assert _score(settings, library) == ["p0", "p1", "p2", "p3", "p4", "p5"]
    _invoke(settings, "reject", "Anna", library[3])
    assert _hits(settings) == ["p0", "p1", "p2", "p4", "p5"]
    add_photos(tmp_path / "photos", settings, list(_sister(1, 2)), "copy")
    assert _score(settings, library) == ["p0", "p1", "p2"]
    assert _score(settings, library) == ["p0", "p1", "p2"]


def test_a_decision_that_is_taken_back_teaches_no_more(settings: Settings, library: list[Path]) -> None:
    _score(settings, library)
    _invoke(settings, "reject", "Anna", library[3])
    _score(settings, library)
    _invoke(settings, "confirm", "Anna", library[3])
    assert _hits(settings) == ["p0", "p1", "p2", "p3"]
    assert _score(settings, library) == ["p0", "p1", "p2", "p3", "p4", "p5"]


def test_a_face_that_another_faces_model_numbered_is_neither_shown_nor_decided_upon(
    settings: Settings, library: list[Path]
) -> None:
    _score(settings, library)
    shown = "SELECT face, x0 FROM people WHERE photo_id = 'p0'"
    assert json.loads(_invoke(settings, "sql", shown, "--json")) == [{"face": 0, "x0": 10.0}]
    same = {"photo_id": "p0", "made_by": "faces of another model", "run_id": "9"}
    faces = [{**same, "face": number, "x0": 40.0} for number in range(2)]
    gone_through = [{**same, "photo_id": path.stem, "stage": "faces", "items": 2} for path in library]
    Catalog(settings.catalog).commit(
        {
            "faces": pa.Table.from_pylist(faces, FACES),
            "features": pa.Table.from_pylist(gone_through, FEATURES),
        }
    )
    assert json.loads(_invoke(settings, "sql", shown, "--json")) == [{"face": None, "x0": None}]
    _invoke(settings, "reject", "Anna", library[0])
    said = json.loads(_invoke(settings, "sql", "SELECT verdict, face, made_by FROM decisions", "--json"))
    assert said == [{"verdict": "reject", "face": None, "made_by": None}]
