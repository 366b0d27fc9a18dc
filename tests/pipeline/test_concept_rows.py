"""What was told is shown while it is true, renamed with its concept, and forgotten with it."""

import contextlib
import dataclasses
import errno
import itertools
import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.concept_rows import forget, rename
from myvlm_tag.pipeline.concepts import Concepts
from myvlm_tag.pipeline.decisions import CONFIRM, REJECT, decide, ignore_faces
from myvlm_tag.pipeline.heads import score_library
from myvlm_tag.pipeline.kept import refresh
from myvlm_tag.pipeline.progress import Progress
from myvlm_tag.pipeline.summary import Summary
from myvlm_tag.schemas.errors import ConceptMissing, MyvlmTagError, UsageProblem
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


@pytest.fixture
def decided(told):
    """What was told, a run's record, what the person said, and what is kept for questions."""
    Summary("02", ["/"], "pocket", hits={"Anna": 3, "mug": 2}, ended="complete").write(told.home)
    Summary("03", ["/"], "pocket", ended="the concept 'Anna' can't be read").write(told.home)
    decide(told, "Anna", ["/p1.jpg"], REJECT)
    decide(told, "mug", ["/p1.jpg"], CONFIRM)
    ignore_faces(Catalog(told.catalog), [("p3", 0)], "faces 1")
    refresh(Catalog(told.catalog))
    return told


def _everything(home):
    """The text of every file: what a search through the home could find."""
    for path in (path for path in home.rglob("*") if path.is_file()):
        text = str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_bytes()
        yield f"{path.relative_to(home)}: {text}"


def _state(told):
    """All that a rename or a forgetting may touch."""
    views = ("detections", "captions", "answers", "boxes", "decisions", "ignored")
    runs = [json.loads(path.read_text()) for path in sorted((told.home / "runs").iterdir())]
    names = [concept.name for concept in Concepts(told.home).all()]
    return names, [sorted(map(str, _ask(told, f"FROM {view}"))) for view in views], runs


def test_forgetting_leaves_the_name_nowhere_and_all_else_as_it_was(decided, monkeypatch):
    monkeypatch.setattr("sys.argv", ["myvlm-tag", "concepts", "forget", "Anna"])
    assert any("Anna" in text for text in _everything(decided.home))
    forget(decided, "anna")
    assert [text for text in _everything(decided.home) if "anna" in text.lower()] == []
    assert _ask(decided, "SELECT concept, count(*) FROM detections GROUP BY 1") == [("mug", 5)]
    assert _ask(decided, "SELECT concept, photo_id FROM decisions") == [("mug", "p1")]
    assert _ask(decided, "SELECT photo_id FROM ignored") == [("p3",)]


def test_what_was_said_goes_with_the_concept_and_binds_no_other_of_its_old_name(decided):
    rename(decided, "Anna", "Mom")
    assert _ask(decided, "SELECT concept FROM decisions WHERE verdict = 'reject'") == [("Mom",)]
    forget(decided, "Mom")
    _person(decided, "Anna", 0)
    score_library(Catalog(decided.catalog), decided, "04", Progress(quiet=True))
    assert ("p1",) in _ask(decided, "SELECT photo_id FROM hits WHERE concept = 'Anna'")


def test_renaming_touches_no_table_that_names_no_concept(decided):
    before = {path: path.stat().st_mtime_ns for path in decided.catalog.glob("segments/*/*.parquet")}
    rename(decided, "Anna", "Mom")
    after = {path: path.stat().st_mtime_ns for path in decided.catalog.glob("segments/*/*.parquet")}
    naming = ("detections", "captions", "answers", "boxes")
    assert {path for path in before if path.stem not in naming} < set(after)
    assert len(after) == len([path for path in before if path.stem not in naming]) + len(naming)


def test_a_name_that_is_taken_changes_nothing(decided):
    before = _state(decided)
    with pytest.raises(UsageProblem, match="there is a concept 'MUG' already"):
        rename(decided, "Anna", "MUG")
    assert _state(decided) == before


@pytest.mark.parametrize(
    "change", [lambda home: rename(home, "Anna", "Anna Maria"), lambda home: forget(home, "Anna")]
)
def test_what_was_cut_short_anywhere_is_ended_by_the_same_command(
    decided, tmp_path_factory, monkeypatch, change
):
    done = _copy(decided, tmp_path_factory.mktemp("done"))
    change(done)
    expected = _state(done)
    for step in itertools.count():
        cut = _copy(decided, tmp_path_factory.mktemp("cut"))
        if not _fails_at(step, lambda cut=cut: change(cut), monkeypatch):
            break
        with contextlib.suppress(ConceptMissing):  # all was done but for clearing up, which any look does
            change(cut)
        assert _state(cut) == expected, step
        assert not [*cut.home.glob("concepts/.*-*")]
    assert step > 8


def _copy(told, home):
    shutil.copytree(told.home, home, dirs_exist_ok=True)
    return dataclasses.replace(told, home=home)


def _fails_at(step, call, monkeypatch):
    """Whether `call` fails when the disk is full at this step, counting renames and deletions."""
    left = itertools.count(-step)

    def full_at(real):
        def wrapper(*args, **kwargs):
            if next(left) == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args, **kwargs)

        return wrapper

    with monkeypatch.context() as patched:
        for name in ("rename", "replace", "unlink"):
            patched.setattr(os, name, full_at(getattr(os, name)))
        try:
            call()
        except MyvlmTagError:
            return True
    return False
