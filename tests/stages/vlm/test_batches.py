"""Rows go through a model together as long as their photos have room, and keep their order."""

import torch
from myvlm_tag.stages.vlm.base import Features
from myvlm_tag.stages.vlm.batches import Room, batches


def _photos(*tokens):
    return [Features(torch.zeros(count, 4), 1.0) for count in tokens]


def test_all_that_a_small_model_learns_from_is_one_batch_in_the_order_given():
    photos = _photos(*[81] * 33)  # held out of five photos
    assert batches(photos, Room().held_out) == [list(range(33))]
    assert batches(photos[:10], Room().step) == [list(range(10))]


def test_no_batch_has_more_tokens_than_its_room_padding_among_them():
    sizes = [300, 100, 900, 250, 1000, 120, 0, 300]
    made = batches(_photos(*sizes), 1000)
    assert sorted(row for rows in made for row in rows) == list(range(len(sizes)))
    assert all(rows == sorted(rows) and len(rows) * max(sizes[row] for row in rows) <= 1000 for rows in made)
    assert made[0] == [4] and len(made) == 4


def test_a_photo_that_is_larger_than_the_room_goes_alone():
    assert batches(_photos(5000, 2000, 5000), 4000) == [[0], [2], [1]]


def test_no_batch_has_more_rows_than_it_may():
    assert [len(rows) for rows in batches(_photos(*[1] * 7), 100, rows=3)] == [3, 3, 1]
    assert batches([], 100) == []
