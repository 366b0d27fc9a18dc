"""Sentences in other words and orders than the grammar's examples, held against ones that mean the same."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from myvlm_tag.schemas.errors import MyvlmTagError

SENTENCES = tomllib.loads((Path(__file__).parent / "other_words.toml").read_text("utf-8"))
SHARE = 0.9


def test_nine_in_ten_of_two_hundred_are_read_rightly(
    found: Callable[[str], list], capsys: pytest.CaptureFixture[str]
) -> None:
    """Read rightly is what finds the same photos, of hundreds, as the plain sentence."""
    wrong, asked = [], 0
    later = SENTENCES.pop("more")
    for plain, others in [*SENTENCES.items(), *later.items()]:
        wanted = found(plain)
        assert wanted, plain
        for sentence in others:
            asked += 1
            try:
                right = found(sentence) == wanted
            except MyvlmTagError:
                right = False
            wrong += [] if right else [sentence]
    share = 1 - len(wrong) / asked
    with capsys.disabled():
        print(f"\n{asked - len(wrong)} of {asked} sentences in other words are read rightly ({share:.1%})")
        print("not: " + "; ".join(wrong))
    assert asked >= 200
    assert share >= SHARE
