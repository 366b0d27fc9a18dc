"""Captions say of the right one what a closer look says, and nothing that they didn't speak of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from myvlm_tag.stages.vlm.mending import Look, mend

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


@settings(deadline=None)
@given(st.text(max_size=60))
def test_without_a_closer_look_a_caption_stays_as_it_is(caption):
    assert mend(caption, [], ["anna"]) == caption
