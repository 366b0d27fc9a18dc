"""The pocket face pack as insightface loads it, on photos of people whom no recipe has seen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from myvlm_tag.world.identity import Person, sample_person
from myvlm_tag.world.measure.faces import BARS, PACK
from myvlm_tag.world.measure.faces_trial import Trial, observe
from myvlm_tag.world.render import jpeg, render
from myvlm_tag.world.scene import sample_scene

MEBIBYTE = 2**20
UNSEEN = 7_000_000
"""Neither a recipe's seed nor the measure's."""

FRESH = """
import sys
import numpy as np
from insightface.app import FaceAnalysis

app = FaceAnalysis(name=sys.argv[1], allowed_modules=["detection", "recognition"])
app.prepare(ctx_id=-1, det_size=(640, 640))
faces = app.get(np.load(sys.argv[2])[..., ::-1])
print(sorted(app.models), len(faces), {face.embedding.shape for face in faces})
"""


def photos(people: list[Person], count: int, seed: int) -> Trial:
    """What the pack finds in `count` photos of `people`, seen from the front, with nobody else around."""
    rng = np.random.default_rng([UNSEEN, seed])
    trial = Trial()
    for photo in range(count):
        scene = sample_scene(rng, people, strangers=False, facing="front")
        trial.extend(observe(PACK, jpeg(render(scene, 768), 90), scene, seed, photo))
    return trial


@pytest.fixture(scope="module")
def couple() -> Trial:
    """Eight photos that show the same two people."""
    rng = np.random.default_rng([UNSEEN, 0])
    return photos([sample_person(rng), sample_person(rng)], 8, seed=0)


def test_pack_loads_through_face_analysis_in_a_fresh_process_offline(tmp_path: Path) -> None:
    rng = np.random.default_rng([UNSEEN, 1])
    scene = sample_scene(rng, [sample_person(rng)], [], strangers=False, facing="front")
    np.save(tmp_path / "photo.npy", render(scene, 768))
    result = subprocess.run(
        [sys.executable, "-c", FRESH, str(PACK), str(tmp_path / "photo.npy")],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.splitlines()[-1] == "['detection', 'recognition'] 1 {(512,)}"
    assert not list(tmp_path.glob(".insightface/**/*.onnx")), "nothing may be fetched"


def test_pack_is_found_by_name_under_a_root_like_buffalo_l(tmp_path: Path) -> None:
    from insightface.app import FaceAnalysis

    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "pocket").symlink_to(PACK)
    app = FaceAnalysis("pocket", root=str(tmp_path), allowed_modules=["detection", "recognition"])
    assert sorted(app.models) == ["detection", "recognition"]


def test_faces_of_a_rendered_photo_are_found_where_they_are(couple: Trial) -> None:
    found = [a for a in couple.appearances if a.embedding is not None]
    assert len(couple.appearances) >= 12
    assert len(found) == len(couple.appearances)
    assert couple.false_detections == 0


def test_landmarks_lie_near_the_truth(couple: Trial) -> None:
    assert max(a.landmark_error for a in couple.appearances) < 0.08
    assert np.mean([a.landmark_error for a in couple.appearances]) < 0.04


def test_a_person_is_nearer_to_their_own_photos_than_to_another_person(couple: Trial) -> None:
    faces = [a for a in couple.appearances if a.embedding is not None]
    embeddings = np.stack([a.embedding for a in faces if a.embedding is not None])
    same = np.equal.outer([a.person for a in faces], [a.person for a in faces])
    cosine = embeddings @ embeddings.T
    apart = ~np.eye(len(faces), dtype=bool)
    assert cosine[same & apart].min() > cosine[~same].max()


def test_the_stored_threshold_keeps_one_person_and_rejects_the_other(couple: Trial) -> None:
    threshold = json.loads((PACK / "pack.json").read_text())["person_threshold"]
    faces = [a for a in couple.appearances if a.embedding is not None]
    embeddings = np.stack([a.embedding for a in faces if a.embedding is not None])
    person = np.array([a.person for a in faces])
    for name in np.unique(person):
        kept = np.flatnonzero(person == name)[:4]
        distance = (1 - embeddings @ embeddings[kept].T).min(axis=1)
        assert (distance[person == name] <= threshold).all()
        assert (distance[person != name] > threshold).all()


def test_a_photo_without_people_has_no_faces() -> None:
    rng = np.random.default_rng([UNSEEN, 2])
    trial = Trial()
    for photo in range(4):
        scene = sample_scene(rng, [], strangers=False)
        trial.extend(observe(PACK, jpeg(render(scene, 768), 90), scene, 0, photo))
    assert (trial.appearances, trial.false_detections) == ([], 0)


def test_every_file_keeps_within_its_size() -> None:
    sizes = {path.name: path.stat().st_size for path in PACK.iterdir()}
    assert sum(name.endswith(".onnx") for name in sizes) == 2
    assert max(sizes.values()) <= 16 * MEBIBYTE
    assert sum(sizes.values()) <= 8 * MEBIBYTE


def test_the_model_card_names_every_figure_that_is_measured() -> None:
    card = (PACK / "MODEL_CARD.md").read_text()
    assert [name for name in BARS if name not in card] == []
