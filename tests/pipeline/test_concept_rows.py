"""What was told is shown while it is true, renamed with its concept, and forgotten with it."""

import pyarrow as pa
import pytest
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concepts import Concepts, forget, rename
from myvlm_tag.pipeline.heads import score_library
from myvlm_tag.pipeline.progress import Progress
from myvlm_tag.schemas.tables import ANSWERS, BOXES, CAPTIONS

from .test_heads import _ask, _person, _table, anna, mug, settings  # noqa: F401  (fixtures)


@pytest.fixture
def told(settings, anna, mug):  # noqa: F811
    """Anna and the mug are in p0, and were told of; in p1 there is Anna alone."""
    score_library(Catalog(settings.catalog), settings, "02", Progress(quiet=True))
    _tell(settings, "03", p0=["Anna", "mug"], p1=["Anna"])
    return settings


def _tell(settings, run_id, said="sks wearing red next to cup", **photos):  # noqa: F811
    store = Concepts(settings.home)
    words = {"Anna": "sks", "mug": "cup", "Mom": "sks"}
    photo = [
        {
            "photo_id": photo,
            "concepts": concepts,
            "identifiers": [words[concept] for concept in concepts],
            "versions": [store.find(concept).made_by for concept in concepts],
            "said": said,
            "settings": "plain",
            "made_by": "llava 1",
            "run_id": run_id,
        }
        for photo, concepts in photos.items()
    ]
    text = said.replace("sks", "Anna").replace("cup", "mug")
    captions = [{**row, "caption": text, "mended": said} for row in photo]
    each = [{**row, "concept": concept} for row in photo for concept in row["concepts"]]
    answers = [{**row, "topic": "where", "question": "Where is {}?", "answer": text} for row in each]
    corners = {"x0": 1.0, "y0": 2.0, "x1": 3.0, "y1": 4.0}
    boxes = [{**row, **(corners if row["concept"] == "Anna" else {})} for row in each]
    Catalog(settings.catalog).commit(
        {
            "captions": pa.Table.from_pylist(captions, CAPTIONS),
            "answers": pa.Table.from_pylist(answers, ANSWERS),
            "boxes": pa.Table.from_pylist(boxes, BOXES),
        }
    )


def test_what_was_told_can_be_asked_for(told):
    assert _ask(told, "SELECT photo_id, caption, concepts FROM captions ORDER BY ALL") == [
        ("p0", "Anna wearing red next to mug", ["Anna", "mug"]),
        ("p1", "Anna wearing red next to mug", ["Anna"]),
    ]
    assert _ask(told, "SELECT concept, question FROM answers WHERE photo_id = 'p0' ORDER BY ALL") == [
        ("Anna", "Where is Anna?"),
        ("mug", "Where is mug?"),
    ]


def test_a_box_that_the_model_could_not_give_is_no_box(told):
    assert _ask(told, "SELECT photo_id, concept, x1 FROM boxes ORDER BY ALL") == [
        ("p0", "Anna", 3.0),
        ("p1", "Anna", 3.0),
    ]


def test_the_latest_telling_counts(told):
    _tell(told, "04", "sks at home", p1=["Anna"])
    assert _ask(told, "SELECT caption FROM captions WHERE photo_id = 'p1'") == [("Anna at home",)]
    assert _ask(told, "SELECT answer FROM answers WHERE photo_id = 'p1'") == [("Anna at home",)]


def test_what_a_superseded_version_was_told_by_does_not_show(told):
    _person(told, "Anna", 0, version=2)
    score_library(Catalog(told.catalog), told, "04", Progress(quiet=True))
    assert _ask(told, "FROM captions") == []
    assert _ask(told, "SELECT DISTINCT concept FROM answers") == [("mug",)]


def test_renaming_renames_in_what_was_said_and_nothing_is_found_or_told_anew(told):
    rename(told, "Anna", "Mom's mug")
    rename(told, "mug", "Anna")
    assert _ask(told, "SELECT caption, concepts FROM captions WHERE photo_id = 'p0'") == [
        ("Mom's mug wearing red next to Anna", ["Mom's mug", "Anna"])
    ]
    assert _ask(told, "SELECT DISTINCT concept, question FROM answers ORDER BY ALL") == [
        ("Anna", "Where is Anna?"),
        ("Mom's mug", "Where is Mom's mug?"),
    ]
    assert score_library(Catalog(told.catalog), told, "04", Progress(quiet=True)) == {}


def test_forgetting_takes_every_word_said_of_it_or_beside_it(told):
    forget(told, "mug")
    assert _ask(told, "SELECT photo_id, concepts FROM all_captions") == [("p1", ["Anna"])]
    assert _ask(told, "SELECT DISTINCT photo_id FROM all_answers") == [("p1",)]
    assert _ask(told, "SELECT DISTINCT photo_id FROM all_boxes") == [("p1",)]
