"""Concepts are kept, replaced, renamed and forgotten, and no reader ever finds half of one."""

import dataclasses
import shutil

import numpy as np
import pytest
from myvlm_tag.pipeline.concepts import Concepts, Kept, describe, list_concepts
from myvlm_tag.schemas.concept import Check, Concept, EmbeddingInfo, HeadInfo, TrainingPhoto
from myvlm_tag.schemas.errors import ConceptDamaged, ConceptMissing, UsageProblem
from myvlm_tag.stages.heads.linear import LinearHead
from myvlm_tag.stages.heads.person import PersonHead


def _kept(name="Mom", version=1, kind="person", identifier="Anna"):
    concept = Concept(
        name=name,
        identifier=identifier,
        kind=kind,
        class_word="woman",
        why="person: the same face in 1 of 1 photo",
        version=version,
        created="2026-01-02T03:04:05+00:00",
        photos=(TrainingPhoto("1.jpg", "/a.jpg", "00", None, ("Anna",)),),
        head=HeadInfo("faces 01", 0.5, 1),
        check=Check(0, 0, 0, 0),
        embeddings={"llava": EmbeddingInfo("llava 01", {}, (1.0,), ((1, 1.0),), 1, 1.0, {"captions": 0.5})},
    )
    if kind == "person":
        head = PersonHead(np.eye(2, 8, dtype=np.float32), 0.5)
    else:
        head = LinearHead(np.arange(8, dtype=np.float32), -1.5, 0.5)
    return Kept(concept, head, {"llava": np.full(4, version, np.float32)})


@pytest.fixture
def store(tmp_path):
    return Concepts(tmp_path)


@pytest.mark.parametrize("kind", ["person", "object"])
def test_a_concept_is_the_same_after_the_disk(store, kind):
    kept = _kept(kind=kind)
    folder = store.save(kept, {"1.jpg": b"jpeg"}, b"png")
    again = store.load("mom")
    assert again.concept == kept.concept
    assert {type(again.head), type(kept.head)} == {type(again.head)}
    for name, value in dataclasses.asdict(kept.head).items():
        assert np.array_equal(getattr(again.head, name), value)
    assert again.vectors["llava"].tolist() == [1, 1, 1, 1]
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "concept.json",
        "head.safetensors",
        "embedding.llava.safetensors",
        "report.png",
        "photos/1.jpg",
    }


def test_a_new_version_takes_the_place_of_the_old_one_whole(store):
    store.save(_kept(), {"1.jpg": b"a", "2.jpg": b"b"}, b"png")
    store.save(_kept(version=2), {"1.jpg": b"c"}, b"png")
    assert [concept.version for concept in store.all()] == [2]
    assert [path.name for path in (store.path("Mom") / "photos").iterdir()] == ["1.jpg"]


def test_a_replacement_cut_short_between_its_renames_leaves_the_old_version(store):
    store.save(_kept(), {}, b"png")
    store.path("Mom").rename(store.root / ".old-mom")
    assert store.find("Mom").version == 1
    assert store.path("Mom").is_dir() and not (store.root / ".old-mom").exists()


def test_what_a_replacement_left_behind_is_swept_up(store):
    store.save(_kept(), {}, b"png")
    (store.root / ".old-mom").mkdir()
    assert store.find("Mom").version == 1
    assert not (store.root / ".old-mom").exists()


def test_renaming_moves_the_folder_and_keeps_identifier_and_version(store):
    store.save(_kept(version=3), {}, b"png")
    renamed = store.rename("mom", "Grand-ma Élise")
    assert (renamed.name, renamed.identifier, renamed.version) == ("Grand-ma Élise", "Anna", 3)
    assert store.load("grand-ma élise").concept == renamed
    with pytest.raises(ConceptMissing):
        store.find("mom")


def test_renaming_in_case_alone_is_a_rename_and_to_a_taken_name_is_refused(store):
    store.save(_kept(), {}, b"png")
    store.save(_kept("dad", identifier="Bob"), {}, b"png")
    assert store.rename("Mom", "MOM").name == "MOM"
    with pytest.raises(UsageProblem, match="there is a concept 'Dad' already"):
        store.rename("MOM", "Dad")


def test_forgetting_leaves_nothing_behind(store):
    store.save(_kept(), {"1.jpg": b"a"}, b"png")
    store.forget("mom")
    assert [path.name for path in store.root.iterdir()] == [".lock"]


def test_what_killed_learnings_left_of_a_concept_goes_with_it_and_others_stay(store):
    store.save(_kept(), {}, b"png")
    store.save(_kept("dad", identifier="Bob"), {}, b"png")
    for name, left in (("mom", ".new-1"), ("mom", ".gone-2"), ("dad", ".new-3")):
        shutil.copytree(store.path(name), store.root / left)
    store.forget("mom")
    assert sorted(path.name for path in store.root.iterdir()) == [".lock", ".new-3", "dad"]


def test_a_concept_that_is_not_there_is_one_line_that_names_those_that_are(store):
    with pytest.raises(ConceptMissing, match="there is no concept 'x'; teach one with: myvlm-tag learn"):
        store.find("x")
    store.save(_kept(), {}, b"png")
    with pytest.raises(ConceptMissing, match="known are: Mom"):
        store.forget("x")


def test_a_damaged_file_is_one_line_that_names_it(store):
    folder = store.save(_kept(), {}, b"png")
    (folder / "head.safetensors").write_bytes(b"no")
    with pytest.raises(ConceptDamaged, match=r"the concept 'Mom' can't be read from .*/mom"):
        store.load("mom")
    (folder / "concept.json").unlink()
    with pytest.raises(ConceptDamaged, match=r"concept\.json can't be read"):
        store.all()


def test_identifiers_in_use_are_those_of_the_others(store):
    store.save(_kept(), {}, b"png")
    store.save(_kept("dad", identifier="Bob"), {}, b"png")
    assert store.identifiers(but="MOM") == ["Bob"]


def test_concepts_are_listed_and_described_for_the_person(store, tmp_path):
    assert list_concepts(tmp_path).rows == []
    store.save(_kept(), {}, b"png")
    row = list_concepts(tmp_path).records()[0]
    assert (row["name"], row["kind"], row["identifier"], row["photos"]) == ("Mom", "person", "Anna", 1)
    said = " ".join(describe(store.find("mom")))
    assert "Mom: woman, version 1" in said and "100% of the held-out pictures" in said
