"""A photo's telling: as if it were told alone, names on the way out, boxes in pixels of the original."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from myvlm_tag.pipeline.plan import TODO
from myvlm_tag.schemas.settings import OBJECT_QUESTIONS, PERSON_QUESTIONS
from myvlm_tag.schemas.tables import FAILURE
from myvlm_tag.stages.base import check_chain
from myvlm_tag.stages.decode import Decode
from myvlm_tag.stages.images import from_table, to_columns
from myvlm_tag.stages.packs import POCKET, VLM, Model
from myvlm_tag.stages.vlm.asking import WHOLE, Manner
from myvlm_tag.stages.vlm.families import choose, load
from myvlm_tag.stages.vlm.places import body_around, from_square
from myvlm_tag.stages.vlm.tell import ASKED, Spoken, Tell
from myvlm_tag.stages.vlm.wording import LLAVA
from myvlm_tag.stages.vlm.words import swap
from myvlm_tag.world.identity import sample_person
from myvlm_tag.world.render import render
from myvlm_tag.world.scene import sample_scene
from myvlm_tag.world.things import sample_item
from myvlm_tag.world.truth import truth

HEIGHT, SCALE = 240, 2.5  # of the picture; of the original, per pixel of it
WHO = {
    "Mom": ("anna", True, "woman"),
    "Uncle Bob": ("bob", True, "man"),
    "my mug": ("sks", False, "mug"),
}
SHOWN = [["Mom"], ["Mom", "Uncle Bob"], ["Mom", "my mug"], ["Uncle Bob"], ["my mug"]]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    return load(choose(POCKET), tmp_path_factory.mktemp("home"), "0123")


@pytest.fixture(scope="module")
def stage(adapter, tmp_path_factory):
    words = (
        "anna anna woman long brown hair",
        "bob bob man short gray hair",
        "sks sks white mug red stripes",
    )
    vectors = [adapter.meaning(text).numpy() for text in words]
    spoken = {name: Spoken(*WHO[name], vector) for name, vector in zip(WHO, vectors, strict=True)}
    home = tmp_path_factory.mktemp("home")
    made = Tell(choose(POCKET), home, "0123", spoken, Manner("crop", PERSON_QUESTIONS, OBJECT_QUESTIONS))
    made.prepare_node()
    made.setup()
    return made


@pytest.fixture(scope="module")
def photos():
    """Rows as decode leaves them: five photos that show who is in SHOWN, and one that could not be read."""
    rng = np.random.default_rng(7)
    people = {name: sample_person(rng) for name, (_, person, _) in WHO.items() if person}
    mug = sample_item(rng, "mug")
    images, faces, own = [], [], []
    for shown in SHOWN:
        cast = [people[name] for name in shown if name in people]
        scene = sample_scene(rng, cast, [mug] if "my mug" in shown else [], strangers=False, facing="front")
        images.append(render(scene, HEIGHT))
        known = {t.key: t.face_box for t in truth(scene) if t.face_box is not None}
        faces.append([[HEIGHT * SCALE * corner for corner in box] for box in known.values()])
        keys = [people[name].key if name in people else None for name in shown]
        own.append([list(known).index(key) if key in known else None for key in keys])
    return _table([*images, None], [*SHOWN, ["Mom"]], [*faces, []], [*own, [None]])


def _table(images, concepts, faces, face):
    columns = to_columns(images)
    size = [(None, None) if image is None else np.multiply(image.shape[1::-1], SCALE) for image in images]
    failures = [{"stage": "decode"} if image is None else None for image in images]
    return pa.table(
        {
            "photo_id": [str(row) for row in range(len(images))],
            **dict(zip(ASKED.names, map(pa.array, (concepts, faces, face), ASKED.types), strict=True)),
            **columns,
            "width": pa.array([width for width, _ in size], pa.int32()),
            "height": pa.array([height for _, height in size], pa.int32()),
            "failure": pa.array(failures, FAILURE),
        }
    )


@pytest.fixture(scope="module")
def told(stage, photos):
    return stage(photos).select(stage.gives.names).to_pylist()


def test_it_fits_behind_decode():
    todo = pa.schema([*TODO, *ASKED])
    assert check_chain([Decode, Tell], todo) == []


def test_every_photo_is_told_in_its_row_and_what_could_not_be_read_is_not(stage, photos, told):
    assert told[-1] == {"caption": None, "answers": None, "boxes": None}
    for shown, row in zip(SHOWN, told, strict=False):
        assert [box["concept"] for box in row["boxes"]] == shown
        asked = [(a["concept"], a["topic"]) for a in row["answers"]]
        questions = {name: PERSON_QUESTIONS if WHO[name][1] else OBJECT_QUESTIONS for name in shown}
        assert asked == [(name, topic) for name in shown for topic in questions[name]]
        assert row["caption"]["said"]
    assert len({row["caption"]["said"] for row in told[:-1]}) == 5


def test_a_photo_alone_is_told_as_it_is_among_others(stage, photos, told):
    for row in range(len(SHOWN)):
        assert stage(photos.slice(row, 1)).select(stage.gives.names).to_pylist() == [told[row]]


def test_it_says_what_the_model_says_when_asked_one_prompt_at_a_time_anew(stage, adapter, photos, told):
    """The paper's way of inference, and the right picture, vectors and prompt for each thing said."""
    image, faces = from_table(photos)[1], photos["faces"][1].as_py()
    height, width = image.shape[:2]
    answers = told[1]["answers"]
    for answer in answers:
        number = list(WHO).index(answer["concept"])
        picture = image
        if answer["topic"] in ("wearing", "doing"):
            x0, y0, x1, y1 = np.divide(faces[photos["face"][1].as_py()[number]], SCALE)
            body = body_around((x0 / width, y0 / height, x1 / width, y1 / height))
            x0, y0, x1, y1 = np.rint(np.multiply(body, [width, height] * 2)).astype(int)
            picture = image[y0:y1, x0:x1]
        vector = adapter.vector(stage.spoken[answer["concept"]].vector)
        alone = adapter.generate(adapter.encode([picture]), [[vector]], [answer["prompt"]], 128)
        assert alone == [answer["said"]]


