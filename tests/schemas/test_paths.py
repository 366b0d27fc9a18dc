"""The text form of paths: any bytes there and back, always valid UTF-8."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st
from myvlm_tag.schemas.paths import from_text, to_text


@given(st.binary(min_size=1, max_size=60))
def test_any_bytes_come_back_and_the_text_is_valid_utf8(name: bytes) -> None:
    text = to_text(name)
    text.encode("utf-8")
    assert os.fsencode(from_text(text)) == name


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_different_names_have_different_texts(one: bytes, other: bytes) -> None:
    assert (to_text(one) == to_text(other)) == (one == other)


def test_ordinary_names_stay_as_they_are() -> None:
    assert to_text("/photos/été 2024/日本 😀.jpg") == "/photos/été 2024/日本 😀.jpg"


def test_odd_names_are_readable() -> None:
    assert to_text(b"caf\xe9 \\x41.jpg") == "caf\\xe9 \\\\x41.jpg"
