"""A photo's keys and values: what a model made of them is what it would make of the whole, token by token."""

import pytest
import torch
from myvlm_tag.stages.vlm import prefix
from myvlm_tag.stages.vlm.base import Features
from myvlm_tag.stages.vlm.prefix import Prefixes
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    return LlamaForCausalLM(LlamaConfig(vocab_size=50, hidden_size=16, intermediate_size=32, **shape)).eval()


@pytest.fixture
def prefixes(model):
    return Prefixes(model, torch.randn(3, 16, generator=torch.Generator().manual_seed(1)))


def _photo(tokens, seed):
    return Features(torch.randn(tokens, 16, generator=torch.Generator().manual_seed(seed)), 1.0)


def _words(count):
    return torch.randn(1, count, 16, generator=torch.Generator().manual_seed(9))


def _step(model, cache, words):
    return model(inputs_embeds=words, past_key_values=cache).logits[:, -1]


@torch.no_grad()
def test_a_cache_with_room_says_what_the_librarys_says_for_as_long_as_it_grows(model, prefixes):
    photo = _photo(5, 2)
    cache, mask = prefixes.cache([photo])
    plain = DynamicCache(config=model.config)
    _step(model, plain, torch.cat([prefixes._before, photo.tokens])[None])
    assert mask.shape[1] == plain.get_seq_length() == 8
    for word in _words(80).split([1] * 40 + [40], dim=1):  # past the room there is, one by one and at once
        torch.testing.assert_close(_step(model, cache, word), _step(model, plain, word))
    assert cache.get_seq_length() == plain.get_seq_length()


@torch.no_grad()
def test_a_photos_memory_is_not_written_to_by_what_is_said_of_it(model, prefixes):
    photo = _photo(5, 2)
    cache, _ = prefixes.cache([photo])
    before = [(keys.clone(), values.clone()) for keys, values in photo.memory]
    said = _step(model, cache, _words(4))
    again, _ = prefixes.cache([photo])
    torch.testing.assert_close(_step(model, again, _words(4)), said)
    for (keys, values), (own_keys, own_values) in zip(before, photo.memory, strict=True):
        assert torch.equal(keys, own_keys) and torch.equal(values, own_values)


@torch.no_grad()
def test_a_photo_too_large_to_keep_is_read_anew_and_says_the_same(model, prefixes, monkeypatch):
    photos = [_photo(5, 2), _photo(7, 3)]
    photos.append(photos[0])
    said = _step(model, prefixes.cache(photos)[0], _words(2).repeat(3, 1, 1))
    monkeypatch.setattr(prefix, "_KEEP_BYTES", 0)
    large = [_photo(5, 2), photos[1], _photo(5, 2)]  # one is known from before
    for _ in range(2):
        again = _step(model, prefixes.cache(large)[0], _words(2).repeat(3, 1, 1))
        torch.testing.assert_close(again, said)
        assert [photo.memory is not None for photo in large] == [False, True, False]


@torch.no_grad()
def test_rows_that_are_picked_anew_go_on_from_what_was_picked(model, prefixes):
    cache, _ = prefixes.cache([_photo(5, 2), _photo(5, 3)])
    cache.reorder_cache(torch.tensor([1, 1]))
    alone, _ = prefixes.cache([_photo(5, 3)])
    said = _step(model, cache, _words(2).repeat(2, 1, 1))
    expected = _step(model, alone, _words(2)).repeat(2, 1)
    torch.testing.assert_close(said, expected)


def test_gradients_reach_the_words_through_the_cache(model, prefixes):
    words = _words(3).requires_grad_()
    cache, _ = prefixes.cache([_photo(5, 2)])
    model(inputs_embeds=words[:, :2], past_key_values=cache)
    _step(model, cache, words[:, 2:]).square().sum().backward()
    assert words.grad is not None and bool((words.grad.abs().sum(-1) > 0).all())
