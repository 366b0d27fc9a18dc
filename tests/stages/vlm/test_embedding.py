"""Optimising a concept embedding lowers the loss, keeps the best vector, and is the same every time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from myvlm_tag.schemas.errors import NotLearnt
from myvlm_tag.stages.vlm.batches import Room
from myvlm_tag.stages.vlm.blip2 import Blip2
from myvlm_tag.stages.vlm.embedding import Lesson, learn
from myvlm_tag.stages.vlm.llava import Llava
from myvlm_tag.stages.vlm.minigpt_v2 import MiniGPTv2
from myvlm_tag.stages.vlm.recipe import Recipe

RECIPE = Recipe(steps=30, check_every=5)


@pytest.fixture(scope="module")
def adapter(llava_folder):
    return Llava(llava_folder, "0123")


@pytest.fixture(scope="module")
def lessons(adapter, photos):
    features = adapter.encode(photos)
    prompt = "Describe this image."
    groups = [[Lesson(one, prompt, ("Anna on the beach", "Anna on a bench"))] for one in features[:3]]
    return groups, [Lesson(features[3], prompt, ("Anna on the beach",))]


@pytest.fixture(scope="module")
def learnt(adapter, lessons):
    return learn(adapter, *lessons, RECIPE)


def test_the_vector_makes_the_targets_likelier_even_on_a_photo_no_step_saw(adapter, lessons, learnt):
    _, held_out = lessons
    losses = []
    random = np.random.default_rng(5).standard_normal(adapter.width)
    for vector in (random, learnt.vector):
        inputs = adapter.inputs(
            [held_out[0].features],
            [[adapter.vector(vector)]],
            [held_out[0].prompt],
            list(held_out[0].targets),
        )
        losses.append(float(adapter.loss(inputs, attention=False).words))
    assert losses[1] < losses[0] - 0.01
    assert losses[1] == pytest.approx(min(loss for _, loss in learnt.held_out), rel=1e-4)


def test_every_step_and_every_check_is_on_record(learnt):
    assert len(learnt.losses) == RECIPE.steps and all(np.isfinite(learnt.losses))
    assert [step for step, _ in learnt.held_out] == [0, 5, 10, 15, 20, 25, 30]
    assert dict(learnt.held_out)[learnt.kept_step] == min(loss for _, loss in learnt.held_out)


def test_the_vector_kept_has_norm_one(learnt):
    assert learnt.vector.dtype == np.float32
    assert float(np.linalg.norm(learnt.vector)) == pytest.approx(1, abs=1e-5)


def test_the_same_seed_gives_the_same_vector_and_another_seed_another(adapter, lessons):
    first, again, other = (learn(adapter, *lessons, Recipe(steps=3, seed=seed)).vector for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.allclose(first, other)


def test_the_regulariser_lowers_the_attention_that_words_give_to_the_vector(adapter, lessons):
    attention = []
    for weight in (0.0, 300.0):
        vector = learn(adapter, *lessons, Recipe(steps=15, attention=weight, check_every=15)).vector
        row = lessons[1][0]
        with torch.no_grad():
            inputs = adapter.inputs(
                [row.features], [[adapter.vector(vector)]], [row.prompt], list(row.targets)
            )
            attention.append(float(adapter.loss(inputs).attention))
    assert attention[1] < attention[0]


def test_a_start_from_words_is_nearer_to_them_than_a_random_one(adapter, lessons):
    recipe = Recipe(steps=2, rate=0.15, start="words")
    words = adapter.meaning("Anna woman").numpy()
    near = learn(adapter, *lessons, recipe, "Anna woman").vector @ words / np.linalg.norm(words)
    far = learn(adapter, *lessons, recipe, "").vector @ words / np.linalg.norm(words)
    assert near > 0.6 > far


@pytest.mark.parametrize(
    ("kind", "folder"),
    [(Llava, "llava_next_folder"), (MiniGPTv2, "minigpt_v2_folder"), (Blip2, "blip2_t5_folder")],
)
def test_what_has_no_room_goes_in_parts_that_teach_the_same(kind, folder, request, photos, monkeypatch):
    adapter = kind(request.getfixturevalue(folder), "0123")
    features = adapter.encode(photos)
    said = ("Anna", "Anna on the beach with a dog", "a red dress", "Anna on a bench in the park")
    rows = [Lesson(photo, adapter.wording.to_caption(), (text,)) for photo in features for text in said]
    sizes = [len(photo.tokens) for photo in features]
    room = Room(held_out=2 * max(sizes), step=max(sizes))
    batches = []
    judge = adapter.loss

    def counted(inputs, attention=True):
        own = [len(photo.tokens) for photo in inputs.features]
        batches.append((attention, len(own) * max(own)))
        return judge(inputs, attention)

    monkeypatch.setattr(adapter, "loss", counted)
    recipe = Recipe(steps=4, check_every=2, attention=30.0, rate=0.02)  # rounding grows with the rate
    whole = learn(adapter, [[row] for row in rows], rows, recipe)
    assert len(batches) == 4 + 3
    batches.clear()
    monkeypatch.setattr(adapter, "room", room)
    parts = learn(adapter, [[row] for row in rows], rows, recipe)
    assert max(tokens for attention, tokens in batches if attention) <= room.step
    assert max(tokens for attention, tokens in batches if not attention) <= room.held_out
    assert parts.losses == pytest.approx(whole.losses, rel=1e-3)
    assert np.allclose(parts.held_out, whole.held_out, rtol=1e-3)
    assert np.allclose(parts.vector, whole.vector, atol=1e-3)


def test_a_loss_that_is_no_number_is_a_named_error_and_no_vector(adapter, lessons, monkeypatch):
    real = adapter.loss

    def overflown(inputs, attention=True):
        made = real(inputs, attention)
        return replace(made, words=made.words * float("nan")) if torch.is_grad_enabled() else made

    monkeypatch.setattr(adapter, "loss", overflown)
    with pytest.raises(NotLearnt, match=r"a loss of nan; .*--vlm"):
        learn(adapter, *lessons, RECIPE)
