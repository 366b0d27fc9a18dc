"""The stages with the packaged models, on photos of the sample world."""

from pathlib import Path

import numpy as np
import pytest
from myvlm_tag.schemas.errors import ModelMissing
from myvlm_tag.stages.clip import Clip, TextTower
from myvlm_tag.stages.faces import Faces
from myvlm_tag.stages.packs import POCKET, locate
from myvlm_tag.world.render import render
from myvlm_tag.world.scene import sample_scene
from myvlm_tag.world.truth import truth
from PIL import Image

HOME = Path("nowhere")


def packaged(kind):
    model = POCKET.of_kind(kind)[0]
    try:
        locate(model, HOME)
    except ModelMissing as error:
        pytest.skip(str(error))
    return model


@pytest.fixture(scope="module")
def scenes():
    random = np.random.default_rng(3)
    return [sample_scene(random) for _ in range(12)]


@pytest.fixture(scope="module")
def files(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    for number, scene in enumerate(scenes):
        Image.fromarray(render(scene, 768)).save(folder / f"{number:02d}.jpg", quality=92)
    return sorted(folder.iterdir())


def test_the_packaged_face_models_find_and_tell_the_people_of_the_sample_world(scenes, files, decode):
    stage = Faces(packaged("faces"), HOME, "pocket")
    stage.setup()
    rows = stage(decode(files))["faces"].to_pylist()
    there = found = 0
    for scene, faces in zip(scenes, rows, strict=True):
        for entity in truth(scene):
            if entity.face_box is None or entity.face_box[3] - entity.face_box[1] < 0.05:
                continue
            x, y = (np.array(entity.face_box).reshape(2, 2).mean(axis=0) * 768).tolist()
            there += 1
            found += any(face["x0"] < x < face["x1"] and face["y0"] < y < face["y1"] for face in faces)
    assert there >= 5
    assert found >= 0.9 * there
    vectors = [np.frombuffer(face["embedding"], np.float16) for faces in rows for face in faces]
    assert np.linalg.norm(np.array(vectors, np.float32), axis=1) == pytest.approx(1, abs=2e-3)


def test_the_packaged_clip_model_puts_photos_and_sentences_in_one_space(files, decode):
    model = packaged("clip")
    stage = Clip(model, HOME, "pocket")
    stage.setup()
    vectors = [np.frombuffer(value, np.float16) for value in stage(decode(files))["clip"].to_pylist()]
    texts = TextTower(locate(model, HOME)).encode(["a dog on a beach", "a woman in a kitchen"])
    assert np.linalg.norm(np.array(vectors, np.float32), axis=1) == pytest.approx(1, abs=2e-3)
    assert texts.shape == (2, len(vectors[0]))
