"""Rendered concepts come as `evaluate` reads any folder, with the truth as captions and facts."""

import pytest
from myvlm_tag.pipeline.evaluate.data import divide, read_dataset
from myvlm_tag.stages.vlm.words import says
from myvlm_tag.world.measure.concepts import write_concepts
from PIL import Image


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return read_dataset(write_concepts(tmp_path_factory.mktemp("rendered"), 81, 2, 3), "seed 81", 81)


def test_a_person_and_a_thing_have_photos_that_teach_and_photos_that_judge(dataset):
    assert len(dataset.subjects) == 2
    kinds = set()
    for subject in dataset.subjects:
        assert len(subject.shots) == 8
        teaching = [shot for shot in subject.shots if shot.facts.teaches]
        assert len(teaching) in (4, 5)  # of a person the fifth shows a friend, too
        draw = divide(subject, 81, 4, 9)
        assert len(draw.training) == 4 and len(draw.validation) == 4
        kinds.add("wearing" in subject.shots[0].facts.answers)
    assert kinds == {True, False}


def test_captions_say_the_concept_s_name_and_no_other_and_boxes_lie_in_the_photo(dataset):
    for subject in dataset.subjects:
        for shot in subject.shots:
            assert bool(shot.captions) != (shot.facts.teaches or not shot.path.name.startswith("seen "))
            for caption in shot.captions:
                assert says(caption, subject.name)
                assert not any(says(caption, other) for other in shot.facts.others)
            x0, y0, x1, y1 = shot.facts.box
            width, height = sorted(Image.open(shot.path).size)
            assert x0 < x1 <= max(width, height) and y0 < y1 <= max(width, height)
            assert shot.facts.answers["where"]


def test_the_same_seed_gives_the_same_photos(dataset, tmp_path):
    again = read_dataset(write_concepts(tmp_path, 81, 1, 3), "seed 81", 81).subjects[0]
    first = next(subject for subject in dataset.subjects if subject.name == again.name)
    assert [shot.path.read_bytes() for shot in first.shots] == [
        shot.path.read_bytes() for shot in again.shots
    ]
