"""Sentences say what is true of the photo, and only that."""

import numpy as np
from myvlm_tag.world.sentences import PLACE_PHRASES, caption, caption_parts, look
from myvlm_tag.world.things import sample_item, sample_lookalike
from myvlm_tag.world.truth import truth

from .conftest import scenes


def test_a_caption_names_every_main_person_with_their_clothes_and_the_place():
    for scene in scenes(40):
        text = caption(scene)
        assert text.endswith(PLACE_PHRASES[scene.place])
        for entry in truth(scene):
            if entry.main and entry.kind == "person":
                assert f"{entry.color} {entry.garment}" in text
            elif entry.main:
                assert entry.entity.noun in text


def test_the_pieces_of_a_caption_say_whom_they_speak_of():
    for scene in scenes(40):
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
    for scene in scenes(60):
        people = [t for t in truth(scene) if t.main and t.kind == "person"]
        if len(people) == 2:
            named = caption(scene, {people[0].key: "anna"})
            assert f"anna wearing a {people[0].color}".replace("a orange", "an orange") in named
            assert named.count("anna") == 1


def test_the_full_look_tells_lookalikes_apart():
    rng = np.random.default_rng(5)
    items = [sample_item(rng) for _ in range(50)]
    same = sum(look(item) == look(sample_lookalike(item, rng)) for item in items)
    assert same <= 1
