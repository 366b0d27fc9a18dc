"""Lessons are written from the model's own words or the person's, with the identifier put in."""

from pathlib import Path

import numpy as np
import pytest
from myvlm_tag.stages.packs import POCKET
from myvlm_tag.stages.vlm.families import choose, load
from myvlm_tag.stages.vlm.lessons import Plan, Pupil, write_lessons
from myvlm_tag.stages.vlm.llava import Llava
from myvlm_tag.stages.vlm.words import CAPTION, PERSON_QUESTIONS, says
from myvlm_tag.world.identity import sample_person
from myvlm_tag.world.render import render
from myvlm_tag.world.scene import sample_scene


@pytest.fixture(scope="module")
def adapter(llava_folder):
    return Llava(llava_folder, "0123")


@pytest.fixture(scope="module")
def lessons(adapter, photos):
    pupils = [Pupil(photos[0]), Pupil(photos[1], ("Mom on the left, with a dog", "a woman on a bench"))]
    return write_lessons(adapter, pupils, "Mom", True, ["Anna"], Plan(variants=6), "Emma")


def test_each_photo_gives_captions_and_answers_on_each_of_its_variants(lessons):
    captions, answers = lessons.groups[0], lessons.groups[1]
    assert len({id(lesson.features) for lesson in captions}) == 4  # two of the six are held out
    assert {lesson.prompt for lesson in captions} == {CAPTION, "Please caption this image of Emma."}
    questions = {question.format("Emma") for question in PERSON_QUESTIONS}
    assert answers and {lesson.prompt for lesson in answers} <= questions


def test_every_caption_to_aim_at_says_the_identifier(lessons):
    captions = [lesson for group in lessons.groups[::2] for lesson in group]
    assert all(says(target, "Emma") for lesson in captions for target in lesson.targets)


def test_what_the_person_wrote_is_used_and_mirrored_with_the_photo(lessons):
    written = [lesson.targets for lesson in lessons.groups[2] if lesson.prompt == CAPTION]
    assert [targets[0] for targets in written] == ["Emma on the left, with a dog"] * 2 + [
        "Emma on the right, with a dog"
    ] * 2
    assert any(says(target, "bench") and says(target, "Emma") for target in written[0])
    assert lessons.captions[1] == written[0]


def test_held_out_variants_are_in_no_group(lessons):
    seen = {id(lesson.features) for group in lessons.groups for lesson in group}
    held_out = {id(lesson.features) for lesson in lessons.held_out}
    assert len(lessons.exam) == 4
    assert held_out == {id(features) for features in lessons.exam} and not held_out & seen


def test_in_company_a_caption_teaches_only_what_it_tells_apart(adapter, photos):
    written = ("Mom and a man in the park",)
    pupils = [Pupil(photos[0]), Pupil(photos[1], written, company=True), Pupil(photos[2], company=True)]
    lessons = write_lessons(adapter, pupils, "Mom", True, [], Plan(variants=4), "Anna")
    assert lessons.captions[1][0] == "Anna and a man in the park"
    assert lessons.captions[2] == ()  # a random model's words tell nobody apart
    asked = [group for group in lessons.groups if group[0].prompt.startswith("What is")]
    assert len(asked) == 1  # of the first photo alone
    assert len(lessons.exam) == 4


def test_photos_in_company_are_used_where_there_are_no_others(adapter, photos):
    lessons = write_lessons(
        adapter, [Pupil(photos[0], company=True)], "Mom", True, [], Plan(variants=4), "Anna"
    )
    assert lessons.groups and says(lessons.captions[0][0], "Anna")


def test_without_questions_there_are_captions_alone(adapter, photos):
    lessons = write_lessons(adapter, [Pupil(photos[0])], "mug", False, [], Plan(variants=4, questions=False))
    assert len(lessons.groups) == 1
    assert all(says(target, lessons.identifier) for lesson in lessons.groups[0] for target in lesson.targets)


def test_of_light_variations_those_stay_that_the_model_says_with_ease(adapter, photos):
    """The pocket model has never begun a caption with "In this image", a random one minds nothing."""
    spoken = load(choose(POCKET), Path("home"), "0123")
    portrait = render(sample_scene(np.random.default_rng(5), [sample_person(np.random.default_rng(6))]), 240)
    targets = [
        write_lessons(one, [Pupil(image, ("Mom in the park",))], "Mom", True, [], Plan(), "Anna").captions[0]
        for one, image in ((spoken, portrait), (adapter, photos[0]))
    ]
    assert targets[0][0] == targets[1][0] == "Anna in the park"
    assert not any("image" in target for target in targets[0])
    assert any("image" in target for target in targets[1])
