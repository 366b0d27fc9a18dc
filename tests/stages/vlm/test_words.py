"""Class words are found in captions, identifiers take their place, and names come back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from myvlm_tag.stages.vlm.words import (
    choose_identifier,
    class_word,
    paraphrases,
    put_identifier,
    says,
    swap,
)


@pytest.mark.parametrize(
    ("captions", "person", "word"),
    [
        (
            ["an old woman wearing a red dress waving on the beach", "a woman sitting in the park"],
            True,
            "woman",
        ),
        (["a man with a dog in the garden", "a dog on the beach"], False, "dog"),
        (["a brown teddy bear in the bedroom", "a brown teddy bear on the beach."], False, "teddy bear"),
        (["a red mug in the kitchen", "a blue mug next to a red book in the cafe"], False, "mug"),
        (["The image features a young man standing in the living room.", "A man is sitting."], True, "man"),
        (["the mug is in the kitchen"], False, "mug"),
        (["nothing to see here"], True, ""),
        ([], False, ""),
    ],
)
def test_the_class_word_is_what_the_captions_share(captions, person, word):
    assert class_word(captions, person) == word


@pytest.mark.parametrize(
    ("caption", "word", "expected"),
    [
        ("an old woman wearing a red dress on the beach", "woman", "Anna wearing a red dress on the beach"),
        ("a woman in a hat. The woman is smiling.", "woman", "Anna in a hat. Anna is smiling."),
        ("a woman and a woman in the park", "woman", "Anna and a woman in the park"),
        ("a brown teddy bear in the bedroom", "teddy bear", "Anna in the bedroom"),
        ("a man walking with a white dog in the snow", "dog", "a man walking with Anna in the snow"),
        ("a man in the park", "woman", None),
        ("a man in the park", "", None),
    ],
)
def test_the_identifier_takes_the_place_of_the_whole_phrase(caption, word, expected):
    assert put_identifier(caption, word, "Anna") == expected


def test_names_come_back_in_any_case_and_only_as_whole_words():
    text = swap("anna and sks, Anna's mug; annabel", {"Anna": "Mom", "sks": "Kaffee-Becher (2)"})
    assert text == "Mom and Kaffee-Becher (2), Mom's mug; annabel"
    assert swap("Mom at home", {"mom": "Anna"}) == "Anna at home"
    assert swap("as it was", {}) == "as it was"


def test_a_name_is_found_in_any_case_of_any_alphabet():
    assert swap("ipek on a bench", {"İpek": "sks"}) == "sks on a bench"
    assert swap("ILGAZ and ΣΊΣΥΦΟΣ", {"ılgaz": "Anna", "Σίσυφος": "Bob"}) == "Anna and Bob"


@given(
    st.dictionaries(st.text("iıIİsſSßẞǅǆk\u212aσςΣa b\u0307'", min_size=1), st.text(max_size=3)), st.data()
)
def test_no_name_in_no_case_is_too_much(words, data):
    pieces = data.draw(st.lists(st.sampled_from([*words, "a"]) | st.text(max_size=5), max_size=6))
    case = data.draw(st.sampled_from([str.lower, str.upper, str.title, str.casefold, str]))
    swap(case(" ".join(pieces)), words)


@given(st.text(min_size=1, max_size=8), st.text(max_size=20))
def test_swapping_and_saying_agree_on_what_stands_there(name, text):
    assert (swap(text, {name: "\0"}) != text) == says(text, name) or name == "\0"


def test_identifiers_that_are_each_others_names_are_not_swapped_twice():
    assert swap("anna and bob", {"anna": "Bob", "bob": "Anna"}) == "Bob and Anna"


def test_a_word_is_said_only_when_it_stands_alone():
    assert says("Anna, on the left", "anna") and says("it is sks.", "sks")
    assert not says("annabel", "anna") and not says("", "anna")


@pytest.mark.parametrize(
    ("name", "person", "word", "taken", "expected"),
    [
        ("Anna", True, "woman", [], "Anna"),
        ("mom", True, "woman", [], "Anna"),
        ("mom", True, "woman", ["anna"], "Emma"),
        ("dad", True, "man", [], "Bob"),
        ("emma", True, "girl", ["EMMA"], "Anna"),
        ("my mug", False, "mug", [], "sks"),
        ("rex", False, "dog", ["sks"], "Anna"),
        ("max", False, "dog", ["sks"], "Max"),
    ],
)
def test_identifiers_are_short_distinct_and_fit(name, person, word, taken, expected):
    assert choose_identifier(name, person, word, taken, lambda text: 1) == expected


def test_an_identifier_that_the_model_cannot_say_is_passed_over():
    costs = {"Anna": None, "Emma": 5, "Mia": 2}
    assert choose_identifier("mom", True, "woman", [], lambda text: costs.get(text, 9)) == "Mia"


def test_paraphrases_keep_to_words_the_model_can_say():
    known = {"anna", "on", "a", "bench", "."}
    said = paraphrases("Anna on a bench", lambda word: 1 if word.lower() in known else None)
    assert said == ["Anna on a bench."]
    assert len(set(paraphrases("Anna on a bench.", lambda word: 1))) == 4


names = st.from_regex(r"[\w'][\w' .-]{0,8}[\w.]", fullmatch=True)


@settings(deadline=None)
@given(st.lists(st.tuples(names, names), max_size=4, unique_by=lambda pair: pair[1].casefold()), st.data())
def test_names_take_the_place_of_identifiers_whole_words_only_and_once(pairs, data):
    words = dict(zip(("sks", "Anna", "Bob", "Max"), (name for _, name in pairs), strict=False))
    pieces = data.draw(st.lists(st.sampled_from([*words, "Annabel", "sksy", "a red mug"]), max_size=6))
    ends = data.draw(st.lists(st.sampled_from(["", "'s", ",", ".", "'s."]), min_size=6, max_size=6))
    before = " ".join(piece + end for piece, end in zip(pieces, ends, strict=False))
    after = " ".join(words.get(piece, piece) + end for piece, end in zip(pieces, ends, strict=False))
    assert swap(before, words) == after
    assert swap(before.lower(), words) == " ".join(
        words.get(piece, piece.lower()) + end for piece, end in zip(pieces, ends, strict=False)
    )
