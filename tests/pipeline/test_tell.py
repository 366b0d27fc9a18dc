"""`run` tells the photos in which heads fired: those alone, once, and again only when something changed."""

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.outlook import lines, outlook
from myvlm_tag.pipeline.progress import Progress
from myvlm_tag.pipeline.run import run as run_pipelines
from myvlm_tag.schemas.errors import ConceptMissing, Interrupted, UsageProblem
from myvlm_tag.schemas.ids import new_ulid

from .conftest import write_photos

NOBODY = "nowhere:1"  # a cluster whose use would fail


@pytest.fixture
def settings(settings, telling_pack):
    return replace(
        settings,
        models=str(telling_pack),
        workers=1,
        people="plain",
        person_questions={"doing": "What does {} do?"},
    )


@pytest.fixture
def library(tmp_path, run):
    """Six photos, three with a face, after a first run that knew nobody."""
    write_photos(tmp_path / "library", 6)
    first = run(tmp_path / "library")
    assert (first.to_tell, first.told) == (0, 0)
    return tmp_path / "library"


def test_photos_with_a_concept_are_told_and_no_others_and_nothing_twice(run, ask, learn, library):
    learn("Mom")
    summary = run(library)
    assert (summary.to_tell, summary.told, summary.answers, summary.exit_code) == (3, 3, 3, 0)
    assert "told 3 of 3 photos" in "\n".join(summary.lines())
    hits = ask("SELECT photo_id FROM detections WHERE hit ORDER BY 1")
    for table in ("captions", "answers", "all_boxes"):
        assert ask(f"SELECT photo_id FROM {table} ORDER BY 1") == hits
    assert ask("SELECT DISTINCT concept, topic, question, prompt FROM answers") == [
        ("Mom", "doing", "What does Mom do?", "What does Anna do?")
    ]
    assert ask("SELECT DISTINCT concepts, prompt, settings[:5] FROM captions") == [
        (["Mom"], "Please caption this image.", "plain")
    ]
    again = run(library, address=NOBODY)
    assert (again.to_tell, again.told, again.hits) == (0, 0, {})


def test_another_question_or_version_tells_again_and_the_outlook_said_so(run, ask, learn, library, settings):
    learn("Mom")
    ahead = outlook([library], settings)
    assert ahead["heads"] == {"photos": 6, "why": {"not scored for Mom": 6}}
    assert ahead["tell"]["photos"] == 0  # heads come first
    run(library, only="heads", address=NOBODY)
    assert outlook([library], settings)["tell"] == {"photos": 3, "why": {"never told": 3}}
    assert run(library, only="tell").told == 3
    asked = replace(settings, person_questions={"doing": "What is {} doing?"})
    ahead = outlook([library], asked)
    assert ahead["tell"] == {"photos": 3, "why": {"it is asked in another way": 3}}
    assert "tell: 3 photos (3 it is asked in another way)" in lines(ahead)
    assert outlook([library], settings, concept="mom")["tell"]["photos"] == 0
    learn("Mom", version=2)
    run(library, only="heads", address=NOBODY)
    assert outlook([library], settings)["tell"] == {"photos": 3, "why": {"a concept was learnt again": 3}}
    assert ask("FROM captions") == []
    assert run(library).told == 3
    assert ask("SELECT count(*) FROM captions") == [(3,)]
    assert ask("SELECT count(*) FROM all_captions") == [(6,)]


class _Impatient(Progress):
    """Presses Ctrl-C when the first photos were told."""

    @contextmanager
    def step(self, name, total, unit="photos"):
        with super().step(name, total, unit) as step:
            if name == "tell":
                step.advance = self.interrupt
            yield step

    def interrupt(self, *_):
        raise KeyboardInterrupt


def test_an_interrupted_run_keeps_what_it_told_and_the_next_tells_the_rest(
    ask, learn, run, library, settings, ray_address
):
    learn("Mom")
    slow = replace(settings, batch_size=1, address=ray_address)
    with pytest.raises(Interrupted, match="1 photos finished in this run are kept"):
        run_pipelines([library], slow, _Impatient(quiet=True))
    told = ask("SELECT photo_id, run_id FROM captions")
    assert len(told) == 1
    assert run(library).told == 2
    assert told[0] in ask("SELECT photo_id, run_id FROM captions")


