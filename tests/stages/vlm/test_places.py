"""Boxes in words are read as they were written, and people are placed so that no two share a place."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from myvlm_tag.stages.vlm.places import body_around, from_square, intersection_over_union, pointed_out, side
from myvlm_tag.stages.vlm.wording import LLAVA, MINIGPT_V2

FORMS = [LLAVA.boxes, MINIGPT_V2.boxes]
parts = st.floats(0, 1).map(lambda value: round(value, 2))


@settings(deadline=None)
@given(
    st.sampled_from(FORMS),
    st.lists(parts, min_size=4, max_size=4),
    st.sampled_from(["#", "It is at #.", "# or so [1]", "{<1>} and #"]),
)
def test_a_box_is_read_as_it_was_written_whatever_stands_around_it(form, corners, around):
    x0, x1 = sorted(corners[:2])
    y0, y1 = sorted(corners[2:])
    assume(x0 < x1 and y0 < y1)
    box = (x0, y0, x1, y1)
    assert form.read(around.replace("#", form.write(box))) == pytest.approx(box)


def test_each_family_writes_boxes_as_its_authors_publish_them():
    assert LLAVA.boxes.write((0.1, 0.2, 0.305, 1.0)) == "[0.10, 0.20, 0.30, 1.00]"
    assert MINIGPT_V2.boxes.write((0.1, 0.2, 0.307, 1.0)) == "{<10><20><31><100>}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "on the left",
        "0.1, 0.2, 0.3, 0.4",
        "[0.10, 0.20, 0.30]",
        "[0.30, 0.20, 0.10, 0.40]",  # no width
        "[0.10, 0.20, 0.30, 0.20]",  # no height
        "[12, 30, 200, 220]",  # pixels of nobody knows what
        "[-0.1, 0.2, 0.3, 0.4]",
        "{<10><20><30>}",
        "{<30><20><10><40>}",
        "{<100><200><300><400>}",
    ],
)
def test_words_that_are_no_box_are_none(text):
    assert [form.read(text) for form in FORMS] == [None, None]


@settings(deadline=None)
@given(st.sampled_from(FORMS), st.text(max_size=40))
def test_no_words_break_the_reading_of_boxes(form, text):
    box = form.read(text)
    assert box is None or all(0 <= corner <= 1 for corner in box)


def test_a_box_in_the_padded_square_is_put_back_onto_the_photo():
    assert from_square((0.25, 0.25, 0.75, 0.5), 200, 100) == pytest.approx((0.25, 0.0, 0.75, 0.5))
    assert from_square((0.25, 0.25, 0.75, 0.5), 100, 200) == pytest.approx((0.0, 0.25, 1.0, 0.5))
    assert from_square((0.0, 0.0, 0.2, 1.0), 100, 200) is None  # padding alone


def test_people_are_pointed_out_by_their_side_unless_others_are_there_too():
    left, right, righter = (0.1, 0.1, 0.2, 0.2), (0.7, 0.1, 0.8, 0.2), (0.8, 0.1, 0.9, 0.2)
    assert [side(box) for box in (left, (0.4, 0, 0.6, 1), right)] == [
        "on the left",
        "in the middle",
        "on the right",
    ]
    assert pointed_out(left, [left, right, righter]) == "the person on the left"
    assert pointed_out(right, [left, right, righter]) is None


@settings(deadline=None)
@given(st.lists(parts, min_size=4, max_size=4))
def test_the_body_around_a_face_holds_the_face_and_stays_in_the_photo(corners):
    x0, x1 = sorted(corners[:2])
    y0, y1 = sorted(corners[2:])
    body = body_around((x0, y0, x1, y1))
    assert 0 <= body[0] <= x0 <= x1 <= body[2] <= 1
    assert 0 <= body[1] <= y0 <= y1 <= body[3] <= 1


def test_boxes_overlap_by_what_they_share():
    assert intersection_over_union((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert intersection_over_union((0, 0, 1, 1), (2, 2, 3, 3)) == 0
