"""Linear heads tell one thing from its like, and all of them are one matrix product."""

import numpy as np
import pytest
from myvlm_tag.stages.heads.linear import LinearHead, Recipe, fit, probabilities


def _unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _instance(rng, center, count, spread=0.05):
    return _unit(center + spread * rng.normal(size=(count, len(center))))


def test_four_photos_and_150_look_alikes_make_a_head_that_knows_new_photos():
    rng = np.random.default_rng(3)
    category = rng.normal(size=128)
    mine = category + 0.6 * rng.normal(size=128)
    positives, new = _instance(rng, mine, 4, 0.2), _instance(rng, mine, 50, 0.2)
    others = [_instance(rng, category + 0.6 * rng.normal(size=128), 1, 0.2) for _ in range(300)]
    negatives = np.concatenate(others)
    head, losses = fit(positives, negatives[:150])
    assert losses[-1] < 0.6 * losses[0]
    assert (probabilities(new, [head]) >= head.threshold).mean() > 0.95
    assert (probabilities(negatives[150:], [head]) < head.threshold).mean() > 0.95


def test_the_same_photos_give_the_same_head():
    rng = np.random.default_rng(4)
    positives, negatives = _unit(rng.normal(size=(1, 8))), _unit(rng.normal(size=(20, 8)))
    recipe = Recipe(steps=20)
    first, again = (fit(positives, negatives, recipe=recipe)[0] for _ in range(2))
    assert np.array_equal(first.weight, again.weight) and first.bias == again.bias


def test_a_head_without_negatives_is_refused():
    with pytest.raises(ValueError, match="negatives"):
        fit(np.eye(2), np.empty((0, 2)))


def test_stacked_heads_agree_with_a_softmax_over_two_classes_even_far_out():
    rng = np.random.default_rng(5)
    heads = [LinearHead(rng.normal(size=16).astype(np.float32) * 60, float(b)) for b in (-3, 0, 200)]
    features = _unit(rng.normal(size=(20_000, 16))).astype(np.float16)
    logits = features.astype(np.float64) @ np.stack([h.weight for h in heads], 1) + [h.bias for h in heads]
    softmax = 1 / (1 + np.exp(-logits))
    found = probabilities(features, heads)
    assert np.isfinite(found).all()
    assert np.abs(found - softmax).max() < 1e-4


def test_no_heads_give_no_columns():
    assert probabilities(np.eye(3), []).shape == (3, 0)