def test_names_stand_where_the_model_said_identifiers(told):
    for shown, row in zip(SHOWN, told, strict=False):
        names = {WHO[name][0]: name for name in shown}
        assert row["caption"]["caption"] == swap(row["caption"]["mended"], names)
        for answer in row["answers"]:
            assert answer["answer"] == swap(answer["said"], names)
        assert not any(WHO[name][0] in row["caption"]["caption"].split() for name in shown)


def _corners(box):
    return [box[name] for name in ("x0", "y0", "x1", "y1")]


def test_boxes_are_in_pixels_of_the_original(stage, photos, told):
    for row, photo in zip(told[:-1], photos.to_pylist(), strict=False):
        for box in row["boxes"]:
            said = LLAVA.boxes.read(box["said"])
            expected = said and np.multiply(said, [photo["width"], photo["height"]] * 2)
            assert _corners(box) == (pytest.approx(expected) if said else [None] * 4)
    assert any(box["x0"] is not None for row in told[:-1] for box in row["boxes"])


def test_a_model_that_counts_from_the_padded_square_says_so_in_its_pack(stage, photos, monkeypatch):
    monkeypatch.setattr(stage, "model", dataclasses.replace(stage.model, settings={"boxes": "padded"}))
    for photo in stage(photos.slice(0, 5)).to_pylist():
        size = photo["width"], photo["height"]
        for box in photo["boxes"]:
            said = LLAVA.boxes.read(box["said"])
            placed = said and from_square(said, *size)
            assert _corners(box) == (pytest.approx(np.multiply(placed, size * 2)) if placed else [None] * 4)


@pytest.mark.parametrize(("people", "named"), [("crop", True), ("plain", False)])
def test_a_thing_that_the_model_calls_by_its_class_word_gets_a_name(adapter, photos, tmp_path, people, named):
    vector = adapter.meaning("bob bob man short gray hair").numpy()  # who isn't there
    spoken = {"my mug": Spoken(*WHO["my mug"], vector)}
    made = Tell(choose(POCKET), tmp_path, "0123", spoken, Manner(people, {}, OBJECT_QUESTIONS))
    made.setup()
    caption = made(photos.slice(SHOWN.index(["my mug"]), 1)).to_pylist()[0]["caption"]
    assert "mug" in caption["said"] and "sks" not in caption["said"]
    assert ("sks" in caption["mended"]) == named == ("my mug" in caption["caption"])


def test_words_that_are_no_box_are_kept_as_words(llava_folder, photos, tmp_path):
    """A random model points at nothing."""
    made = Tell(
        _model(llava_folder),
        tmp_path,
        "0123",
        {"Mom": Spoken("anna", True, "", np.ones(40, np.float32))},
        Manner("plain", {}, {}),
    )
    made.setup()
    row = made(photos.slice(0, 1)).to_pylist()[0]
    assert row["answers"] == []
    assert _corners(row["boxes"][0]) == [None] * 4
    assert row["boxes"][0]["said"] is not None


def _model(folder):
    return Model("llava", VLM, "", 0, ("config.json",), (), {}, str(folder))


def test_words_drawn_by_chance_are_another_manner_and_boxes_never_are(stage, photos, told):
    free = Tell(
        stage.model, stage.home, "0123", stage.spoken, dataclasses.replace(stage.manner, temperature=5.0)
    )
    free.setup()
    drawn = free(photos).select(stage.gives.names).to_pylist()
    assert [row["boxes"] for row in drawn] == [row["boxes"] for row in told]
    for kind in ("caption", "answers"):
        assert [row[kind] for row in drawn] != [row[kind] for row in told]
    assert free.manner.identity != stage.manner.identity
    assert free(photos).select(stage.gives.names).to_pylist() == drawn


def test_the_identity_tells_model_from_manner(stage):
    assert stage.made_by == "llava 0123"
    assert stage.tried_by == f"llava 0123 {stage.manner.identity}"
    assert WHOLE == -1
