"""Scenes hold who they are asked to hold, apart from each other, doing what can be seen."""

import numpy as np
from myvlm_tag.world.identity import Person, sample_person
from myvlm_tag.world.scene import INDOORS, sample_scene
from myvlm_tag.world.things import sample_item


def test_given_people_and_items_are_exactly_the_main_actors():
    rng = np.random.default_rng(0)
    for _ in range(60):
        people = [sample_person(rng) for _ in range(int(rng.integers(0, 3)))]
        items = [sample_item(rng) for _ in range(int(rng.integers(0, 2)))]
        scene = sample_scene(rng, people, items)
        main = {a.entity.key for a in scene.actors if a.main}
        assert main == {e.key for e in [*people, *items]}


def test_strangers_stay_away_when_not_wanted_and_out_of_rooms():
    rng = np.random.default_rng(1)
    assert all(a.main for _ in range(40) for a in sample_scene(rng, strangers=False).actors)
    scenes = [sample_scene(rng) for _ in range(150)]
    assert any(not a.main for s in scenes for a in s.actors)
    assert all(a.main for s in scenes if s.place in INDOORS for a in s.actors)


def test_three_standing_actors_take_three_columns():
    rng = np.random.default_rng(2)
    for _ in range(30):
        scene = sample_scene(rng, [sample_person(rng) for _ in range(3)], [], strangers=False)
        xs = np.sort([a.x / scene.aspect for a in scene.actors])
        assert np.diff(xs).min() > 0.15


def test_who_carries_something_is_not_seen_from_behind():
    rng = np.random.default_rng(3)
    for _ in range(80):
        scene = sample_scene(rng)
        for actor in scene.actors:
            if actor.carries is not None:
                assert isinstance(actor.entity, Person) and actor.facing != "back"
                assert scene.actor(actor.carries).carried_by == actor.entity.key


def test_the_facing_that_is_asked_for_is_taken():
    rng = np.random.default_rng(4)
    scenes = [
        sample_scene(rng, [sample_person(rng)], [], facing="three-quarter", strangers=False)
        for _ in range(10)
    ]
    assert {a.facing for s in scenes for a in s.actors} == {"three-quarter"}
