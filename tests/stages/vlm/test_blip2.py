"""What is BLIP-2's own: vectors among what the Q-Former reads, with keys and values of the image's length."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from myvlm_tag.stages.vlm.blip2 import Blip2
from myvlm_tag.stages.vlm.embedding import Lesson, learn
from PIL import Image
from torch.nn.functional import normalize
from transformers import AutoProcessor, Blip2ForConditionalGeneration

TARGETS = ["Anna on the beach", "a red dress"]
QUESTION = "Question: Where is the mug? Answer:"


@pytest.fixture(scope="module", params=["blip2_t5_folder", "blip2_opt_folder"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def adapter(folder):
    return Blip2(folder, "0123")


@pytest.fixture(scope="module")
def vector(adapter):
    return torch.randn(adapter.width, generator=torch.Generator().manual_seed(4))


def _listen(qformer, made):
    """Keys and values of each cross-attention, as they go into it."""
    handles = []
    for number, layer in enumerate(qformer.encoder.layer):
        if layer.has_cross_attention:
            for part in ("key", "value"):

                def keep(_, __, output, name=(number, part)):
                    made[name] = output

                projection = getattr(layer.crossattention.attention, part)
                handles.append(projection.register_forward_hook(keep))
    return handles


def test_keys_and_values_of_a_concept_are_as_long_as_the_images_are_on_average(adapter, photos, vector):
    made = {}
    handles = _listen(adapter._model.qformer, made)
    features = adapter.encode(photos[:2])
    adapter.generate(features, [[vector, -vector], []], [QUESTION] * 2, 2)
    for handle in handles:
        handle.remove()
    assert sorted(made) == [(0, "key"), (0, "value"), (2, "key"), (2, "value")]
    for number, states in made.items():
        image, own = states[0, :5].norm(dim=-1), states[0, 5:].norm(dim=-1)
        assert own.tolist() == pytest.approx([float(image.mean())] * 2, rel=1e-4)
        projection = getattr(
            adapter._model.qformer.encoder.layer[number[0]].crossattention.attention, number[1]
        )
        placed = normalize(vector, dim=0) * features[0].norm
        expected = normalize(torch.nn.functional.linear(placed, projection.weight, projection.bias), dim=0)
        torch.testing.assert_close(normalize(states[0, 5], dim=0), expected, atol=1e-4, rtol=1e-4)


def test_without_concepts_the_loss_is_the_stock_models(adapter, folder, photos):
    processor = AutoProcessor.from_pretrained(folder)
    model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    for photo, target in zip(photos, TARGETS, strict=False):
        asked = processor(images=Image.fromarray(photo), text=QUESTION, return_tensors="pt")
        if model.config.is_encoder_decoder:
            labels = processor.tokenizer(target, return_tensors="pt").input_ids
        else:
            end = model.config.text_config.eos_token_id
            words = processor.tokenizer(f" {target}", add_special_tokens=False).input_ids
            answer = torch.tensor([[*words, end]])
            prompt = asked["input_ids"]
            labels = torch.cat([torch.full_like(prompt, -100), answer], 1)
            asked["input_ids"] = torch.cat([prompt, answer], 1)
            asked["attention_mask"] = torch.ones_like(asked["input_ids"])
        with torch.no_grad():
            expected = model(**asked, labels=labels).loss
            made = adapter.loss(adapter.inputs(adapter.encode([photo]), [[]], [QUESTION], [target]))
        assert float(made.words) == pytest.approx(float(expected), rel=1e-4)


def test_the_regulariser_is_the_mean_square_of_what_queries_give_to_the_vector(adapter, photos, vector):
    features = adapter.encode(photos[:1])
    model = adapter._model
    states = torch.cat([features[0].tokens, normalize(vector, dim=0)[None] * features[0].norm])[None]
    model.qformer.set_attn_implementation("eager")
    with torch.no_grad():
        seen = model.qformer(
            query_embeds=model.query_tokens, encoder_hidden_states=states, output_attentions=True
        ).cross_attentions
        made = adapter.loss(adapter.inputs(features, [[vector]], [QUESTION], TARGETS[:1]))
    expected = torch.stack([layer[..., -1] for layer in seen]).square().mean()
    assert float(made.attention) == pytest.approx(float(expected), rel=1e-4)


def test_a_photo_with_the_same_concepts_is_read_once_for_all_prompts(adapter, photos, vector):
    made = {}
    handles = _listen(adapter._model.qformer, made)
    features = adapter.encode(photos[:2])
    prompts = ["", QUESTION, "Question: Who is it? Answer:"]
    adapter.generate([*features[:1] * 3, *features[1:]], [[vector]] * 3 + [[]], [*prompts, ""], 2)
    for handle in handles:
        handle.remove()
    assert {len(states) for states in made.values()} == {2}


def test_more_tokens_than_the_model_has_places_for_are_not_asked_of_it(adapter, photos):
    said = adapter.generate(adapter.encode(photos[:2]), [[]] * 2, ["", QUESTION], 512)
    assert len(said) == 2


def test_a_vector_learnt_from_anywhere_makes_the_targets_likelier(adapter, photos):
    assert adapter.meaning("Anna woman") is None  # vectors stand among image features, not words
    features = adapter.encode(photos[:3])
    groups = [[Lesson(one, "", ("Anna on the beach", "Anna on a bench"))] for one in features[:2]]
    held_out = [Lesson(features[2], "", ("Anna on the beach",))]
    learnt = learn(adapter, groups, held_out, replace(adapter.recipe, steps=20, check_every=5), "Anna woman")
    losses = dict(learnt.held_out)
    assert losses[learnt.kept_step] < losses[0]
    assert float(np.linalg.norm(learnt.vector)) == pytest.approx(1, abs=1e-5)
