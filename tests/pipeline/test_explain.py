"""`explain` says what a head goes by, and draws where the concept's embedding attends."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from myvlm_tag.cli import app
from myvlm_tag.pipeline.concepts import Concepts, Kept
from myvlm_tag.pipeline.explain import explain, write_picture
from myvlm_tag.pipeline.given import find_faces, read_files
from myvlm_tag.pipeline.models import load_models
from myvlm_tag.schemas.concept import Check, Concept, EmbeddingInfo, HeadInfo, TrainingPhoto
from myvlm_tag.schemas.errors import ConceptMissing, UsageProblem
from myvlm_tag.stages.heads.linear import LinearHead
from myvlm_tag.stages.heads.person import PersonHead
from myvlm_tag.tests.stages.vlm.checkpoints import write_llava
from PIL import Image
from typer.testing import CliRunner

from .conftest import write_photos


@pytest.fixture(scope="module")
def pack(tiny_pack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    for name in ("faces", "clip"):
        shutil.copytree(tiny_pack / name, folder / name)
    (folder / "llava").mkdir()
    write_llava(folder / "llava")
    return folder


@pytest.fixture
def settings(settings, pack):
    return replace(settings, models=str(pack))


@pytest.fixture
def photos(tmp_path):
    return write_photos(tmp_path / "photos", 2)  # the second has a face


@pytest.fixture
def keep(settings, photos):
    """Keep a concept learnt from the second photo, with that head."""

    def keep(name, head, box=None):
        used = TrainingPhoto("1.jpg", str(photos[1]), "x", box, ())
        kind = "person" if isinstance(head, PersonHead) else "object"
        infos = {"llava": EmbeddingInfo("llava x", {}, (), (), 1, 1.0)}
        info, check = HeadInfo("x", head.threshold, 1), Check(0, 0, 0, 0)
        concept = Concept(name, "sks", kind, "thing", "", 1, "2026", (used,), info, check, infos)
        vectors = {"llava": np.random.default_rng(0).normal(size=40).astype(np.float32)}
        Concepts(settings.home).save(Kept(concept, head, vectors), {"1.jpg": photos[1].read_bytes()}, b"")

    return keep


def test_a_face_is_shown_beside_the_one_it_is_most_like(settings, photos, keep, tmp_path):
    models = load_models(settings)
    face = find_faces(models, read_files(models, [photos[1]], 1, print))[0]
    keep("Mom", PersonHead(face.embedding[None], 0.5), face.box)
    found = explain(settings, photos[1], "mom", "", print)
    assert found.evidence.hit and found.evidence.score == pytest.approx(1, abs=1e-3)
    assert found.evidence.threshold == 0.5 and found.evidence.nearest.file == "1.jpg"
    assert found.evidence.image.shape[0] < found.image.shape[0]
    write_picture(found, tmp_path / "new" / "why.png")
    assert Image.open(tmp_path / "new" / "why.png").size[0] > 800


def test_a_photo_without_a_face_says_so_and_still_shows_the_attention(settings, photos, keep, tmp_path):
    keep("Mom", PersonHead(np.eye(1, 512, dtype=np.float32), 0.5), (0.0, 0.0, 10.0, 10.0))
    found = explain(settings, photos[0], "Mom", "llava", print)
    assert not found.evidence.hit and found.evidence.score is None
    assert "no face was found in it" in found.lines()
    assert found.attention.weights.shape == (2, 2) and (found.attention.weights > 0).all()
    write_picture(found, tmp_path / "why.png")


def test_a_thing_is_shown_beside_the_training_photo_most_like_it(settings, photos, keep, tmp_path):
    keep("mug", LinearHead(np.zeros(16, np.float32), 2.0, 0.5))
    out = tmp_path / "why.png"
    arguments = ["explain", photos[1], "--concept", "mug", "--out", out, "--home", settings.home]
    command = [*map(str, arguments), "--models", settings.models]
    done = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    told = json.loads(done.stdout)
    assert (told["hit"], told["kind"], told["nearest"]) == (True, "object", str(photos[1]))
    assert told["score"] == pytest.approx(0.8808, abs=1e-3) and told["likeness"] > 0.99
    assert np.shape(told["attention"]) == (2, 2) and told["picture"] == str(out) and out.is_file()
    assert "mug is in it, says the head" in CliRunner().invoke(app, command).stdout


def test_what_cannot_be_explained_is_one_line(settings, photos, keep, tmp_path):
    keep("mug", LinearHead(np.zeros(16, np.float32), 2.0, 0.5))
    with pytest.raises(ConceptMissing):
        explain(settings, photos[0], "cup", "", print)
    with pytest.raises(UsageProblem, match="there is no photo"):
        explain(settings, tmp_path / "gone.jpg", "mug", "", print)
    with pytest.raises(UsageProblem, match="no vision-language model 'gpt'"):
        explain(settings, photos[0], "mug", "gpt", print)
