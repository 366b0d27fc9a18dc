"""Learning from a folder of photos, with the pocket models on people and things they never saw."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from myvlm_tag.cli import app
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concept_rows import rename
from myvlm_tag.pipeline.concepts import Concepts
from myvlm_tag.pipeline.given import find_faces, read_files
from myvlm_tag.pipeline.learn import Request, learn, retrain
from myvlm_tag.pipeline.models import load_models
from myvlm_tag.pipeline.unknown import clusters
from myvlm_tag.schemas.errors import PhotosUnusable, UsageProblem
from myvlm_tag.schemas.settings import Settings
from myvlm_tag.schemas.tables import TABLES
from myvlm_tag.stages import scan
from myvlm_tag.stages.heads.linear import probabilities
from myvlm_tag.stages.packs import POCKET, folder_of, missing_files
from myvlm_tag.stages.vlm.lessons import Plan
from myvlm_tag.stages.vlm.recipe import Recipe
from myvlm_tag.world.sample import write_sample
from PIL import Image
from typer.testing import CliRunner

from .test_negatives import library_of

USED = [model for model in POCKET.models if model.key in ("faces", "clip", "llava")]
LACKING = [model.key for model in USED if missing_files(model, folder_of(model, Path()))]

pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"pocket models not trained yet: {LACKING}")


def _request(name, folder, **changes):
    """As few steps as show that everything runs; what full learning reaches is measured elsewhere."""
    plan = Plan(variants=4, questions=False)
    return Request(
        name, folder, **{"recipe": Recipe(steps=10, rate=0.15, start="words"), "plan": plan, **changes}
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample")
    return write_sample(out, photos=1, seed=4242)


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


def _folder(sample, name):
    return sample.out / "concepts" / name


def _photos_of(sample, name):
    return sorted(path for path in _folder(sample, name).iterdir() if path.suffix != ".json")


def test_five_photos_of_a_person_become_a_concept_that_says_how_sure_it_is(sample, settings):
    name, told = sample.people[0], []
    concept = learn(settings, _request(name, _folder(sample, name)), told.append)
    assert (concept.kind, concept.version, len(concept.photos)) == ("person", 1, 5)
    assert "person: the same face in 5 of 5 photos" in told
    assert (concept.check.photos, concept.check.found) == (5, 5)
    assert concept.class_word in ("woman", "man", "boy", "girl")
    # In the fifth they have company, and its caption counts only if it tells the two apart.
    assert sum(bool(photo.captions) for photo in concept.photos) >= 4
    assert all(photo.box for photo in concept.photos)
    kept = Concepts(settings.home).load(name)
    assert kept.concept == concept and kept.head.embeddings.shape == (5, 512)
    folder = Concepts(settings.home).path(name)
    assert Image.open(folder / "report.png").size[0] > 600
    copies = sorted(path.read_bytes() for path in (folder / "photos").iterdir())
    assert copies == sorted(path.read_bytes() for path in _folder(sample, name).iterdir())


def test_photos_of_a_thing_become_a_linear_head(sample, settings):
    name, told = sample.things[0], []
    concept = learn(settings, _request(name, _folder(sample, name)), told.append)
    assert concept.kind == "object" and any(line.startswith("object: ") for line in told)
    assert concept.head.negatives == 150 and concept.check.negatives == 150
    assert concept.check.found >= 4 and concept.check.rejected > 100
    assert Concepts(settings.home).load(name).head.weight.ndim == 1


def test_learning_again_makes_a_new_version_from_what_was_kept(sample, settings, tmp_path):
    name = sample.people[1]
    folder = tmp_path / "photos"
    shutil.copytree(_folder(sample, name), folder)
    first = learn(settings, _request(name, folder))
    shutil.rmtree(folder)
    again = retrain(settings, name)
    assert (again.version, again.identifier, again.kind) == (2, first.identifier, "person")
    assert [photo.photo_id for photo in again.photos] == [photo.photo_id for photo in first.photos]


def test_a_name_in_another_case_is_the_same_concept_and_its_spelling_stays(sample, settings, tmp_path):
    shutil.copy(_photos_of(sample, sample.people[1])[0], tmp_path)
    made = [learn(settings, _request(name, tmp_path, kind="person")) for name in ("Gran", "GRAN")]
    assert [(concept.name, concept.version) for concept in made] == [("Gran", 1), ("Gran", 2)]
    assert [concept.name for concept in Concepts(settings.home).all()] == ["Gran"]


def test_several_models_learn_from_one_look_at_the_photos_and_learning_again_keeps_them(
    sample, settings, tmp_path
):
    names = {"faces": "faces", "clip": "clip", "llava": "llava", "llava-too": "llava"}
    for name, weights in names.items():
        model = next(model for model in USED if model.key == weights)
        (tmp_path / name).symlink_to(folder_of(model, Path()))
    settings = dataclasses.replace(settings, models=str(tmp_path))
    folder = tmp_path / ".photos"
    shutil.copytree(_folder(sample, sample.things[0]), folder)
    concept = learn(settings, _request("mug", folder, vlm="llava-too, llava"))
    assert list(concept.embeddings) == ["llava-too", "llava"]
    for name, info in concept.embeddings.items():
        assert info.made_by.startswith(f"{name} ") and len(info.losses) == 10
        assert info.seconds["embedding"] > 0
    kept = Concepts(settings.home).load("mug")
    assert set(kept.vectors) == {"llava", "llava-too"}
    files = {path.name for path in Concepts(settings.home).path("mug").glob("embedding.*")}
    assert files == {"embedding.llava.safetensors", "embedding.llava-too.safetensors"}
    told = []
    assert list(retrain(settings, "mug", told.append, vlm="llava").embeddings) == ["llava"]


def test_a_concept_learnt_anew_keeps_what_was_given_for_it_and_where_that_came_from(
    sample, settings, tmp_path
):
    name, told = sample.things[0], []
    others, folder = tmp_path / "others", _folder(sample, name)
    others.mkdir()
    for path in _photos_of(sample, sample.things[1])[:3]:
        shutil.copy(path, others)
    first = learn(settings, _request(name, folder, negatives=others))
    assert first.head.negatives == 3
    again = retrain(settings, name, told.append)
    assert again.version == 2 and again.head.negatives == 3
    assert "told apart from 3 photos that you gave for it" in told
    assert [photo.source for photo in again.photos] == [photo.source for photo in first.photos]
    assert all(Path(photo.source).parent == folder for photo in again.photos)


def test_the_models_that_the_settings_name_learn_unless_others_are_asked_for(sample, settings):
    folder = _folder(sample, sample.things[0])
    chosen = dataclasses.replace(settings, vlm="minigpt-v2")
    assert list(learn(chosen, _request("mug", folder)).embeddings) == ["minigpt_v2"]
    assert list(learn(chosen, _request("mug", folder, vlm="llava")).embeddings) == ["llava"]


def test_a_photo_that_cannot_be_opened_is_left_out_and_the_others_teach(
    sample, settings, tmp_path, monkeypatch
):
    folder, told = tmp_path / "photos", []
    shutil.copytree(_folder(sample, sample.things[0]), folder)
    shut = min(path for path in folder.iterdir() if path.suffix != ".json")

    def photo_id(path):
        if path == shut:
            raise PermissionError(13, "Permission denied")
        return scan.photo_id(path)

    monkeypatch.setattr("myvlm_tag.pipeline.given.photo_id", photo_id)
    concept = learn(settings, _request("mug", folder), told.append)
    assert f"{shut.name} is left out: it can't be opened: Permission denied" in told
    assert concept.photos and shut.name not in [Path(photo.source).name for photo in concept.photos]


def test_looking_at_things_leaves_the_models_that_follow_all_the_threads(sample, settings):
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        learn(settings, _request("mug", _folder(sample, sample.things[0])))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_what_the_person_said_of_the_library_teaches_the_next_version(
    sample,
    settings,
):
    name, told = sample.things[0], []
    first = learn(settings, _request(name, _folder(sample, name)))
    heads = [Concepts(settings.home).load(name).head]
    rng = np.random.default_rng(0)
    like = heads[0].weight / np.linalg.norm(heads[0].weight) + 0.02 * rng.normal(
        size=(2, len(heads[0].weight))
    )
    like = (like / np.linalg.norm(like, axis=1, keepdims=True)).astype(np.float32)
    library_of(settings.catalog, first.head.made_by, said=like)
    for verdict, photo in (("reject", "/said-0.jpg"), ("confirm", "/said-1.jpg")):
        done = CliRunner().invoke(app, [verdict, name, photo, "--home", str(settings.home)])
        assert done.exit_code == 0, done.stderr
    again = learn(settings, _request(name, _folder(sample, name)), told.append)
    assert "and by what you said: 1 confirmed, 1 rejected" in told
    assert again.head.examples == first.head.examples + 1
    assert again.head.negatives == first.head.negatives + 1
    assert again.check.photos == first.check.photos
    heads.append(Concepts(settings.home).load(name).head)
    before, after = probabilities(like[:1], heads)[0]
    assert after < before


def test_one_photo_is_enough_and_unreadable_ones_are_told_by_name(sample, settings, tmp_path):
    name, told = sample.people[2], []
    good = min(_folder(sample, name).glob("*.JPG"))
    shutil.copy(good, tmp_path / "good.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"no photo at all")
    (tmp_path / "empty.png").touch()
    concept = learn(settings, _request("gran", tmp_path, kind="person"), told.append)
    assert [photo.source for photo in concept.photos] == [str(tmp_path / "good.jpg")]
    assert concept.check.photos == 0
    assert [line.split(" is left out")[0] for line in told[:2]] == ["bad.jpg", "empty.png"]


def test_what_the_person_wrote_is_learnt_and_kept_whatever_the_name_is_later(sample, settings, tmp_path):
    name = sample.people[0]
    folder = tmp_path / "photos"
    shutil.copytree(_folder(sample, name), folder)
    first = min(folder.iterdir())
    first.with_suffix(".txt").write_text("Granny Smith on the beach")
    concept = learn(settings, _request("Granny Smith", folder, identifier="anna"))
    assert concept.photos[0].captions[0] == "anna on the beach"
    kept = Concepts(settings.home).path("Granny Smith") / "photos" / "captions.json"
    assert "anna on the beach" in kept.read_text("utf-8")
    rename(settings, "Granny Smith", "Mom")
    assert retrain(settings, "Mom").photos[0].captions[0] == "anna on the beach"


def test_two_concepts_have_two_identifiers(sample, settings):
    made = [learn(settings, _request(name, _folder(sample, name))) for name in sample.people[:2]]
    assert len({concept.identifier for concept in made}) == 2
    with pytest.raises(UsageProblem, match="another concept is called"):
        learn(settings, _request("third", _folder(sample, sample.people[2]), identifier=made[0].identifier))


@pytest.mark.parametrize(
    ("files", "changes", "error", "words"),
    [
        ({}, {}, PhotosUnusable, "there is no photo in"),
        ({"a.jpg": b"", "b.jpg": b"text"}, {}, PhotosUnusable, "can't read any of the 2 photos in "),
        ({"a.jpg": None}, {"kind": "person"}, PhotosUnusable, "no face was found in the 1 photo"),
        ({"a.jpg": None}, {"kind": "ghost"}, UsageProblem, "there is no kind 'ghost'"),
        ({"a.jpg": None}, {"vlm": "gpt"}, UsageProblem, "has no vision-language model 'gpt'"),
        ({"a.jpg": None}, {"name": " "}, UsageProblem, "is no name for a concept"),
        ({"a.jpg": None}, {"folder": "gone"}, UsageProblem, "there is no folder gone"),
    ],
)
def test_what_cannot_be_learnt_is_one_line_and_leaves_nothing(
    settings, tmp_path, files, changes, error, words
):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, data in files.items():
        if data is None:
            Image.new("RGB", (64, 48), "gray").save(folder / name)
        else:
            (folder / name).write_bytes(data)
    request = _request("x", folder)
    wanted = {**changes, **({"folder": Path(changes["folder"])} if "folder" in changes else {})}
    with pytest.raises(error, match=words) as caught:
        learn(settings, dataclasses.replace(request, **wanted))
    assert "\n" not in str(caught.value)
    assert Concepts(settings.home).all() == []


def test_a_person_whom_unknown_found_is_learnt_from_the_photos_of_the_library(sample, settings, tmp_path):
    for name in ("faces", "llava"):
        (tmp_path / name).symlink_to(folder_of(next(model for model in USED if model.key == name), Path()))
    (tmp_path / "pack.json").write_text('{"llava": {"recipe": {"steps": 2}}}')
    settings = dataclasses.replace(settings, models=str(tmp_path))
    photos = _photos_of(sample, sample.people[0])
    _know_faces(settings, photos)
    (group,) = clusters(settings)
    where = ["--home", str(settings.home), "--models", settings.models]
    command = ["learn", "--concept", "Gran", "--cluster", group.name, *where]
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    sources = {photo.source for photo in Concepts(settings.home).find("Gran").photos}
    assert len(sources) >= 3 and sources <= set(map(str, photos))


def _know_faces(settings, photos):
    """Put the photos and their faces into the catalog, as a run would."""
    models = load_models(settings)
    given = read_files(models, photos, len(photos), print)
    same = {"made_by": models.wanted.made_by["faces"], "run_id": "0"}
    rows = {"files": [], "features": [], "photos": [], "faces": []}
    for number, photo in enumerate(given.photos):
        own = {**same, "photo_id": photo.photo_id}
        faces = [face for face in find_faces(models, given) if face.photo == number]
        place = {"path": str(photo.path), "size": 1, "mtime_ns": 0, "root": "/", "gone": False}
        rows["files"].append({**own, **place})
        rows["features"].append({**own, "stage": "faces", "items": len(faces)})
        rows["photos"].append({**own, "width": photo.image.shape[1], "height": photo.image.shape[0]})
        for index, face in enumerate(faces):
            box = dict(zip(("x0", "y0", "x1", "y1"), face.box, strict=True))
            embedding = face.embedding.astype(np.float16).tobytes()
            rows["faces"].append({**own, "face": index, **box, "embedding": embedding})
    catalog = Catalog(settings.catalog)
    catalog.prepare()
    catalog.commit({name: pa.Table.from_pylist(some, TABLES[name]) for name, some in rows.items()})


def test_two_objects_that_look_alike_are_told_apart_whichever_was_learnt_first(sample, settings, tmp_path):
    photos = _photos_of(sample, sample.things[0])
    for name, some in (("first", photos[:3]), ("second", photos[3:])):
        (tmp_path / name).mkdir()
        for path in some:
            shutil.copy(path, tmp_path / name)
    store, told = Concepts(settings.home), []
    learn(settings, _request("first", tmp_path / "first", kind="object"))
    before = store.load("first")
    learn(settings, _request("second", tmp_path / "second", kind="object"), told.append)
    after, second = store.load("first"), store.load("second")
    assert "first was found in 2 of these photos: it is told apart from second now" in told
    assert (after.concept.version, after.concept.head.revision) == (1, 2)  # found anew, not told anew
    assert second.concept.head.revision == 1
    assert np.array_equal(
        after.vectors["llava"], before.vectors["llava"]
    )  # nothing was learnt to be said anew
    mistaken = probabilities(second.head.own, [before.head, after.head])
    assert (mistaken[:, 1] < mistaken[:, 0] - 0.05).all()
    assert second.concept.head.negatives == before.concept.head.negatives + 3
