"""Whether photos teach a person or a thing is read off the faces in them, and doubt is said in one line."""

import numpy as np
import pytest
from myvlm_tag.pipeline.subject import Face, find_subject
from myvlm_tag.schemas.errors import PhotosUnusable

THRESHOLD = 0.5


def _face(photo, person, height=100.0, seed=0):
    """A face of person number `person`: people are far apart, photos of one person are near."""
    rng = np.random.default_rng([photo, person, seed])
    vector = np.zeros(64)
    vector[person] = 1
    vector += 0.05 * rng.normal(size=64)
    return Face(photo, (0, 0, height, height), (vector / np.linalg.norm(vector)).astype(np.float32))


def _decide(people_per_photo, kind=None):
    faces = [_face(photo, person) for photo, people in enumerate(people_per_photo) for person in people]
    return find_subject(faces, len(people_per_photo), THRESHOLD, kind)


def test_one_face_alone_in_one_photo_is_a_person():
    subject = _decide([[0]])
    assert subject.kind == "person" and list(subject.faces) == [0]
    assert subject.why == "person: the same face in 1 of 1 photo"


def test_the_face_that_agrees_is_taken_and_company_is_not():
    subject = _decide([[0], [0, 1], [2, 0], [0], []])
    assert subject.kind == "person" and sorted(subject.faces) == [0, 1, 2, 3]
    assert all(face.embedding[0] > 0.9 for face in subject.faces.values())


@pytest.mark.parametrize("photos", [[[]], [[], [], []], [[0], [], []], [[0], [1]], [[0], [1], [2], []]])
def test_no_face_or_faces_that_differ_make_a_thing(photos):
    subject = _decide(photos)
    assert subject.kind == "object" and subject.why.startswith("object: ") and not subject.faces


@pytest.mark.parametrize("photos", [[[0, 1]], [[0, 1], [1, 0]], [[0], [0], [1], [1]], [[0, 1], [0, 1], []]])
def test_two_people_equally_often_is_one_line_that_says_what_helps(photos):
    with pytest.raises(
        PhotosUnusable, match=r"two people are in .* equally often; add photos of the one alone"
    ):
        _decide(photos)


def test_a_passer_by_in_the_back_is_not_mistaken_for_the_person():
    faces = [_face(0, 0, height=200), _face(0, 1, height=40)]
    assert find_subject(faces, 1, THRESHOLD, None).faces[0].height == 200


def test_asking_for_an_object_overrides_faces_and_asking_for_a_person_overrides_a_minority():
    assert _decide([[0], [0]], "object").kind == "object"
    assert sorted(_decide([[0], [], [], []], "person").faces) == [0]


def test_a_person_without_a_face_is_one_line():
    with pytest.raises(PhotosUnusable, match="no face was found in the 2 photos"):
        _decide([[], []], "person")
