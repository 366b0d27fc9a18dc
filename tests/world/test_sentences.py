"""Sentences say what is true of the photo, and only that."""

import re

import numpy as np
from myvlm_tag.world.scene import sample_scene
from myvlm_tag.world.sentences import (
    FEMALE_NAMES,
    MALE_NAMES,
    NAMES,
    PLACE_PHRASES,
    VOCABULARY,
    caption,
    caption_parts,
    look,
    questions,
    refer,
)
from myvlm_tag.world.things import sample_item, sample_lookalike
from myvlm_tag.world.truth import truth


def _scenes(count):
    rng = np.random.default_rng(31)
    return [sample_scene(rng) for _ in range(count)]


def test_a_caption_names_every_main_person_with_their_clothes_and_the_place():
    for scene in _scenes(40):
        text = caption(scene)
        assert text.endswith(PLACE_PHRASES[scene.place])
        for entry in truth(scene):
            if entry.main and entry.kind == "person":
                assert f"{entry.color} {entry.garment}" in text
            elif entry.main:
                assert entry.entity.noun in text


def test_the_pieces_of_a_caption_say_whom_they_speak_of():
    for scene in _scenes(40):
        main = {entry.key: entry for entry in truth(scene) if entry.main}
        parts = caption_parts(scene, found=list(main.values()))

        assert {key for _, key in parts if key} == set(main)
        for text, key in parts:
            if key and main[key].kind == "person":
                assert f"{main[key].color} {main[key].garment}" in text
            elif key:
                assert text.endswith(main[key].entity.noun)
            else:
                assert text in (", ", " and ", " with ", f" {PLACE_PHRASES[scene.place]}")


def test_a_name_replaces_the_description_of_its_entity_alone():
    for scene in _scenes(60):
        people = [t for t in truth(scene) if t.main and t.kind == "person"]
        if len(people) == 2:
            named = caption(scene, {people[0].key: "anna"})
            assert f"anna wearing a {people[0].color}".replace("a orange", "an orange") in named
            assert named.count("anna") == 1


def test_a_referring_expression_fits_one_entity_of_the_photo():
    rng = np.random.default_rng(1)
    ambiguous = 0
    for scene in _scenes(60):
        main = [t for t in truth(scene) if t.main]
        picked = [refer(scene, t.key, rng) for t in main]
        ambiguous += len(picked) - len(set(picked))
    assert ambiguous <= 2


def test_a_question_does_not_give_its_own_answer_away():
    rng = np.random.default_rng(2)
    asked = [
        q for scene in _scenes(80) for q in questions(scene, rng) if q.topic in ("wearing", "where", "doing")
    ]
    leaking = [q for q in asked if q.answer.removeprefix("a ").removeprefix("an ") in q.question]
    assert len(asked) > 200 and len(leaking) < 0.03 * len(asked)


def test_questions_use_the_given_names():
    rng = np.random.default_rng(3)
    scene = next(s for s in _scenes(50) if len([t for t in truth(s) if t.main and t.kind == "person"]) == 1)
    key = next(t.key for t in truth(scene) if t.main and t.kind == "person")
    about = [q for q in questions(scene, rng, {key: "sks"}) if q.key == key]
    assert {q.topic for q in about} >= {"wearing", "doing", "where", "next_to", "hair"}
    assert all(re.search(r"\bsks\b", q.question) for q in about)


def test_every_word_used_is_in_the_vocabulary():
    rng = np.random.default_rng(4)
    for scene in _scenes(60):
        asked = questions(scene, rng)
        text = " ".join([caption(scene, detailed=True), *(f"{q.question} {q.answer}" for q in asked)])
        assert set(re.findall("[a-z]+", text.lower())) <= set(VOCABULARY)


def test_names_are_short_distinct_and_known_by_sex():
    assert len(set(NAMES)) == len(NAMES) == 40
    assert set(NAMES) == set(FEMALE_NAMES) | set(MALE_NAMES)
    assert set(NAMES) <= set(VOCABULARY)
    assert max(map(len, NAMES)) <= 6


def test_the_full_look_tells_lookalikes_apart():
    rng = np.random.default_rng(5)
    items = [sample_item(rng) for _ in range(50)]
    same = sum(look(item) == look(sample_lookalike(item, rng)) for item in items)
    assert same <= 1
