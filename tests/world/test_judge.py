"""Judging what was said of a sample library: perfect words are right, and each kind of mistake is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from myvlm_tag.schemas.paths import to_text
from myvlm_tag.world.measure import judge
from myvlm_tag.world.measure.judge import Photo
from myvlm_tag.world.sentences import WHERE_PHRASES
from myvlm_tag.world.truth import article

from .conftest import Sample

Rows = list[dict[str, Any]]


@pytest.fixture
def perfect(sample: Sample) -> dict[str, Rows]:
    """The rows that a catalog would have if every word were right."""
    tables: dict[str, Rows] = {"photos": [], "detections": [], "captions": [], "answers": [], "boxes": []}
    captions = {row["file"]: row for row in sample.rows("photos") if not row["file"].startswith("odd ends")}
    for file, row in captions.items():
        path = f"{to_text(sample.out.absolute())}/library/{file}"
        tables["photos"].append({"photo_id": file, "path": path})
        own = {"said": row["caption"], "identifiers": [], "concepts": []}
        tables["captions"].append({"photo_id": file, "caption": row["caption"], **own})
    for row in sample.rows("truth"):
        person = row["kind"] == "person"
        if not row["concept"] or row["file"] not in captions or (person and not judge.has_face(row)):
            continue
        about = {"photo_id": row["file"], "concept": row["concept"]}
        corners = ("x0", "y0", "x1", "y1")
        tables["detections"].append(about | {name: row[f"face_{name}"] for name in corners})
        tables["boxes"].append(about | {name: row[name] for name in corners})
        said = {"where": WHERE_PHRASES[row["where"]], "next_to": row["next_to"], "color": row["color"]}
        if person:
            said |= {"doing": row["doing"], "wearing": article(f"{row['color']} {row['garment']}")}
        tables["answers"] += [about | {"topic": topic, "answer": answer} for topic, answer in said.items()]
    return tables


def read(sample: Sample, tables: dict[str, Rows]) -> list[Photo]:
    ask: Callable[[str], Sequence[dict[str, Any]]] = lambda sql: next(  # noqa: E731
        rows for name, rows in tables.items() if f"FROM {name}" in sql
    )
    return judge.read_photos(ask, sample.out)


def objects(sample: Sample) -> list[str]:
    return [*sample.summary.pets, *sample.summary.things]


def test_perfect_words_are_right(sample: Sample, perfect: dict[str, Rows]) -> None:
    photos = read(sample, perfect)
    people, things = judge.judge_people(photos), judge.judge_objects(photos, objects(sample))
    assert people["found"].share == things["found"].share == things["rejected"].share == 1
    assert people["wrong"].right == people["strangers"].right == 0
    assert people["found"].asked > 20
    assert people["strangers"].asked > 3
    answers = judge.judge_answers(photos)
    assert {"wearing alone", "wearing among several", "doing", "where", "next_to", "color"} == set(answers)
    assert {topic: tally.share for topic, tally in answers.items() if tally.share < 1} == {}
    assert judge.judge_boxes(photos).share == 1
    assert judge.judge_names(photos)["shown"].share == 1


def test_the_models_own_words_are_judged_beside_the_caption(sample: Sample, perfect: dict[str, Rows]) -> None:
    for row in perfect["captions"]:
        row |= {"said": "Bob on the beach", "identifiers": ["Bob"], "concepts": [sample.summary.people[0]]}
    names = judge.judge_names(read(sample, perfect))
    assert names["fired"].share == 1
    assert 0 < names["own"].share < 0.5


def test_perfect_captions_have_the_right_words_about_everyone(
    sample: Sample, perfect: dict[str, Rows]
) -> None:
    told = list(judge.named(read(sample, perfect)))
    assert len(told) > 30
    for photo, row in told:
        assert all(judge.judge_words(photo.caption, row, row["concept"]).values()), photo.caption


def test_a_caption_that_swaps_the_clothes_of_two_people_is_wrong_about_both(sample: Sample) -> None:
    anna = {"kind": "person", "color": "red", "garment": "coat", "doing": "holding a mug", "place": "beach"}
    right = "anna wearing a red coat holding a blue mug and bob wearing a green shirt waving on the beach"
    swapped = "anna wearing a green shirt waving and bob wearing a red coat holding a blue mug in the cafe"
    assert judge.judge_words(right, anna, "anna") == {"clothes": True, "activity": True, "place": True}
    assert judge.judge_words(swapped, anna, "anna") == {"clothes": False, "activity": False, "place": False}
    assert judge.judge_words(right.replace("anna", "a woman"), anna, "woman")["clothes"]


def test_faces_swapped_between_two_people_are_wrong_and_strangers_named_are_seen(
    sample: Sample, perfect: dict[str, Rows]
) -> None:
    one, other = sample.summary.people[:2]
    swap = {one: other, other: one}
    for row in perfect["detections"]:
        row["concept"] = swap.get(row["concept"], row["concept"])
    people = judge.judge_people(read(sample, perfect))
    assert people["wrong"].right > 0
    assert people["found"].right + people["wrong"].right == people["found"].asked


def test_names_of_neighbours_are_right_answers_too(sample: Sample, perfect: dict[str, Rows]) -> None:
    photos = read(sample, perfect)
    known = {row["concept"] for photo in photos for row in photo.truth if row["concept"]}
    neighbours = [
        judge.right_answers("next_to", row, photo) for photo in photos for row in photo.shown.values()
    ]
    assert any(answers & known for answers in neighbours)
    assert judge.plain(" A red shirt. ") == "a red shirt"


def test_missing_boxes_and_far_ones_are_wrong(sample: Sample, perfect: dict[str, Rows]) -> None:
    whole = len(perfect["boxes"])
    perfect["boxes"][0] |= {"x0": 0.0, "y0": 0.0, "x1": 1.0, "y1": 1.0}
    del perfect["boxes"][1]
    tally = judge.judge_boxes(read(sample, perfect))
    assert (tally.right, tally.asked) == (whole - 2, whole)


def test_a_photo_told_although_no_head_fired_is_counted(sample: Sample, perfect: dict[str, Rows]) -> None:
    perfect["captions"] = [row for row in perfect["captions"] if row["photo_id"] in shown(perfect)]
    assert judge.sent_in_vain(read(sample, perfect)) == 0
    lost = perfect["detections"][0]["photo_id"]
    perfect["detections"] = [row for row in perfect["detections"] if row["photo_id"] != lost]
    assert judge.sent_in_vain(read(sample, perfect)) == 1


def shown(tables: dict[str, Rows]) -> set[str]:
    return {row["photo_id"] for row in tables["detections"]}
