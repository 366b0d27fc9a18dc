"""Faces that are nobody's: grouped by person, ignored for good, found again by likeness."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from myvlm_tag.cli import app
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.decisions import ignore_faces
from myvlm_tag.pipeline.models import load_models
from myvlm_tag.pipeline.unknown import clusters, photos_of_cluster
from myvlm_tag.schemas.paths import to_text
from myvlm_tag.schemas.settings import Settings, load_settings
from myvlm_tag.schemas.tables import DETECTIONS, FACE_DIM, FACES, FEATURES, FILES, PHOTOS
from PIL import Image
from typer.testing import CliRunner


def faces_of(person: int, count: int) -> np.ndarray:
    """Embeddings of one person: one direction, and a little of chance."""
    rng = np.random.default_rng(person)
    near = rng.normal(size=FACE_DIM) + 0.1 * rng.normal(size=(count, FACE_DIM))
    return (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float16)


@pytest.fixture
def settings(tmp_path: Path, light_pack: Path) -> Settings:
    return load_settings(
        {"home": tmp_path / "home", "models": str(light_pack)}, environ={}, config=tmp_path / "n"
    )


@pytest.fixture
def library(tmp_path: Path, settings: Settings) -> list[Path]:
    """Nine photos with a face each: five of one person, three of another, one of a third."""
    vectors = np.concatenate([faces_of(1, 5), faces_of(2, 3), faces_of(3, 1)])
    return add_photos(tmp_path / "photos", settings, vectors)


def add_photos(
    folder: Path, settings: Settings, vectors: Sequence[np.ndarray], prefix: str = "p"
) -> list[Path]:
    folder.mkdir(exist_ok=True)
    made_by = load_models(settings).wanted.made_by["faces"]
    paths = [folder / f"{prefix}{number}.jpg" for number in range(len(vectors))]
    rows: dict[str, list[dict]] = {"photos": [], "files": [], "features": [], "faces": []}
    for path, vector in zip(paths, vectors, strict=True):
        Image.new("RGB", (60, 40), (90, 60, 30)).save(path)
        same = {"photo_id": to_text(path.stem), "run_id": "0"}
        rows["photos"].append({**same, "width": 60, "height": 40, "made_by": "decode"})
        rows["files"].append(
            {**same, "path": to_text(path), "size": 1, "mtime_ns": 0, "root": "/", "gone": False}
        )
        rows["features"].append({**same, "stage": "faces", "items": 1, "made_by": made_by})
        box = {"x0": 10.0, "y0": 10.0, "x1": 30.0, "y1": 30.0}
        rows["faces"].append({**same, "face": 0, **box, "embedding": vector.tobytes(), "made_by": made_by})
    schemas = {"photos": PHOTOS, "files": FILES, "features": FEATURES, "faces": FACES}
    catalog = Catalog(settings.catalog)
    catalog.prepare()
    catalog.commit({name: pa.Table.from_pylist(some, schemas[name]) for name, some in rows.items()})
    return paths


def invoke(settings: Settings, *arguments: object) -> str:
    where = ["--home", str(settings.home), "--models", settings.models]
    done = CliRunner().invoke(app, [*map(str, arguments), *where], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_faces_are_grouped_by_person_with_a_contact_sheet_each(
    settings: Settings, library: list[Path]
) -> None:
    told = json.loads(invoke(settings, "unknown", "--json"))
    assert [group["faces"] for group in told] == [5, 3]
    for group in told:
        with Image.open(group["sheet"]) as sheet:
            assert sheet.width >= 160
    assert json.loads(invoke(settings, "unknown", "--json")) == told


def test_a_group_gives_the_photos_to_learn_from(settings: Settings, library: list[Path]) -> None:
    with photos_of_cluster(settings, clusters(settings)[1].name) as (folder, sources):
        assert {path.resolve() for path in folder.iterdir()} == set(library[5:8])
        assert sources == {path.stem: str(path) for path in library[5:8]}


def test_an_ignored_person_is_never_asked_about_again_not_even_in_new_photos(
    settings: Settings, library: list[Path], tmp_path: Path
) -> None:
    invoke(settings, "ignore", "--cluster", clusters(settings)[0].name)
    assert [len(group.faces) for group in clusters(settings)] == [3]
    add_photos(tmp_path / "photos", settings, faces_of(1, 8)[5:], "new")
    assert [len(group.faces) for group in clusters(settings)] == [3]


def test_faces_are_somebodys_or_ignored_by_the_numbers_of_the_faces_model_in_use_alone(
    settings: Settings, library: list[Path]
) -> None:
    catalog, in_use = Catalog(settings.catalog), load_models(settings).wanted.made_by["faces"]

    def find(faces_model: str, run_id: str) -> None:
        made_by = f"anna v1 of 2026 head 1 on {faces_model}"
        hit = {"concept": "Anna", "hit": True, "face": 0, "made_by": made_by, "run_id": run_id}
        rows = [{"photo_id": path.stem, **hit} for path in library[:5]]
        catalog.commit({"detections": pa.Table.from_pylist(rows, DETECTIONS)})

    ignore_faces(catalog, [("p5", 0)], "faces of another model")
    find("faces of another model", "1")
    assert [len(group.faces) for group in clusters(settings)] == [5, 3]
    find(in_use, "2")
    assert [len(group.faces) for group in clusters(settings)] == [3]


def test_a_group_that_is_not_there_is_one_line(settings: Settings, library: list[Path]) -> None:
    done = CliRunner().invoke(app, ["ignore", "--cluster", "x", "--home", str(settings.home)])
    assert "myvlm-tag unknown" in str(done.exception)


def test_similar_faces_are_found_by_likeness(settings: Settings, library: list[Path]) -> None:
    told = json.loads(invoke(settings, "similar", f"{library[5]}#1", "--face", "--limit", 2, "--json"))
    assert {row["path"] for row in told} == {str(path) for path in library[6:8]}
    assert told[0]["score"] >= told[1]["score"]


def test_a_page_can_be_made_for_a_photo_of_any_name(settings: Settings, tmp_path: Path) -> None:
    photo = add_photos(tmp_path / "photos", settings, faces_of(1, 3), os.fsdecode(b"caf\xe9"))[0]
    page = tmp_path / "page.html"
    invoke(settings, "similar", f"{photo}#1", "--face", "--html", page)
    assert f"<h1>like {to_text(photo)}#1</h1>" in page.read_text("utf-8")
