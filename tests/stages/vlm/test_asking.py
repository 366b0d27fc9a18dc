"""What is asked of a photo, and by which words people in company are told apart."""

from dataclasses import replace

import pytest
from myvlm_tag.schemas.settings import OBJECT_QUESTIONS, PERSON_QUESTIONS
from myvlm_tag.stages.vlm.asking import WHOLE, Manner, Subject
from myvlm_tag.stages.vlm.wording import BLIP2, LLAVA, MINIGPT_V2
from myvlm_tag.stages.vlm.words import CAPTION

LEFT, RIGHT = (0.1, 0.1, 0.2, 0.2), (0.8, 0.1, 0.9, 0.2)
ANNA = Subject("Mom", "Anna", True, LEFT)
MUG = Subject("my mug", "sks", False)


def _manner(people, wording=LLAVA):
    return Manner(people, PERSON_QUESTIONS, OBJECT_QUESTIONS, wording)


@pytest.mark.parametrize("people", ["plain", "place", "crop"])
@pytest.mark.parametrize("faces", [[LEFT], [LEFT, RIGHT]])
def test_the_caption_is_asked_for_without_any_name(people, faces):
    assert _manner(people).requests([ANNA, MUG], faces).caption.prompt == CAPTION


@pytest.mark.parametrize("people", ["plain", "place"])
def test_someone_alone_is_asked_about_as_in_the_paper(people):
    requests = _manner(people).requests([ANNA, MUG], [LEFT])
    assert requests.caption.vectors == (0, 1)
    assert requests.crops == {}
    assert [(request.about, request.topic) for request in requests.answers] == [
        *((0, topic) for topic in PERSON_QUESTIONS),
        *((1, topic) for topic in OBJECT_QUESTIONS),
    ]
    assert [request.prompt for request in requests.boxes][1].endswith("describes: sks.")


def test_plain_says_no_place_in_company_either():
    alone, company = (_manner("plain").requests([ANNA], faces) for faces in ([LEFT], [LEFT, RIGHT]))
    assert alone == company


def test_place_says_where_the_face_is_before_a_question_but_never_a_box_before_a_box():
    bob = Subject("Dad", "Bob", True, RIGHT)
    requests = _manner("place").requests([ANNA, bob, MUG], [LEFT, RIGHT])
    prompts = {request.topic: request.prompt for request in requests.answers if request.about == 0}
    assert prompts["wearing"] == "Anna is at [0.10, 0.10, 0.20, 0.20]. What is Anna wearing in the image?"
    assert prompts["where"].startswith("Anna is at [0.10, ")
    assert not any(" is at " in request.prompt for request in requests.answers if request.about == 2)
    assert [request.prompt.rpartition("describes: ")[2] for request in requests.boxes] == [
        "the person on the left.",
        "the person on the right.",
        "sks.",
    ]
    assert requests.crops == {}


def test_whoever_shares_a_side_is_pointed_at_by_the_identifier():
    (box,) = _manner("place").requests([ANNA], [LEFT, (0.2, 0.1, 0.3, 0.2), RIGHT]).boxes
    assert box.prompt.endswith("describes: Anna.")


@pytest.mark.parametrize("faces", [[LEFT], [RIGHT, LEFT]])
def test_crop_asks_what_concerns_one_person_around_them_and_the_rest_of_the_whole_photo(faces):
    requests = _manner("crop").requests([MUG, ANNA], faces)
    assert requests.crops == {1: LEFT}
    parts = {request.topic: request.part for request in requests.answers if request.about == 1}
    assert parts == {"wearing": 1, "doing": 1, "where": WHOLE, "next_to": WHOLE}
    prompts = {request.topic: request.prompt for request in requests.answers if request.about == 1}
    assert prompts["wearing"] == "What is Anna wearing in the image?"


def test_who_has_no_known_face_is_asked_about_without_a_place():
    nobody = replace(ANNA, face=None)
    requests = _manner("crop").requests([nobody], [LEFT, RIGHT])
    assert requests == _manner("plain").requests([nobody], [LEFT, RIGHT])


def test_another_way_or_another_question_is_another_identity():
    manner = _manner("place")
    others = [
        _manner("crop"),
        replace(manner, person_questions={**PERSON_QUESTIONS, "mood": "Is {} happy?"}),
        replace(manner, object_questions={}),
    ]
    assert len({one.identity for one in [manner, *others, _manner("place")]}) == 4
    assert manner.identity.startswith("place ")


def test_minigpt_v2_is_asked_by_its_task_tags():
    requests = _manner("place", MINIGPT_V2).requests([ANNA, MUG], [LEFT, RIGHT])
    assert requests.caption.prompt == f"[caption] {CAPTION}"
    assert requests.answers[0].prompt.startswith("[vqa] Anna is at {<10><10><20><20>}. ")
    assert [box.prompt for box in requests.boxes] == [
        "[refer] the person on the left in the image",
        "[refer] sks in the image",
    ]


def test_who_cannot_point_is_asked_for_no_box_and_told_of_none():
    requests = _manner("place", BLIP2).requests([ANNA, MUG], [LEFT, RIGHT])
    assert requests.boxes == []
    assert not any("0.10" in answer.prompt for answer in requests.answers)


def test_another_wording_means_another_telling():
    assert len({_manner("plain", wording).identity for wording in (LLAVA, BLIP2, MINIGPT_V2)}) == 3