def test_a_concept_that_this_model_has_not_learnt_is_said_once_and_passed_over(
    run, ask, learn, library, settings
):
    learn("Mom", model="another")
    assert run(library, address=NOBODY).told == 0
    (note,) = outlook([library], settings)["notes"]
    assert note.startswith("nothing is told of Mom: not learnt with llava as it is now")
    assert "myvlm-tag concepts retrain 'Mom'" in note


def test_a_photo_that_can_be_read_no_more_is_a_failure_and_is_not_tried_every_night(
    run, ask, learn, library, settings
):
    learn("Mom")
    run(library, only="heads", address=NOBODY)
    path = ask("SELECT path FROM photos JOIN hits USING (photo_id) ORDER BY path")[0][0]
    Path(path).write_bytes(b"?" * Path(path).stat().st_size)  # as long as before, and no photo any more
    summary = run(library, only="tell")
    assert (summary.told, summary.failed, summary.exit_code) == (2, 1, 3)
    assert ask("SELECT path, stage FROM failures") == [(path, "decode")]
    assert run(library, only="tell", address=NOBODY).to_tell == 0


def test_a_concept_that_is_renamed_is_not_told_again_beside_others(
    run, ask, learn, library, settings, tag, home
):
    learn("Anna")
    learn("Bob", identifier="Bob")
    assert run(library).told == 3
    assert tag("concepts", "rename", "Anna", "Zoe", "--home", home).returncode == 0
    assert ask("SELECT DISTINCT list_sort(concepts) FROM captions") == [(["Bob", "Zoe"],)]
    assert outlook([library], settings)["tell"] == {"photos": 0, "why": {}}
    assert run(library, address=NOBODY).to_tell == 0


def test_a_photo_is_told_again_when_another_face_in_it_is_taken_for_someones(
    run, ask, learn, library, settings
):
    learn("Mom")
    looking = replace(settings, people="crop")
    assert run(library, people="crop").told == 3
    catalog = Catalog(settings.catalog)
    found = catalog.read("detections")
    one = found.filter(found["hit"]).slice(0, 1).to_pylist()[0]
    moved = {**one, "face": one["face"] + 1, "run_id": new_ulid()}
    catalog.commit({"detections": pa.Table.from_pylist([moved], found.schema)})
    ahead = outlook([library], looking)
    assert ahead["tell"] == {"photos": 1, "why": {"another face in it is someone's": 1}}
    assert run(library, people="crop").told == 1
    assert run(library, people="crop", address=NOBODY).to_tell == 0
    assert run(library).told == 3
    back = {**one, "run_id": new_ulid()}
    catalog.commit({"detections": pa.Table.from_pylist([back], found.schema)})
    assert run(library, address=NOBODY).to_tell == 0, "no face was looked at"


def test_captions_that_name_no_faces_yet_are_not_told_again(run, learn, library, settings):
    learn("Mom")
    run(library, people="crop")
    for path in settings.catalog.glob("segments/*/captions.parquet"):
        pq.write_table(pq.read_table(path).drop_columns(["looked_at", "numbered_by"]), path)
    assert outlook([library], replace(settings, people="crop"))["tell"] == {"photos": 0, "why": {}}
    assert run(library, people="crop", address=NOBODY).to_tell == 0


def test_photos_outside_the_library_named_are_not_told(run, learn, library, tmp_path):
    learn("Mom")
    (tmp_path / "other").mkdir()
    assert run(tmp_path / "other", only="heads", address=NOBODY).hits == {"Mom": 3}
    assert run(tmp_path / "other", only="tell", address=NOBODY).to_tell == 0


def test_wrong_names_are_one_line(run, library, settings):
    with pytest.raises(UsageProblem, match="there is no pipeline 'faces'; known are: features, heads, tell"):
        run(library, only="faces")
    with pytest.raises(UsageProblem, match="no pipeline"):
        outlook([library], settings, "faces")
    with pytest.raises(ConceptMissing, match="there is no concept 'Bob'"):
        run(library, concept="Bob")


def test_the_outlook_of_an_empty_home_counts_the_files_and_writes_nothing(tmp_path, settings):
    write_photos(tmp_path / "library", 2)
    ahead = outlook([tmp_path / "library"], settings)
    assert ahead["files"] == {"new": 2, "changed": 0, "gone": 0}
    assert [ahead[step]["photos"] for step in ("features", "heads", "tell")] == [0, 0, 0]
    assert not settings.catalog.exists()
    assert json.dumps(ahead)
