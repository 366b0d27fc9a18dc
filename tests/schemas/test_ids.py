"""ULIDs sort by time, whatever the clocks say."""

from __future__ import annotations

from myvlm_tag.schemas.ids import new_ulid


def test_ids_have_26_characters_and_differ() -> None:
    ids = {new_ulid() for _ in range(100)}
    assert len(ids) == 100
    assert {len(one) for one in ids} == {26}


def test_an_id_is_greater_than_the_one_it_comes_after_even_from_a_clock_ahead() -> None:
    ahead = "7" + "Z" * 24 + "0"
    assert new_ulid(after=ahead) > ahead
    first = new_ulid()
    assert new_ulid(after=first) > first
