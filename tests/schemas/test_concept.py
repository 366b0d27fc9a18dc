"""A concept survives its JSON, and no name leads out of the concepts folder."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from myvlm_tag.schemas.concept import (
    Check,
    Concept,
    EmbeddingInfo,
    HeadInfo,
    TrainingPhoto,
    clean_name,
    folder_of,
    from_json,
)
from myvlm_tag.schemas.errors import ConceptDamaged, UsageProblem

CONCEPT = Concept(
    name="Zoë & co",
    identifier="Anna",
    kind="person",
    class_word="woman",
    why="one face agrees in 2 of 2 photos",
    version=3,
    created="2026-01-02T03:04:05+00:00",
    photos=(
        TrainingPhoto("1.jpg", "/a/b.jpg", "00ff", (1.0, 2.0, 3.5, 4.0), ("Anna on a bench", "Anna sits")),
        TrainingPhoto("2.jpg", "/a/c.jpg", "11ff", None, ()),
    ),
    head=HeadInfo("faces 0123", 0.675, 2),
    check=Check(2, 2, 10, 9),
    embeddings={"llava": EmbeddingInfo("llava 0123", {"steps": 2}, (1.5, 0.5), ((2, 0.75),), 2, 1.0)},
)


def test_a_concept_is_the_same_after_its_json():
    assert from_json(CONCEPT.to_json(), "concept.json") == CONCEPT


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', CONCEPT.to_json().replace("why", "wh")])
def test_a_damaged_record_is_one_line_that_names_the_file(text):
    with pytest.raises(ConceptDamaged, match=r"^mom/concept\.json can't be read"):
        from_json(text, "mom/concept.json")


@pytest.mark.parametrize(
    ("name", "folder"),
    [("mom", "mom"), ("Anna", "anna"), ("my-mug", "my-mug"), ("x" * 40, "x" * 40)],
)
def test_a_plain_name_is_its_own_folder(name, folder):
    assert folder_of(name) == folder


def test_names_that_only_look_alike_have_folders_of_their_own():
    names = ["a b", "a-b", "a/b", "ä b", "a  b!", "小猫", "小狗", "..a", "y" * 41, "y" * 42]
    assert len({folder_of(name) for name in names}) == len(names)


@given(st.text(max_size=80))
def test_no_name_leads_out_of_the_folder_or_is_too_long_for_a_disk(name):
    try:
        folder = folder_of(name)
    except UsageProblem:
        return
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,60}", folder)


@pytest.mark.parametrize("name", ["", " ", "..", "\x07a", "z" * 81, "—"])
def test_what_is_no_name_is_refused_in_one_line(name):
    with pytest.raises(UsageProblem, match="is no name"):
        clean_name(name)
