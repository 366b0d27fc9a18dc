"""Faces go to people by distance, one to one within a photo, the closest pair first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from myvlm_tag.stages.heads.person import NOBODY, PersonHead, assign, distances, fit, judge


def _unit(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _greedy(photos, distance, thresholds):
    """The rule, spelt out pair by pair."""
    owner = [NOBODY] * len(photos)
    taken = set()
    for face, person in sorted(np.ndindex(*distance.shape), key=lambda pair: distance[pair]):
        free = owner[face] == NOBODY and (photos[face], person) not in taken
        if free and distance[face, person] <= np.float32(thresholds[person]):
            owner[face] = person
            taken.add((photos[face], person))
    return owner


def test_distance_is_to_the_nearest_kept_embedding():
    head = fit(np.array([[1.0, 0, 0], [0, 2.0, 0]]), 0.5)
    faces = _unit([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [-1, 0, 0]])
    assert np.allclose(distances(faces, [head])[:, 0], [0, 0, 1 - np.sqrt(0.5), 1, 1], atol=1e-6)


def test_people_with_different_numbers_of_photos_keep_their_own_columns():
    rng = np.random.default_rng(0)
    heads = [fit(rng.normal(size=(count, 16)), 0.5) for count in (1, 4, 2)]
    faces = _unit(rng.normal(size=(40_000, 16))).astype(np.float16)
    expected = np.stack([1 - (faces.astype(np.float32) @ h.embeddings.T).max(1) for h in heads], axis=1)
    assert np.allclose(distances(faces, heads), expected, atol=1e-5)


def test_no_faces_or_no_people_give_an_empty_table():
    head = fit(np.eye(1, 8), 0.5)
    assert distances(np.empty((0, 8), np.float16), [head]).shape == (0, 1)
    assert distances(np.eye(3, 8), []).shape == (3, 0)
    assert assign(np.arange(3), np.empty((3, 0), np.float32), []).tolist() == [NOBODY] * 3


def test_a_person_without_embeddings_is_refused():
    with pytest.raises(ValueError, match="no person"):
        fit(np.empty((0, 512)), 0.5)


def test_two_like_faces_in_one_photo_are_one_person_and_one_stranger():
    distance = np.array([[0.2], [0.1], [0.2]], np.float32)
    assert assign(np.array([0, 0, 1]), distance, [0.5]).tolist() == [NOBODY, 0, 0]


def test_the_second_best_gets_the_face_that_is_left():
    # Face 0 is nearest to both people; person 0 has it, person 1 takes face 1.
    distance = np.array([[0.1, 0.2], [0.4, 0.3]], np.float32)
    assert assign(np.array([0, 0]), distance, [0.5, 0.5]).tolist() == [0, 1]


def test_a_face_like_one_that_was_said_not_to_be_the_person_s_is_for_the_next():
    eye = np.eye(3, dtype=np.float32)
    first, second = fit(_unit([[1, 0.2, 0]]), 0.5), fit(_unit([[1, 0, 0.6]]), 0.5)
    told = PersonHead(first.embeddings, 0.5, others=eye[:1])
    for head, whose in ((first, 0), (told, 1)):
        distance, owner = judge(np.array([0]), eye[:1], [head, second])
        assert owner.tolist() == [whose] and np.array_equal(distance, distances(eye[:1], [head, second]))


def test_a_distance_at_the_threshold_is_a_hit():
    assert assign(np.array([0]), np.array([[0.675]], np.float32), [0.675]).tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 5))
def test_a_whole_table_at_once_is_the_same_as_pair_by_pair(seed, faces, people):
    rng = np.random.default_rng(seed)
    photos = rng.integers(0, 4, faces)
    distance = rng.permutation(faces * people).reshape(faces, people).astype(np.float32) / (faces * people)
    thresholds = rng.uniform(0.2, 0.9, people)
    assert assign(photos, distance, thresholds).tolist() == _greedy(photos, distance, thresholds)
