"""Captions say of the right one what a closer look says, and nothing that they didn't speak of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from myvlm_tag.stages.vlm.mending import Look, Thing, mend, name_things

ANNA = Look("anna", "a blue coat", "holding a cup")
BOB = Look("bob", "a red shirt", "sitting")


@pytest.mark.parametrize(
    ("caption", "mended"),
    [
        (
            "anna wearing a red dress waving in the park",
            "anna wearing a blue coat holding a cup in the park",
        ),
        (
            "a man wearing a red coat sitting and Anna wearing a pink hat.",
            "a man wearing a red coat sitting and anna wearing a blue coat.",
        ),
        (
            "Anna, wearing a long green dress and a hat, waves",
            "anna, wearing a blue coat and a hat, waves",
        ),
        ("anna is wearing a t-shirt and smiling", "anna is wearing a blue coat and holding a cup"),
        (
            "anna wearing a blue coat holding a white cup",
            "anna wearing a blue coat holding a white cup",
        ),
        ("anna wearing a blue coat walking a dog.", "anna wearing a blue coat holding a cup."),
        ("anna wearing a blue coat holding sks", "anna wearing a blue coat holding sks"),
        ("anna wearing a blue coat walking the sks", "anna wearing a blue coat walking the sks"),
        ("a woman wearing a red dress next to anna", "a woman wearing a red dress next to anna"),
        ("annabel wearing a red dress", "annabel wearing a red dress"),
        ("anna wearing sunglasses", "anna wearing sunglasses"),
        ("anna waving", "anna waving"),
        ("", ""),
    ],
)
def test_a_clause_about_someone_says_what_the_closer_look_says_of_them(caption, mended):
    assert mend(caption, [ANNA], ["anna", "sks"]) == mended


@pytest.mark.parametrize(
    ("caption", "mended"),
    [
        (  # one has the other's name, and the other none
            "bob wearing a blue coat holding a cup and a man wearing a red shirt sitting on the beach",
            "anna wearing a blue coat holding a cup and bob wearing a red shirt sitting on the beach",
        ),
        (  # a name said twice
            "bob wearing a blue coat waving and bob wearing a red shirt sitting",
            "anna wearing a blue coat holding a cup and bob wearing a red shirt sitting",
        ),
        (  # ... once of a stranger
            "bob wearing a red shirt sitting, a girl wearing a blue coat and bob wearing a hat",
            "bob wearing a red shirt sitting, anna wearing a blue coat and someone wearing a hat",
        ),
        (  # a name that nobody there has, twice, and once of a stranger
            "carl wearing a blue coat, carl wearing a red shirt sitting and carl wearing a hat",
            "anna wearing a blue coat, bob wearing a red shirt sitting and someone wearing a hat",
        ),
        (  # somebody who isn't spoken of takes nobody's place
            "a man wearing a green hat and bob wearing a red shirt",
            "a man wearing a green hat and bob wearing a red shirt",
        ),
    ],
)
def test_among_several_people_the_clothes_say_who_is_who(caption, mended):
    assert mend(caption, [ANNA, BOB], ["anna", "bob"]) == mended


def test_in_the_same_clothes_the_verb_decides():
    looks = [Look("anna", "a red coat", "waving"), Look("bob", "a red coat", "sitting")]
    said = "a man wearing a red coat sitting and a woman wearing a red coat waving"
    assert (
        mend(said, looks, ["anna", "bob"])
        == "bob wearing a red coat sitting and anna wearing a red coat waving"
    )


@pytest.mark.parametrize("answer", ["", "nothing", "Anna is wearing a coat, a hat", "yes"])
def test_answers_that_are_no_phrases_change_nothing(answer):
    said = "anna wearing a hat waving at the lake"
    assert mend(said, [Look("anna", answer, answer)], ["anna"]) == said


MUG, CAR = Thing("sks", "mug", "red"), Thing("zwx", "toy car", "It is blue.")


@pytest.mark.parametrize(
    ("caption", "named"),
    [
        ("anna wearing a hat holding a white mug in the park", "anna wearing a hat holding sks in the park"),
        ("a mug and a toy car.", "sks and zwx."),
        ("a blue mug, a red mug and a table", "a blue mug, sks and a table"),
        ("a blue toy car next to a red toy car", "zwx next to a red toy car"),
        ("a red car", "a red car"),
        ("a mug and a mug", "a mug and a mug"),  # either
        ("a red mug and a red mug", "a red mug and a red mug"),
        ("sks next to a mug", "sks next to a mug"),  # another one
        ("a mug of SKS", "a mug of SKS"),
        ("a mugshot", "a mugshot"),
        ("", ""),
    ],
)
def test_things_spoken_of_by_their_class_word_get_their_name_where_no_other_can_be_meant(caption, named):
    assert name_things(caption, [MUG, CAR]) == named


def test_one_phrase_that_could_be_either_of_two_known_things_stays_as_it_is():
    twins = [MUG, Thing("zwx", "mug", "blue")]
    assert name_things("anna holding a mug", twins) == "anna holding a mug"
    assert name_things("a red mug and a blue mug", twins) == "sks and zwx"


def test_a_thing_without_a_class_word_is_not_looked_for():
    assert name_things("a mug", [Thing("sks", "")]) == "a mug"


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=9), st.text(max_size=9))
def test_any_class_word_and_color_do_no_harm(caption, word, color):
    named = name_things(caption, [Thing("sks", word, color)])
    assert named == caption or "sks" in named


@settings(deadline=None)
@given(st.text(max_size=60))
def test_without_a_closer_look_a_caption_stays_as_it_is(caption):
    assert mend(caption, [], ["anna"]) == caption
