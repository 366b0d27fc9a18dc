"""Truth agrees with pixels: boxes hold what they say, faces are where the landmarks are."""

import numpy as np
import pytest
from myvlm_tag.world.identity import Person
from myvlm_tag.world.render import render
from myvlm_tag.world.scene import GARMENTS, sample_scene
from myvlm_tag.world.things import COLORS, Item
from myvlm_tag.world.truth import masks, truth

HEIGHT = 384


def _scenes(count, **choices):
    rng = np.random.default_rng(21)
    return [sample_scene(rng, **choices) for _ in range(count)]


@pytest.mark.parametrize("scene", _scenes(12))
def test_an_entity_fills_its_box_and_nothing_of_it_lies_outside(scene):
    owners = masks(scene, HEIGHT)
    for entry in truth(scene):
        index = next(i for i, a in enumerate(scene.actors) if a.entity.key == entry.key)
        ys, xs = np.nonzero(owners == index + 1)
        x0, y0, x1, y1 = (v * HEIGHT for v in entry.box)
        assert xs.min() >= x0 - 2.5 and xs.max() <= x1 + 2.5
        assert ys.min() >= y0 - 2.5 and ys.max() <= y1 + 2.5
        assert abs(np.ptp(ys) - (y1 - y0)) < 0.12 * HEIGHT


def test_a_persons_box_holds_the_colours_of_their_clothes_and_their_skin():
    checked = 0
    for scene in _scenes(40, strangers=False):
        scene.daytime, scene.weather = "day", "clear"
        image = render(scene, HEIGHT, camera=False).astype(int)
        owners = masks(scene, HEIGHT)
        for entry in truth(scene):
            if not isinstance(entry.entity, Person):
                continue
            index = next(i for i, a in enumerate(scene.actors) if a.entity.key == entry.key)
            pixels = image[owners == index + 1]
            for color in (COLORS[entry.color], entry.entity.skin if entry.face_box else None):
                if color is not None:
                    near = np.abs(pixels - np.asarray(color)).max(axis=1) < 26
                    assert near.mean() > 0.02, (entry.garment, entry.color, near.mean())
                    checked += 1
    assert checked > 40


def test_the_eyes_are_darker_than_the_face_around_them():
    darker = []
    for scene in _scenes(60, items=[], strangers=False, facing="front"):
        scene.daytime, scene.weather = "day", "clear"
        for entry in truth(scene):
            person = entry.entity
            if entry.face_box is None or person.glasses or person.skin_tone > 0.5:
                continue
            x0, y0, x1, y1 = entry.face_box
            crop = render(scene, 160, entry.face_box, camera=False).mean(axis=2)
            scale = np.array(crop.shape[::-1]) / (x1 - x0, y1 - y0)
            eyes = np.rint((entry.landmarks[:2] - (x0, y0)) * scale).astype(int)
            patches = [crop[v - 4 : v + 5, u - 4 : u + 5].min() for u, v in eyes]
            darker.append(max(patches) < np.median(crop) - 40)
    assert len(darker) > 8 and np.mean(darker) > 0.95


def test_landmarks_lie_in_the_face_box_left_to_right():
    seen = 0
    for scene in _scenes(60):
        for entry in truth(scene):
            if entry.landmarks is None:
                continue
            x0, y0, x1, y1 = entry.face_box
            left_eye, right_eye, nose, left_mouth, right_mouth = entry.landmarks
            assert left_eye[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
            assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
            inside = (entry.landmarks > (x0 - 0.02, y0 - 0.02)) & (entry.landmarks < (x1 + 0.02, y1 + 0.02))
            assert inside.mean() > 0.8
            seen += 1
    assert seen > 40


def test_a_face_turned_away_has_no_box_and_no_landmarks():
    for scene in _scenes(6, facing="back", strangers=False):
        for entry in truth(scene):
            if entry.kind == "person" and entry.doing not in ("holding", "riding"):
                assert entry.face_box is None and entry.landmarks is None


def test_attributes_are_of_the_known_words_and_boxes_inside_the_photo():
    for scene in _scenes(40):
        for entry in truth(scene):
            assert entry.where in ("left", "middle", "right")
            x0, y0, x1, y1 = entry.box
            assert 0 <= x0 < x1 <= scene.aspect and 0 <= y0 < y1 <= 1
            assert entry.kind == ("person" if isinstance(entry.entity, Person) else entry.entity.kind)
            if isinstance(entry.entity, Person):
                assert entry.garment in GARMENTS and entry.color in COLORS
            else:
                assert isinstance(entry.entity, Item) and entry.garment is None


def test_what_stands_left_of_the_middle_is_called_left():
    for scene in _scenes(40):
        for entry in truth(scene):
            middle = (entry.box[0] + entry.box[2]) / 2 / scene.aspect
            if middle < 0.33:
                assert entry.where == "left"
            elif middle > 0.67:
                assert entry.where == "right"
            elif 0.4 < middle < 0.6:
                assert entry.where == "middle"


def test_a_held_thing_is_named_by_what_its_carrier_does():
    found = 0
    for scene in _scenes(80):
        for entry in truth(scene):
            carries = scene.actor(entry.key).carries
            if carries is not None:
                assert entry.doing.endswith(scene.actor(carries).entity.noun)
                assert entry.doing.split()[0] in ("holding", "riding")
                found += 1
    assert found > 5
