"""`explain` says what a head goes by, and draws where the concept's embedding attends."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from myvlm_tag.cli import app
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concepts import Concepts, Kept
from myvlm_tag.pipeline.decisions import CONFIRM, REJECT, decide
from myvlm_tag.pipeline.explain import explain, verdict, write_picture
from myvlm_tag.pipeline.given import find_faces, read_files, stage_of
from myvlm_tag.pipeline.heads import score_library
from myvlm_tag.pipeline.models import fingerprint_of, load_models
from myvlm_tag.pipeline.progress import Progress
from myvlm_tag.pipeline.views import query
from myvlm_tag.schemas.concept import Check, Concept, EmbeddingInfo, HeadInfo, TrainingPhoto
from myvlm_tag.schemas.errors import ConceptMissing, ConceptOutdated, PhotosUnusable, UsageProblem
from myvlm_tag.schemas.tables import TABLES
from myvlm_tag.stages.clip import Clip
from myvlm_tag.stages.faces import Faces
from myvlm_tag.stages.heads.linear import LinearHead
from myvlm_tag.stages.heads.person import PersonHead
from myvlm_tag.stages.packs import find_pack
from myvlm_tag.stages.scan import photo_id
from myvlm_tag.stages.vlm.families import choose
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
    """Keep a concept learnt from the second photo, with that head; by other models where they are named."""

    def keep(name, head, box=None, features="", vlm=""):
        used = TrainingPhoto("1.jpg", str(photos[1]), "x", box, ())
        kind = "person" if isinstance(head, PersonHead) else "object"
        made_by = vlm or fingerprint_of(choose(find_pack(settings.models)), settings)
        infos = {"llava": EmbeddingInfo(f"llava {made_by}", {}, (), (), 1, 1.0)}
        own = features or stage_of(load_models(settings), Faces if kind == "person" else Clip).made_by
        info, check = HeadInfo(own, head.threshold, 1), Check(0, 0, 0, 0)
        concept = Concept(name, "sks", kind, "thing", "", 1, "2026", (used,), info, check, infos)
        vectors = {"llava": np.random.default_rng(0).normal(size=40).astype(np.float32)}
        Concepts(settings.home).save(Kept(concept, head, vectors), {"1.jpg": photos[1].read_bytes()}, b"")

    return keep


@pytest.fixture
def faces(settings, photos):
    """Those that the detector of bright squares sees in the second photo; there are many."""
    models = load_models(settings)
    return find_faces(models, read_files(models, [photos[1]], 1, print))


@pytest.fixture
def face(faces):
    """The one that is least like the others."""
    embeddings = np.stack([one.embedding for one in faces])
    alike = embeddings @ embeddings.T - 2 * np.eye(len(faces))
    return faces[int(alike.max(axis=1).argmin())]


@pytest.fixture
def catalog(settings, photos, faces):
    """Knows both photos, and the faces in the second."""
    catalog = Catalog(settings.catalog)
    catalog.prepare()
    made = {"made_by": stage_of(load_models(settings), Faces).made_by, "run_id": "01"}
    photo, place = photo_id(photos[1]), {"size": 1, "mtime_ns": 1, "root": "/", "gone": False}
    packed = [one.embedding.astype(np.float16).tobytes() for one in faces]
    rows = {
        "files": [{"path": str(path), "photo_id": photo_id(path), **place} for path in photos],
        "features": [{"photo_id": photo, "stage": "faces", "items": len(faces)}],
        "faces": [{"photo_id": photo, "face": number, "embedding": one} for number, one in enumerate(packed)],
    }
    catalog.commit(
        {
            name: pa.Table.from_pylist([made | row for row in some], TABLES[name])
            for name, some in rows.items()
        }
    )
    return catalog


def _turned(face, by):
    """A face of someone else, so far from this one (cosine distance)."""
    aside = np.eye(1, 512, dtype=np.float32)[0]
    aside -= (aside @ face.embedding) * face.embedding
    return ((1 - by) * face.embedding + (1 - (1 - by) ** 2) ** 0.5 * aside / np.linalg.norm(aside))[None]


def test_a_face_is_shown_beside_the_one_it_is_most_like(settings, photos, face, keep, tmp_path):
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


def test_a_face_belongs_to_whom_it_is_nearest_to_as_in_a_run(settings, photos, face, keep, catalog):
    keep("Mom", PersonHead(_turned(face, 0.01), 0.02))  # this face alone is near enough
    keep("Tom", PersonHead(_turned(face, 0.005), 0.5))
    keep("Pam", PersonHead(_turned(face, 0.02), 0.5))  # takes another one
    keep("Far", PersonHead(_turned(face, 0.9), 0.02))
    score_library(catalog, settings, "02", Progress(quiet=True))
    rows = query(catalog, "SELECT concept, hit, score FROM detections").rows
    assert {name: hit for name, hit, _ in rows} == {"Mom": False, "Tom": True, "Pam": True, "Far": False}
    for name, hit, score in rows:
        found = explain(settings, photos[1], name, "", print)
        assert (found.evidence.hit, found.evidence.score) == (hit, pytest.approx(score, abs=1e-3))
        assert ("but it is nearer to Tom" in found.lines()) == (name == "Mom")


def test_what_was_said_of_a_photo_and_its_face_is_told_and_heeded(settings, photos, face, keep, catalog):
    keep("Mom", PersonHead(_turned(face, 0.01), 0.02))
    score_library(catalog, settings, "02", Progress(quiet=True))
    assert explain(settings, photos[1], "Mom", "", print).record()["decision"] is None
    decide(settings, "Mom", [str(photos[1])], REJECT)
    found = explain(settings, photos[1], "Mom", "", print)
    assert verdict(found) == "Mom is not in it, says the head; you said it isn't"
    assert "but it is nearer to a face that you said isn't Mom" in found.lines()
    decide(settings, "Mom", [str(photos[0])], CONFIRM)
    found = explain(settings, photos[0], "Mom", "", print)
    assert verdict(found) == "Mom is not in it, says the head; you said it is"
    assert found.record()["decision"] == "confirm" and not found.evidence.against


@pytest.mark.parametrize(
    ("head", "other", "words"),
    [
        (PersonHead(np.eye(1, 512, dtype=np.float32), 0.5), {"features": "faces old"}, "the face models in"),
        (LinearHead(np.zeros(9, np.float32), 2.0, 0.5), {"features": "clip old"}, "the CLIP models in use"),
        (LinearHead(np.zeros(16, np.float32), 2.0, 0.5), {"vlm": "old"}, "llava as it is now"),
    ],
)
def test_what_was_learnt_with_other_models_is_to_be_learnt_anew(settings, photos, keep, head, other, words):
    keep("it", head, **other)
    with pytest.raises(ConceptOutdated, match=f"'it' isn't learnt with {words}.*concepts retrain 'it'"):
        explain(settings, photos[1], "it", "", print)


def test_what_cannot_be_explained_is_one_line(settings, photos, keep, tmp_path):
    keep("mug", LinearHead(np.zeros(16, np.float32), 2.0, 0.5))
    with pytest.raises(ConceptMissing):
        explain(settings, photos[0], "cup", "", print)
    with pytest.raises(UsageProblem, match="there is no photo"):
        explain(settings, tmp_path / "gone.jpg", "mug", "", print)
    with pytest.raises(UsageProblem, match="no vision-language model 'gpt'"):
        explain(settings, photos[0], "mug", "gpt", print)
    (tmp_path / "notes.txt").write_text("dear all")
    with pytest.raises(PhotosUnusable, match=r"can't read .*notes.txt; name another photo$"):
        explain(settings, tmp_path / "notes.txt", "mug", "", print)


def test_its_picture_never_takes_the_place_of_a_photo(settings, photos, keep, tmp_path):
    keep("mug", LinearHead(np.zeros(16, np.float32), 2.0, 0.5))
    found = explain(settings, photos[1], "mug", "", print)
    before = photos[0].read_bytes()
    with pytest.raises(UsageProblem, match="photos are never overwritten; name another file: --out FILE"):
        write_picture(found, photos[0])
    assert photos[0].read_bytes() == before
    drawn = tmp_path / "why.png"
    for _ in range(2):
        write_picture(found, drawn)  # its own may be drawn anew, unless it is what is asked about
    arguments = ["explain", drawn, "--concept", "mug", "--out", drawn, "--home", settings.home]
    done = CliRunner().invoke(app, [*map(str, arguments), "--models", settings.models])
    assert isinstance(done.exception, UsageProblem) and "never overwritten" in str(done.exception)
